"""The candidates: who passes both stages, the most promising of them, and what to mind about each.

Of all that are left only those are looked at that could be kept: the best by relevance, those with
scores on related benchmarks, those whose sources were read, and those that can be measured here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tools import registry_search
from tools.choosing import constraints, funnel
from tools.registry_search import KEPT, WELL_PLACED
from tools.scores.related import related

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from memory.records import Candidate, Funnel, Requirements
    from tools.deps import Deps

    Rows = NDArray[np.int64]


def weigh(needed: Requirements, deps: Deps) -> tuple[Funnel, list[Candidate]]:
    """Stage 2 over those that pass stage 1, and the candidates that are kept, best first.

    The state is written to disk after every step, so thousands of also-rans stay out of it. Raises
    ``MirrorError`` when the embedding model is not installed.
    """
    columns = deps.index.columns
    result, fallen = funnel.important(funnel.meeting(columns, needed), needed, columns)
    if not result.remaining:
        return result, []
    ranked = deps.searching.recommend(needed, deps.embedder, fallen.left)
    placed = _placed(needed, fallen.left, deps)
    read = columns.rows(deps.characterizations.models() if deps.characterizations else ())
    here = _measurable(deps)
    # Reading raises some above the others, so as many more might have to be passed over.
    best = ranked.best(KEPT + WELL_PLACED + len(read))
    rows = ranked.only(np.concatenate([best, columns.rows(placed), read, here]))
    pool = registry_search.overlaid(ranked.explained(rows), needed, deps.registry, deps)
    first = registry_search.shorten(pool, placed)
    also = {*columns.names(here)} - {one.model for one in first}
    kept = [*first, *(one for one in pool if one.model in also)]
    return result, _minded(kept, needed, deps)


def _placed(needed: Requirements, left: Rows, deps: Deps) -> Mapping[str, float]:
    """How those of ``left`` that have scores, or whose copies do, are placed by related ones."""
    columns, observed = deps.index.columns, deps.scores.observations()
    scored = columns.rows(sorted({score.model for score in observed}))
    rows = np.intersect1d(np.union1d(scored, columns.root[scored]), left)
    copies = columns.copies(rows)
    text = " ".join([needed.text, *needed.domains])
    names = columns.names(rows)
    return related(text, names, observed, deps.embedder, deps.cache, copies).value


def _measurable(deps: Deps) -> Rows:
    """The rows of the models of the registry that can be measured here."""
    known = {deps.registry.find(name) for name in deps.runner.here()} - {None}
    arms, _ = deps.runner.arms([deps.registry.models[id] for id in sorted(filter(None, known))])
    return deps.index.columns.rows(sorted({arm.model for arm in arms} & known))


def _minded(found: Sequence[Candidate], needed: Requirements, deps: Deps) -> list[Candidate]:
    registry, columns = deps.registry, deps.index.columns
    parents = constraints.graph(registry.models)
    copies = columns.copies(columns.rows([one.model for one in found]))
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
