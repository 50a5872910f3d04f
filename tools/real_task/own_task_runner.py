"""Answers of arms to the user's own examples, in front of the runner for benchmarks.

It answers for names that begin with ``examples:``; a plan, its approval, the ledger and the race
treat them like any other. What a judge has to grade comes from here ungraded.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from memory.errors import BadRequest
from memory.example_sets import PREFIX
from memory.records import CONSTANT, ItemResult
from tools.clients.backends.lm_eval_process import ArmFailed
from tools.deps import Reader, Runner, Speaker
from tools.judging.controls import NULL_ANSWER
from tools.real_task import examples, grading
from tools.real_task.own_task import CHARS_PER_TOKEN, JUDGED, graded, kept_name, must_stay

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from memory.example_sets import ExampleSets
    from memory.records import Arm, Example, Model, OwnTask
    from tools.clients.backends.log_probs import TextLogProb
    from tools.clients.benchmarks.item_sources import Lettered
    from tools.real_task.own_task import Graded

LONGEST_KEPT = 8_000  # letters of an answer that the ledger keeps, and a judge is shown


class Generator(Runner, Reader, Speaker, Protocol):
    """A runner whose arms also read and write."""

    @property
    def elsewhere(self) -> bool:
        """Whether prompts leave this machine, whatever the back end."""
        ...


class OwnTaskRunner:
    """``inner`` for benchmarks, and its arms' own answers for the tasks kept in ``tasks``."""

    def __init__(self, inner: Generator, tasks: ExampleSets) -> None:
        self.inner = inner
        self._task = lru_cache(maxsize=8)(
            lambda name: graded(tasks.get(kept_name(name)), judged=name.endswith(JUDGED))
        )

    @property
    def name(self) -> str:
        """The inner runner's."""
        return self.inner.name

    @property
    def at_once(self) -> int:
        """The inner runner's."""
        return self.inner.at_once

    def arms(self, models: Sequence[Model]) -> tuple[list[Arm], dict[str, str]]:
        """The inner runner's."""
        return self.inner.arms(models)

    def here(self) -> frozenset[str]:
        """The inner runner's."""
        return self.inner.here()

    def protocol(self, benchmark: str) -> str:
        """What a score must share to compare."""
        if not _own(benchmark):
            return self.inner.protocol(benchmark)
        return self._task(benchmark).protocol(self.inner.name)

    def items(self, benchmark: str, n: int, seed: int) -> list[str]:
        """Ids of ``n`` examples at random; the ids for n begin those for n + 1.

        Raises:
            BadRequest: fewer than ``n`` can be graded, or there is no such task.
        """
        if not _own(benchmark):
            return self.inner.items(benchmark, n, seed)
        return [one.id for one in examples.sample(self._task(benchmark).usable, n, seed)]

    def seconds(self, arm: Arm, benchmark: str, items: int) -> tuple[float, float, float]:
        """Low, expected and high seconds; an answer is as long as the references are."""
        if not _own(benchmark):
            return self.inner.seconds(arm, benchmark, items)
        task = self._task(benchmark)
        known = max(len(task.usable), 1)
        tokens = sum(len(task.prompt(one)) for one in task.usable) / known / CHARS_PER_TOKEN
        return self.inner.generation_seconds(arm, items, tokens, task.likely_tokens)

    def probe(self, arm: Arm) -> None:
        """The inner runner's."""
        self.inner.probe(arm)

    def published(self, benchmark: str) -> list[list[str]]:
        """The inner runner's; nobody published the order of the user's own examples."""
        return [] if _own(benchmark) else self.inner.published(benchmark)

    def lettered(self, benchmark: str, count: int) -> list[Lettered]:
        """The inner runner's; the user's own examples have no options."""
        return [] if _own(benchmark) else self.inner.lettered(benchmark, count)

    def tells_tokens(self, arm: Arm) -> bool:
        """The inner runner's."""
        return self.inner.tells_tokens(arm)

    def log_prob_seconds(self, arm: Arm, texts: Sequence[str]) -> tuple[float, float, float]:
        """The inner runner's."""
        return self.inner.log_prob_seconds(arm, texts)

    def log_probs(self, arm: Arm, texts: Sequence[str]) -> Iterator[TextLogProb]:
        """The inner runner's."""
        return self.inner.log_probs(arm, texts)

    def generate(self, arm: Arm, prompts: Sequence[str], most_tokens: int) -> Iterator[str]:
        """The inner runner's."""
        return self.inner.generate(arm, prompts, most_tokens)

    def generation_seconds(
        self, arm: Arm, items: int, tokens: float, new_tokens: float
    ) -> tuple[float, float, float]:
        """The inner runner's."""
        return self.inner.generation_seconds(arm, items, tokens, new_tokens)

    def close(self) -> None:
        """The inner runner's."""
        self.inner.close()

    def run(self, arm: Arm, benchmark: str, items: Sequence[str]) -> Iterator[ItemResult]:
        """Yield an answer per example, graded but where a judge has to, in the order of ``items``.

        Raises:
            ArmFailed: the arm failed, or the examples may not leave this machine for its server.
            BadRequest: an example that the task does not have.
        """
        if not _own(benchmark):
            yield from self.inner.run(arm, benchmark, items)
            return
        task = self._task(benchmark)
        chosen = _find(task, items)
        if arm.model == CONSTANT:
            yield from _constant(task, chosen)
            return
        _require_consent(task.task, arm, elsewhere=self.inner.elsewhere)
        answers = self.inner.generate(arm, [task.prompt(one) for one in chosen], task.most_tokens)
        started = time.monotonic()
        for example, answer in zip(chosen, answers, strict=True):
            now = time.monotonic()
            yield _result(task, arm.name, example, answer, now - started)
            started = time.monotonic()

    def exactly(self, benchmark: str, written: Mapping[str, ItemResult]) -> dict[str, ItemResult]:
        """Answers that were written for a judge, by item, graded by the metric instead."""
        task = self._task(benchmark)
        by_id = {one.id: one for one in task.usable}
        return {
            item: _result(task, one.arm, by_id[item], one.answer, 0.0).model_copy(
                update={"run": one.run}
            )
            for item, one in written.items()
            if item in by_id
        }


