"""How events look on a terminal: stage lines, progress bars, the plan, the ranking.

On a pipe or a dumb terminal the same facts come as plain lines; ``NO_COLOR`` is honoured by
rich. A text from outside is printed as text, never as markup.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from rich import box
from rich.markup import escape
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table

from agent.session import Answered, Asked, Decided, Entered, Moved, Told
from agent.surfaces import plotting
from memory.records import Decision, Plan
from tools.deps import Progress
from tools.plans import unknown_code
from tools.plans.planning import remarks
from tools.plans.price_book import dollars

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console

    from agent.session import Event
    from tools.conversation.explaining import Answer

LABELS = {
    "recall_findings": "Memory",
    "record_requirements": "Request",
    "filter_registry": "Stage 1  critical",
    "rank_candidates": "Stage 2  important",
    "recommend_benchmarks": "Stage 3  contextual",
    "look_up_scores": "",
    "select_models": "",
}
STYLES = {
    "winner": "bold green",
    "runner-up": "green",
    "too close to call": "yellow",
    "rejected": "red",
    "not measured": "dim",
}


class Drawing:
    """Draws one stream of events; a context, so that bars are gone before a prompt."""

    def __init__(self, console: Console, thread: str) -> None:
        self.console = console
        self.thread = thread
        self.bars: Bars | None = None
        self.tasks: dict[str, TaskID] = {}
        self.answered = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop_bars()

    def show(self, event: Event) -> None:
        """Draw one event."""
        if isinstance(event, Progress):
            self._bar(event)
            return
        self._stop_bars()
        # A plan that was there before a question was answered need not be drawn again.
        self.answered = isinstance(event, Answered) or (self.answered and isinstance(event, Asked))
        if isinstance(event, Told):
            self._told(event)
        elif isinstance(event, Answered):
            self._answer(event.answer)
        elif isinstance(event, Moved):
            self.thread = event.thread
            self._line("What if", f"beside the other conversation, in thread {event.thread}")
        elif isinstance(event, Entered) and event.node == "evaluate":
            self._line("Measuring", "each arm on the same random items; Ctrl-C keeps what is done")
        elif isinstance(event, Asked):
            self._asked(event)
        elif isinstance(event, Decided):
            self._decision(event.decision, event.report)

    def _asked(self, event: Asked) -> None:
        if event.complaint:
            self.console.print(escape(event.complaint), style="yellow")
        if isinstance(event.about, Plan) and self.answered:
            self._line("Plan", f"{event.about.hash} still waits for your answer")
        elif isinstance(event.about, Plan):
            self._plan(event.about)

    def _told(self, event: Told) -> None:
        if event.failed:
            self._line("", f"refused: {event.text}", "yellow")
        elif event.tool in LABELS:
            self._line(LABELS[event.tool], event.text)
        elif event.text and event.tool != "propose_plan":  # the plan itself is drawn when asked
            self._line("", event.text)

    def _answer(self, answer: Answer) -> None:
        self.console.print(escape(answer.text))
        if answer.rows:
            table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
            for name in answer.header:
                table.add_column(escape(name), overflow="fold")
            for row in answer.rows:
                table.add_row(*map(escape, row))
            self.console.print(table)

    def _line(self, label: str, text: str, style: str = "") -> None:
        self._row(label, f"[{style}]{escape(text)}[/]" if style else escape(text), "bold cyan")

    def _row(self, label: str, markup: str, style: str) -> None:
        grid = Table.grid(padding=(0, 2))
        grid.add_column(width=20, no_wrap=True, style=style)
        grid.add_column(overflow="fold")
        grid.add_row(label, markup)
        self.console.print(grid)

    def _bar(self, event: Progress) -> None:
        if not self.console.is_terminal:
            if event.done == event.total:
                self._line("", f"{event.what}: {event.done} done {event.detail}".rstrip(), "dim")
            return
        if self.bars is None:
            columns = (
                TextColumn("  {task.description}", table_column=None),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[count]} {task.fields[detail]}"),
                TimeRemainingColumn(),
            )
            self.bars = Bars(*columns, console=self.console, transient=True)
            self.bars.start()
        if event.what not in self.tasks:
            self.tasks[event.what] = self.bars.add_task(
                escape(event.what), total=event.total, detail="", count=""
            )
        self.bars.update(
            self.tasks[event.what],
            completed=event.done,
            total=event.total,
            count="" if event.total is None else f"{event.done}/{event.total}",
            detail=escape(event.detail),
        )

    def _stop_bars(self) -> None:
        if self.bars is not None:
            self.bars.stop()
            self.bars, self.tasks = None, {}

    def _plan(self, plan: Plan) -> None:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for name in ("Arm", "Benchmark"):
            table.add_column(name, overflow="fold")
        for name in ("Items", "Minutes", "$"):
            table.add_column(name, justify="right", no_wrap=True)
        for step in plan.steps:
            table.add_row(
                escape(step.arm.name),
                escape(step.benchmark),
                str(step.items),
                f"{step.minutes:.1f} ({step.minutes_low:.1f}-{step.minutes_high:.1f})",
                f"{step.usd:.2f}",
            )
        self.console.print(table)
        low = sum(step.usd_low for step in plan.steps)
        high = sum(step.usd_high for step in plan.steps)
        self._line(
            "Plan",
            f"{plan.hash}: ${plan.usd:.2f} ({low:.2f}-{high:.2f}), {plan.minutes:.1f} minutes, "
            f"never more than ${plan.cap_usd:.2f}",
        )
        for line in remarks(plan):
            self._line("Note", line)
        if any(step.basis for step in plan.steps):
            self._line("Time", " · ".join(dict.fromkeys(s.basis for s in plan.steps if s.basis)))
        if plan.gpu_usd_per_hour is not None:
            self._line(
                "Priced for",
                f"a rented 80 GB GPU at ${plan.gpu_usd_per_hour:.2f} an hour (an assumption: "
                "set MIRROR_GPU_USD_PER_HOUR); this machine can't run it",
            )
        self._arms(plan)
        if plan.not_measured:
            self._line("Not measured", _reasons(plan.not_measured))
        if plan.steps:
            self._line("Could change", plan.steps[0].could_change)

    def _arms(self, plan: Plan) -> None:
        """What arms bring along: downloads, and code of their own, ticked or not."""
        for arm in dict.fromkeys(step.arm for step in plan.steps):
            if arm.download:
                self._line("Downloads", f"{arm.download / 1e9:.2g} GB: {arm.tick}")
            if arm.trusted:
                self._line("Runs code of", f"{arm.tick}: {', '.join(arm.code)}", "yellow")
        for tick, arm in unknown_code.waiting(plan).items():
            minutes = sum(step.minutes for step in plan.waiting if step.arm == arm)
            files = ", ".join(arm.code)
            told = f"{tick} would run its own {files} as you; {minutes:.1f} minutes"
            self._line("Waits for trust", told, "yellow")

    def _decision(self, decision: Decision, report: str) -> None:
        self.console.print()
        unmeasured = [one for one in decision.ranking if one.standing == "not measured"]
        for one in decision.ranking:
            if one in unmeasured[3:]:
                continue
            value = "" if one.value is None else f"  {one.value:.3f}"
            if one.low is not None and one.high is not None:
                value += f" ({one.low:.2f}-{one.high:.2f})"
            origin = f"  {one.origin.value}" if one.origin else ""
            head = f"[bold]{escape(one.model)}[/]{value}[dim]{origin}[/]"
            self._row(one.standing, f"{head}\n[dim]{escape(one.reason)}[/]", STYLES[one.standing])
        if len(unmeasured) > 3:
            self._row("", f"[dim]and {len(unmeasured) - 3} more not measured, in the report[/]", "")
        self.console.print()
        plotted = plotting.ranking(decision.ranking, self.console.width)
        for name, drawn in plotted:
            self.console.print(f"{name:<20}  {drawn}", highlight=False, markup=False)
        if plotted:
            self.console.print()
        self._line("Conclusion", decision.summary, "bold")
        for caveat in decision.caveats:
            self._line("Mind", caveat, "dim")
        self._line("Spent", f"{dollars(decision.spent_usd)}, {decision.spent_minutes:.1f} minutes")
        self._line("Report", f"{report}/report.html")
        self._line("Thread", self.thread)


def _reasons(reasons: dict[str, str]) -> str:
    """'12 models: weights not on this machine' for reasons that many share."""
    counted: dict[str, list[str]] = {}
    for model, why in reasons.items():
        counted.setdefault(why.split(";")[0], []).append(model)
    return " · ".join(
        f"{models[0] if len(models) == 1 else f'{len(models)} models'}: {why}"
        for why, models in counted.items()
    )
