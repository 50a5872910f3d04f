"""Community signals (MSM stage 3): use, upkeep and what was built on a model.

Shown beside quality, never inside it: nothing here is read by the funnel, by σ_model, by Eq. 1 or
by a decision. A model that many use but nobody tends is flagged with the reason, because code
and weights without upkeep are a risk of their own kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from tools.methods.community import Cadence, cadence, percentile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from memory.records import Model
    from memory.registry import Registry

POPULAR = 0.8
"""Downloaded more than this share of the models of its age and size."""

STALE_DAYS = 365
"""So long without a commit (or, where that is not known, without anything new of its makers)."""


@dataclass(frozen=True)
class Signals:
    """What the community shows of one model; None: not known, which is not zero.

    ``downloads`` of the last 30 days. ``percentile``: the share of ``peers`` of its age and size
    that are downloaded less. ``derivatives``: as the Hub counts them, else those in the registry.
    ``idle_days`` since its last commit. ``maker``: the rhythm of its makers' models.
    ``unmaintained``: why a popular model counts as such.
    """

    model: str
    downloads: int | None
    downloads_all_time: int | None
    likes: int | None
    trending: float | None
    derivatives: int
    discussions: int | None
    age_days: float | None
    idle_days: float | None
    percentile: float | None
    peers: int
    maker: Cadence | None
    unmaintained: str | None

    def describe(self) -> str:
        """One line of what is known."""
        parts = [
            _count(self.downloads, "downloads in 30 days"),
            _count(self.downloads_all_time, "in all"),
            None
            if self.percentile is None
            else f"more than {self.percentile:.0%} of {self.peers} models of its age and size",
            _count(self.likes, "likes"),
            None if self.trending is None else f"trend {self.trending:g}",
            f"{self.derivatives:,} made from it" if self.derivatives else None,
            _count(self.discussions, "discussions"),
            None if self.idle_days is None else f"last commit {_ago(self.idle_days)}",
            _rhythm(self.maker),
        ]
        return " · ".join(part for part in parts if part) or "nothing is known"


def signals(ids: Sequence[str], registry: Registry, now: datetime) -> list[Signals]:
    """The signals of these models, in their order, against the whole registry.

    Raises:
        BadRequest: one of them is not in the registry.
    """
    wanted = [registry.get(id) for id in ids]
    models = list(registry.models.values())
    row = {model.id: i for i, model in enumerate(models)}
    counts = np.array([_number(model.downloads) for model in models])
    ages = np.array([_number(_age(model, now)) for model in models])
    sizes = np.array([_number(model.params or None) for model in models])
    found = []
    for model in wanted:
        stands = percentile(row[model.id], counts, ages, sizes)
        of_maker = (ages[row[one.id]] for one in models if _maker(one) == _maker(model))
        rhythm = cadence([age for age in of_maker if np.isfinite(age)])
        found.append(_signals(model, registry, now, stands, rhythm))
    return found


def _signals(
    model: Model,
    registry: Registry,
    now: datetime,
    stands: tuple[float, int] | None,
    rhythm: Cadence | None,
) -> Signals:
    idle = _days(model.modified, now)
    return Signals(
        model=model.id,
        downloads=model.downloads,
        downloads_all_time=model.downloads_all_time,
        likes=model.likes,
        trending=model.trending,
        derivatives=len(registry.children(model.id))
        if model.derivatives is None
        else model.derivatives,
        discussions=model.discussions,
        age_days=_age(model, now),
        idle_days=idle,
        percentile=None if stands is None else stands[0],
        peers=0 if stands is None else stands[1],
        maker=rhythm,
        unmaintained=_unmaintained(stands, idle, _age(model, now), rhythm),
    )


def _unmaintained(
    stands: tuple[float, int] | None,
    idle: float | None,
    age: float | None,
    rhythm: Cadence | None,
) -> str | None:
    """Why a popular model is not looked after; None when it is, or when that can't be known."""
    if stands is None or stands[0] < POPULAR:
        return None
    popular = f"downloaded more than {stands[0]:.0%} of models of its age and size"
    if idle is not None:
        return f"{popular}, but its last commit was {_ago(idle)}" if idle > STALE_DAYS else None
    if rhythm is None or age is None or rhythm.since <= STALE_DAYS:
        return None
    return f"{popular}, but its makers published nothing new since {_ago(rhythm.since)}"


def _age(model: Model, now: datetime) -> float | None:
    """Days since it was created, else released; at least one."""
    found = _days(model.created, now)
    found = _days(model.released, now) if found is None else found
    return None if found is None else max(found, 1.0)


def _days(when: str | None, now: datetime) -> float | None:
    """Days from an ISO date, month, year or instant until ``now``; None where it says none."""
    if not when:
        return None
    try:
        then = datetime.fromisoformat(when + {4: "-07-01", 7: "-15"}.get(len(when), ""))
    except ValueError:
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return (now - then).total_seconds() / 86_400


def _maker(model: Model) -> str:
    return model.id.partition("/")[0].lower()


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _count(value: int | None, what: str) -> str | None:
    return None if value is None else f"{value:,} {what}"


def _ago(days: float) -> str:
    return f"{days / 365.25:.1f} years ago" if days > 730 else f"{max(days, 0):.0f} days ago"


def _rhythm(maker: Cadence | None) -> str | None:
    if maker is None or maker.gap is None:
        return None
    return f"its makers: {maker.n} models, one every {maker.gap:.0f} days, last {_ago(maker.since)}"


def flagged(found: Iterable[Signals]) -> str:
    """One line naming the popular but unmaintained ones; empty when there is none."""
    told = [f"{one.model} ({one.unmaintained})" for one in found if one.unmaintained]
    return f"; popular but unmaintained: {'; '.join(told)}" if told else ""
