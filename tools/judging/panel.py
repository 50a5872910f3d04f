"""The judges of a run: who may grade, how several make one score, and what a grade costs.

Scores compare only when the same judges gave them, so all arms of a run have the same: the judges
that are kin of none of them. Where every judge is kin of some arm, those stay that may grade
most, and their kin are not judged. (To give each arm whichever judges are impartial to it would
compare a harsh judge's scores with a kind one's.) An item counts where every judge graded it, for
the same reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from memory.records import JudgedItem, JudgedTask
from prompts import library
from tools.judging.families import kinship
from tools.llm_judge import grade_answer, graded_message
from tools.methods.gpu_time import Range

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from memory.records import Grade, OwnTask
    from memory.registry import Registry
    from tools.judging.chat import Judge

WORDING = "judge/rubric"
RESCALED = "mean rating of five, 1-5 brought to 0-1"


@dataclass(frozen=True)
class Panel:
    """Judges who all grade every answer of one ``task``."""

    judges: tuple[Judge, ...]
    task: JudgedTask

    @property
    def protocol(self) -> str:
        """The half of a judged score's protocol that says how it was graded."""
        prompt = library.load(WORDING)
        names = " and ".join(judge.name for judge in self.judges)
        how = f"{prompt.id} #{prompt.digest}, {self.task.domain}, by {names}"
        return f"{how}, {RESCALED}"

    def grade(self, arm: str, item: JudgedItem, answer: str) -> list[Grade]:
        """Each judge's grade of one answer. Raises as ``llm_judge.grade_answer``."""
        return [grade_answer(self.task, item, arm, answer, judge) for judge in self.judges]

    def usd(self, sources: Iterable[str], letters: Range) -> Range:
        """Dollars of grading one answer of so many ``letters`` to each source, by all judges."""
        asked = list(sources)
        prompt = library.load(WORDING)
        totals = [0.0, 0.0, 0.0]
        for place, length in enumerate(letters):
            requests = [
                [graded_message(self.task, JudgedItem(id="", source=s), "x" * int(length), prompt)]
                for s in asked
            ]
            totals[place] = sum(judge.quote(requests)[place] for judge in self.judges)
        low, expected, high = totals
        return Range(min(low, expected), expected, max(expected, high))

    def seconds(self, answers: int) -> Range:
        """Time of grading so many answers, judge after judge."""
        paces = [judge.pace for judge in self.judges]
        return Range(*(answers * sum(ends) for ends in zip(*paces, strict=True)))


def score(grades: Sequence[Grade]) -> float | None:
    """The mean of the judges' scores, 0 to 1; None where one of them is missing."""
    known = [grade.score for grade in grades if grade.score is not None]
    return fmean(known) if known and len(known) == len(grades) else None


class Appointed(NamedTuple):
    """Judges by place, why each other one grades nobody, and why some models are not judged."""

    judges: tuple[int, ...]
    excused: dict[str, str]
    unjudged: dict[str, str]


def appoint(judges: Sequence[str], models: Sequence[str], registry: Registry) -> Appointed:
    """Who of ``judges`` grades: those who may grade most of ``models``, and the same of them."""
    kin = [_kin(judge, models, registry) for judge in judges]
    fewest = min(kin, key=len)
    chosen = [place for place, found in enumerate(kin) if found.keys() <= fewest.keys()]
    excused = {
        judges[place]: f"{judges[place]} grades nobody here: it is kin of {_first(found)}"
        for place, found in enumerate(kin)
        if place not in chosen
    }
    names = " and ".join(judges[place] for place in chosen)
    unjudged = {
        model: f"{names} can't judge it: {why}; name a judge of another family with --judge"
        for model, why in fewest.items()
    }
    return Appointed(tuple(chosen), excused, unjudged)


def _kin(judge: str, models: Sequence[str], registry: Registry) -> dict[str, str]:
    """The models a judge is kin of, each with the reason."""
    reasons = {model: kinship(judge, model, registry) for model in models}
    return {model: why for model, why in reasons.items() if why is not None}


def _first(kin: Mapping[str, str]) -> str:
    model, why = next(iter(kin.items()))
    return f"{model} ({why})"


def judged_task(task: OwnTask) -> JudgedTask:
    """The user's own task as a judge is told of it; the instruction is the user's word."""
    return JudgedTask(
        domain=task.domain or "general matters",
        role="an experienced reviewer",
        task=f"follow this instruction: {' '.join(task.instruction.split()).rstrip('.')}",
        source="text",
        answer="reply",
    )
