"""The tally of a run: measured arms with their pooled values, best first, and how any two compare.

It knows what the numbers say of each arm; which word follows for the whole run is
``tools.choosing.deciding``'s.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Literal, TypeAlias

from memory.records import CONSTANT, Origin, Ranked
from tools.choosing.comparing import between, lowered, partial
from tools.herd.contamination import factors
from tools.methods.intervals import pool

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memory.records import Comparison, Contamination, Measurement
    from tools.herd.race import RaceEnd

Standing: TypeAlias = Literal["winner", "runner-up", "too close to call", "rejected"]

# A two-sided exact p below this is a one-sided one below 0.05: the test is symmetric.
BEATS = 0.10
MEASURE_NEXT = 3
NOTHING_ELSE = " (no other benchmark was measured, so the value rests on it all the same)"


class Tally:
    """The measured arms with their pooled values, best first, and how any two compare.

    ``earning``: those of full coverage that beat the constant answer. ``leading``: the best of
    them and all that are level with it.
    """

    def __init__(
        self,
        measurements: Sequence[Measurement],
        comparisons: Sequence[Comparison],
        weights: Mapping[str, float],
        race: RaceEnd,
        contamination: Sequence[Contamination] = (),
    ) -> None:
        by_arm: dict[str, list[Measurement]] = defaultdict(list)
        self._suspected = [one for one in contamination if one.weight < 1]
        self.constant: str | None = None
        for one in measurements:
            by_arm[one.arm].append(one)
            if one.model == CONSTANT:
                self.constant = one.arm
        self.measurements = by_arm
        self.pooled = {
            arm: pool(
                [one.value for one in found],
                [one.low for one in found],
                [one.high for one in found],
                lowered(arm, [one.benchmark for one in found], weights, factors(self._suspected)),
            )
            for arm, found in by_arm.items()
        }
        self._comparisons = comparisons
        self._race = race
        candidates = [one for one in measurements if one.arm != self.constant]
        self.partial = partial(candidates)
        self.order = sorted(
            {one.arm: None for one in candidates},
            key=lambda arm: (arm in self.partial, -self.pooled[arm][0]),
        )
        self.earning = [arm for arm in self.order if self._beats(arm) and arm not in self.partial]
        self.leading = [arm for arm in self.order if self._leads(arm)]

    def comparison(self, a: str, b: str | None) -> Comparison | None:
        """``a`` minus ``b``; None when no item is shared, or there is no ``b``."""
        return None if b is None else between(a, b, self._comparisons)

    def _beats(self, arm: str) -> bool:
        """Whether the arm beats the constant answer; no baseline, no recommendation."""
        found = self.comparison(arm, self.constant)
        if found is None or found.difference <= 0:
            return False
        outrun = self.constant in self._race.out and arm == self._race.leader
        return outrun or found.p < BEATS

    def _leads(self, arm: str) -> bool:
        """Whether the arm is the best that earns or can't be told from it on what they share.

        One of fewer benchmarks must be ahead there: what it lacks may be what is hard.
        """
        if not self.earning or arm == self.earning[0]:
            return bool(self.earning)
        found = self.comparison(self.earning[0], arm)
        if arm in self.partial:
            return self._beats(arm) and found is not None and found.high < 0
        in_the_race = arm in self.earning and arm not in self._race.out
        return in_the_race and (found is None or found.low <= 0)

    def recommended(self, arm: str) -> Ranked:
        """The line of an arm that beats the constant answer."""
        best, clear = self.earning[0], len(self.leading) == 1
        if arm == best:
            reason = f"beats a constant answer by {self._over(arm)}"
            return self._line(arm, "winner" if clear else "too close to call", reason)
        gap = _gap(self.comparison(best, arm))
        if arm in self.leading:
            reason = f"can't be told from {best}: it is behind by {gap}"
            return self._line(arm, "too close to call", reason)
        second = clear and arm == self.earning[1]
        reason = f"behind {best} by {gap}"
        if arm in self._race.out:
            reason += f"; {self._race.out[arm]}"
        return self._line(arm, "runner-up" if second else "rejected", reason)

    def incomparable(self, arm: str) -> Ranked:
        """The line of an arm that was measured on fewer benchmarks than another."""
        only = f"measured on fewer benchmarks, {_listed(self.partial[arm])} only"
        if arm in self.leading:
            best = self.earning[0]
            reason = f"ahead of {best} by {_gap(self.comparison(arm, best))}, but {only}"
            return self._line(arm, "too close to call", reason)
        return self._line(arm, "rejected", f"not comparable: {only}")

    def rejected(self, arm: str) -> Ranked:
        """The line of an arm that does not beat the constant answer."""
        if self.constant is None:
            reason = "no constant-answer baseline was measured, so nothing shows that it is any use"
        else:
            reason = f"does not beat a constant answer: {self._over(arm)}"
        return self._line(arm, "rejected", reason)

    def summary(self, ranking: Sequence[Ranked]) -> str:
        """One to three sentences in plain words, and one for each suspicion of a leader."""
        text = self._conclusion(ranking)
        if apart := [arm for arm in self.order if arm in self.partial and arm not in self.leading]:
            text += f" Not comparable, for measured on fewer benchmarks: {_listed(apart)}."
        for one in self._suspected:
            if one.arm in self.leading:
                text += (
                    f" {one.arm} may have been trained on {one.benchmark}, which counts"
                    f" x{one.weight:g} for it."
                )
        return text

    def _conclusion(self, ranking: Sequence[Ranked]) -> str:
        upcoming = [line.model for line in ranking if line.standing == "not measured"]
        following = ""
        if upcoming:
            following = f" Measure next, best first: {', '.join(upcoming[:MEASURE_NEXT])}."
        if not self.order:
            return f"Nothing was measured, so nothing is recommended.{following}"
        if self.constant is None:
            return f"Nothing can be recommended: the baseline was not measured.{following}"
        if not self.earning:
            best = self.order[0]
            return (
                f"Nothing measured here earns a recommendation: the best, {best}, scores"
                f" {self._value(best)} and always giving one answer"
                f" {self._value(self.constant)}.{following}"
            )
        leader, *rest = self.earning
        if len(self.leading) > 1:
            return (
                f"Too close to call between {_listed(self.leading)}: {leader} leads with"
                f" {self._value(leader)}; each beats a constant answer"
                f" ({self.pooled[self.constant][0]:.2f})."
            )
        second = f"; runner-up {rest[0]}, {self._value(rest[0])}" if rest else ""
        return (
            f"Use {leader}: it scores {self._value(leader)}, ahead of a constant answer by"
            f" {self._over(leader)}{second}."
        )

    def _line(self, arm: str, standing: Standing, reason: str) -> Ranked:
        value, low, high = self.pooled[arm]
        for one in self._suspected:
            if one.arm == arm:
                reason += f"; its {one.benchmark} {one.reason}"
                if len(self.measurements[arm]) == 1:
                    reason += NOTHING_ELSE
        return Ranked(
            model=arm,
            value=value,
            low=low,
            high=high,
            origin=Origin.MEASURED,
            standing=standing,
            reason=reason,
        )

    def _over(self, arm: str) -> str:
        return _gap(self.comparison(arm, self.constant))

    def _value(self, arm: str) -> str:
        value, low, high = self.pooled[arm]
        return f"{value:.2f} ({low:.2f} to {high:.2f})"


def _gap(found: Comparison | None) -> str:
    if found is None:
        return "an unknown margin (no shared item)"
    return (
        f"{found.difference:+.2f} ({found.low:+.2f} to {found.high:+.2f},"
        f" p = {found.p:.2g}, {found.n} shared items)"
    )


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
