"""From contamination signals to a flag on one P_ij, and what the flag costs that score.

The rule: the level 0.05 is shared out among the signals that were tried (Bonferroni), so trying
more accuses no more innocents. One signal that stands out halves the score's weight, two or more
quarter it. Never to nothing: a flag is a suspicion and the score still says something. A score
without a flag is not thereby clean; the reason says what was tried.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from memory.records import Contamination, ContaminationFlag, Origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from memory.records import Arm, Score
    from tools.methods.contamination import OrderTest, ParaphraseGap

LEVEL = 0.05
FACTORS = (1.0, 0.5, 0.25)  # by how many signals stand out
UNCHECKED = "not checked for contamination"


def assess(
    arm: Arm,
    benchmark: str,
    *,
    order: OrderTest | None = None,
    options: OrderTest | None = None,
    gap: ParaphraseGap | None = None,
) -> Contamination:
    """What the signals at hand say together; those not given were not tried."""
    tried = sum(signal is not None for signal in (order, options, gap))
    flag = partial(ContaminationFlag, threshold=LEVEL / max(tried, 1))
    flags = []
    if order is not None:
        told = (
            f"the published order is likelier than {order.rank:.0%} of random orders"
            f" (50% when unseen), over {order.shards} shards;"
            " a file sorted by topic looks the same"
        )
        flags.append(
            flag(method="order", statistic=order.rank, p=order.p, n=order.shards, note=told)
        )
    if options is not None:
        told = (
            "a question with its options as published surprises the model less than with"
            f" {options.rank:.0%} of other orders (50% when unseen),"
            f" over {options.shards} questions"
        )
        flags.append(
            flag(
                method="min-k%++", statistic=options.rank, p=options.p, n=options.shards, note=told
            )
        )
    if gap is not None:
        told = (
            f"{gap.gap:+.0%} ({gap.low:+.0%} to {gap.high:+.0%}) accuracy on the"
            f" published wording against others, {gap.n} items"
        )
        flags.append(flag(method="paraphrase gap", statistic=gap.gap, p=gap.p, n=gap.n, note=told))
    raised = [flag for flag in flags if flag.flagged]
    weight = FACTORS[min(len(raised), len(FACTORS) - 1)]
    return _found(arm, benchmark, flags, weight, _reason(flags, raised, weight))


def unchecked(arm: Arm, benchmark: str, why: str) -> Contamination:
    """A score nothing was tried on: full weight, and the reason."""
    return _found(arm, benchmark, (), FACTORS[0], f"{UNCHECKED}: {why}")


def _found(
    arm: Arm, benchmark: str, flags: Sequence[ContaminationFlag], weight: float, reason: str
) -> Contamination:
    return Contamination(
        arm=arm.name,
        model=arm.model,
        benchmark=benchmark,
        precision=arm.precision,
        revision=arm.revision,
        flags=tuple(flags),
        weight=weight,
        reason=reason,
    )


def _reason(
    flags: Sequence[ContaminationFlag], raised: Sequence[ContaminationFlag], weight: float
) -> str:
    if not flags:
        return UNCHECKED
    if not raised:
        methods = ", ".join(flag.method for flag in flags)
        return f"no sign of contamination ({methods}): full weight"
    evidence = "; ".join(f"{flag.note} (p = {flag.p:.2g})" for flag in raised)
    return f"may have been trained on: counts x{weight:g}, because {evidence}"


def factors(found: Iterable[Contamination]) -> dict[tuple[str, str], float]:
    """(arm, benchmark) -> what its weight is multiplied by, for the scores under suspicion."""
    return {(one.arm, one.benchmark): one.weight for one in found if one.weight < 1}


def suspicion(score: Score, found: Iterable[Contamination]) -> Contamination | None:
    """The finding that lowers the weight of ``score``: of the same weights, measured here."""
    cell = score.model, score.benchmark, score.precision, score.revision
    if score.origin is not Origin.MEASURED:
        return None
    for one in found:
        if one.weight < 1 and (one.model, one.benchmark, one.precision, one.revision) == cell:
            return one
    return None
