"""HERD stage 1 on this machine: lm-eval's ``hf`` back end in a subprocess, and a baseline.

Only weights and items that are already here are used, so it measures offline and for free but
for processor time. The constant-answer baseline is always the last arm.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from memory.errors import BadRequest
from memory.records import CONSTANT, Arm, ItemResult
from tools.clients import installed, weights
from tools.clients import items as local_items
from tools.clients.item_sources import SOURCES
from tools.clients.lm_eval_process import ArmFailed, WorkerProcess
from tools.clients.lm_eval_protocol import describe, harness
from tools.clients.unpack import require_space, unpacked
from tools.deps import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from memory.records import Model
    from tools.clients.items import Item
    from tools.clients.weights import Weights

CHUNK = 8
TIMEOUT = 120.0

# Measured on two cores with SmolLM2-135M in float32; the range in `seconds` covers a busy machine.
FLOPS_PER_SECOND = 70e9
CHARS_PER_TOKEN = 4.0
START_SECONDS = 10.0
LOAD_SECONDS_PER_GB = 12.0
UNPACK_SECONDS_PER_GB = 70.0
OVERHEAD_SECONDS = 0.5

CONSTANT_ARM = Arm(
    name=CONSTANT,
    model=CONSTANT,
    backend="constant",
    note="always gives the commonest gold answer of the items that were not drawn",
)


class LmEvalRunner:
    """Measures the weights on this machine; one worker process, reused from arm to arm."""

    def __init__(
        self,
        cache_dir: Path,
        python: str,
        env: Mapping[str, str],
        models_dir: Path | None = None,
        progress: Callable[[Progress], None] = silent,
        *,
        hf_cache: Path | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        """Nothing starts yet. ``env`` is what the subprocess may see, cut to a few names."""
        self._cache = cache_dir
        self._command = (python, "-m", "tools.clients.lm_eval_worker")
        self._env = env
        self._models_dir = models_dir
        self._hf_cache = hf_cache
        self._progress = progress
        self._timeout = timeout
        self._worker: WorkerProcess | None = None
        self._loaded: str | None = None

    @property
    def name(self) -> str:
        """Harness, version and back end."""
        return harness(installed.version("lm_eval"), "hf")

    def arms(self, models: Sequence[Model]) -> tuple[list[Arm], dict[str, str]]:
        """An arm per reachable precision of each model, the baseline last; else why not."""
        found, refused = weights.find(self._models_dir, self._hf_cache)
        arms = [_arm(m.id, w) for m in models for w in found if w.model in (m.id, *m.aliases)]
        reached = {arm.model for arm in arms}
        missing = {
            m.id: refused.get(m.id, weights.ELSEWHERE) for m in models if m.id not in reached
        }
        return [*arms, CONSTANT_ARM], missing

    def protocol(self, benchmark: str) -> str:
        """What a score must share to compare: harness, shots, template, metric and item set."""
        return describe(
            self.name,
            shots=0,
            task=benchmark,
            template=template_version(benchmark),
            metric="acc",
            items=local_items.label(benchmark),
        )

    def items(self, benchmark: str, n: int, seed: int) -> list[str]:
        """Ids of ``n`` items at random; the ids for n begin those for n + 1.

        Raises:
            BadRequest: unknown benchmark, or fewer than ``n`` items here.
        """
        return [item.id for item in local_items.draw(benchmark, n, seed)]

    def seconds(self, arm: Arm, benchmark: str, items: int) -> tuple[float, float, float]:
        """Low, expected and high seconds of wall time; 2·N FLOPs a token for N weights.

        Low: the weights are loaded already. Expected: they are loaded and probed for this step.
        High: the process is started too, GGUF unpacked, and the machine busy.
        """
        if arm.model == CONSTANT:
            return 0.0, 0.0, 1.0
        held = self._weights(arm)
        gigabytes = held.bytes_in_memory / 1e9
        load = LOAD_SECONDS_PER_GB * gigabytes
        start = START_SECONDS
        if held.is_gguf and not unpacked(held.path, self._cache).is_dir():
            start += UNPACK_SECONDS_PER_GB * gigabytes
        work = self._work(held, benchmark, items)
        return 0.7 * work, load + work, start + 2.5 * (load + work)

    def probe(self, arm: Arm) -> None:
        """Ask known questions.

        Raises:
            BackendUntrustworthy: a wrong answer; the line names the check.
            ArmFailed: the process crashed, hung or could not load the weights.
            WeightsUnavailable: the weights can't be unpacked for lack of disk space.
        """
        if arm.model == CONSTANT:
            return
        for _ in self._ready(arm).ask({"op": "probe"}, self._timeout):
            pass

    def run(self, arm: Arm, benchmark: str, items: Sequence[str]) -> Iterator[ItemResult]:
        """Yield a result per item, eight at a time, in the order of ``items``.

        Closing the generator stops the work: nothing is computed that nobody waits for.

        Raises:
            ArmFailed: the process crashed, hung or answered garbage; the line names its log.
            BadRequest: unknown benchmark or item.
        """
        drawn = local_items.find(benchmark, items)
        if arm.model == CONSTANT:
            yield from _constant(benchmark, drawn)
            return
        worker, held = self._ready(arm), self._weights(arm)
        for start in range(0, len(drawn), CHUNK):
            chunk = drawn[start : start + CHUNK]
            timeout = max(self._timeout, 10 * self._work(held, benchmark, len(chunk)))
            yield from _chunk(worker, arm, benchmark, chunk, timeout)

    def close(self) -> None:
        """End the worker process; the next probe or run starts another."""
        if self._worker is not None:
            self._worker.kill()
        self._worker = self._loaded = None

    def _weights(self, arm: Arm) -> Weights:
        found, refused = weights.find(self._models_dir, self._hf_cache)
        for held in found:
            if (held.label, held.source) == (arm.name, arm.weights):
                return held
        raise ArmFailed(f"{arm.name}: {refused.get(arm.model, weights.ELSEWHERE)}.")

    def _work(self, held: Weights, benchmark: str, n: int) -> float:
        """Expected seconds of computing ``n`` items."""
        pool = local_items.load(benchmark).items
        tokens = sum(_characters(item) for item in pool) / len(pool) / CHARS_PER_TOKEN
        return n * (2 * held.params * tokens / FLOPS_PER_SECOND + OVERHEAD_SECONDS / CHUNK)

    def _ready(self, arm: Arm) -> WorkerProcess:
        """The worker with the arm's weights loaded."""
        if self._worker is not None and self._worker.alive and self._loaded == arm.name:
            return self._worker
        held = self._weights(arm)
        if self._worker is None or not self._worker.alive:
            log = self._cache / "logs" / "lm-eval-worker.log"
            self._worker = WorkerProcess(self._command, self._env, log)
        self._loaded = None
        folder = self._folder(held, self._worker)
        self._progress(Progress("loading", 0, 1, arm.name))
        load = {"op": "load", "path": str(folder), "round_bits": held.round_bits}
        for _ in self._worker.ask(load, self._timeout):
            pass
        self._progress(Progress("loading", 1, 1, arm.name))
        self._loaded = arm.name
        return self._worker

    def _folder(self, held: Weights, worker: WorkerProcess) -> Path:
        """The safetensors folder of the weights, unpacked first when there is none."""
        if not held.is_gguf:
            return held.path
        folder = unpacked(held.path, self._cache)
        if not folder.is_dir():
            require_space(held.path, held.params, self._cache)
            unpack = {"op": "unpack", "gguf": str(held.path), "target": str(folder)}
            for event in worker.ask(unpack, self._timeout):
                self._progress(
                    Progress("unpacking weights", event["done"], event["total"], event["what"])
                )
        weights.inspect_folder(held.model, folder, held.revision, held.source)
        return folder


