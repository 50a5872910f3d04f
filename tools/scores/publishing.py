"""Publishing what was measured here, as the Hub's ``.eval_results/*.yaml``: it helps the next team.

Only what a stranger could repeat: published weights at a commit of their repository, through
lm-eval, measured by this installation. Reduced precision, simulations, baselines and other
people's scores stay here, each with the reason. Nothing is sent by this module.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from memory.errors import BadRequest, DamagedStore, MirrorError
from memory.records import CONSTANT, Origin
from memory.scores import cells
from memory.vectors import write_atomically
from tools.clients.backends.lm_eval_protocol import HARNESS
from tools.clients.backends.task_files import dataset_of, tasks_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from huggingface_hub import EvalResultEntry

    from memory.records import Score

FOLDER = ".eval_results"
NOTES = "proposed.json"
TITLE = "Add evaluation results"
_COMMIT = re.compile(r"[0-9a-f]{40}")


class NothingToPublish(MirrorError):
    """There is no score that may be published; the line says why."""


@dataclass(frozen=True)
class Publication:
    """``files``: path in the model's repository -> text; ``left_out``: what stays here, and why."""

    model: str
    scores: tuple[Score, ...]
    files: Mapping[str, str]
    left_out: tuple[str, ...]

    @property
    def description(self) -> str:
        """What the pull request says of itself."""
        lines = [
            f"- {one.benchmark}: {one.value:.4f} ({one.protocol}; n = {one.n}), weights at "
            f"{one.revision}"
            for one in self.scores
        ]
        return "Measured with Mirror:\n\n" + "\n".join(lines)

    @property
    def digest(self) -> str:
        """16 hex digits that change with anything that would be published."""
        told = json.dumps([self.model, dict(self.files)], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:16]


def prepare(
    model: str,
    scores: Iterable[Score],
    run: str | None = None,
    names: Mapping[str, tuple[str, str]] | None = None,
) -> Publication:
    """What may be published of ``model`` (of one ``run``), resolved per benchmark and protocol.

    ``names``: a task -> the Hub data set and task id of its leaderboard; for the others the
    data set that lm-eval draws on, and the task's own name.

    Raises:
        NothingToPublish: no score may be; the line gives the first reason.
    """
    mine = [one for one in scores if one.model == model and run in (None, one.run)]
    told = [(one, why_not(one)) for one in mine]
    left_out = tuple(f"{one.benchmark} {one.value:.3f}: {why}" for one, why in told if why)
    kept = [cell.score for cell in cells(one for one, why in told if not why)]
    if not kept:
        of = f"{model} in run {run}" if run else model
        why = f": {left_out[0]}" if left_out else "; nothing of it was measured here"
        more = f" (and {len(left_out) - 1} more)" if len(left_out) > 1 else ""
        raise NothingToPublish(f"There is nothing to publish of {of}{why}{more}.")
    grouped: dict[str, list[Score]] = defaultdict(list)
    for one in kept:
        grouped[one.benchmark].append(one)
    files = {
        f"{FOLDER}/mirror-{re.sub(r'[^A-Za-z0-9_.-]', '-', task)}.yaml": _yaml(
            _entry(one, *_place(task, names or {})) for one in found
        )
        for task, found in grouped.items()
    }
    return Publication(model, tuple(kept), files, left_out)


def why_not(score: Score) -> str:
    """Why a score may not be published; "" when it may."""
    if score.origin is not Origin.MEASURED:
        return f"{score.origin}, not measured here"
    if score.model == CONSTANT:
        return "a baseline, no model"
    if score.reduced:
        return f"reduced or simulated precision ({score.precision})"
    if not _COMMIT.fullmatch(score.revision or ""):
        return "the weights are at no known commit of their repository"
    if not score.protocol.startswith(f"{HARNESS} "):
        return "not measured through lm-eval"
    if score.source.endswith(" through dummy"):
        return "simulated: lm-eval's dummy model guesses"
    return ""


def proposed(publication: Publication, folder: Path) -> str | None:
    """The pull request that proposed these very files before, so that none is opened twice.

    Raises:
        DamagedStore: the note of it can't be read.
    """
    return _notes(folder).get(publication.digest)


def note_proposed(publication: Publication, folder: Path, address: str) -> None:
    """Remember the pull request. Raises BadRequest: the folder can't be written."""
    notes = _notes(folder) | {publication.digest: address}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / NOTES, json.dumps(notes, indent=1).encode())
    except OSError as error:
        raise BadRequest(
            f"The pull request is open ({address}), but {folder / NOTES} can't be written:"
            f" {error.strerror}."
        ) from None


def write(publication: Publication, folder: Path) -> Path:
    """Write the files under ``folder``, laid out as in the repository; returns where they are.

    Raises:
        BadRequest: the folder can't be written.
    """
    home = folder / publication.model.replace("/", "__")
    try:
        for name, text in publication.files.items():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_text(text, "utf-8")
    except OSError as error:
        raise BadRequest(f"{home} can't be written: {error.strerror}.") from None
    return home


def _notes(folder: Path) -> dict[str, str]:
    path = folder / NOTES
    try:
        notes = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise DamagedStore(f"{path} can't be read ({error}); move it away or restore it.") from None
    if not isinstance(notes, dict):
        raise DamagedStore(f"{path} holds no notes; move it away or restore it.")
    return {str(key): str(value) for key, value in notes.items()}


def _place(task: str, names: Mapping[str, tuple[str, str]]) -> tuple[str, str]:
    if task in names:
        return names[task]
    dataset = dataset_of(tasks_folder(), task)
    if dataset is None:
        raise BadRequest(
            f"lm-eval does not say which data set {task} is; add --as {task}=<dataset>#<task id>."
        )
    return dataset, task


def _entry(score: Score, dataset: str, task_id: str) -> EvalResultEntry:
    from huggingface_hub import EvalResultEntry

    interval = (
        f" · 90 % interval {score.low:.4f}-{score.high:.4f}"
        if score.low is not None and score.high is not None
        else ""
    )
    return EvalResultEntry(
        dataset_id=dataset,
        task_id=task_id,
        value=round(score.value, 6),
        date=score.date,
        notes=f"{score.protocol} · n = {score.n}{interval} · weights {(score.revision or '')[:12]}",
    )


def _yaml(entries: Iterable[EvalResultEntry]) -> str:
    from huggingface_hub import eval_result_entries_to_yaml

    plain = eval_result_entries_to_yaml(list(entries))
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=10_000)
