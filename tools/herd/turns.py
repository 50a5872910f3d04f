"""Work in several threads of which one at a time goes on, except while it waits for a back end.

A run keeps its accounts, its race and its progress in one place. So that none of them must care
for threads, whoever touches them holds the turn, and lets go of it only around what takes long
and touches none of them.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from memory.records import ChatReply
    from tools.deps import Chat, Message

POLL_SECONDS = 0.2


class Turns:
    """One turn. Enter it (``with``) to hold it."""

    def __init__(self) -> None:
        self._turn = threading.Lock()

    def __enter__(self) -> None:
        self._turn.acquire()

    def __exit__(self, *_: object) -> None:
        self._turn.release()

    @contextmanager
    def elsewhere(self) -> Iterator[None]:
        """Let the others go on meanwhile; to be called by who holds the turn."""
        self._turn.release()
        try:
            yield
        finally:
            self._turn.acquire()

    def each(
        self, work: Sequence[Callable[[], None]], at_once: int, abandon: Callable[[], None]
    ) -> None:
        """Do all of ``work``, up to ``at_once`` pieces side by side; to be called as ``elsewhere``.

        What one of them raises, or a Ctrl-C here, is raised when all have ended; ``abandon`` is
        called, without the turn and perhaps repeatedly, to end those that wait for something.
        """
        if min(at_once, len(work)) < 2:
            for one in work:
                one()
            return
        with self.elsewhere(), ThreadPoolExecutor(at_once) as threads:
            pieces: list[Future[None]] = []
            try:
                for one in work:
                    pieces.append(threads.submit(copy_context().run, self._take, one))
                for piece in as_completed(pieces):
                    piece.result()
            except BaseException:
                for piece in pieces:
                    piece.cancel()
                while wait(pieces, timeout=POLL_SECONDS).not_done:
                    abandon()
                raise

    def _take(self, one: Callable[[], None]) -> None:
        with self:
            one()


@dataclass(frozen=True)
class OutOfTurn:
    """``chat``, waited for without the turn that who asks it holds."""

    chat: Chat
    turns: Turns

    @property
    def model(self) -> str:
        """The name of the model it asks."""
        return self.chat.model

    @property
    def timeout(self) -> float:
        """The longest one call may take, in seconds."""
        return self.chat.timeout

    def reply(self, messages: Sequence[Message], max_tokens: int) -> ChatReply:
        """The chat's reply. Raises as it does."""
        with self.turns.elsewhere():
            return self.chat.reply(messages, max_tokens)
