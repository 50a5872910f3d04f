"""Reading lines: at a terminal with history and completion, else as they come.

prompt_toolkit does the terminal's part; it is loaded only there.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


class Reader:
    """Lines a person types. ``history``: the file they are kept in; None: plain reading."""

    def __init__(self, history: Path | None = None, words: tuple[str, ...] = ()) -> None:
        self._session = _prompting(history, words) if history is not None else None

    def line(self, prompt: str) -> str | None:
        """The next line, continued where it ends with a backslash; None at the end of input."""
        said: list[str] = []
        while (text := self._read("... " if said else prompt)) is not None:
            said.append(text.removesuffix("\\"))
            if not text.endswith("\\"):
                break
        return "\n".join(said) if said else None

    def _read(self, prompt: str) -> str | None:
        if self._session is not None:
            try:
                text: str = self._session.prompt(prompt)
            except EOFError:
                return None
            return text
        if sys.stdin is None:
            return None
        line = sys.stdin.readline()
        return line.rstrip("\r\n") if line else None


def _prompting(history: Path, words: tuple[str, ...]) -> Any:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import WordCompleter
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    try:
        history.touch()
        kept: Any = FileHistory(str(history))
    except OSError:
        kept = InMemoryHistory()  # a home that can't be written is no reason not to talk
    return PromptSession(
        history=kept,
        completer=WordCompleter(list(words), sentence=True),
        complete_while_typing=False,
        enable_history_search=True,
    )
