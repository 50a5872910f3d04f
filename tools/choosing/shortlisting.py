"""Eq. 1 as a conversation applies it, and as a replay of its decision applies it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memory.records import Balance
from tools import score_lookup
from tools.scores import prediction
from tools.scores.related import related

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from memory.records import (
        BenchmarkChoice,
        Candidate,
        Contamination,
        Prediction,
        Requirements,
        Score,
        Selected,
    )
    from memory.registry import Registry
    from tools.deps import Embedder
    from tools.scores.related import Related


@dataclass(frozen=True)
class Shortlist:
    """S*, the predictions that filled its empty cells, and what related benchmarks said."""

    selected: list[Selected]
    predicted: list[Prediction]
    related: Related


@dataclass(frozen=True)
class Grounds:
    """What Eq. 1 rests on beside the candidates: every observation, the facts, the suspicions."""

    observations: Sequence[Score]
    registry: Registry
    suspected: Sequence[Contamination]
    embedder: Embedder
    cache: Path


def shortlist(
    needed: Requirements,
    candidates: Sequence[Candidate],
    benchmarks: Sequence[BenchmarkChoice],
    scores: Sequence[Score],
    grounds: Grounds,
    balance: Balance | None = None,
) -> Shortlist:
    """S* of RELM's Eq. 1 over ``candidates``, whose known cells are ``scores``."""
    names = [candidate.model for candidate in candidates]
    copies = {candidate.model: candidate.variants for candidate in candidates}
    columns: dict[str, str | None] = {choice.task: None for choice in benchmarks}
    columns |= {score.benchmark: score.protocol for score in scores}
    predicted = prediction.predict(
        names, columns, grounds.observations, grounds.registry, copies, grounds.suspected
    )
    others = related(
        " ".join([needed.text, *needed.domains]),
        names,
        grounds.observations,
        grounds.embedder,
        grounds.cache,
        copies,
    )
    weights = balance or Balance()
    selected = score_lookup.select(
        candidates,
        benchmarks,
        scores,
        predicted,
        grounds.suspected,
        others,
        alpha=weights.alpha,
        beta=weights.beta,
    )
    return Shortlist(selected, predicted, others)