def template_version(benchmark: str) -> str:
    """The version that the task's YAML in the installed lm-eval states, such as "v1.0".

    Raises:
        BadRequest: lm-eval is not installed or has no such task.
    """
    package = installed.folder("lm_eval")
    config = SOURCES[benchmark].config if benchmark in SOURCES else f"{benchmark}.yaml"
    try:
        text = ((package or Path()) / "tasks" / config).read_text("utf-8")
    except OSError:
        raise BadRequest(f"lm-eval has no task {benchmark}; reinstall lm-eval.") from None
    stated = re.search(r"^metadata:\n(?:  .*\n)*?  version: *(\S+)", text, re.MULTILINE)
    return f"v{stated.group(1)}" if stated else "unversioned"


def _arm(model: str, held: Weights) -> Arm:
    return Arm(
        name=held.label,
        model=model,
        backend="hf",
        weights=held.source,
        precision=held.precision,
        revision=held.revision,
        note=held.note,
    )


def _characters(item: Item) -> int:
    """Characters that pass through the model: one prompt, or one a choice for long choices."""
    if max(map(len, item.choices)) <= len("maybe"):
        return item.chars
    return item.chars * len(item.choices)


def _chunk(
    worker: WorkerProcess, arm: Arm, benchmark: str, chunk: Sequence[Item], timeout: float
) -> Iterator[ItemResult]:
    request = {
        "op": "evaluate",
        "task": benchmark,
        "config": SOURCES[benchmark].config,
        "docs": [item.doc for item in chunk],
    }
    started = time.monotonic()
    events = list(worker.ask(request, timeout))
    seconds = (time.monotonic() - started) / len(chunk)
    if sorted(event.get("index", -1) for event in events) != list(range(len(chunk))):
        raise ArmFailed(f"{len(events)} results for {len(chunk)} items. See {worker.log}.")
    for event in events:
        item = chunk[event["index"]]
        yield ItemResult(
            arm=arm.name,
            benchmark=benchmark,
            item=item.id,
            correct=event["correct"],
            answer=event["answer"],
            target=item.choices[item.gold],
            seconds=seconds,
        )


def _constant(benchmark: str, drawn: Sequence[Item]) -> Iterator[ItemResult]:
    """The commonest gold position among the items that were not drawn, so it never peeks."""
    seen = {item.id for item in drawn}
    gold = Counter(item.gold for item in local_items.load(benchmark).items if item.id not in seen)
    position = min(gold, key=lambda index: (-gold[index], index)) if gold else 0
    for item in drawn:
        yield ItemResult(
            arm=CONSTANT,
            benchmark=benchmark,
            item=item.id,
            correct=float(item.gold == position),
            answer=item.choices[min(position, len(item.choices) - 1)],
            target=item.choices[item.gold],
        )
