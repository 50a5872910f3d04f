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

    import polars as pl

    from memory.records import Model
    from memory.registry import Registry

POPULAR = 0.8
"""Downloaded more than this share of the models of its age and size."""

FACTS = ("id", "downloads", "params", "created", "released")

COMPARED = 20_000
"""Models a model is compared with at most; more would only cost time."""

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
            else f"more than {_share(self.percentile)} of {self.peers} models of its age and size",
            _count(self.likes, "likes"),
            None if self.trending is None else f"trend {self.trending:g}",
            f"{self.derivatives:,} made from it" if self.derivatives else None,
            _count(self.discussions, "discussions"),
            None if self.idle_days is None else f"last commit {_span(self.idle_days)} ago",
            _rhythm(self.maker),
        ]
        return " · ".join(part for part in parts if part) or "nothing is known"


def signals(ids: Sequence[str], registry: Registry, now: datetime) -> list[Signals]:
    """The signals of these models, in their order, against the registry.

    Of a registry with more than ``COMPARED`` models an even sample of so many is compared with.

    Raises:
        BadRequest: one of them is not in the registry.
    """
    wanted = [registry.get(id) for id in ids]
    facts = registry.facts(FACTS)
    peers = facts.gather_every(-(-len(facts) // COMPARED) or 1)
    peers = peers.filter(~peers["id"].is_in([model.id for model in wanted]))
    counts, ages, sizes = (
        np.array([_number(value) for value in (*own, *others)])
        for own, others in (
            ([m.downloads for m in wanted], peers["downloads"]),
            ([_age(m.created, m.released, now) for m in wanted], _ages(peers, now)),
            ([m.params or None for m in wanted], (n or None for n in peers["params"])),
        )
    )
    makers = {_maker(model.id) for model in wanted}
    rhythms = {maker: cadence(_published(maker, facts, now)) for maker in makers}
    return [
        _signals(
            model,
            registry,
            now,
            percentile(i, counts, ages, sizes),
            rhythms[_maker(model.id)],
        )
        for i, model in enumerate(wanted)
    ]


def _published(maker: str, facts: pl.DataFrame, now: datetime) -> list[float]:
    """How many days ago each of the maker's models appeared, where that is known."""
    theirs = facts.filter(facts["id"].str.to_lowercase().str.starts_with(f"{maker}/"))
    return [age for age in _ages(theirs, now) if age is not None]


def _ages(facts: pl.DataFrame, now: datetime) -> list[float | None]:
    pairs = zip(facts["created"], facts["released"], strict=True)
    return [_age(created, released, now) for created, released in pairs]


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
        age_days=_age(model.created, model.released, now),
        idle_days=idle,
        percentile=None if stands is None else stands[0],
        peers=0 if stands is None else stands[1],
        maker=rhythm,
        unmaintained=_unmaintained(stands, idle, rhythm),
    )


def _unmaintained(
    stands: tuple[float, int] | None,
    idle: float | None,
    rhythm: Cadence | None,
) -> str | None:
    """Why a popular model is not looked after; None when it is, or when that can't be known."""
    if stands is None or stands[0] < POPULAR:
        return None
    popular = f"downloaded more than {_share(stands[0])} of models of its age and size"
    if idle is not None:
        return f"{popular}, but no commit for {_span(idle)}" if idle > STALE_DAYS else None
    if rhythm is None or rhythm.since <= STALE_DAYS:
        return None
    return (
        f"{popular}, but the registry knows of no new model of its makers for "
        f"{_span(rhythm.since)}, and of no commit"
    )


def _age(created: str | None, released: str | None, now: datetime) -> float | None:
    """Days since it was created, else released; at least one."""
    found = _days(created, now)
    found = _days(released, now) if found is None else found
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


def _maker(id: str) -> str:
    return id.partition("/")[0].lower()


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _count(value: int | None, what: str) -> str | None:
    return None if value is None else f"{value:,} {what}"


def _share(percentile: float) -> str:
    return f"{min(percentile, 0.99):.0%}"


def _span(days: float) -> str:
    return f"{days / 365.25:.1f} years" if days > 730 else f"{max(days, 0):.0f} days"


def _rhythm(maker: Cadence | None) -> str | None:
    if maker is None or maker.gap is None:
        return None
    every = f"one every {maker.gap:.0f} days"
    return f"its makers: {maker.n} models, {every}, last {_span(maker.since)} ago"


def flagged(found: Iterable[Signals]) -> str:
    """One line naming the popular but unmaintained ones; empty when there is none."""
    told = [f"{one.model} ({one.unmaintained})" for one in found if one.unmaintained]
    return f"; popular but unmaintained: {'; '.join(told)}" if told else ""
