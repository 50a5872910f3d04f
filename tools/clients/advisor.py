"""The planning model asked for an opinion in words, outside its seat in the graph.

An opinion is never needed: who asks has an answer without one. So whatever goes wrong with the
server is ``NoAdvice``, one line, and the asker goes on.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from langchain_core.messages import AIMessage, HumanMessage

from memory.errors import MirrorError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_core.language_models import BaseChatModel

    Ask = Callable[[Sequence[str]], str]
    """Turns of a conversation, the first and every second one ours -> the model's next words."""


class NoAdvice(MirrorError):
    """The model gave no words."""


def advisor(planner: BaseChatModel) -> Ask | None:
    """How to ask the model in the planner's seat; None where rules sit in it."""
    if planner._llm_type == "rules":
        return None

    def ask(turns: Sequence[str]) -> str:
        messages = [
            AIMessage(text) if i % 2 else HumanMessage(text) for i, text in enumerate(turns)
        ]
        try:
            reply = planner.invoke(messages)
        except _server_errors() as error:
            raise NoAdvice(f"it can't be reached: {' '.join(str(error).split())[:200]}") from error
        text = reply.text if isinstance(reply, AIMessage) else ""
        if not text.strip():
            raise NoAdvice("it said nothing")
        return text

    return ask


def _server_errors() -> tuple[type[Exception], ...]:
    """What the client raises; ``ValueError`` where a reply is no reply."""
    client = sys.modules.get("openai")
    return (ValueError, client.OpenAIError) if client else (ValueError,)
