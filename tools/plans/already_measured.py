"""What of a plan was paid for before: the ledger's results of exactly these arms and items.

Runs draw the same items first (``planning.SEED``), so what an earlier run measured of an arm under
the same protocol, revision and precision is not bought again: a plan asks for the rest only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memory.errors import BadRequest
from memory.records import CONSTANT, Origin

if TYPE_CHECKING:
    from memory.records import Arm, Plan
    from tools.deps import Deps, Runner
    from tools.herd.contamination_check import Checks


@dataclass
class AlreadyMeasured:
    """What the ledger has of arms' items in the order drawn with ``seed``."""

    deps: Deps
    seed: int
    _held: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    _drawn: dict[tuple[str, int], list[str]] = field(default_factory=dict)

    def items(self, arm: Arm, benchmark: str, count: int) -> int:
        """How many of the first ``count`` items are paid for; the free constant answer's never."""
        held = self._results(arm, benchmark)
        if not held:
            return 0
        if (benchmark, count) not in self._drawn:
            most = drawable(self.deps.runner, benchmark, count, self.seed)
            drawn = self.deps.runner.items(benchmark, most, self.seed)
            self._drawn[benchmark, count] = drawn
        return sum(item in held for item in self._drawn[benchmark, count])

    def checked(self, arm: Arm, benchmark: str, checks: Checks) -> bool:
        """Whether the contamination check of the arm on the benchmark is paid for."""
        if not self._results(arm, benchmark):
            return False
        check = checks.of(arm, benchmark)
        ledger = self.deps.ledger
        return isinstance(check, str) or ledger.check(arm, benchmark, check.key) is not None

    def when(self, arm: Arm, benchmark: str, protocol: str) -> str | None:
        """The day (ISO 8601) of the last measurement of the cell here; None where no score says."""
        cell = arm.precision, arm.revision, protocol, Origin.MEASURED
        days = [
            one.date
            for one in self.deps.scores.own([arm.model], [benchmark])
            if (one.precision, one.revision, one.protocol, one.origin) == cell and one.date
        ]
        return max(days, default=None)

    def _results(self, arm: Arm, benchmark: str) -> frozenset[str]:
        if arm.model == CONSTANT:
            return frozenset()
        key = arm.identity, benchmark
        if key not in self._held:
            protocol = self.deps.runner.protocol(benchmark)
            self._held[key] = frozenset(self.deps.ledger.done(arm, benchmark, protocol))
        return self._held[key]


def drawable(runner: Runner, benchmark: str, wanted: int, seed: int) -> int:
    """``wanted`` items, or as many as there are: a runner refuses to draw more than it has."""
    enough, too_many = 0, wanted + 1
    tried = wanted
    while too_many - enough > 1:
        try:
            enough = len(runner.items(benchmark, tried, seed))
        except BadRequest:
            too_many = tried
        else:
            if enough < tried:
                return enough
        tried = (enough + too_many) // 2
    return enough


def in_words(plan: Plan) -> str:
    """One line: which cells need not be bought, and since when; "" where all are new."""
    steps = [step for step in plan.steps if step.arm.model != CONSTANT]
    whole = [step for step in steps if step.items and step.reused == step.items]
    part = [step for step in steps if 0 < step.reused < step.items]
    if not whole and not part:
        return ""
    days = sorted({step.measured for step in [*whole, *part] if step.measured})
    since = f" {days[0]}" + (f" to {days[-1]}" if len(days) > 1 else "") if days else ""
    words = [f"{len(whole)} of {len(steps)} cells"] if whole else []
    if part:
        reused, items = sum(s.reused for s in part), sum(s.items for s in part)
        words.append(
            f"{reused} of {items} items of {len(part)} more"
            if whole
            else f"{reused} of {items} items of {len(part)} of {len(steps)} cells"
        )
    return f"Already measured{since}: {', '.join(words)}; they are not bought again"
