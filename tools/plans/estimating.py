"""How long a step will take: the back end's pace, corrected by what earlier steps really took.

Loading and the time of one item are corrected apart (``tools.methods.throughput``), each by the
ledger's own history of its kind. Where the ledger knows nothing of a back end, the back end's own
range stands. Loading is corrected from its worst case, because only that counts the start of the
process and the unpacking of weights, which is not always to be done.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from memory.records import CONSTANT, Forecast
from tools.herd.contamination_check import Checks
from tools.methods.gpu_time import Range
from tools.methods.throughput import Accuracy, Timing, Work, accuracy, correction, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.ledger import Took
    from memory.records import Arm
    from tools.deps import Deps, Runner

EDITION = 1
"""Raised when a back end's pace is changed: ratios to its former estimates correct nothing."""

NEVER = "never measured here"
LOADING = ""  # what stands for the benchmark where weights are loaded


class _Part(NamedTuple):
    """Seconds as the back end estimates them, and as the ledger corrects that."""

    raw: Range
    corrected: Range


@dataclass(frozen=True)
class Estimator:
    """Estimates for the arms of ``runner`` from what the ledger has in ``history``."""

    runner: Runner
    history: Sequence[Took] = ()
    _known: dict[tuple[str, str], tuple[_Part, _Part]] = field(default_factory=dict)

    @classmethod
    def of(cls, deps: Deps, run: str | None = None) -> Estimator:
        """The estimator of this deployment, as its ledger stands now but for ``run`` itself.

        A resumed run must reserve what its plan was priced at, not what it has learnt since.
        """
        return cls(deps.runner, [one for one in deps.ledger.took() if one.forecast.run != run])

    def seconds(self, arm: Arm, benchmark: str, items: int, *, loaded: bool) -> Range:
        """So many items, after loading and probing the arm unless it is ``loaded``.

        Raises what the runner's ``seconds`` does.
        """
        loading, item = (part.corrected for part in self._parts(arm, benchmark))
        once = 0 if loaded else 1
        return Range(*(once * a + items * b for a, b in zip(loading, item, strict=True)))

    def forecast_loading(self, run: str, arm: Arm, benchmark: str, what: str) -> Forecast:
        """What loading the arm, for ``benchmark`` first, is expected to take in ``run``."""
        return _forecast(self._parts(arm, benchmark)[0], run, arm, None, what)

    def forecast_item(self, run: str, arm: Arm, benchmark: str, what: str) -> Forecast:
        """What one item is expected to take in ``run``."""
        return _forecast(self._parts(arm, benchmark)[1], run, arm, benchmark, what)

    def basis(self, arm: Arm, benchmark: str) -> str:
        """What the estimate of an item rests on, in words."""
        if arm.model == CONSTANT:
            return ""
        alike = [one for one in self._items if one.forecast.arm.backend == arm.backend]
        same_arm = [one for one in alike if one.forecast.arm.identity == arm.identity]
        exact = [one for one in same_arm if one.forecast.benchmark == benchmark]
        for found, which in (
            (exact, ""),
            (same_arm, " of this arm"),
            (alike, f" through {arm.backend}"),
        ):
            if n := sum(one.n for one in found):
                return f"from {n} earlier item{'s' if n > 1 else ''}{which}"
        return NEVER

    def _parts(self, arm: Arm, benchmark: str) -> tuple[_Part, _Part]:
        """Loading, and one item."""
        key = arm.identity, benchmark
        if key not in self._known:
            one, two = (self.runner.seconds(arm, benchmark, n) for n in (1, 2))
            loading = Range(*(max(2 * a - b, 0.0) for a, b in zip(one, two, strict=True)))
            item = Range(*(max(b - a, 0.0) for a, b in zip(one, two, strict=True)))
            # Loading has no lower end of its own, as it may be done already: the range of an
            # item says how sure the back end is of its pace.
            prior = spread(item.low, item.high) if item.low > 0 else None
            self._known[key] = (
                _corrected(loading, loading.high, prior, arm, LOADING, self._loadings),
                _corrected(item, item.expected, prior, arm, benchmark, self._items),
            )
        return self._known[key]

    @cached_property
    def checks(self) -> Checks:
        """The contamination checks that go with the steps."""
        return Checks(self.runner)

    @cached_property
    def _items(self) -> list[Took]:
        return [one for one in _usable(self.history) if one.forecast.benchmark is not None]

    @cached_property
    def _loadings(self) -> list[Took]:
        return [one for one in _usable(self.history) if one.forecast.benchmark is None]


def _corrected(
    raw: Range,
    reference: float,
    prior: float | None,
    arm: Arm,
    benchmark: str,
    history: Sequence[Took],
) -> _Part:
    """``raw`` as it is where nothing is known, else ``reference`` times what earlier ratios say."""
    if prior is None or reference <= 0:
        return _Part(raw, raw)
    timings = [
        Timing(_work(one.forecast), one.forecast.run, _reference(one.forecast), one.seconds)
        for one in history
    ]
    found = correction(timings, Work(arm.backend, arm.identity, benchmark), prior)
    return _Part(raw, raw if found is None else Range(*(reference * factor for factor in found)))


def _usable(history: Sequence[Took]) -> list[Took]:
    """What has a ratio to an estimate of this edition."""
    return [
        one
        for one in history
        if one.forecast.edition == EDITION and _reference(one.forecast) > 0 and one.seconds > 0
    ]


def _reference(forecast: Forecast) -> float:
    return forecast.raw_high if forecast.benchmark is None else forecast.raw


def _work(forecast: Forecast) -> Work:
    return Work(forecast.arm.backend, forecast.arm.identity, forecast.benchmark or LOADING)


def _forecast(part: _Part, run: str, arm: Arm, benchmark: str | None, what: str) -> Forecast:
    return Forecast(
        run=run,
        arm=arm,
        benchmark=benchmark,
        what=what,
        raw_low=part.raw.low,
        raw=part.raw.expected,
        raw_high=part.raw.high,
        low=part.corrected.low,
        seconds=part.corrected.expected,
        high=part.corrected.high,
        edition=EDITION,
    )


def track_record(history: Sequence[Took]) -> Accuracy | None:
    """How good the ledger's estimates have been; None: there is nothing to compare yet."""
    timed = [one for one in history if one.seconds > 0]
    return accuracy(
        [one.forecast.seconds for one in timed],
        [one.forecast.low for one in timed],
        [one.forecast.high for one in timed],
        [one.seconds for one in timed],
    )


def timing(history: Sequence[Took]) -> str:
    """What was measured beside what it was expected to take, in minutes; "" for no history."""
    if not history:
        return ""
    minutes = [
        [n * seconds / 60 for seconds in (one.low, one.seconds, one.high, actual)]
        for one, n, actual in history
    ]
    low, expected, high, took = (sum(column) for column in zip(*minutes, strict=True))
    return (
        f"What was measured of it was expected to take {expected:.1f} minutes"
        f" ({low:.1f}-{high:.1f}) and took {took:.1f}"
    )


def in_words(found: Accuracy | None) -> str:
    """One line for a person."""
    if found is None:
        return "nothing measured yet to compare an estimate with"
    return (
        f"off by {found.error:.0%} in the median of {found.n} estimates,"
        f" {found.within:.0%} of the times within their range"
    )
