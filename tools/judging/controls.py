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
from functools import partial
from statistics import fmean
from typing import TYPE_CHECKING, Literal

from memory.records import CONSTANT, Control, Interval
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
    Pairs = Sequence[tuple[float, float]]

NULL_ANSWER = "I have no answer to that."
SHARE = 0.5
"""A constant answer may earn so much of what real ones do."""
ACCIDENT = 0.1
"""Two-sided p-value from which on the real answers' lead counts as an accident."""
ITEMS = 20
"""So many items are enough to tell a constant answer from real ones, if it can be told."""

Name = Literal["null", "longest"]
# Whose answer a control is: in a run, the null answer is the constant arm's and is paid for.
CONTROLS: dict[Name, str] = {"null": CONSTANT, "longest": "longest answer"}
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
    return _controlled(
        judged, judges, partial(graded_controls, task, items, answers, judged.grades)
    )


def graded_controls(
    task: JudgedTask,
    items: Sequence[JudgedItem],
    answers: Answers,
    grades: Sequence[Grade],
    judge: Judge,
) -> tuple[list[Control], str | None]:
    """Both controls of one judge beside its ``grades`` of the real answers, and what stopped it."""
    means = _means(grades, judge.name)

    def pairs(
        name: Name, given: Mapping[str, str], some: Sequence[JudgedItem]
    ) -> tuple[Pairs, str | None]:
        graded = [item for item in some if item.id in means]
        found = grade(task, graded, {CONTROLS[name]: given}, [judge], registry=None)
        told = [(means[g.item], task_done(g.ratings)) for g in found.grades if g.ratings]
        return told, found.stopped

    return _controls(answers, items, pairs)


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

    def controls(judge: Judge) -> tuple[list[Control], str | None]:
        def pairs(
            name: Name, given: Mapping[str, str], some: Sequence[JudgedItem]
        ) -> tuple[Pairs, str | None]:
            found = compare(task, some, a, (CONTROLS[name], given), [judge], registry=None)
            merged = [one.merged for one in found.preferences if one.merged is not None]
            return [(WON[who], 1 - WON[who]) for who in merged], found.stopped

        return _controls(dict([a, b]), items, pairs)

    return _controlled(judged, judges, controls)


def _controlled(
    judged: Judged,
    judges: Sequence[Judge],
    controls: Callable[[Judge], tuple[list[Control], str | None]],
) -> Judged:
    """What was judged, with the controls of each judge."""
    found = {judge.name: controls(judge) for judge in judges}
    reasons = [judged.stopped, *(stopped for _, stopped in found.values())]
    return replace(
        judged,
        stopped=next((reason for reason in reasons if reason), None),
        controls={name: made for name, (made, _) in found.items()},
    )


def _controls(
    answers: Answers,
    items: Sequence[JudgedItem],
    pairs: Callable[[Name, Mapping[str, str], Sequence[JudgedItem]], tuple[Pairs, str | None]],
) -> tuple[list[Control], str | None]:
    """Each control's verdict from its ``pairs`` on the items it is given to."""
    made, reasons = [], []
    for name in CONTROLS:
        given = control_answers(name, answers, items)
        found, stopped = pairs(name, given, [item for item in items if item.id in given])
        made.append(verdict(name, next(iter(given.values()), ""), found))
        reasons.append(stopped)
    return made, next((reason for reason in reasons if reason), None)


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
