"""HERD stage 2: the user's own examples as a benchmark of their own, the real task.

Each arm answers the same random examples after the same instruction, and the answers are graded
by the metric that the references call for (``tools.real_task.grading``), by language models
(``tools.judging.panel``), or both: then the task is two benchmarks, one of them named
``examples:…:judged``, whose answers come ungraded from here. Where the paper runs its
second stage after the first, here both are one race, in which the real task has half of the
weight: whoever can't win on the benchmarks and the real task together is dropped from both.

``OwnTaskRunner`` stands in front of the runner for benchmarks and answers for names that begin
with ``examples:``; a plan, its approval, the ledger and the race treat them like any other.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from memory.errors import BadRequest
from memory.example_sets import PREFIX
from memory.records import CONSTANT, BenchmarkChoice, ItemResult
from prompts import library
from tools.clients.lm_eval_process import ArmFailed
from tools.deps import Reader, Runner
from tools.judging.controls import NULL_ANSWER
from tools.real_task import examples, grading
from tools.real_task.sensitive import needs_consent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from memory.example_sets import ExampleSets
    from memory.records import Arm, Example, MetricChoice, Model, OwnTask
    from tools.clients.item_sources import Lettered
    from tools.clients.log_probs import TextLogProb

WEIGHT = 0.5
"""Of the real task, against all benchmarks together."""

CHARS_PER_TOKEN = 4.0
LABEL_TOKENS, FEWEST_TOKENS, MOST_TOKENS = 16, 32, 512
FREE_TOKENS = 256  # of an answer whose length no reference tells
LONGEST_KEPT = 8_000  # letters of an answer that the ledger keeps, and a judge is shown
JUDGED = ":judged"
NO_JUDGE = "no example has a reference answer and nobody is named to judge (--judge MODEL)"
BY_RUBRIC = "the real task, answers graded by {judges} on five dimensions, their mean from 0 to 1"


class Generator(Runner, Reader, Protocol):
    """A runner whose arms also read and write."""

    @property
    def elsewhere(self) -> bool:
        """Whether prompts leave this machine, whatever the back end."""
        ...

    def generate(self, arm: Arm, prompts: Sequence[str], most_tokens: int) -> Iterator[str]:
        """The arm's greedy answer to each prompt."""
        ...

    def generation_seconds(
        self, arm: Arm, items: int, tokens: float, new_tokens: float
    ) -> tuple[float, float, float]:
        """Low, expected and high seconds for ``items`` prompts of ``tokens``."""
        ...


@dataclass(frozen=True)
class Graded:
    """A kept task with the metric that fits its references; ``usable`` are the examples graded.

    ``judged``: by a judge, who needs no reference, whatever the metric.
    """

    task: OwnTask
    metric: MetricChoice
    usable: tuple[Example, ...]
    judged: bool = False

    @property
    def most_tokens(self) -> int:
        """How long an answer may be: half as long again as the longest reference."""
        if self.metric.labels:
            return LABEL_TOKENS
        known = [len(one.reference) for one in self.usable if one.reference is not None]
        if not known:
            return FREE_TOKENS
        return min(max(int(1.5 * max(known) / CHARS_PER_TOKEN), FEWEST_TOKENS), MOST_TOKENS)

    @property
    def likely_tokens(self) -> float:
        """How long one is likely to be: a model that does not stop by itself writes to the end."""
        wanted = sum(len(one.reference or "") for one in self.usable) / CHARS_PER_TOKEN
        return min((wanted / max(len(self.usable), 1) + self.most_tokens) / 2, self.most_tokens)

    def prompt(self, example: Example) -> str:
        """What an arm is given: instruction, input and, where there are labels, which."""
        return library.load("examples/answer").render(
            instruction=self.task.instruction,
            input=example.input,
            labels=", ".join(self.metric.labels),
        )

    def protocol(self, harness: str) -> str:
        """What a score must share to compare; of a judged one, the half that says how to answer."""
        prompt = library.load("examples/answer")
        how = f"greedy, at most {self.most_tokens} tokens, chat template"
        made = " (synthetic)" if self.task.examples.synthetic else ""
        answering = f"{harness} · {self.task.name}{made} · {prompt.id} · {how}"
        return answering if self.judged else f"{answering} · {self.metric.metric}"


def graded(task: OwnTask, *, judged: bool = False) -> Graded:
    """The task with its metric."""
    known = tuple(one for one in task.examples.examples if one.reference is not None)
    metric = _metric(tuple(one.reference for one in known))
    return Graded(task, metric, task.examples.examples if judged else known, judged)


# A conversation asks for it when it recommends, plans, measures and reports.
_metric = lru_cache(maxsize=8)(grading.choose_metric)


def as_benchmarks(task: OwnTask, others: Sequence[BenchmarkChoice]) -> list[BenchmarkChoice]:
    """The task first, with ``WEIGHT``; the benchmarks beside it share what is left.

    It is one benchmark where it has references or a judge, two equal ones where it has both, and
    one that can't be measured where it has neither.
    """
    exact, by_judge = graded(task), graded(task, judged=True)
    own = [exact] if exact.usable or not task.judges else []
    own += [by_judge] if task.judges else []
    weight = (WEIGHT if others else 1.0) / len(own)
    rest = sum(one.weight for one in others) or 1.0
    scaled = [one.model_copy(update={"weight": (1 - WEIGHT) * one.weight / rest}) for one in others]
    return [*(_choice(one, weight) for one in own), *scaled]


def _choice(found: Graded, weight: float) -> BenchmarkChoice:
    task, count = found.task, len(found.usable)
    reason = f"the real task: {found.metric.reason}" if count else NO_JUDGE
    if found.judged:
        reason = BY_RUBRIC.format(judges=" and ".join(map(name_of, task.judges)))
    return BenchmarkChoice(
        task=task.name + JUDGED if found.judged else task.name,
        weight=weight,
        reason=f"{reason}; the examples are synthetic" if task.examples.synthetic else reason,
        description=task.instruction,
        metric="rubric" if found.judged else found.metric.metric,
        items_source=f"{task.examples.source}, {count:,} examples" if count else None,
        available=count,
    )


def made_up(task: OwnTask) -> str | None:
    """What to mind about synthetic examples; None where they are the user's own."""
    if not task.examples.synthetic:
        return None
    said = f"The examples are not yours but {task.examples.source}: they show whether a model can"
    said += " do such a job, not how it does on your data"
    return "; ".join((said, *task.examples.notes)) + "."


def name_of(judge: str) -> str:
    """The model in ``NAME`` or ``NAME=URL``."""
    return judge.partition("=http")[0]


def kept_name(benchmark: str) -> str:
    """The name under which a benchmark's examples are kept."""
    return benchmark.removesuffix(JUDGED)


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


def must_stay(task: OwnTask, *, local: bool) -> str | None:
    """Why the examples may not be sent there, and what to do; None when they may."""
    question = None if task.may_leave else needs_consent(task.examples, local=local)
    return question and f"{question} If so, start again with --may-leave."
