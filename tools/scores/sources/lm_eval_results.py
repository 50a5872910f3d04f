"""Scores from lm-eval's own result files, ``results_<date>.json`` as lm-eval 0.4 writes them.

A task's metrics are named ``metric,filter`` with a standard error ``metric_stderr,filter``, which
becomes a 90 % interval. The protocol is spelled as for what is measured here. Where ``--limit``
cut the items, the protocol says so: lm-eval then takes the first ones, no random sample.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from memory.errors import BadRequest
from memory.records import Origin
from tools.clients.backends.lm_eval_protocol import NO_CHAT, describe, harness
from tools.methods.intervals import wilson
from tools.scores.sources.bounded import document
from tools.scores.sources.entry import LOWER_IS_BETTER, MODEL, Refused, Skipped, entry, number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tools.scores.sources.entry import Entry

Z90 = 1.6448536269514722
PATTERN = "results_*.json"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_REDUCED = ("load_in_8bit", "load_in_4bit", "quantization", "autogptq", "gptqmodel", "gguf_file")


def read(
    path: Path, model: str | None = None, origin: Origin = Origin.ELSEWHERE
) -> Iterator[Entry]:
    """Each metric of each task as an entry; ``model`` names it where the file has only a path.

    Raises:
        BadRequest: the file is no JSON, is cut off, or holds no lm-eval results.
    """
    try:
        held = json.loads(document(path))
    except (ValueError, RecursionError):
        raise BadRequest(f"{path} is no JSON, or cut off.") from None
    if not isinstance(held, dict) or not isinstance(held.get("results"), dict):
        raise BadRequest(f"{path} holds no lm-eval results (no 'results' in it).")
    run = _Run(path.name, held, model, origin)
    if not MODEL.fullmatch(run.model):
        raise BadRequest(
            f"{path} names its model {run.model[:80]!r}, which is no id; add --model <org>/<name>."
        )
    for task, metrics in held["results"].items():
        if isinstance(metrics, dict):
            yield from run.entries(task, metrics)
        else:
            yield Refused(f"{path.name}, {task}", "its metrics are no table")


def files(folder: Path) -> list[Path]:
    """The result files in a folder and below it, by name.

    Raises:
        BadRequest: there is none.
    """
    found = sorted(path for path in folder.rglob(PATTERN) if path.is_file())
    if not found:
        raise BadRequest(f"{folder} holds no {PATTERN}, as lm-eval names its results.")
    return found


@dataclass(frozen=True)
class _Run:
    """One result file; ``held`` is data from outside, any part of it may be missing or odd."""

    name: str
    held: Mapping[str, Any]
    given_model: str | None
    origin: Origin

    @property
    def model(self) -> str:
        return self.given_model or str(self.held.get("model_name") or self._arguments("pretrained"))

    def entries(self, task: str, metrics: Mapping[str, Any]) -> Iterator[Entry]:
        for key, value in metrics.items():
            metric, comma, kind = key.partition(",")
            if not comma or metric.endswith("_stderr"):
                continue
            where = f"{self.name}, {task} {key}"
            shown = metric if kind == "none" else key
            better = self._table("higher_is_better", task).get(metric)
            if better is False or LOWER_IS_BETTER.fullmatch(metric):
                yield Skipped(where, "lower is better")
            elif isinstance(value, int | float) and 1.0 < value < float("inf"):
                yield Skipped(where, f"{value:g} is not on [0, 1]")
            else:
                error = metrics.get(f"{metric}_stderr,{kind}")
                yield self._entry(where, task, shown, value, error, metrics)

    def _entry(
        self, where: str, task: str, shown: str, value: Any, error: Any, metrics: Mapping[str, Any]
    ) -> Entry:
        n = self._items(task, metrics)
        low, high = _interval(value, error, n)
        given = {
            "model": self.model,
            "revision": self._revision(),
            "precision": self._precision(),
            "benchmark": task,
            "protocol": self._protocol(task, shown, n),
            "value": value,
            "low": low,
            "high": high,
            "n": n,
            "metric": shown,
            "origin": self.origin,
            "source": f"lm-eval {self.name} through {self._backend()}",
            "date": self._date(),
        }
        return entry(where, given)

    def _protocol(self, task: str, metric: str, n: int | None) -> str:
        version = self._table("versions").get(task)
        return describe(
            harness(str(self.held.get("lm_eval_version") or "?")),
            shots=self._table("n-shot").get(task, "?"),
            chat=self._chat(),
            task=task,
            template="unversioned" if version is None else f"v{version}",
            metric=metric,
            items=self._item_set(task, n),
        )

    def _backend(self) -> str:
        return str(self.held.get("model_source") or self._table("config").get("model") or "?")

    def _chat(self) -> str:
        parts = []
        if self.held.get("chat_template"):
            parts.append(f"chat template {str(self.held.get('chat_template_sha'))[:8]}")
            if self.held.get("fewshot_as_multiturn"):
                parts.append("multi-turn")
        if self.held.get("system_instruction"):
            parts.append(f"system {str(self.held.get('system_instruction_sha'))[:8]}")
        if asked := self._table("config").get("gen_kwargs"):
            parts.append(f"gen_kwargs {json.dumps(asked, sort_keys=True)[:200]}")
        return ", ".join(parts) or NO_CHAT

    def _item_set(self, task: str, n: int | None) -> str:
        config = self._table("configs", task)
        split = config.get("test_split") or config.get("validation_split")
        parts = [config.get("dataset_path"), config.get("dataset_name"), split]
        text = " ".join(str(part) for part in parts if part) or task
        whole = self._table("n-samples", task).get("original")
        return f"{text}, first {n} of {whole}" if whole is not None and n != whole else text

    def _items(self, task: str, metrics: Mapping[str, Any]) -> int | None:
        counted = self._table("n-samples", task).get("effective", metrics.get("sample_len"))
        return counted if isinstance(counted, int) and not isinstance(counted, bool) else None

    def _revision(self) -> str | None:
        config = self._table("config")
        stated = (str(config.get(name) or "") for name in ("model_sha", "model_revision"))
        return next((text for text in stated if _COMMIT.fullmatch(text)), None)

    def _precision(self) -> str | None:
        used = [name for name in _REDUCED if self._arguments(name) not in ("", "False", "None")]
        return ", ".join(f"{name}={self._arguments(name)}" for name in used) or None

    def _date(self) -> str | None:
        try:
            return datetime.fromtimestamp(number(self.held["date"]), UTC).date().isoformat()
        except (KeyError, ValueError, OverflowError, OSError):
            return None

    def _arguments(self, name: str) -> str:
        """One of ``model_args``, which lm-eval keeps as a table or as ``a=1,b=2``."""
        stated = self._table("config").get("model_args")
        if isinstance(stated, str):
            pairs = (part.partition("=") for part in stated.split(","))
            stated = {key.strip(): value for key, _, value in pairs}
        return str(stated.get(name, "")) if isinstance(stated, dict) else ""

    def _table(self, name: str, inner: str | None = None) -> dict[str, Any]:
        held = self.held.get(name)
        if inner is not None and isinstance(held, dict):
            held = held.get(inner)
        return held if isinstance(held, dict) else {}


def _interval(value: Any, error: Any, n: int | None) -> tuple[float | None, float | None]:
    """90 %: normal about the mean; Wilson where all items agree and a standard error says 0."""
    try:
        mean, spread = number(value), number(error)
    except ValueError:  # lm-eval writes "N/A" where it knows no standard error
        return None, None
    if not 0.0 <= mean <= 1.0 or spread < 0:
        return None, None
    if spread == 0.0 and n and mean in (0.0, 1.0):
        return wilson(mean * n, n)
    return max(mean - Z90 * spread, 0.0), min(mean + Z90 * spread, 1.0)
