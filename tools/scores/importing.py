"""Import of scores from a file, a folder or the Hub into the matrix P_ij.

Good entries are kept, all in one transaction; the others are counted with their place and
reason and cost nothing around them. The same source twice adds nothing. "Measured here" is
believed only of what this installation's ledger knows, or a person says so: anyone else's file
becomes "measured elsewhere".
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from memory.errors import BadRequest
from memory.records import Origin, Score
from tools.scores.sources import hub_results, lm_eval_results, model_card, table_file
from tools.scores.sources.bounded import document
from tools.scores.sources.entry import Refused, Skipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from memory.scores import Scores
    from tools.clients.hub.api import Hub
    from tools.scores.sources.entry import Entry

HUB, LEADERBOARD, ALL_LEADERBOARDS = "hub:", "leaderboard:", "leaderboards:official"
KINDS = (
    ".json (lm-eval), .csv, .jsonl, .md (model card), .yaml (front matter or .eval_results),"
    " a folder of lm-eval results, hub:MODEL,"
    " leaderboard:DATASET or leaderboards:official"
)


@dataclass(frozen=True)
class Imported:
    """What came of an import. ``known``: how many good entries were here already."""

    added: tuple[Score, ...]
    known: int
    refused: tuple[Refused, ...]
    skipped: tuple[Skipped, ...]


def read(
    source: str,
    *,
    hub: Hub | None,
    model: str | None = None,
    scale: float | None = None,
    origin: Origin = Origin.ELSEWHERE,
) -> Iterator[Entry]:
    """The entries of a source; ``hub`` is None where nothing may be asked of one.

    ``model``: whose scores a card or an lm-eval file holds; ``origin``: of an lm-eval file's.

    Raises:
        BadRequest: the source is of no known kind, is not there, or can't be read at all.
        HubUnavailable: the Hub gives no usable answer.
    """
    if source.startswith((HUB, LEADERBOARD)) or source == ALL_LEADERBOARDS:
        if hub is None:
            raise BadRequest("Mirror asks nothing of the Hub: set MIRROR_OFFLINE=0 to import it.")
        if source == ALL_LEADERBOARDS:
            if scale is not None:
                raise BadRequest("Each leaderboard has its own scale; leave --scale out.")
            return hub_results.of_leaderboards(hub)
        kind, _, name = source.partition(":")
        ask = hub_results.of_model if kind == "hub" else hub_results.of_leaderboard
        return ask(hub, name, scale)
    path = Path(source)
    if scale is not None and (path.is_dir() or path.suffix.lower() == ".json"):
        raise BadRequest("lm-eval writes fractions; leave --scale out.")
    if path.is_dir():
        return _folder(path, model, origin)
    if not path.exists():
        raise BadRequest(f"There is no {source}. A source is {KINDS}.")
    if not path.is_file():
        raise BadRequest(f"{source} is no plain file.")
    return _file(path, model, scale, origin)


def keep(
    entries: Iterable[Entry],
    scores: Scores,
    measured_here: Callable[[Score], bool],
    *,
    dry_run: bool = False,
) -> Imported:
    """Add the good entries, all or none; with ``dry_run`` only say what would be added.

    Raises what ``Scores.add`` raises; a source that breaks off while it is read adds nothing.
    """
    read = list(entries)
    good = [one for one in read if isinstance(one, Score)]
    fresh = scores.new(good)  # as stated: what was exported here is not made a stranger's
    stated = [one if _believed(one, measured_here) else _elsewhere(one) for one in fresh]
    added = scores.new(stated)
    if not dry_run:
        scores.add(added)
    return Imported(
        tuple(added),
        len(good) - len(added),
        tuple(one for one in read if isinstance(one, Refused)),
        tuple(one for one in read if isinstance(one, Skipped)),
    )


def _believed(score: Score, measured_here: Callable[[Score], bool]) -> bool:
    return score.origin is not Origin.MEASURED or measured_here(score)


def _elsewhere(score: Score) -> Score:
    return score.model_copy(update={"origin": Origin.ELSEWHERE})


def _file(path: Path, model: str | None, scale: float | None, origin: Origin) -> Iterator[Entry]:
    kind = path.suffix.lower()
    if kind == ".json":
        return lm_eval_results.read(path, model, origin)
    if kind == ".csv":
        return table_file.read_csv(path, scale)
    if kind == ".jsonl":
        return table_file.read_jsonl(path, scale)
    if kind in (".md", ".markdown"):
        return model_card.read(path, model, scale)
    if kind in (".yaml", ".yml"):
        return _yaml(path, model, scale)
    raise BadRequest(f"{path.name} is of no known kind. A source is {KINDS}.")


def _yaml(path: Path, model: str | None, scale: float | None) -> Iterator[Entry]:
    """A card's front matter is a table; a file of ``.eval_results`` is a list."""
    if not document(path, model_card.CARD).lstrip().startswith("-"):
        return model_card.read(path, model, scale)
    if model is None:
        raise BadRequest(f"{path} does not say whose results it holds; add --model <org>/<name>.")
    return hub_results.of_file(model_card.load(path), model, path.name, scale)


def _folder(folder: Path, model: str | None, origin: Origin) -> Iterator[Entry]:
    """One file of a folder that can't be read costs itself only."""
    for path in lm_eval_results.files(folder):
        try:
            yield from lm_eval_results.read(path, model, origin)
        except BadRequest as error:
            yield Refused(path.name, str(error))
