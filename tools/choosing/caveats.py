"""What to mind about a conclusion: few items, missing answers, suspicions, judges that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.choosing.tally import NOTHING_ELSE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from memory.records import Contamination
    from tools.choosing.deciding import Evidence
    from tools.choosing.tally import Tally

FEW_ITEMS = 100


def reservations(evidence: Evidence) -> str:
    """What the conclusion must not be read without: a judge that failed, examples made up."""
    text = ""
    for one in evidence.judging:
        if one.weight < 1:
            text += f" A judge of {one.benchmark} failed a control, so it counts x{one.weight:g}."
    return text + (" The examples it rests on are synthetic." if evidence.made_up else "")


def caveats(evidence: Evidence, tally: Tally) -> Iterator[str]:
    """Everything to mind, one by one."""
    if evidence.made_up:
        yield evidence.made_up
    yield from _measured(evidence, tally)
    yield from _arms(evidence, tally)
    yield from _suspicions(evidence.contamination)
    yield from _mistrust(evidence)
    unmeasured = [one.model for one in evidence.selected if one.model in evidence.not_measured]
    if unmeasured and tally.order:
        yield f"{len(unmeasured)} shortlisted models were not measured, {unmeasured[0]} first."


def _measured(evidence: Evidence, tally: Tally) -> Iterator[str]:
    """How little was measured, and what is missing of it."""
    sizes = [sum(one.n for one in found) for found in tally.measurements.values()]
    if sizes and min(sizes) < FEW_ITEMS:
        yield f"{min(sizes)} items are few: only large differences show on them."
    if len(tally.order) > 2:
        yield (
            f"{len(tally.order)} candidates were each tested at 5 %: the more are tried, the more"
            " easily one passes by luck."
        )
    for one in evidence.measurements:
        if one.missing:
            yield (
                f"{one.arm} has a score on {one.n} of {one.n + one.missing} items of"
                f" {one.benchmark}; the others were not asked or have no usable answer: they are"
                " left out, not counted as wrong."
            )
    sets = {frozenset(one.benchmark for one in found) for found in tally.measurements.values()}
    if len(sets) > 1:
        yield "Not every arm was measured on every benchmark; compare them only pairwise."


def _arms(evidence: Evidence, tally: Tally) -> Iterator[str]:
    """What is said of single arms."""
    for arm in evidence.arms:
        if arm.name in tally.measurements and arm.note:
            yield f"{arm.name}: {arm.note}."
        if arm.name in tally.measurements and arm.name in evidence.not_measured:
            yield f"{arm.name} was not measured to the end: {evidence.not_measured[arm.name]}"


def _suspicions(found: Sequence[Contamination]) -> Iterator[str]:
    """What is suspected, one by one; what could not be checked, by its reason."""
    for one in found:
        if one.weight < 1:
            yield f"{one.arm} {one.reason} [{one.benchmark}]."
    unchecked: dict[str, list[str]] = {}
    for one in found:
        if not one.flags:
            unchecked.setdefault(one.reason, []).append(f"{one.arm} on {one.benchmark}")
    for reason, scores in unchecked.items():
        yield f"{', '.join(scores)}: {reason}."


def _mistrust(evidence: Evidence) -> Iterator[str]:
    """What failing controls cost a judge's scores; what its judges did not grade."""
    measured = {one.benchmark for one in evidence.measurements}
    for one in evidence.judging:
        for judge in one.judges:
            failed = [control for control in judge.controls if not control.passed]
            if failed:
                why = "; ".join(control.reason for control in failed)
                alone = NOTHING_ELSE if measured == {one.benchmark} else ""
                yield f"{judge.judge}: {why}. {one.benchmark} counts x{one.weight:g}{alone}."
            for reason, n in judge.missing.items():
                yield f"{judge.judge} gave no usable grade to {n} answers: {reason}."
