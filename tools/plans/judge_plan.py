"""Who grades what of a plan, what that costs, and what a person must know of it before a yes.

A judge's price is part of each step's: per item the rubric, the input and an answer go to every
judge. The constant answer's step pays for the controls, too, since it is one of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memory.errors import MirrorError
from memory.example_sets import PREFIX
from memory.records import CONSTANT
from tools.judging.chat import Judge
from tools.judging.controls import ITEMS, NULL_ANSWER
from tools.judging.panel import Panel, appoint, judged_task
from tools.methods.gpu_time import Range
from tools.real_task.own_task import (
    CHARS_PER_TOKEN,
    JUDGED,
    graded,
    kept_name,
    made_up,
    must_stay,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memory.records import Arm, BenchmarkChoice
    from tools.deps import Deps
    from tools.judging.chat import PricedChat
    from tools.real_task.own_task import Graded

NOTHING = Range(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Bench:
    """The panel of one judged benchmark: ``judges`` as they were named, ``task`` to be graded."""

    panel: Panel
    judges: tuple[str, ...]
    task: Graded

    def usd(self, arm: Arm, items: Sequence[str]) -> Range:
        """Dollars of grading an arm's answers to ``items``, controls included."""
        by_id = {one.id: one.input for one in self.task.usable}
        sources = [by_id[item] for item in items]
        most = self.task.most_tokens * CHARS_PER_TOKEN
        if arm.model != CONSTANT:
            likely = self.task.likely_tokens * CHARS_PER_TOKEN
            return self.panel.usd(sources, Range(likely / 4, likely, most))
        null = self.panel.usd(sources, Range(*(len(NULL_ANSWER),) * 3))
        longest = self.panel.usd(sources[:ITEMS], Range(most / 4, most, most))
        return Range(*(a + b for a, b in zip(null, longest, strict=True)))

    def seconds(self, arm: Arm, items: int) -> Range:
        """Time of grading an arm's answers to so many items, controls included."""
        controls = min(items, ITEMS) if arm.model == CONSTANT else 0
        return self.panel.seconds(items + controls)


@dataclass(frozen=True)
class Seated:
    """What can be measured with the judges there are. ``benches``: by judged benchmark.

    ``unjudged``: why an arm is left out, by name; ``notes`` are for the person who approves.
    """

    arms: tuple[Arm, ...]
    choices: tuple[BenchmarkChoice, ...]
    benches: Mapping[str, Bench] = field(default_factory=dict)
    unjudged: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def seat(arms: Sequence[Arm], choices: Sequence[BenchmarkChoice], deps: Deps) -> Seated:
    """The arms and benchmarks that can be measured when judges are kept impartial and informed.

    A judged benchmark that no judge may grade falls away, with a note; so does an arm that is kin
    of every judge, because scores of different judges do not compare.
    """
    own = next((one for one in choices if one.task.startswith(PREFIX)), None)
    if own is None or not arms:
        return Seated(tuple(arms), tuple(choices))
    kept = deps.examples.get(kept_name(own.task))
    notes: tuple[str, ...] = (said,) if (said := made_up(kept)) else ()
    judged = next((one for one in choices if one.task.endswith(JUDGED)), None)
    if judged is None:
        return Seated(tuple(arms), tuple(choices), notes=notes)
    task = graded(kept, judged=True)
    reached, why_not = _reach(task, deps)
    notes += why_not
    models = list(dict.fromkeys(arm.model for arm in arms))
    names = [found.chat.model for found in reached.values()]
    others = tuple(one for one in choices if one is not judged)
    if not reached:
        return Seated(tuple(arms), others, notes=notes)
    appointed = appoint(names, models, deps.registry)
    notes += tuple(appointed.excused.values())
    kin = appointed.unjudged
    if len(kin) == len(models):
        why = tuple(f"{model}: {reason}" for model, reason in kin.items())
        left = {} if others else {arm.name: kin[arm.model] for arm in arms}
        return Seated(tuple(arms), others, unjudged=left, notes=(*notes, *why))
    chosen = [list(reached)[place] for place in appointed.judges]
    judges = [Judge(reached[one].chat, None, reached[one].price, deps.ledger) for one in chosen]
    panel = Panel(tuple(judges), judged_task(task.task))
    return Seated(
        tuple(arm for arm in arms if arm.model not in kin),
        tuple(choices),
        {judged.task: Bench(panel, tuple(chosen), task)},
        {arm.name: kin[arm.model] for arm in arms if arm.model in kin},
        (*notes, *(_grades(reached[one]) for one in chosen)),
    )


def told(constant: Arm, seated: Seated) -> Arm:
    """The constant arm with what it says to a judge, if there is one."""
    if not seated.benches:
        return constant
    said = f"to a judge it says {NULL_ANSWER.rstrip('.')!r}"
    if all(choice.task in seated.benches for choice in seated.choices):
        return constant.model_copy(update={"note": said})
    return constant.model_copy(update={"note": f"{constant.note}; {said}".strip("; ")})


def _reach(task: Graded, deps: Deps) -> tuple[dict[str, PricedChat], tuple[str, ...]]:
    """The judges that can be asked and may be shown the examples; why the others are not."""
    reached, notes = {}, []
    for named in task.task.judges:
        try:
            found = deps.judge(named)
        except MirrorError as error:
            notes.append(str(error))
            continue
        if (why := must_stay(task.task, local=found.here)) is not None:
            notes.append(f"{found.chat.model} grades nothing: {why}")
        else:
            reached[named] = found
    return reached, tuple(notes)


def _grades(judge: PricedChat) -> str:
    where = "on this machine" if judge.here else f"at {judge.server}, where the examples are sent"
    return f"{judge.chat.model} {where} grades every answer ({judge.price})"
