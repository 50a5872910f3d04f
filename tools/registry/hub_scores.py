"""Scores that came with the Hub's records, into P_ij: many models at once, in bounded memory.

What a value is out of is not said. Within one column of evaluation results (a data set's task)
everyone means the same, as the Hub ranks them together: what most of its values look like when it
is first met decides, and is remembered. Within one card all values mean what its author does.
Values that then look like the other kind are refused, never guessed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from tools.scores import importing
from tools.scores.sources import hub_results, model_card

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from memory.scores import Scores
    from tools.scores.sources.entry import Entry

BATCH = 5_000  # entries of one transaction
MOST = 1_000  # evaluation results of one model


@dataclass
class Kept:
    """What came of it; ``scales``: what each column is now known to be out of."""

    added: int = 0
    known: int = 0
    refused: int = 0
    skipped: int = 0
    scales: dict[str, float] = field(default_factory=dict)


def of_record(raw: Any) -> dict[str, Any] | None:
    """The part of a Hub record that states scores; None if it states none."""
    index = raw.get("model-index") or raw.get("model_index")
    results = raw.get("evalResults") or raw.get("eval_results")
    if not index and not results:
        return None
    many = results[:MOST] if isinstance(results, list) else results
    return {"id": raw.get("id") or raw.get("modelId"), "results": many, "index": index}


def keep(
    stated: Callable[[], Iterable[Mapping[str, Any]]],
    scores: Scores,
    endpoint: str,
    scales: Mapping[str, float],
) -> Kept:
    """Add the scores of what ``of_record`` gave, batch by batch; ``stated`` is read twice.

    Raises what ``Scores.add`` raises; the batches before stay, and are not added again.
    """
    done = Kept(scales={**_scales(stated()), **scales})
    entries = _entries(stated(), endpoint, done.scales)
    while batch := list(islice(entries, BATCH)):
        came = importing.keep(batch, scores, lambda _: False)
        done.added += len(came.added)
        done.known += came.known
        done.refused += len(came.refused)
        done.skipped += len(came.skipped)
    return done


def _scales(stated: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """What the values of each column are out of, by what more than half of them look like."""
    above, fractions = Counter[str](), Counter[str]()
    for one in stated:
        results = one["results"]
        for raw in results if isinstance(results, list) else ():
            if name := hub_results.column(raw):
                value = hub_results.value(raw.get("data", raw))
                (above if value > 1 else fractions)[name] += value > 0
    return {
        name: hub_results.PERCENT if above[name] > fractions[name] else 1.0
        for name in above | fractions
    }


def _entries(
    stated: Iterable[Mapping[str, Any]], endpoint: str, scales: Mapping[str, float]
) -> Iterator[Entry]:
    percent = {
        name: hub_results.PERCENT for name, scale in scales.items() if scale == hub_results.PERCENT
    }
    for one in stated:
        model, place = str(one["id"]), f"{endpoint}/{one['id']}"
        if one["results"]:
            yield from hub_results.of_results(one["results"], model, place, percent.get)
        if one["index"]:
            scale = (
                hub_results.PERCENT if any(value > 1 for value in _values(one["index"])) else None
            )
            yield from model_card.entries(one["index"], model, place, scale)


def _values(index: object) -> Iterator[float]:
    """The bounded values of a card; a perplexity or a rank says nothing of the others' scale."""
    for made in index if isinstance(index, list) else [index]:
        results = made.get("results") if isinstance(made, dict) else None
        for result in results if isinstance(results, list) else ():
            metrics = result.get("metrics") if isinstance(result, dict) else None
            for metric in metrics if isinstance(metrics, list) else ():
                if isinstance(metric, dict) and model_card.bounded(str(metric.get("type"))):
                    yield hub_results.value(metric)
