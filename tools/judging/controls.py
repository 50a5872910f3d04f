"""Two constant answers, judged in every run: a judge that likes them can't be trusted.

``null`` says nothing; ``longest`` is the run's longest answer, given to every item but its own. A
constant answer once led AlpacaEval's table (Zheng et al. 2024), and judges favour length. What
counts is accuracy and relevance: a constant answer may well be ethical and clear.

A control is passed where it earns at most half of what real answers earn on the same items, and
that is no accident (exact sign-flip test). Otherwise either the judge or all the candidates are
worthless, and the grades can't tell which. The rule was chosen on one half of AlpacaEval's
instructions; ``evals.judge`` reports on the other.
"""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING, Literal

from memory.records import Control, Interval
from tools.deps import silent
from tools.llm_judge import compare, grade
from tools.methods.intervals import paired

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from memory.records import Grade, JudgedItem, JudgedTask
    from memory.registry import Registry
    from tools.deps import Progress
    from tools.judging.chat import Judge
    from tools.llm_judge import Judged

    Answers = Mapping[str, Mapping[str, str | None]]

NULL_ANSWER = "I have no answer to that."
SHARE = 0.5
"""A constant answer may earn so much of what real ones do."""
ACCIDENT = 0.1
"""Two-sided p-value from which on the real answers' lead counts as an accident."""
ITEMS = 20
"""So many items are enough to tell a constant answer from real ones, if it can be told."""

Name = Literal["null", "longest"]
CONTROLS: tuple[Name, ...] = ("null", "longest")
WON = {"a": 1.0, "tie": 0.5, "b": 0.0}


def control_answers(name: Name, answers: Answers, items: Sequence[JudgedItem]) -> dict[str, str]:
    """The constant answer to the first ``ITEMS`` items; ``longest`` skips its own."""
    some = [item.id for item in items[:ITEMS]]
    if name == "null":
        return dict.fromkeys(some, NULL_ANSWER)
    given = [(text, id) for per in answers.values() for id, text in per.items() if text]
    if not given:
        return {}
    text, own = max(given, key=lambda one: (len(one[0]), one))
    return {id: text for id in some if id != own}


def grade_controlled(
    task: JudgedTask,
    items: Sequence[JudgedItem],
    answers: Answers,
    judges: Sequence[Judge],
    *,
    registry: Registry | None,
    progress: Callable[[Progress], None] = silent,
) -> Judged:
    """``llm_judge.grade``, and then both controls of each judge.

    They cost at most two grades for each of ``ITEMS`` items; an ungraded one has not passed.
    """
    judged = grade(task, items, answers, judges, registry=registry, progress=progress)
    stopped, controls = judged.stopped, {}
    for judge in judges:
        means = _means(judged.grades, judge.name)
        made = []
        for name in CONTROLS:
            given = control_answers(name, answers, items)
            some = [item for item in items if item.id in given and item.id in means]
            found = grade(task, some, {f"{name} answer": given}, [judge], registry=None)
            pairs = [(means[g.item], task_done(g.ratings)) for g in found.grades if g.ratings]
            made.append(verdict(name, next(iter(given.values()), ""), pairs))
            stopped = stopped or found.stopped
        controls[judge.name] = made
    return replace(judged, stopped=stopped, controls=controls)


def compare_controlled(
    task: JudgedTask,
    items: Sequence[JudgedItem],
    a: tuple[str, Mapping[str, str | None]],
    b: tuple[str, Mapping[str, str | None]],
    judges: Sequence[Judge],
    *,
    registry: Registry | None,
    progress: Callable[[Progress], None] = silent,
) -> Judged:
    """``llm_judge.compare``, and then both constant answers against ``a``, in both orders.

    A win counts 1 and a tie half, so a control passes that wins at most one in three.
    """
    judged = compare(task, items, a, b, judges, registry=registry, progress=progress)
    stopped, controls = judged.stopped, {}
    for judge in judges:
        made = []
        for name in CONTROLS:
            given = control_answers(name, dict([a, b]), items)
            some = [item for item in items if item.id in given]
            found = compare(task, some, a, (f"{name} answer", given), [judge], registry=None)
            merged = [one.merged for one in found.preferences if one.merged is not None]
            pairs = [(WON[who], 1 - WON[who]) for who in merged]
            made.append(verdict(name, next(iter(given.values()), ""), pairs))
            stopped = stopped or found.stopped
        controls[judge.name] = made
    return replace(judged, stopped=stopped, controls=controls)


def _means(grades: Sequence[Grade], judge: str) -> dict[str, float]:
    """How far the task was done, per item, over the real answers."""
    real: dict[str, list[float]] = {}
    for one in grades:
        if one.judge == judge and one.ratings is not None:
            real.setdefault(one.item, []).append(task_done(one.ratings))
    return {id: fmean(scores) for id, scores in real.items()}


def task_done(ratings: Mapping[str, int]) -> float:
    """How far the task was done, 0 to 1: the mean of accuracy and relevance."""
    return (ratings["accuracy"] + ratings["relevance"] - 2) / 8


def verdict(name: Name, answer: str, pairs: Sequence[tuple[float, float]]) -> Control:
    """Whether real answers beat a constant one; ``pairs``: (real, control) scores by item, 0 to 1.

    Fewer than five items can't pass: the sign-flip test can't tell them from an accident.
    """
    if not pairs:
        lead = Interval(value=None, low=-1.0, high=1.0)
        reason = f"the {name} answer was not graded, so nothing speaks for the judge"
        return Control(
            name=name, answer=answer, n=0, mean=None, lead=lead, passed=False, reason=reason
        )
    real, control = zip(*pairs, strict=True)
    found = paired([(real, control)])
    passed = found.difference > 0 and found.p <= ACCIDENT and fmean(control) <= SHARE * fmean(real)
    compared = f"the {name} answer earns {fmean(control):.2f} and real ones {fmean(real):.2f}"
    compared += f" of 1 for doing the task ({found.n} items, p = {found.p:.2f})"
    return Control(
        name=name,
        answer=answer,
        n=found.n,
        mean=fmean(control),
        lead=Interval(value=found.difference, low=found.low, high=found.high),
        passed=passed,
        reason=compared if passed else f"the judge is not to be trusted: {compared}",
    )
