"""The candidates: who passes both stages, ranked by relevance, with what to mind about each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tools import registry_search
from tools.choosing import constraints, funnel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from memory.records import Candidate, Funnel, Requirements
    from tools.deps import Deps
    from tools.registry_search import Ranking

SHOWN = 200
"""The state is written to disk after every step, so thousands of also-rans stay out of it."""


def weigh(needed: Requirements, deps: Deps) -> tuple[Funnel, list[Candidate]]:
    """Stage 2 over those that pass stage 1, and the candidates that are left, best first.

    They are the first 200, and any later one that can be measured here. Raises ``MirrorError``
    when the embedding model is not installed.
    """
    columns = deps.index.columns
    result, fallen = funnel.important(funnel.meeting(columns, needed), needed, columns)
    if not result.remaining:
        return result, []
    ranked = registry_search.search(needed, deps.registry, fallen.left, deps)
    return result, _explained(ranked, needed, deps)


def _explained(ranked: Ranking, needed: Requirements, deps: Deps) -> list[Candidate]:
    registry, columns = deps.registry, deps.index.columns
    best = ranked.best(SHOWN)
    rows = np.concatenate([best, ranked.only(_measurable(deps), but=best)])
    copies, parents = columns.copies(rows), constraints.graph(registry.models)
    found = ranked.explained(rows)
    return [
        one.model_copy(
            update={
                "warnings": funnel.warnings(
                    registry.models[one.model], registry.models, needed, parents
                ),
                "variants": copies.get(one.model, ()),
            }
        )
        for one in found
    ]


def _measurable(deps: Deps) -> NDArray[np.int64]:
    """The rows of the models of the registry that can be measured here."""
    known = {deps.registry.find(name) for name in deps.runner.here()} - {None}
    arms, _ = deps.runner.arms([deps.registry.models[id] for id in sorted(filter(None, known))])
    return deps.index.columns.rows(sorted({arm.model for arm in arms} & known))
