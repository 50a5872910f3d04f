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

    # ValueError, whatever the client: a reply that is no reply.
    trouble: tuple[type[Exception], ...] = (ValueError, *server_errors())

    def ask(turns: Sequence[str]) -> str:
        messages = [
            AIMessage(text) if i % 2 else HumanMessage(text) for i, text in enumerate(turns)
        ]
        try:
            reply = planner.invoke(messages)
        except trouble as error:
            raise NoAdvice(f"it can't be reached: {' '.join(str(error).split())[:200]}") from error
        text = reply.text if isinstance(reply, AIMessage) else ""
        if not text.strip():
            raise NoAdvice("it said nothing")
        return text

    return ask


def server_errors() -> tuple[type[Exception], ...]:
    """What a planning model's server can bring about instead of a reply.

    Empty while no such client is loaded: the rules can't fail this way.
    """
    client = sys.modules.get("openai")
    return (client.OpenAIError, ValueError) if client else ()
