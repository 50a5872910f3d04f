"""The terminal: shows events as lines, bars and tables, and puts questions to the person.

Prompts appear only after the session's stream has ended, when the question is on disk. Without
a terminal to ask at, and without ``--approve-up-to`` or ``--refuse``, it stops with code 3 and
says how to go on.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from agent import wiring
from agent.session import Answered, Asked, Decided, new_thread
from agent.surfaces.drawing import Drawing
from memory.errors import BadRequest
from memory.records import Approval, Plan, Question
from tools.plans import unknown_code
from tools.real_task import authoring, examples
from tools.real_task.sensitive import needs_consent
from tools.real_task.synthesis import MOST
from tools.request.domains import domains_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from agent.session import Event, Session
    from agent.settings import Settings
    from memory.records import ExampleSet
    from tools.conversation.explaining import Answer

DONE, WAITING = 0, 3


def run(args: argparse.Namespace, settings: Settings, given: dict[str, object]) -> int:
    """Select, resume or say something more; returns the exit code."""
    session = wiring.connect(settings, args.planner)
    terminal = Terminal(session, args, settings.user)
    if args.command == "say":
        return terminal.converse(args.thread, session.follow(args.thread, args.text))
    if args.command == "resume":
        return terminal.converse(args.thread, session.resume(args.thread))
    args.thread = new_thread(args.request)
    if args.examples is not None:
        given["examples"] = terminal.keep_examples()
    elif args.synthesize is not None:
        given |= terminal.wanted_examples()
    return terminal.converse(args.thread, session.say(args.thread, args.request, given))


def _remarks(found: ExampleSet) -> Iterator[str]:
    """What became of the rows of an example file, where it is not simply that all are used."""
    yield f"Examples: {len(found.examples):,} of {found.read:,} rows of {found.source}"
    if found.missing_references:
        yield f"  {found.missing_references:,} without a reference answer"
    for reason, rows in found.quarantined.items():
        yield f"  left out: {reason} ({len(rows):,} rows, such as {rows[0]})"
    yield from (f"  {note}" for note in found.notes)
    for one in found.sensitive:
        yield f"  seems to hold: {one.kind} in {one.column} ({len(one.rows):,} rows)"


def stopped(line: str, code: int) -> int:
    """One line on standard error, whatever the text holds; returns ``code``."""
    sys.stderr.write("mirror: " + " ".join(line.split()) + "\n")
    return code


class Terminal:
    """One person at one terminal."""

    def __init__(self, session: Session, args: argparse.Namespace, user: str) -> None:
        self.session = session
        self.args = args
        self.user = user
        self.given_answer: str | None = getattr(args, "answer", None)
        self.ticks: list[str] = getattr(args, "trust_remote_code", None) or []
        self.console = Console(stderr=args.json, quiet=args.quiet)
        asked_here = sys.stdin is not None and sys.stdin.isatty()
        self.answer: Answer | None = None
        self.interactive = asked_here and not (args.json or args.quiet)

    def keep_examples(self) -> str:
        """Read and keep the user's own examples; ask for the columns that are unclear.

        Raises:
            BadRequest: the file can't be used, or a column is unclear and nobody is there to ask.
        """
        fields = {"input_field": self.args.input, "reference_field": self.args.reference}
        while isinstance(found := examples.read(Path(self.args.examples), **fields), Question):
            answer = (
                self._read(f"{found.text} ({' / '.join(found.options)}) ")
                if self.interactive
                else None
            )
            if not (answer or "").strip():
                flag = "--" + found.field.removesuffix("_field")
                raise BadRequest(f"{found.text} Name it with {flag}.")
            fields[found.field] = answer
        for line in _remarks(found):
            self.console.print(line, style="dim", highlight=False)
        return self.session.deps.examples.keep(
            found,
            self.args.instruction or self.args.request,
            may_leave=self.args.may_leave,
            judges=self._judges(found),
            domain=", ".join(self.args.domain or domains_of(self.args.request)),
        )

    def wanted_examples(self) -> dict[str, object]:
        """What is to be written, and by whom; refused before anything else when nobody can.

        Raises:
            BadRequest: there is no author, or too many examples are asked for.
            NotApproved: the author's price is unknown.
        """
        judges = tuple(dict.fromkeys(self.args.judge or ()))
        if self.args.synthesize > MOST:
            raise BadRequest(f"{self.args.synthesize} examples are too many; ask for 1 to {MOST}.")
        authoring.author(judges, self.session.deps)
        wanted = {"synthesize": self.args.synthesize, "judges": judges}
        return wanted | ({"instruction": self.args.instruction} if self.args.instruction else {})

    def _judges(self, found: ExampleSet) -> tuple[str, ...]:
        """Who grades: those named, else the deployment's where no example has a reference.

        Raises:
            BadRequest: somebody must grade and nobody is named, or can't be asked; or the examples
                may not be sent there.
            NotApproved: a judge's price is unknown.
        """
        deps, wanted = self.session.deps, tuple(dict.fromkeys(self.args.judge or ()))
        if not wanted and found.missing_references == len(found.examples):
            wanted = deps.judges or self._named_judge(found)
        for one in wanted:
            there = deps.judge(one)
            question = needs_consent(found, local=there.here)
            if question and not self.args.may_leave:
                raise BadRequest(
                    f"{question} If so, add --may-leave; else name a judge on this machine."
                )
        return wanted

    def _named_judge(self, found: ExampleSet) -> tuple[str, ...]:
        lack = f"No example of {found.source} has a reference answer, so a model must grade"
        answer = self._read(f"{lack}. Which one (NAME or NAME=URL)? ") if self.interactive else None
        if not (answer or "").strip():
            raise BadRequest(
                f"{lack}: name it with --judge MODEL or MIRROR_JUDGE_MODEL, or name the column of"
                " the answers with --reference."
            )
        return tuple((answer or "").split())

    def converse(self, thread: str, events: Iterator[Event]) -> int:
        """Follow a thread to its end, or to a question that nobody here can answer.

        A branch of the thread is followed in its place.
        """
        while True:
            last, thread = self._show(thread, events)
            if last is None:
                return self._answered(thread)
            if isinstance(last, Decided):
                return self._conclude(thread, last)
            value = self._reply(last)
            if value is None:
                return self._waiting(thread, last)
            events = self.session.answer(thread, last.interrupt, value)

    def _show(self, thread: str, events: Iterator[Event]) -> tuple[Asked | Decided | None, str]:
        """Draw the events; the last that matters, and the thread they ended in."""
        last: Asked | Decided | None = None
        with Drawing(self.console, thread) as drawing:
            for event in events:
                if isinstance(event, Asked | Decided):
                    last = event
                elif isinstance(event, Answered):
                    self.answer = event.answer
                drawing.show(event)
        return last, drawing.thread

    def _reply(self, asked: Asked) -> str | Approval | None:
        if isinstance(asked.about, Question):
            if self.given_answer is not None:
                text, self.given_answer = self.given_answer, None
                return text
            if not self.interactive:
                return None
            options = f" ({' / '.join(asked.about.options)})" if asked.about.options else ""
            return self._read(f"{asked.about.text}{options} ")
        if asked.complaint and not self.interactive:
            return None  # the flags' answer was no good; the same one again would not be either
        return self._decide(asked.about)

    def _decide(self, plan: Plan) -> Approval | None:
        """The person's answer to a plan: from flags given ahead, or at the prompt. Default: no."""
        cap = self.args.approve_up_to
        if cap is not None:  # of the whole conversation: what examples cost is gone
            spent = self.session.deps.ledger.spent(authoring.run_of(plan.run))
            cap = max(cap - spent, 0.0)
        if self.args.refuse:
            return self._approval(plan, "refuse")
        if ticks := self._ticks(plan):
            return self._approval(plan, "trust").model_copy(update={"trust": ticks})
        here = any(step.here for step in plan.steps) or (self.interactive and plan.waiting)
        if not here and (self.interactive or cap is not None):
            self.console.print("A price, not a run: nothing of this plan can run here.")
            return self._approval(plan, "refuse")
        if cap is not None and cap >= plan.cap_usd:
            return self._approval(plan, "approve")
        if cap is not None:
            return self._approval(plan, "edit").model_copy(update={"cap_usd": cap})
        return self._prompt(plan) if self.interactive else None

    def _ticks(self, plan: Plan) -> tuple[str, ...]:
        """The ticks given by flags that ``plan`` waits for; one that it never did is said once.

        Raises:
            BadRequest: a model waits at another revision.
        """
        found = {name: unknown_code.tick_of(plan, name) for name in self.ticks}
        for name in [name for name in self.ticks if found[name] is None]:
            self.ticks.remove(name)
            if name not in plan.trusted:
                self.console.print(f"{name} changes nothing: no such arm waits for a tick.")
        return tuple(tick for tick in found.values() if tick)

    def _prompt(self, plan: Plan) -> Approval | None:
        """Only a word that can't mean anything else approves; whatever is not understood is no."""
        trust = "[t]rust MODEL  " if plan.waiting else ""
        line = self._read(f"[a]pprove  [e]dit cap  [d]rop arms  {trust}[n]o (default) > ")
        if line is None:
            return None
        word, _, rest = line.strip().partition(" ")
        if word.lower() in ("a", "approve", "y", "yes") and not rest:
            return self._approval(plan, "approve")
        if word.lower() in ("e", "edit"):
            return self._edited(plan, rest or self._read("New cap in dollars: ") or "")
        if word.lower() in ("d", "drop"):
            names = rest or self._read("Arms to drop, separated by commas: ") or ""
            drop = tuple(name.strip() for name in names.split(",") if name.strip())
            return self._approval(plan, "drop").model_copy(update={"drop": drop})
        if word.lower() in ("t", "trust") and plan.waiting:
            name = rest or self._read("Model whose own code may run: ") or ""
            ticks = tuple(one.strip() for one in name.split(",") if one.strip())
            return self._approval(plan, "trust").model_copy(update={"trust": ticks})
        return self._approval(plan, "refuse")

    def _edited(self, plan: Plan, text: str) -> Approval | None:
        try:
            cap = float(text.strip().removeprefix("$"))
        except ValueError:
            self.console.print("A cap is a number of dollars, such as 2.50.", style="yellow")
            return self._prompt(plan)
        return self._approval(plan, "edit").model_copy(update={"cap_usd": cap})

    def _approval(self, plan: Plan, decision: str) -> Approval:
        return Approval.model_validate(
            {
                "plan": plan.hash,
                "decision": decision,
                "by": self.user,
                "surface": "terminal",
                "at": self.session.deps.clock().isoformat(timespec="seconds"),
                "cap_usd": plan.cap_usd,
                "trust": plan.trusted,
            }
        )

    def _read(self, prompt: str) -> str | None:
        """A line, or None when there is nobody to give one (end of input, no input at all)."""
        try:
            return self.console.input(prompt, markup=False)
        except (EOFError, RuntimeError):
            return None

    def _answered(self, thread: str) -> int:
        if self.answer is not None and self.args.json:
            said = {"text": self.answer.text, "header": self.answer.header}
            self._json({"status": "answered", "thread": thread, **said, "rows": self.answer.rows})
        elif self.answer is not None and self.args.quiet:
            sys.stdout.write(self.answer.plain() + "\n")
        return DONE

    def _conclude(self, thread: str, last: Decided) -> int:
        if self.args.json:
            decision = last.decision.model_dump(mode="json")
            self._json(
                {"status": "decided", "thread": thread, "decision": decision, "report": last.report}
            )
        elif self.args.quiet:
            sys.stdout.write(last.decision.summary + "\n")
        return DONE

    def _waiting(self, thread: str, asked: Asked) -> int:
        about = asked.about.model_dump(mode="json")
        if self.args.json:
            self._json({"status": "waiting", "thread": thread, "about": about})
        what = "a plan to approve" if isinstance(asked.about, Plan) else asked.about.text
        plain = isinstance(asked.about, Plan)
        hint = " (or add --approve-up-to USD, or --refuse)" if plain else " --answer TEXT"
        return stopped(
            f"Waiting for an answer: {what}. Answer with: mirror resume {thread}{hint}", WAITING
        )

    def _json(self, value: dict[str, object]) -> None:
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