def _own(benchmark: str) -> bool:
    return benchmark.startswith(PREFIX)


def _find(task: Graded, ids: Sequence[str]) -> list[Example]:
    by_id = {one.id: one for one in task.usable}
    if missing := [one for one in ids if one not in by_id]:
        raise BadRequest(f"{task.task.name} has no item {missing[0]}; make a new plan.")
    return [by_id[one] for one in ids]


def _constant(task: Graded, chosen: Sequence[Example]) -> Iterator[ItemResult]:
    """The commonest reference of the examples that were not drawn, to every input alike.

    To a judge, that there is no answer: it is the null control, on all items.
    """
    drawn = {one.id for one in chosen}
    rest = [one.reference or "" for one in task.usable if one.id not in drawn]
    counted = Counter(" ".join(one.split()) for one in rest)
    answer = min(counted, key=lambda text: (-counted[text], text)) if counted else ""
    answer = NULL_ANSWER if task.judged else answer
    for example in chosen:
        yield _result(task, CONSTANT, example, answer, 0.0)


def _result(task: Graded, arm: str, example: Example, answer: str, seconds: float) -> ItemResult:
    return ItemResult(
        arm=arm,
        benchmark=task.task.name + JUDGED if task.judged else task.task.name,
        item=example.id,
        correct=None if task.judged else grading.grade(task.metric, answer, example.reference),
        answer=answer[:LONGEST_KEPT],
        target=(example.reference or "")[:LONGEST_KEPT],
        seconds=seconds,
    )


def _require_consent(task: OwnTask, arm: Arm, *, elsewhere: bool) -> None:
    """Examples that seem to hold secrets stay on this machine unless the user said otherwise."""
    where = re.match(r"https?://(\[[^\]]*\]|[^/:\s]+)", arm.weights or "")
    local = where is None or where.group(1) in ("127.0.0.1", "localhost", "[::1]")
    local = local and not elsewhere
    if (why := must_stay(task, local=local)) is not None:
        raise ArmFailed(why)
