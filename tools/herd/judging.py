"""Grading answers within a run: what was paid for is graded once, by exactly the plan's judges.

An answer is kept the moment it is written, under the half of the protocol that says how to answer,
so a run that was killed between answer and grade writes nothing again, and an answer that the
exact metric has already is not written for the judge. A judge's replies are kept by the ledger
(``tools.llm_judge``); here is who is asked, when to stop, and what becomes of a missing grade:
one that the judge gave and nobody can read stays missing, one that did not come may be asked for
again by a later run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memory.errors import MirrorError, NotApproved
from memory.records import CONSTANT, JudgedItem
from tools.clients.chat import ChatRefused
from tools.herd.turns import OutOfTurn
from tools.judging.chat import Judge
from tools.judging.inspecting import inspect
from tools.judging.panel import Panel, judged_task, score
from tools.llm_judge import GIVE_UP, NO_REPLY, given_up
from tools.real_task.own_task import JUDGED, kept_name, must_stay
from tools.real_task.own_task_runner import OwnTaskRunner

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memory.ledger import Budget
    from memory.records import ItemResult, Judging, Plan, Step
    from tools.deps import Deps
    from tools.herd.turns import Turns

ANSWERS = "answers to "


class Stopped(Exception):
    """There was a reason to end the run between two items."""


@dataclass
class Grader:
    """Grades the answers of one plan's judged steps, paid from ``budget``.

    ``budget`` None: only grades that were paid for can be had. Whoever grades holds ``turns``.
    """

    plan: Plan
    deps: Deps
    budget: Budget | None
    turns: Turns
    _panels: dict[str, Panel] = field(default_factory=dict)
    _sources: dict[str, dict[str, str]] = field(default_factory=dict)
    _silence: int = 0

    def panel(self, step: Step) -> Panel:
        """The judges of a step.

        Raises:
            NotApproved: the examples may not be sent to one of them, or the judges or their
                wording are no longer those of the plan.
            Stopped: a judge's server or price is unknown.
        """
        if step.benchmark not in self._panels:
            self._panels[step.benchmark] = self._hire(step)
        return self._panels[step.benchmark]

    def _hire(self, step: Step) -> Panel:
        task = self.deps.examples.get(kept_name(step.benchmark))
        judges = []
        for named in step.judges:
            try:
                found = self.deps.judge(named)
            except MirrorError as error:
                raise Stopped(str(error)) from error
            if (why := must_stay(task, local=found.here)) is not None:
                raise NotApproved(f"{found.chat.model} grades nothing: {why}")
            chat = OutOfTurn(found.chat, self.turns)
            judges.append(Judge(chat, self.budget, found.price, self.deps.ledger))
        panel = Panel(tuple(judges), judged_task(task))
        if not step.protocol.endswith(panel.protocol):
            raise NotApproved(f"The judging of {step.benchmark} has changed; make a new plan.")
        self._sources[step.benchmark] = {one.id: one.input for one in task.examples.examples}
        return panel

    def item(self, step: Step, id: str) -> JudgedItem:
        """An example as a judge is shown it."""
        self.panel(step)
        return JudgedItem(id=id, source=self._sources[step.benchmark][id])

    def answers(self, step: Step) -> dict[str, ItemResult]:
        """Answers of a step that were written and not yet graded for it, by item.

        What was written for the exact metric, or for the judge where the step is the metric's, was
        paid for there.
        """
        written: dict[str, ItemResult] = {}
        if step.arm.model != CONSTANT:  # which says one thing to a judge, another to a metric
            for other in self.plan.steps:
                if other.arm == step.arm and other.benchmark in _twins(step.benchmark):
                    written |= self._from(other, step)
        home = self.deps.ledger.done(step.arm, *self._home(step)) if step.judges else {}
        return written | home

    def _from(self, other: Step, step: Step) -> dict[str, ItemResult]:
        """What was written for ``other``, as a result of ``step`` that costs nothing."""
        runner = self.deps.runner
        if step.judges:
            held = self.deps.ledger.done(other.arm, other.benchmark, other.protocol)
            free = {"usd": 0.0, "seconds": 0.0}
            return {item: one.model_copy(update=free) for item, one in held.items()}
        if not isinstance(runner, OwnTaskRunner):
            return {}
        held = self.deps.ledger.done(other.arm, *self._home(other))
        return runner.exactly(step.benchmark, held)

    def keep_answer(self, step: Step, answer: ItemResult) -> None:
        """Remember an answer before it is graded."""
        benchmark, protocol = self._home(step)
        self.deps.ledger.keep(
            step.arm, protocol, answer.model_copy(update={"benchmark": benchmark})
        )

    def _home(self, step: Step) -> tuple[str, str]:
        return ANSWERS + step.benchmark, self.deps.runner.protocol(step.benchmark)

    def grade(self, step: Step, answer: ItemResult) -> tuple[ItemResult, bool]:
        """The answer with its score, and whether that is final.

        Raises:
            NotApproved: the cap would be passed.
            Stopped: no judge will answer any more.
        """
        panel = self.panel(step)
        try:
            grades = panel.grade(step.arm.name, self.item(step, answer.item), answer.answer)
        except ChatRefused as error:
            raise Stopped(str(error)) from error
        silent = [one.reason for one in grades if one.reason.startswith(NO_REPLY)]
        self._silence = self._silence + 1 if silent else 0
        if self._silence == GIVE_UP:
            raise Stopped(given_up(silent[0]))
        graded = {
            "benchmark": step.benchmark,
            "correct": score(grades),
            "usd": answer.usd + sum(one.usd for one in grades),
            "run": self.plan.run,
        }
        return answer.model_copy(update=graded), not silent

    def inspect(self, kept: Mapping[Step, Mapping[str, ItemResult]]) -> list[Judging]:
        """What the judges said of each judged benchmark, and what their controls say of them.

        ``kept``: the graded results of each judged step. Grades are read again, which costs
        nothing; the controls are paid for. An answer without a grade is one that has no reply.
        """
        found = []
        for benchmark in dict.fromkeys(step.benchmark for step in kept):
            steps = [step for step in kept if step.benchmark == benchmark]
            drawn = self.deps.runner.items(benchmark, steps[0].items, self.plan.seed)
            answers = {}
            for step in steps:
                written = self.deps.ledger.done(step.arm, *self._home(step)) | dict(kept[step])
                answers[step.arm.name] = {id: one.answer for id, one in written.items()}
            found.append(
                inspect(
                    benchmark,
                    self.panel(steps[0]),
                    [self.item(steps[0], id) for id in drawn],
                    answers,
                    self.deps.calibrations,
                    self._paid_to,
                )
            )
        return found

    def _paid_to(self, judge: str) -> float:
        """Dollars that went to a judge in this run."""
        entries = self.deps.ledger.entries(self.plan.run)
        return sum(one.usd for one in entries if f"chat {judge}" in one.what)


def _twins(benchmark: str) -> set[str]:
    """The other benchmarks of the same examples."""
    return {kept_name(benchmark), kept_name(benchmark) + JUDGED} - {benchmark}
