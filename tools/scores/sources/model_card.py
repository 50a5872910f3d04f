"""Scores that a model's author wrote into the card: ``model-index`` in the front matter.

Always self-reported: a ``verified`` flag in a card is a line its author can type. The Hub's own
parser reads each result; one it can't read is refused, alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from memory.errors import BadRequest
from memory.records import Origin
from tools.outside_yaml import too_deep
from tools.scores.sources.bounded import document
from tools.scores.sources.entry import LOWER_IS_BETTER, NO_SCALE, Refused, Skipped, entry, word
from tools.scores.sources.hub_names import task_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from huggingface_hub import EvalResult

    from tools.scores.sources.entry import Entry

CARD = 2_000_000  # bytes
DEEPEST = 100
MOST = 10_000  # results of one card; YAML aliases can make a short text very long


def read(path: Path, model: str | None = None, scale: float | None = None) -> Iterator[Entry]:
    """The entries of a ``README.md``, or of a YAML file that holds its front matter.

    ``model``: whose card it is; else the name in it, where that is an id.

    Raises:
        BadRequest: no front matter or no YAML in it, no ``model-index``, or no model id.
    """
    front = load(path)
    index = front.get("model-index") if isinstance(front, dict) else None
    if not index:
        raise BadRequest(f"{path} has no model-index in its front matter, so it states no scores.")
    first = index[0] if isinstance(index, list) and isinstance(index[0], dict) else {}
    stated = first.get("name")
    name = model or (stated if isinstance(stated, str) else "")
    if not model and "/" not in name:
        raise BadRequest(
            f"{path} names its model {name[:80]!r}, which is no id; add --model <org>/<name>."
        )
    yield from entries(index, name, path.name, scale)


def entries(index: object, model: str, source: str, scale: float | None = None) -> Iterator[Entry]:
    """The entries of a ``model-index``, as the card or the Hub's API gives it."""
    for count, (where, piece) in enumerate(_pieces(index)):
        if count == MOST:
            yield Refused(where, f"only the first {MOST:,} results of a card are read")
            return
        if isinstance(piece, Refused):
            yield piece
            continue
        try:
            yield _entry(where, _parsed(piece), model, source, scale)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            lacks = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
            yield Refused(where, f"the Hub's parser can't read it: {lacks[:200]}")


def bounded(metric: str) -> bool:
    """Whether a metric of this name has a best value: not a loss, a rank or a rating."""
    return not (LOWER_IS_BETTER.fullmatch(metric) or NO_SCALE.fullmatch(metric))


def load(path: Path) -> object:
    """The YAML of a card's front matter, or of a whole ``.yaml`` file.

    Raises:
        BadRequest: there is no front matter, or no YAML that can be read.
    """
    text = document(path, CARD)
    if path.suffix.lower() not in (".yaml", ".yml"):
        head, *rest = text.split("\n---", 1) if text.startswith("---") else [text]
        if not rest:
            raise BadRequest(f"{path} has no front matter between two lines of ---.")
        text = head.removeprefix("---")
    try:
        return parsed(text)
    except TooDeep:
        raise BadRequest(f"{path} is nested more than {DEEPEST} deep.") from None
    except (yaml.YAMLError, ValueError):
        raise BadRequest(f"{path} holds no YAML that can be read.") from None


class TooDeep(ValueError):
    """YAML that is nested more than ``DEEPEST`` deep."""


def parsed(text: str) -> object:
    """YAML that somebody else wrote.

    Raises:
        TooDeep, ValueError, yaml.YAMLError: it can't be read.
    """
    if too_deep(text, DEEPEST):
        raise TooDeep
    return yaml.load(text, Loader=yaml.CSafeLoader)


def _pieces(index: object) -> Iterator[tuple[str, dict[str, Any] | Refused]]:
    """Each metric of each result as an index of its own, so that one can't spoil another."""
    for m, made in enumerate(index if isinstance(index, list) else [index], start=1):
        results = made.get("results") if isinstance(made, dict) else None
        if not isinstance(results, list):
            yield f"model {m}", Refused(f"model {m}", "it has no list of results")
            continue
        for r, result in enumerate(results, start=1):
            where = f"result {r}" if m == 1 else f"model {m}, result {r}"
            metrics = result.get("metrics") if isinstance(result, dict) else None
            if not isinstance(metrics, list):
                yield where, Refused(where, "it has no list of metrics")
                continue
            for metric in metrics:
                yield where, {"name": "card", "results": [{**result, "metrics": [metric]}]}


def _parsed(piece: dict[str, Any]) -> EvalResult:
    from huggingface_hub.repocard_data import model_index_to_eval_results

    return model_index_to_eval_results([piece])[1][0]


def _entry(where: str, found: EvalResult, model: str, source: str, scale: float | None) -> Entry:
    metric, task = word(found.metric_type), word(found.dataset_type)
    config, split = word(found.dataset_config), word(found.dataset_split)
    if LOWER_IS_BETTER.fullmatch(metric):
        return Skipped(where, f"{metric}: lower is better")
    if NO_SCALE.fullmatch(metric):
        return Skipped(where, f"{metric}: what it is out of is not said")
    shots = found.dataset_args.get("num_few_shot") if isinstance(found.dataset_args, dict) else None
    parts = (
        "model card",
        " ".join(filter(None, (task, config, split))),
        f"{word(shots) or '?'}-shot",
        metric,
        word(found.source_name),
    )
    given = {
        "model": model,
        "benchmark": task_of(task, config or None),
        "protocol": " · ".join(filter(None, parts)),
        "value": found.metric_value,
        "metric": metric,
        "origin": Origin.REPORTED,
        "source": word(found.source_url) or f"model card {source}",
    }
    return entry(where, given, scale=scale, fractions=False)
