"""Which member to ask first, and whom next: value less price, the ailing and the slow last.

A member that failed is asked last for a while rather than never: when all fail, each was tried.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict, deque
from typing import TYPE_CHECKING

import numpy as np

from tools import router

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from memory.routers import FittedRouter
    from tools.routing.members import Member

REST = 15.0  # seconds a member that failed is asked last
RECENT = 20  # answers from which a member's pace is read
CHARS_PER_TOKEN = 4.0


class Chooser:
    """Orders ``members`` for a prompt by the ``fitted`` router.

    ``cost_weight``: grade (0 to 1) given up to save a dollar on a thousand typical requests.
    ``max_seconds``: how long an answer may take to begin; slower members are asked last.
    """

    def __init__(
        self,
        fitted: FittedRouter,
        members: Sequence[Member],
        *,
        cost_weight: float = 0.0,
        max_seconds: float | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.fitted = fitted
        self.members = list(members)
        self.max_seconds = max_seconds
        self._now = now
        self._rests_until: dict[str, float] = {}
        self._began: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=RECENT))
        about = fitted.about
        typical = about.chars_in / CHARS_PER_TOKEN, about.chars_out / CHARS_PER_TOKEN
        self._price = {m.name: cost_weight * 1000 * m.usd(*typical) for m in members}

    def order(self, prompt: NDArray[np.float64]) -> tuple[int | None, list[Member]]:
        """The region of an embedded prompt (p,), and every member, whom to ask first first."""
        region, value = router.order(self.fitted, prompt)
        worth = np.where(np.isnan(value), -np.inf, value)

        def rank(member: Member) -> tuple[bool, bool, float]:
            gained = float(worth[member.place]) - self._price[member.name]
            return self.rests(member) > 0, self._is_slow(member), -gained

        return region, sorted(self.members, key=rank)

    def patience(self, member: Member) -> float:
        """Seconds within which its answer must begin."""
        return min(member.timeout, self.max_seconds or member.timeout)

    def began(self, member: Member, seconds: float) -> None:
        """It answered, after so long."""
        self._began[member.name].append(seconds)
        self._rests_until.pop(member.name, None)

    def failed(self, member: Member, rest: float = REST) -> None:
        """It did not answer; ``rest``: for how long it is asked last."""
        self._rests_until[member.name] = self._now() + rest

    def rests(self, member: Member) -> float:
        """Seconds for which it is still asked last; 0 when it is well."""
        return max(self._rests_until.get(member.name, 0.0) - self._now(), 0.0)

    def _is_slow(self, member: Member) -> bool:
        began = self._began[member.name]
        return (
            self.max_seconds is not None
            and bool(began)
            and statistics.median(began) > self.max_seconds
        )
