"""Scores from the Hub: a model's evaluation results, its ``model-index``, and leaderboards.

Evaluation results are the ``.eval_results/*.yaml`` files of a model's repository. One with a
verify token that the Hub does not call unverified is verified; every other is self-reported,
whoever wrote it. Asked through ``tools.clients.hub.api``, read by huggingface_hub's own parsers one
entry at a time, so that one odd entry can't spoil the others.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from memory.errors import BadRequest
from memory.records import Origin, Score
from tools.clients.hub import listing
from tools.clients.hub.api import HubUnavailable
from tools.scores.sources import model_card
from tools.scores.sources.entry import Refused, entry, number, word
from tools.scores.sources.hub_names import task_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tools.clients.hub.api import Hub
    from tools.scores.sources.entry import Entry

EXPAND = ["evalResults", "model-index"]
PERCENT = 100.0


def of_model(hub: Hub, model: str, scale: float | None = None) -> Iterator[Entry]:
    """What the Hub holds of one model.

    Raises:
        BadRequest: no model id, no such model, or it states no score at all.
        HubUnavailable: no usable answer.
    """
    held = _json(hub, f"models/{model}", model, {"expand": EXPAND})
    if not isinstance(held, dict):
        raise BadRequest(f"The Hub at {hub.endpoint} has no model {model} (or hides it).")
    name = str(held.get("id") or model)
    results, index = held.get("evalResults") or [], held.get("model-index")
    if not results and not index:
        raise BadRequest(f"The Hub states no scores of {name}.")
    place = f"{hub.endpoint}/{name}"
    yield from of_results(results, name, place, lambda _: scale)
    if index:
        yield from model_card.entries(index, name, place, scale)


def of_leaderboard(hub: Hub, dataset: str, scale: float | None = None) -> Iterator[Entry]:
    """A whole column: every model on the leaderboard of a benchmark's data set.

    Raises:
        BadRequest: no data set id, no leaderboard, or values that need a ``scale``.
        HubUnavailable: no usable answer.
    """
    held = _leaderboard(hub, dataset)
    if scale is None and (high := [v for v in map(value, held) if v > 1]):
        raise BadRequest(
            f"The leaderboard of {dataset} goes up to {max(high):g}, not 1: add --scale 100 if it"
            " is in percent."
        )
    yield from _column(hub, dataset, held, scale)


def of_leaderboards(hub: Hub) -> Iterator[Entry]:
    """Every column the Hub ranks models by, each on the scale that most of its values are on.

    One without a leaderboard, or that can't be read, costs itself only.

    Raises ``HubUnavailable`` when the list of them can't be had.
    """
    for dataset in listing.benchmarks(hub):
        try:
            held = _leaderboard(hub, dataset)
        except (BadRequest, HubUnavailable) as error:
            yield Refused(dataset, str(error))
            continue
        yield from _column(hub, dataset, held, out_of(map(value, held)))


def out_of(values: Iterable[float]) -> float | None:
    """What most of a column's values look like: 100 (percent), or None (fractions)."""
    above = Counter(value > 1 for value in values if value > 0)
    return PERCENT if above[True] > above[False] else None


def _leaderboard(hub: Hub, dataset: str) -> list[Any]:
    held = _json(hub, f"datasets/{dataset}/leaderboard", dataset, {"base_model": "false"})
    if not isinstance(held, list):
        raise BadRequest(f"The Hub at {hub.endpoint} has no leaderboard of {dataset}.")
    return held


def _column(hub: Hub, dataset: str, held: list[Any], scale: float | None) -> Iterator[Entry]:
    source = f"{hub.endpoint}/datasets/{dataset}"
    for rank, raw in enumerate(held, start=1):
        yield _ranked(f"{dataset}, entry {rank}", raw, dataset, source, scale)


def of_file(held: object, model: str, source: str, scale: float | None = None) -> Iterator[Entry]:
    """The entries of an ``.eval_results`` file: self-reported, as nobody here checks a token."""
    for found in of_results(held, model, source, lambda _: scale):
        if isinstance(found, Score):
            yield found.model_copy(update={"origin": Origin.REPORTED})
        else:
            yield found


def of_results(
    held: object, model: str, source: str, scale: Callable[[str], float | None]
) -> Iterator[Entry]:
    """The entries of ``evalResults``; ``scale``: what the values of a column are out of."""
    for place, raw in enumerate(held if isinstance(held, list) else [held], start=1):
        yield _eval_result(
            f"evaluation result {place}", raw, model, source, scale(column(raw) or "")
        )


def column(raw: Any) -> str | None:
    """``dataset#task`` that an entry of ``evalResults`` belongs to; None if it does not say."""
    data = raw.get("data", raw) if isinstance(raw, dict) else None
    test = data.get("dataset") if isinstance(data, dict) else None
    return f"{test.get('id')}#{test.get('task_id')}" if isinstance(test, dict) else None


def _eval_result(where: str, raw: Any, model: str, source: str, scale: float | None) -> Entry:
    from huggingface_hub import parse_eval_result_entries

    try:
        if "error" in raw:
            return Refused(where, f"the Hub can't read it: {str(raw['error'])[:200]}")
        found = parse_eval_result_entries([raw])[0]
        dataset, task = word(found.dataset_id), word(found.task_id)
        notes = " ".join(word(found.notes).split())
        at, day = word(found.dataset_revision)[:12], word(found.date)
        link = word(found.source_url) or f"{source}/{word(raw.get('filename'))}".rstrip("/")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        lacks = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        return Refused(where, f"the Hub's parser can't read it: {lacks[:200]}")
    trusted = raw.get("verified") is not False and bool(found.verify_token)
    test = f"{dataset}#{task}" + (f"@{at}" if at else "")
    given = {
        "model": model,
        "benchmark": task_of(dataset, task),
        "protocol": " · ".join(filter(None, ("Hub evaluation results", test, notes))),
        "value": found.value,
        "metric": "score",
        "origin": Origin.VERIFIED if trusted else Origin.REPORTED,
        "source": link,
        "date": day,
    }
    return entry(where, given, scale=scale, fractions=False)


def _ranked(where: str, raw: Any, dataset: str, source: str, scale: float | None) -> Entry:
    from huggingface_hub.hf_api import DatasetLeaderboardEntry

    try:
        found = DatasetLeaderboardEntry(**raw)
        notes = " ".join(word(found.notes).split())
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        lacks = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        return Refused(where, f"the Hub's parser can't read it: {lacks[:200]}")
    link = found.source.get("url") if isinstance(found.source, dict) else None
    given = {
        "model": found.model_id,
        "benchmark": task_of(dataset),
        "protocol": " · ".join(filter(None, ("Hub leaderboard", dataset, notes))),
        "value": found.value,
        "metric": "score",
        "origin": Origin.VERIFIED if found.verified is True else Origin.REPORTED,
        "source": link or f"{source} {found.filename}",
    }
    return entry(where, given, scale=scale)


def value(raw: Any) -> float:
    """The number an entry states; 0 where it states none."""
    try:
        return number(raw["value"])
    except (KeyError, TypeError, ValueError):
        return 0.0


def _json(
    hub: Hub, path: str, repository: str, parameters: dict[str, str | list[str]]
) -> object | None:
    body = hub.get(path, repository, parameters)
    try:
        return None if body is None else json.loads(body)
    except (ValueError, RecursionError):
        raise HubUnavailable(f"The Hub at {hub.endpoint} sent no readable answer.") from None
