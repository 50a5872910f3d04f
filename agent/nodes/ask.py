"""ask: put the cheapest missing question to the person, and only that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langgraph.types import interrupt

from memory.errors import BadRequest
from tools.request import requirements

if TYPE_CHECKING:
    from agent.state import State


def ask(state: State) -> State:
    """Wait for an answer; one that can't be read is asked for again, with the reason."""
    needed = state["requirements"]
    assert needed is not None, "the edge to ask is taken only when requirements are known"
    question = requirements.missing(needed)[0]
    text = interrupt(question)
    try:
        return {
            "requirements": requirements.answer(needed, question.id, str(text)),
            "complaint": None,
        }
    except BadRequest as error:
        return {"complaint": str(error)}
