"""Which benchmarks say most about a request: RELM's ⟨model, benchmark⟩ half (section 4.1.3).

The embedding order of the catalogue stands as it is; a language model may later reorder it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memory.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memory.records import BenchmarkChoice, Requirements
    from tools.deps import Catalogue

USUAL = 4
"""RELM finds three to five benchmarks to be enough (section 6.1)."""


def recommend(
    requirements: Requirements,
    catalogue: Catalogue,
    items: Mapping[str, str],
    k: int = USUAL,
) -> list[BenchmarkChoice]:
    """The ``k`` most telling benchmarks with weights σ_bench summing to 1, best first.

    ``items``: lm-eval task name -> where its items are installed; a choice without items here
    keeps ``items_source`` None. Raises ``BadRequest`` when ``k`` is below 1 or nothing is related.
    """
    if k < 1:
        raise BadRequest(f"Can't recommend {k} benchmarks; ask for at least one.")
    chosen = catalogue.search(requirements.text, requirements.domains, k)
    if not chosen:
        raise BadRequest("No benchmark is related to this request; say more about the job.")
    return [choice.model_copy(update={"items_source": items.get(choice.task)}) for choice in chosen]
