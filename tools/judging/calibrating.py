"""How far a judge agrees with people, and what its rates become when that is accounted for."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING, Literal

import numpy as np

from memory.records import Calibration, Interval, JudgedItem, JudgedTask
from prompts import library
from tools.llm_judge import compare, grade, graded_message, paired_message
from tools.methods import agreement

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from memory.records import Grade, Preference
    from tools.deps import Message, Progress
    from tools.judging.chat import Judge
    from tools.judging.labelled import Labelled, LabelledPair, LabelledRating
    from tools.methods.agreement import Corrected

    Floats = NDArray[np.float64]

GOOD = 4
"""A rating from here on counts as good."""


def plain_task(domain: str) -> JudgedTask:
    """The task of files that state none: an instruction and answers to it."""
    return JudgedTask(
        domain=domain,
        role="an experienced reviewer",
        task="follow the instruction",
        source="instruction",
        answer="answer",
    )


def messages(labelled: Labelled, task: JudgedTask) -> list[list[Message]]:
    """What a judge would be asked about these rows, to price it: pairs in both orders."""
    if labelled.kind == "ratings":
        prompt, texts = (
            library.load("judge/rubric"),
            [r.texts or ("", "") for r in labelled.ratings],
        )
        return [
            [graded_message(task, JudgedItem(id="", source=source), answer, prompt)]
            for source, answer in texts
        ]
    prompt = library.load("judge/pairwise")
    return [
        [paired_message(task, JudgedItem(id="", source=source), first, second, prompt)]
        for source, one, two in (pair.texts or ("", "", "") for pair in labelled.pairs)
        for first, second in ((one, two), (two, one))
    ]


def ask(
    labelled: Labelled,
    judge: Judge,
    task: JudgedTask,
    progress: Callable[[Progress], None],
) -> tuple[Labelled, float, str | None]:
    """``labelled`` with the judge's own verdicts, what they cost, and why it stopped early.

    Rows need their texts. What is missing stays missing; pairs are asked in both orders.
    """
    if labelled.kind == "pairs":
        texts = [pair.texts or ("", "", "") for pair in labelled.pairs]
        items = [JudgedItem(id=str(i), source=text[0]) for i, text in enumerate(texts)]
        first, second = ({str(i): t[k] for i, t in enumerate(texts)} for k in (1, 2))
        one, two = ("answer 1", first), ("answer 2", second)
        judged = compare(task, items, one, two, [judge], registry=None, progress=progress)
        told = {int(one.item): one for one in judged.preferences}
        pairs = tuple(_with(pair, told.get(i)) for i, pair in enumerate(labelled.pairs))
        found = replace(labelled, pairs=pairs, judged=True, swapped=True)
        return found, sum(one.usd for one in judged.preferences), judged.stopped
    given = [rating.texts or ("", "") for rating in labelled.ratings]
    items = [JudgedItem(id=str(i), source=text[0]) for i, text in enumerate(given)]
    answers = {"answer": {str(i): text[1] for i, text in enumerate(given)}}
    judged = grade(task, items, answers, [judge], registry=None, progress=progress)
    rated = {int(one.item): one for one in judged.grades}
    ratings = tuple(_rated(rating, rated.get(i)) for i, rating in enumerate(labelled.ratings))
    usd = sum(one.usd for one in judged.grades)
    return replace(labelled, ratings=ratings, judged=True), usd, judged.stopped


def _with(pair: LabelledPair, told: Preference | None) -> LabelledPair:
    value = {"a": 1.0, "b": -1.0, "tie": 0.0}
    first, second = (told.a_first, told.b_first) if told else (None, None)
    return replace(
        pair,
        first=value[first] if first else None,
        second=value[second] if second else None,
    )


def _rated(rating: LabelledRating, told: Grade | None) -> LabelledRating:
    return replace(rating, verdict=overall(told) if told else None)


def overall(grade: Grade) -> int | None:
    """One rating, 1 to 5, out of five: their rounded mean. From ``GOOD`` on the answer is good."""
    return round(fmean(grade.ratings.values())) if grade.ratings else None


def good_rate(grades: Sequence[Grade], calibration: Calibration) -> Corrected:
    """The share of good answers among graded ones, corrected by the judge's calibration.

    Raises:
        ValueError: a grade is of another judge or wording than was calibrated, or it was
            calibrated on pairs: then the correction would be of something else.
    """
    wanted = (calibration.judge, calibration.prompt, calibration.kind)
    if any((one.judge, one.prompt, "ratings") != wanted for one in grades):
        raise ValueError(f"{wanted} was calibrated, and not all grades are of that")
    known = [rating for rating in map(overall, grades) if rating is not None]
    return corrected(calibration, sum(rating >= GOOD for rating in known), len(known))


def measure(
    labelled: Labelled, *, judge: str, prompt: str, at: str, source: str, usd: float = 0.0
) -> Calibration:
    """The calibration that labelled verdicts amount to; without a verdict all counts are 0."""
    if labelled.kind == "pairs":
        return _pairs(labelled, judge=judge, prompt=prompt, at=at, source=source, usd=usd)
    human = np.array([rating.human for rating in labelled.ratings], dtype=np.float64)
    verdict = _floats([rating.verdict for rating in labelled.ratings])
    people, said = _good(human), _good(verdict)
    kappa = agreement.cohen_kappa(verdict, human, weights="quadratic")
    return Calibration(
        judge=judge,
        prompt=prompt,
        at=at,
        source=source,
        kind="ratings",
        n=len(human),
        ties=0,
        accuracy=_interval(agreement.accuracy(said, people)),
        kappa=None if math.isnan(kappa) else kappa,
        usd=usd,
        **_counts(said, people),
    )


def _pairs(
    labelled: Labelled, *, judge: str, prompt: str, at: str, source: str, usd: float
) -> Calibration:
    label = np.array([pair.label for pair in labelled.pairs])
    first = _floats([pair.first for pair in labelled.pairs])
    second = _floats([pair.second for pair in labelled.pairs])
    said = agreement.merge(first, second) if labelled.swapped else first
    kappa = agreement.cohen_kappa(said, label)
    longer = np.array([_longer(pair) for pair in labelled.pairs])
    bias = agreement.length_bias(said, label, longer)
    both = agreement.positional_agreement(first, second)
    return Calibration(
        judge=judge,
        prompt=prompt,
        at=at,
        source=source,
        kind="pairs",
        n=len(label),
        ties=int(np.sum(said == 0)),
        accuracy=_interval(agreement.accuracy(said, label)),
        kappa=None if math.isnan(kappa) else kappa,
        position=None if math.isnan(both) else _interval(agreement.position_bias(first, second)),
        positional_agreement=None if math.isnan(both) else both,
        length=bias and Interval(value=bias.difference, low=bias.low, high=bias.high),
        usd=usd,
        **_counts(said, label),
    )


def corrected(calibration: Calibration, positive: float, n: int) -> Corrected:
    """What ``positive`` of ``n`` verdicts of this judge really amount to, ties left out."""
    return agreement.corrected_rate(
        positive,
        n,
        calibration.hits,
        calibration.positives,
        calibration.rejections,
        calibration.negatives,
    )


def _counts(said: Floats, people: Floats) -> dict[str, int]:
    decided = np.abs(said) == 1
    good, bad = decided & (people == 1), decided & (people == -1)
    return {
        "missing": int(np.isnan(said).sum()),
        "hits": int(np.sum(good & (said == 1))),
        "positives": int(good.sum()),
        "rejections": int(np.sum(bad & (said == -1))),
        "negatives": int(bad.sum()),
    }


def _good(ratings: Floats) -> Floats:
    return np.where(np.isnan(ratings), np.nan, np.where(ratings >= GOOD, 1.0, -1.0))


def _longer(pair: LabelledPair) -> Literal[-1, 0, 1]:
    if pair.texts is None or len(pair.texts[1]) == len(pair.texts[2]):
        return 0
    return 1 if len(pair.texts[1]) > len(pair.texts[2]) else -1


def _floats(values: Sequence[float | None]) -> Floats:
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)


def _interval(found: tuple[float, float, float]) -> Interval:
    value, low, high = found
    return Interval(value=None if math.isnan(value) else value, low=low, high=high)
