"""Who sits in the planner's seat: a language model, or rules.

``RulePlanner`` is a ``BaseChatModel`` without a model: it calls the first tool it is offered,
which follows the MSM order because the machine offers tools in that order. So the same graph,
checkpoints and surfaces run with no key and no network.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from memory.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_core.callbacks import CallbackManagerForLLMRun
    from langchain_core.language_models import LanguageModelInput
    from langchain_core.runnables import Runnable
    from langchain_core.tools import BaseTool

    from agent.settings import Settings


class RulePlanner(BaseChatModel):
    """Follows the MSM order: calls the first tool offered, with no arguments of its own."""

    @property
    def _llm_type(self) -> str:
        return "rules"

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Remember which tools are offered, first one first."""
        return self.bind(tools=tools, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        first = kwargs["tools"][0]["function"]["name"]
        call = {"name": first, "args": {}, "id": uuid.uuid4().hex, "type": "tool_call"}
        message = AIMessage(content="", tool_calls=[call])
        return ChatResult(generations=[ChatGeneration(message=message)])


def seat(settings: Settings, which: str | None = None) -> BaseChatModel:
    """The planner to use: ``which`` ("rules" or a model's name), else the configured one."""
    model = which or settings.model
    if model is None or model == "rules":
        return RulePlanner()
    if settings.base_url is None:
        raise BadRequest(
            f"The planning model {model!r} needs MIRROR_BASE_URL: nothing is sent to a server that "
            "you did not name (OpenAI's is https://api.openai.com/v1)."
        )
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(
        model=model,
        base_url=settings.base_url,
        # An OpenAI-compatible server of one's own wants no key, but the client wants a value.
        api_key=settings.api_key or (lambda: "none"),
        temperature=0.0,
        timeout=60,
        max_retries=2,
    )
