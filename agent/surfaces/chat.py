"""``mirror chat``: one conversation after another, in which anything can be said at any time.

A line is an answer where one is asked for (a question's, or one of the words that answer a plan),
a command where it begins with "/", and otherwise something said to Mirror. At a terminal there
are history, completion and lines continued with a backslash; from a pipe the same lines work.
Ctrl-C stops what is going on and keeps the thread.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, get_args

from agent import wiring
from agent.session import Answered, Asked, Moved, new_thread
from agent.surfaces.reading import Reader
from agent.surfaces.terminal import DONE, Terminal, stopped
from memory.errors import BadRequest, MirrorError
from memory.records import Plan
from tools.conversation.follow_ups import Compare, Recall, Show, Topic, Why

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from agent.session import Event, Session
    from agent.settings import Settings
    from memory.records import Approval

COMMANDS = {
    "/why": "[MODEL]  why a model was chosen, or was not",
    "/compare": "A B  models side by side",
    "/shortlist": "who is on it, by Eq. 1",
    "/benchmarks": "which were chosen, and why",
    "/scores": "what is known, measured and predicted",
    "/plan": "what would be measured, and its price",
    "/budget": "what was spent and approved",
    "/report": "where the report is",
    "/requirements": "what was understood",
    "/memory": "TEXT  what other conversations found out",
    "/weights": "ALPHA BETA  the weights of Eq. 1",
    "/undo": "back to before the last change",
    "/threads": "all conversations",
    "/open": "THREAD  go on with another one",
    "/new": "[REQUEST]  begin a new one",
    "/help": "this list",
    "/quit": "end",
}
_SHOWN: dict[str, Topic] = {f"/{topic}": topic for topic in get_args(Topic)}
_ALONE = {"a", "approve", "y", "yes", "n", "no", "refuse"}  # with more words it is a sentence
_WITH_MORE = {"e", "edit", "d", "drop", "t", "trust"}


class Said(Exception):
    """The person said something instead of answering what was asked."""

    def __init__(self, line: str) -> None:
        super().__init__(line)
        self.line = line


class Chat(Terminal):
    """A person who talks with Mirror, line by line."""

    def __init__(
        self,
        session: Session,
        args: argparse.Namespace,
        user: str,
        given: dict[str, object],
        reader: Reader,
    ) -> None:
        super().__init__(session, args, user)
        self.interactive = True  # from a pipe, too: its lines are the person's
        self.given = given
        self.reader = reader
        self.thread: str | None = None
        self._queued: str | None = None

    def run(self) -> int:
        """Talk until the end of input, or /quit."""
        self.console.print(
            "What should the model do? Ask, change your mind, /help; Ctrl-D ends.", style="dim"
        )
        line = self._read("> ")
        while line is not None and line.strip() not in ("/quit", "/exit"):
            line = self._one(line.strip())
        return DONE

    def _one(self, line: str) -> str | None:
        """Act on one line; returns the next."""
        if line:
            try:
                self._act(line)
            except Said as said:
                return said.line
            except MirrorError as error:
                stopped(str(error), error.exit_code)
            except KeyboardInterrupt:
                kept = f" Thread {self.thread} is kept: /open {self.thread}" if self.thread else ""
                self.console.print(f"Stopped.{kept}", style="yellow", highlight=False)
        return self._read("> ")

    def _act(self, line: str) -> None:
        if line.startswith("/"):
            self._command(line)
        elif self.thread is None:
            self._begin(line)
        else:
            self._follow(self.session.follow(self.thread, line))

    def _begin(self, request: str) -> None:
        thread = new_thread(request)
        events = self.session.say(thread, request, dict(self.given))
        self.thread = thread
        self._follow(events)

    def _follow(self, events: Iterator[Event]) -> None:
        assert self.thread is not None, "there are events only of a thread"
        self.converse(self.thread, self._watched(events))

    def _watched(self, events: Iterator[Event]) -> Iterator[Event]:
        """The events; a branch becomes the thread that is talked in."""
        for event in events:
            if isinstance(event, Moved):
                self.console.print(f"Back with: /open {self.thread}", style="dim", highlight=False)
                self.thread = event.thread
            yield event

    # --- commands ---------------------------------------------------------------------------

    def _command(self, line: str) -> None:
        name, _, rest = line.partition(" ")
        words = tuple(rest.split())
        if name in _SHOWN:
            self._tell(Show(_SHOWN[name]))
        elif name == "/why":
            self._tell(Why(words[0] if words else None))
        elif name == "/compare":
            self._tell(Compare(words))
        elif name == "/memory":
            self._tell(Recall(rest))
        elif name in self._actions:
            self._actions[name](rest.strip())
        else:
            raise BadRequest(f"There is no command {name}; /help lists them.")

    @property
    def _actions(self) -> dict[str, Callable[[str], None]]:
        return {
            "/weights": self._weigh,
            "/undo": lambda _: self._follow(self.session.undo(self._here())),
            "/threads": lambda _: self._threads(),
            "/open": self._open,
            "/new": self._new,
            "/help": lambda _: self._help(),
        }

    def _tell(self, question: Why | Compare | Show | Recall) -> None:
        answer = self.session.ask(self._here(), question)
        self._show(self._here(), iter([Answered(answer)]))
        open_question = self.session.pending(self._here())
        if open_question is not None:
            self._follow(iter([open_question]))

    def _weigh(self, rest: str) -> None:
        alpha, _, beta = rest.replace(",", " ").partition(" ")
        if not alpha:
            raise BadRequest("Say the weights: /weights ALPHA BETA, each from 0 to 1.")
        line = f"alpha {alpha}" + (f", beta {beta.strip()}" if beta.strip() else "")
        self._follow(self.session.follow(self._here(), line))

    def _threads(self) -> None:
        for one in self.session.conversations.threads():
            mark = "*" if one.id == self.thread else " "
            self.console.print(f"{mark} {one.last_activity[:16]}  {one.id}", highlight=False)

    def _open(self, thread: str) -> None:
        events = self.session.resume(thread or self._here())
        self.thread = thread or self.thread
        self._follow(events)

    def _new(self, request: str) -> None:
        self.thread = None
        if request:
            self._begin(request)
        else:
            self.console.print("What should the model do?", style="dim")

    def _help(self) -> None:
        for name, what in COMMANDS.items():
            self.console.print(f"  {name:<14} {what}", highlight=False, markup=False)

    def _here(self) -> str:
        if self.thread is None:
            raise BadRequest("There is no conversation yet: say what the model should do.")
        return self.thread

    # --- reading ----------------------------------------------------------------------------

    def _reply(self, asked: Asked) -> str | Approval | None:
        if isinstance(asked.about, Plan):
            return super()._reply(asked)
        value = super()._reply(asked)
        if isinstance(value, str) and value.startswith("/"):
            raise Said(value)
        return value

    def _prompt(self, plan: Plan) -> Approval | None:
        """What answers a plan is taken as an answer; anything else is said, and the plan waits."""
        line: str | None = ""
        while line is not None and not line.strip():
            line = self._read("approve, edit, drop, no, or say what to change > ")
        if line is None:
            return None
        word, _, rest = line.strip().lower().partition(" ")
        if word not in _WITH_MORE and (word not in _ALONE or rest):
            raise Said(line)
        self._queued = line
        return super()._prompt(plan)

    def _read(self, prompt: str) -> str | None:
        if self._queued is not None:
            line, self._queued = self._queued, None
            return line
        return self.reader.line(prompt)


def converse(args: argparse.Namespace, settings: Settings, given: dict[str, object]) -> int:
    """Talk at the terminal, or with the lines of a pipe; returns the exit code."""
    session = wiring.connect(settings, args.planner)
    at_terminal = sys.stdin is not None and sys.stdin.isatty()
    reader = Reader(settings.home / "history", tuple(COMMANDS)) if at_terminal else Reader()
    return Chat(session, args, settings.user, given, reader).run()
