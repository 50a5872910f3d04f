"""The bundled scores: facts compiled into the package, read-only, read on first use.

A column of a leaderboard becomes the lm-eval task it stands for; the protocol keeps the
column's own name and metric, so two columns of one task are never taken for each other.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections import defaultdict
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from memory.errors import DamagedStore
from memory.records import Score
from memory.sqlite import damaged

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SNAPSHOT = Path(__file__).parent / "snapshot"


class BundledScores:
    """``scores``: a CSV, gzipped or not, with fields of ``Score``, empty meaning unknown;
    ``columns``: a CSV with ``benchmark`` (a leaderboard's column) and its ``lm_eval_task``.

    Raises ``DamagedStore`` naming the file when one can't be read.
    """

    def __init__(
        self,
        scores: Path = SNAPSHOT / "scores.csv.gz",
        columns: Path = SNAPSHOT / "score_columns.csv",
    ) -> None:
        self.scores = scores
        self.columns = columns

    def get(self, model: str, benchmark: str) -> list[Score]:
        """What is known of a model on an lm-eval task; empty when nothing is."""
        return [self._score(row, benchmark) for row in self._rows.get((model, benchmark), ())]

    def find(
        self, models: Sequence[str] | None = None, benchmarks: Sequence[str] | None = None
    ) -> list[Score]:
        """What is known of these models on these lm-eval tasks; None means: of all of them."""
        if models is None or benchmarks is None:
            keys: Iterable[tuple[str, str]] = (
                (model, benchmark)
                for model, benchmark in self._rows
                if (models is None or model in models)
                and (benchmarks is None or benchmark in benchmarks)
            )
        else:
            keys = product(models, benchmarks)
        return [score for key in keys for score in self.get(*key)]

    @cached_property
    def tasks(self) -> dict[str, str]:
        """A leaderboard's column -> the lm-eval task it stands for."""
        columns = _read_csv(self.columns, {"benchmark", "lm_eval_task"})
        return {row["benchmark"]: row["lm_eval_task"] for row in columns if row["lm_eval_task"]}

    @cached_property
    def _rows(self) -> dict[tuple[str, str], list[dict[str, str]]]:
        """Raw rows by (model, task): a row becomes a ``Score`` only when it is asked for."""
        rows: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
        for row in _read_csv(self.scores, {"model", "benchmark", "protocol", "value", "metric"}):
            rows[row["model"], self.tasks.get(row["benchmark"], row["benchmark"])].append(row)
        return dict(rows)

    def _score(self, row: dict[str, str], task: str) -> Score:
        given = {name: value for name, value in row.items() if value != ""}
        protocol = " · ".join(given.get(part, "?") for part in ("protocol", "benchmark", "metric"))
        try:
            return Score.model_validate_strings(given | {"benchmark": task, "protocol": protocol})
        except ValidationError as error:
            raise damaged(self.scores, first_complaint(error)) from error


def first_complaint(error: ValidationError) -> str:
    """The first thing a validation found wrong, on one line."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def _read_csv(path: Path, needed: set[str]) -> list[dict[str, str]]:
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines, restval="")
            if missing := needed - set(reader.fieldnames or ()):
                raise damaged(path, f"no column {', '.join(sorted(missing))}")
            return list(reader)
    except (OSError, EOFError, UnicodeDecodeError, zlib.error, csv.Error) as error:
        raise DamagedStore(
            f"{path} can't be read ({error}); reinstall mirror-llm or restore the file."
        ) from error
