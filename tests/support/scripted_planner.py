"""A planning model that says what it is told to."""

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult


class Scripted(BaseChatModel):
    """A planning model that says what it is told to, over and over."""

    replies: list[AIMessage]
    turn: int = 0

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools, **kwargs):
        return self

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        reply = self.replies[self.turn % len(self.replies)]
        self.turn += 1
        return ChatResult(
            generations=[ChatGeneration(message=reply.model_copy(update={"id": f"m{self.turn}"}))]
        )


def call(name, **arguments):
    return AIMessage("", tool_calls=[{"name": name, "args": arguments, "id": "c"}])
