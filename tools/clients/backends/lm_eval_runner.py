"""HERD stage 1: lm-eval in worker processes over whatever back ends there are, and a baseline.

Only weights and items that are already here, or behind a server that was named, are used. The
constant-answer baseline is always the last arm.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from memory.errors import BadRequest
from memory.records import CONSTANT, Arm, ItemResult
from tools.clients.backends.lm_eval_process import ArmFailed
from tools.clients.backends.lm_eval_protocol import describe, harness
from tools.clients.backends.log_probs import TextLogProb, TokenLogProbs
from tools.clients.benchmarks import installed, item_options
from tools.clients.benchmarks import items as local_items
from tools.clients.benchmarks.item_sources import SOURCES
from tools.clients.executors.worker_pool import WorkerPool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from memory.records import Model
    from tools.clients.backends.backend import Backend, Pace
    from tools.clients.benchmarks.item_sources import Lettered
    from tools.clients.benchmarks.items import Item
    from tools.clients.executors.executor import EvaluationWorker, Executor

CHUNK = 8
TIMEOUT = 120.0
CHARS_PER_TOKEN = 4.0
SHARDS, SHARD = 4, 4  # runs of a benchmark's file and texts in each, as evals.contamination has

CONSTANT_ARM = Arm(
    name=CONSTANT,
    model=CONSTANT,
    backend="constant",
    note="always gives the commonest gold answer of the items that were not drawn",
)


class LmEvalRunner:
    """Measures arms of several back ends, each arm in a process of its own."""

    def __init__(
        self,
        backends: Sequence[Backend],
        executor: Executor,
        logs: Path,
        *,
        timeout: float = TIMEOUT,
    ) -> None:
        """Nothing starts yet. ``executor`` starts the processes; each has a file in ``logs``."""
        self._backends = {backend.name: backend for backend in backends}
        self._executor = executor
        self._pool = WorkerPool(executor, logs)
        self._timeout = timeout

    @property
    def name(self) -> str:
        """Harness and version."""
        return harness(installed.version("lm_eval"))

    @property
    def at_once(self) -> int:
        """Arms that the executor has places for."""
        return self._executor.at_once

    @property
    def elsewhere(self) -> bool:
        """Whether items and prompts leave this machine, whatever the back end."""
        return self._executor.elsewhere

    def arms(self, models: Sequence[Model]) -> tuple[list[Arm], dict[str, str]]:
        """Every back end's arms of each model, the baseline last; else why not."""
        arms: list[Arm] = []
        reasons: dict[str, str] = {}
        for backend in self._backends.values():
            found, missing = backend.arms(models)
            arms += found
            reasons = missing | reasons  # the first back end's reason is the one to tell
        reached = {arm.model for arm in arms}
        return [*arms, CONSTANT_ARM], {m: why for m, why in reasons.items() if m not in reached}

    def here(self) -> frozenset[str]:
        """The models that some back end has."""
        return frozenset().union(*(backend.here() for backend in self._backends.values()))

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
        """Low, expected and high seconds of wall time, by the back end's ``Pace``.

        Low: the arm is loaded already. Expected: it is loaded and probed for this step. High:
        the process is started too, and everything is as slow as it gets.
        """
        if arm.model == CONSTANT:
            return 0.0, 0.0, 1.0
        pace = self._backend(arm).pace(arm)
        return _range(pace, items * (_tokens(benchmark) * pace.per_token + pace.per_item))

    def probe(self, arm: Arm) -> None:
        """Ask known questions.

        Raises:
            BackendUntrustworthy: a wrong answer; the line names the check.
            ArmFailed: the process crashed, hung or could not load the weights.
            WeightsUnavailable: the weights can't be unpacked for lack of disk space.
        """
        if arm.model == CONSTANT:
            return
        with self._ready(arm) as worker:
            for _ in worker.ask({"op": "probe"}, self._timeout):
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
        pace = self._backend(arm).pace(arm)
        expected = _tokens(benchmark) * pace.per_token + pace.per_item
        with self._ready(arm) as worker:
            for start in range(0, len(drawn), CHUNK):
                chunk = drawn[start : start + CHUNK]
                timeout = max(self._timeout, 10 * expected * len(chunk))
                yield from _chunk(worker, arm, benchmark, chunk, timeout)

    def generation_seconds(
        self, arm: Arm, items: int, tokens: float, new_tokens: float
    ) -> tuple[float, float, float]:
        """As ``seconds``, for ``items`` prompts of ``tokens``, answered in ``new_tokens`` each."""
        if arm.model == CONSTANT:
            return 0.0, 0.0, 1.0
        pace = self._backend(arm).pace(arm)
        each = tokens * pace.per_token + new_tokens * pace.per_new_token + pace.per_item
        return _range(pace, items * each)

    def generate(self, arm: Arm, prompts: Sequence[str], most_tokens: int) -> Iterator[str]:
        """Yield the arm's greedy answer to each prompt, in the model's own chat template.

        Closing the generator stops the work. Raises ``ArmFailed`` as ``run`` does.
        """
        pace = self._backend(arm).pace(arm)
        with self._ready(arm) as worker:
            for prompt in prompts:
                expected = len(prompt) / CHARS_PER_TOKEN * pace.per_token
                timeout = max(self._timeout, 10 * (expected + most_tokens * pace.per_new_token))
                request = {"op": "generate", "prompts": [prompt], "most_tokens": most_tokens}
                texts = [event.get("text") for event in worker.ask(request, timeout)]
                if len(texts) != 1 or not isinstance(texts[0], str):
                    raise ArmFailed(f"{len(texts)} answers to one prompt. See {worker.log}.")
                yield texts[0]

    def published(self, benchmark: str) -> list[list[str]]:
        """``SHARDS`` runs of texts as the benchmark's file has them."""
        return local_items.published(benchmark, SHARDS, SHARD)

    def lettered(self, benchmark: str, count: int) -> list[Lettered]:
        """Questions of the benchmark with their options; empty where it has too few."""
        return item_options.drawn(benchmark, count)

    def tells_tokens(self, arm: Arm) -> bool:
        """Of transformers' own arms alone: a server's echo has no vocabulary in it."""
        return arm.backend == "hf"

    def log_prob_seconds(self, arm: Arm, texts: Sequence[str]) -> tuple[float, float, float]:
        """Low, expected and high seconds of ``log_probs`` for a loaded arm."""
        pace = self._backend(arm).pace(arm)
        work = sum(map(len, texts)) / CHARS_PER_TOKEN * pace.per_token
        return pace.low * work, work, pace.high * work

    def log_probs(self, arm: Arm, texts: Sequence[str]) -> Iterator[TextLogProb]:
        """Yield each text's log-probability, eight at a time.

        Closing the generator stops the work. Raises ``ArmFailed`` as ``run`` does.
        """
        with self._ready(arm) as worker:
            for start in range(0, len(texts), CHUNK):
                chunk = texts[start : start + CHUNK]
                timeout = max(self._timeout, 10 * self.log_prob_seconds(arm, chunk)[1])
                events = list(worker.ask({"op": "log_probs", "texts": list(chunk)}, timeout))
                if [event.get("index") for event in events] != list(range(len(chunk))):
                    many = f"{len(events)} results for {len(chunk)} texts"
                    raise ArmFailed(f"{many}. See {worker.log}.")
                yield from map(_log_prob, events)

    def close(self) -> None:
        """End the worker processes, in use or not; the next probe or run starts another."""
        self._pool.close()

    def _backend(self, arm: Arm) -> Backend:
        try:
            return self._backends[arm.backend]
        except KeyError:
            raise ArmFailed(f"{arm.name}: there is no back end {arm.backend!r} here.") from None

    def _ready(self, arm: Arm) -> AbstractContextManager[EvaluationWorker]:
        """The arm's worker, loaded, for as long as it is in use."""
        backend = self._backend(arm)

        def load(worker: EvaluationWorker) -> None:
            backend.load(arm, lambda request: worker.ask(request, self._timeout))

        return self._pool.lend(arm.name, backend.memory(arm), load)


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


def _tokens(benchmark: str) -> float:
    """Tokens that pass through a model for one item of the benchmark, on average."""
    pool = local_items.load(benchmark).items
    return sum(_characters(item) for item in pool) / len(pool) / CHARS_PER_TOKEN


def _range(pace: Pace, work: float) -> tuple[float, float, float]:
    return pace.low * work, pace.load + work, pace.start + pace.high * (pace.load + work)


def _characters(item: Item) -> int:
    """Characters that pass through the model: one prompt, or one a choice for long choices."""
    if max(map(len, item.choices)) <= len("maybe"):
        return item.chars
    return item.chars * len(item.choices)


def _chunk(
    worker: EvaluationWorker, arm: Arm, benchmark: str, chunk: Sequence[Item], timeout: float
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


def _log_prob(event: Mapping[str, Any]) -> TextLogProb:
    if "tokens" not in event:
        return TextLogProb(float(event["total"]))
    tokens = TokenLogProbs(*(np.array(row, dtype=np.float64) for row in event["tokens"]))
    return TextLogProb(tokens.total, tokens)


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
