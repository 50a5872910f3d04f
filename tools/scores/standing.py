"""Where models are likely to stand among all that were ever measured, on any benchmark.

Each score becomes a z-score within its benchmark and protocol; a model's mean of them, with the
error that their number leaves, goes into ``tools.methods.quality_prior`` with its size, date, base
and maker. So every model stands somewhere, a new one where its kind does.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from memory.scores import resolve
from tools.methods import quality_prior
from tools.methods.routing import standardized

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from memory.records import Score
    from memory.registry import Registry

LEAST_MODELS = 8  # a benchmark that fewer were measured on tells little of any
MOST_MODELS = 600  # measured ones looked at, those with most scores first: work grows with the cube


def standing(
    models: Sequence[str], observations: Iterable[Score], registry: Registry
) -> dict[str, float]:
    """Each model's likely standing in deviations from the mean; empty if too little is known."""
    found = _z_scores(observations)
    measured = sorted(found, key=lambda model: -len(found[model]))[:MOST_MODELS]
    rows = [*models, *(model for model in measured if model not in models)]
    known = [np.array(found.get(model, [])) for model in rows]
    if sum(one.size > 0 for one in known) < LEAST_MODELS:
        return {}
    spread = np.concatenate([one - one.mean() for one in known if one.size > 1] or [np.ones(1)])
    within = float(spread.std())
    about = [registry.models.get(model) for model in rows]
    placed = quality_prior.fit(
        [one.mean() if one.size else np.nan for one in known],
        [within / np.sqrt(max(one.size, 1)) for one in known],
        [
            [np.log10(m.params) if m and m.params else np.nan for m in about],
            [_year(m.released) if m else np.nan for m in about],
        ],
        [
            [m.bases[0].parent if m and m.bases else None for m in about],
            [model.split("/")[0] for model in rows],
        ],
    )
    return dict(zip(models, placed.mean[: len(models)].tolist(), strict=True))


def _z_scores(observations: Iterable[Score]) -> Mapping[str, list[float]]:
    columns: dict[tuple[str, str], dict[str, list[Score]]] = defaultdict(lambda: defaultdict(list))
    for one in observations:
        columns[one.benchmark, one.protocol][one.model].append(one)
    found: dict[str, list[float]] = defaultdict(list)
    for column in columns.values():
        if len(column) >= LEAST_MODELS:
            values = np.array([[resolve(scores).value for scores in column.values()]])
            for model, z in zip(column, standardized(values)[0].tolist(), strict=True):
                found[model].append(z)
    return found


def _year(released: str | None) -> float:
    """A year with its fraction from an ISO date that may lack its day or month."""
    parts = [int(part) for part in (released or "").split("-") if part.isdigit()]
    if not parts:
        return float("nan")
    month, day = [*parts[1:3], 1, 1][:2]
    return parts[0] + (month - 1) / 12 + (day - 1) / 365
