"""HERD stage 2: the user's own examples as a benchmark of their own, the real task.

Each arm answers the same random examples after the same instruction, and the answers are graded
by the metric that the references call for (``tools.real_task.grading``), by language models
(``tools.judging.panel``), or both: then the task is two benchmarks, one of them named
``examples:…:judged``. Where the paper runs its second stage after the first, here both are one
race, in which the real task has half of the weight: whoever can't win on the benchmarks and the
real task together is dropped from both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from memory.records import BenchmarkChoice
from prompts import library
from tools.real_task import grading
from tools.real_task.sensitive import needs_consent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.records import Example, MetricChoice, OwnTask

WEIGHT = 0.5
"""Of the real task, against all benchmarks together."""

CHARS_PER_TOKEN = 4.0
LABEL_TOKENS, FEWEST_TOKENS, MOST_TOKENS = 16, 32, 512
FREE_TOKENS = 256  # of an answer whose length no reference tells
JUDGED = ":judged"
NO_JUDGE = "no example has a reference answer and nobody is named to judge (--judge MODEL)"
BY_RUBRIC = "the real task, answers graded by {judges} on five dimensions, their mean from 0 to 1"


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


def must_stay(task: OwnTask, *, local: bool) -> str | None:
    """Why the examples may not be sent there, and what to do; None when they may."""
    question = None if task.may_leave else needs_consent(task.examples, local=local)
    return question and f"{question} If so, start again with --may-leave."
