"""The record of a decision: all it rests on, so that anyone can recompute it later.

``runs/<run>/decision.json`` holds an edition, a digest of the record and the record. The digest
tells a file that was damaged or edited from one that was not (it is no signature: whoever can edit
the file can compute it anew). Such a file is named and never written over. A field is added only
with a default; ``EDITION`` is raised when an older Mirror would misread a record.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from memory.bundled_scores import first_complaint
from memory.errors import BadRequest, DamagedStore, UnknownThread
from memory.records import (
    Approval,
    Balance,
    BenchmarkChoice,
    Candidate,
    Contamination,
    Decision,
    Funnel,
    Judging,
    Model,
    Plan,
    Prediction,
    Record,
    Requirements,
    Score,
    Selected,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

EDITION = 1
NAME = "decision.json"


class Outcomes(Record):
    """What came of one arm's items of one benchmark: item id -> grade, None where none came."""

    arm: str
    benchmark: str
    grades: dict[str, float | None]


class MadeWith(Record):
    """The versions a decision was made with.

    ``code``: a digest of Mirror's own modules and prompts; ``packages`` of what measures, by name;
    ``prompts``: name -> version; ``items``: benchmark -> a digest of the items drawn, whose ids
    are digests of their content; ``examples``: SHA-256 of the user's own example file.
    """

    mirror: str
    code: str
    packages: dict[str, str] = Field(default_factory=dict)
    prompts: dict[str, int] = Field(default_factory=dict)
    items: dict[str, str] = Field(default_factory=dict)
    examples: str | None = None


class DecisionRecord(Record):
    """One decision and all it rests on.

    ``eliminated``: SHA-256 of ``eliminated.csv``, each removed model with its one reason;
    ``models``: the facts of the shortlist and the arms as they were; ``drawn``: benchmark -> items
    in the order drawn; ``outcomes``: grades of exactly those; answers stay in the ledger.
    ``plan_hash`` is what the approvals name: a later version may hash the same plan otherwise.
    ``suspected``: what was known of contamination, of this run and earlier ones;
    ``judging``: who graded, where judges did, and how far they can be believed.
    """

    run: str
    thread: str
    at: str
    user: str
    request: str
    given: dict[str, Any] = Field(default_factory=dict)
    requirements: Requirements | None = None
    balance: Balance = Balance()
    registry: str
    critical: Funnel | None = None
    important: Funnel | None = None
    eliminated: str = ""
    candidates: tuple[Candidate, ...] = ()
    benchmarks: tuple[BenchmarkChoice, ...] = ()
    scores: tuple[Score, ...] = ()
    predicted: tuple[Prediction, ...] = ()
    selected: tuple[Selected, ...] = ()
    models: tuple[Model, ...] = ()
    plan: Plan | None = None
    plan_hash: str | None = None
    approvals: tuple[Approval, ...] = ()
    drawn: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    outcomes: tuple[Outcomes, ...] = ()
    failed: dict[str, str] = Field(default_factory=dict)
    contamination: tuple[Contamination, ...] = ()
    suspected: tuple[Contamination, ...] = ()
    judging: tuple[Judging, ...] = ()
    decision: Decision
    made_with: MadeWith


def packed(record: DecisionRecord) -> str:
    """The record as the text of its file."""
    told = record.model_dump(mode="json", exclude_defaults=True)
    file = {"edition": EDITION, "sha256": _digest(told), "record": told}
    return json.dumps(file, indent=1, ensure_ascii=False) + "\n"


def read(runs: Path, run: str) -> DecisionRecord:
    """The record of a run.

    Raises:
        UnknownThread: there is no record of a run of that name.
        DamagedStore: the file can't be read, or was changed after it was written.
        BadRequest: a newer Mirror wrote it.
    """
    path = runs / Path(run).name / NAME
    if not path.is_file():
        kept = sorted(one.parent.name for one in runs.glob(f"*/{NAME}"))[-3:]
        hint = f"The latest are: {', '.join(kept)}." if kept else "No run has ended here yet."
        raise UnknownThread(f"There is no record of a decision of run {run!r} in {runs}. {hint}")
    return load(path)


def load(path: Path) -> DecisionRecord:
    """The record in a file. Raises as ``read`` does."""
    try:
        file = json.loads(path.read_bytes())
        edition, digest, told = (file[part] for part in ("edition", "sha256", "record"))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(path, f"it is no record: {type(error).__name__}") from error
    if not isinstance(edition, int) or edition < 1:
        raise _damaged(path, f"its edition is {edition!r}")
    if edition > EDITION:
        raise BadRequest(
            f"{path} was written by a newer Mirror (edition {edition}, this one reads {EDITION});"
            " upgrade: pip install -U mirror-llm."
        )
    if digest != _digest(told):
        raise _damaged(path, "it was changed after it was written")
    try:
        return DecisionRecord.model_validate(told, strict=False)
    except ValidationError as error:
        raise _damaged(path, first_complaint(error)) from error


def paths(runs: Path) -> Iterator[Path]:
    """The files of all records, by name of run."""
    return iter(sorted(runs.glob(f"*/{NAME}")))


def _digest(told: object) -> str:
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _damaged(path: Path, detail: str) -> DamagedStore:
    return DamagedStore(
        f"{path} can't be trusted ({detail}); it was left untouched: move it away or restore a"
        " copy."
    )
