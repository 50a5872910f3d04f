"""Which benchmarks say most about a request: RELM's ⟨model, benchmark⟩ half (section 4.1.3).

The catalogue's order of meaning, with a preference for benchmarks whose items are on this
machine: what can be measured here and now tells more than a slightly closer one that can't.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memory.errors import BadRequest
from tools.benchmark_characterizer import with_samples

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memory.records import BenchmarkChoice, Requirements
    from tools.deps import Catalogue, Embedder

USUAL = 4
"""RELM finds three to five benchmarks to be enough (section 6.1)."""

SHORTLIST = 3
"""So many times as many are looked at as are recommended."""

RUNNABLE = 1.3
"""How much a benchmark gains when its items are installed here."""


def recommend(
    requirements: Requirements,
    catalogue: Catalogue,
    items: Mapping[str, str],
    k: int = USUAL,
    embedder: Embedder | None = None,
) -> list[BenchmarkChoice]:
    """The ``k`` most telling benchmarks with weights σ_bench summing to 1, best first.

    ``items``: lm-eval task name -> where its items are installed; a choice without items here
    keeps ``items_source`` None. With an ``embedder`` those with items show what they ask by a few
    of them. Raises ``BadRequest`` when ``k`` is below 1 or nothing is related.
    """
    if k < 1:
        raise BadRequest(f"Can't recommend {k} benchmarks; ask for at least one.")
    found = catalogue.search(requirements.text, requirements.domains, SHORTLIST * k)
    if not found:
        raise BadRequest("No benchmark is related to this request; say more about the job.")
    worth = {one.task: one.weight * (RUNNABLE if one.task in items else 1.0) for one in found}
    best = sorted(found, key=lambda one: -worth[one.task])[:k]
    total = sum(worth[one.task] for one in best)
    chosen = [
        one.model_copy(
            update={"weight": worth[one.task] / total, "items_source": items.get(one.task)}
        )
        for one in best
    ]
    return [with_samples(one, embedder) for one in chosen] if embedder else chosen
