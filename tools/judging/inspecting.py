"""What the judges of a run said, arm by arm, and how far the judges themselves can be believed.

Grades are read again from the ledger, where every reply is kept; only the controls ask anew. A
judge that fails a control counts for less: half for one, a quarter for both, as a suspicion of
contamination does. Rates of good answers are corrected by the judge's latest calibration, where
there is one of the same wording.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING

from memory.errors import MirrorError, NotApproved
from memory.records import CONSTANT, Grade, Interval, JudgedArm, JudgeFinding, JudgeGap, Judging
from prompts import library
from tools.judging.calibrating import GOOD, good_rate, overall
from tools.judging.controls import graded_controls
from tools.judging.panel import WORDING
from tools.judging.reply import DIMENSIONS
from tools.llm_judge import disagreement, grade_answer
from tools.methods.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from memory.calibrations import Calibrations
    from memory.records import Calibration, JudgedItem
    from tools.judging.chat import Judge
    from tools.judging.panel import Panel

FACTORS = (1.0, 0.5, 0.25)  # by how many controls failed
NO_REPLY_CAME = "no reply came, or the cap was reached before it"
UNCALIBRATED = "never calibrated here (mirror judge calibrate), so its rates stand uncorrected"


def inspect(
    benchmark: str,
    panel: Panel,
    items: Sequence[JudgedItem],
    answers: Mapping[str, Mapping[str, str]],
    calibrations: Calibrations | None,
    paid: Callable[[str], float],
) -> Judging:
    """The findings of each judge on ``answers`` (arm -> item id -> answer), controls included.

    ``paid``: dollars that a judge got in this run, by its name.
    """
    by_judge = {judge.name: _kept(panel, judge, items, answers) for judge in panel.judges}
    findings = tuple(
        _finding(panel, judge, items, answers, by_judge[judge.name], calibrations, paid)
        for judge in panel.judges
    )
    grades = [one for found in by_judge.values() for one in found]
    return Judging(
        benchmark=benchmark, domain=panel.task.domain, judges=findings, gaps=_gaps(grades)
    )


def _kept(
    panel: Panel,
    judge: Judge,
    items: Sequence[JudgedItem],
    answers: Mapping[str, Mapping[str, str]],
) -> list[Grade]:
    """The grades that were paid for; nobody is asked."""
    unpaid = replace(judge, budget=None)
    grades = []
    for arm, given in answers.items():
        for item in items:
            if item.id in given:
                try:
                    grades.append(grade_answer(panel.task, item, arm, given[item.id], unpaid))
                except NotApproved:
                    grades.append(_silent(judge, arm, item.id))
    return grades


def _silent(judge: Judge, arm: str, item: str) -> Grade:
    return Grade(
        judge=judge.name,
        model=arm,
        item=item,
        prompt=library.load(WORDING).id,
        ratings=None,
        reason=NO_REPLY_CAME,
    )


def _finding(
    panel: Panel,
    judge: Judge,
    items: Sequence[JudgedItem],
    answers: Mapping[str, Mapping[str, str]],
    grades: Sequence[Grade],
    calibrations: Calibrations | None,
    paid: Callable[[str], float],
) -> JudgeFinding:
    real = {arm: given for arm, given in answers.items() if arm != CONSTANT}
    of_real = [one for one in grades if one.model != CONSTANT]
    controls, _ = graded_controls(panel.task, items, real, of_real, judge)
    calibration, said = _calibration(judge.name, calibrations)
    return JudgeFinding(
        judge=judge.name,
        prompt=library.load(WORDING).id,
        arms=tuple(
            _arm(arm, len(given), [one for one in grades if one.model == arm], calibration)
            for arm, given in answers.items()
        ),
        controls=tuple(controls),
        weight=FACTORS[sum(not one.passed for one in controls)],
        missing=dict(Counter(one.reason for one in grades if one.ratings is None)),
        calibration=said,
        usd=paid(judge.name),
    )


def _calibration(judge: str, kept: Calibrations | None) -> tuple[Calibration | None, str]:
    """The one that corrects this judge's rates, and what to say of it."""
    try:
        found = kept.latest(judge, library.load(WORDING).id) if kept else None
    except MirrorError as error:
        return None, str(error)
    if found is None or found.kind != "ratings":
        return None, UNCALIBRATED
    return (
        found,
        f"calibrated {found.at[:10]} on {found.n} answers rated by people ({found.source})",
    )


def _arm(
    arm: str, answered: int, grades: Sequence[Grade], calibration: Calibration | None
) -> JudgedArm:
    rated = [one.ratings for one in grades if one.ratings is not None]
    scores = [one.score for one in grades if one.score is not None]
    if not rated:
        return JudgedArm(arm=arm, n=0, missing=answered)
    good = sum((overall(one) or 0) >= GOOD for one in grades)
    low, high = wilson(good, len(rated))
    corrected = good_rate(grades, calibration) if calibration else None
    return JudgedArm(
        arm=arm,
        n=len(rated),
        missing=answered - len(rated),
        score=fmean(scores),
        means={name: fmean(one[name] for one in rated) for name in DIMENSIONS},
        good=Interval(value=good / len(rated), low=low, high=high),
        corrected=Interval(value=corrected.value, low=corrected.low, high=corrected.high)
        if corrected and corrected.informative
        else None,
    )


def _gaps(grades: Sequence[Grade]) -> tuple[JudgeGap, ...]:
    """By how much each two judges differ on the answers both graded."""
    scored: dict[str, set[tuple[str, str]]] = {}
    for one in grades:
        if one.score is not None:
            scored.setdefault(one.judge, set()).add((one.model, one.item))
    return tuple(
        JudgeGap(a=a, b=b, gap=gap, n=len(scored[a] & scored[b]))
        for (a, b), gap in disagreement(grades).items()
    )
