"""What a person says after the first request: understood, and answered where it is a question.

Rules read most of it (``tools.conversation.follow_ups``). A planning model in the seat is asked
first: it may call the reading tools, and the two that change something end its turn, because a
change is the machine's to make. Its answer is shown only when every number in it comes from a
tool's result or from the person; it is asked once to mend it, then the tools' results are shown
as they are. A model that loops, or whose server fails, is replaced by the rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from pydantic import Field, ValidationError

from agent.planners import RulePlanner
from memory.errors import BadRequest
from memory.records import Balance
from prompts import library
from tools.clients.advisor import server_errors
from tools.conversation import explaining, follow_ups
from tools.conversation.explaining import Answer
from tools.conversation.follow_ups import Change, Compare, Recall, Show, Topic, Weigh, Why
from tools.conversation.grounding import unsupported
from tools.envelope import enclose, fence
from tools.request import requirements, revising
from tools.toolbelt import Arguments, function_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_core.messages import BaseMessage, ToolCall

    from memory.talk import Remark
    from tools.conversation.follow_ups import Question, Turn
    from tools.deps import Deps
    from tools.dossier import Dossier

MOST_ROUNDS = 5
"""Replies of the model to one thing said, tool calls and answer together."""

HELP = (
    "That I did not understand. You can ask why (“why not Qwen?”), compare two models, see the "
    "shortlist, plan, scores or budget, change what you need (“actually 13B is fine”), or ask "
    "what would be if (“and if it must be French?”)."
)


class AskWhy(Arguments):
    """Say why a model was chosen or was not. Leave the model out for the leading one."""

    model: str | None = Field(None, description="a model's id, or the name of a family")


class AskCompare(Arguments):
    """Put models side by side: facts, scores, measured differences."""

    models: tuple[str, ...] = Field(description="two to four ids or names of families")


class AskShow(Arguments):
    """Show one part of what is known."""

    topic: Topic


class AskRecall(Arguments):
    """Look up what was found out in other conversations."""

    query: str


class MakeChange(Arguments):
    """The person changes what they need; the machine reads the values from their words."""

    branch: bool = Field(False, description="true: what would be if, beside the present one")


class MakeWeights(Arguments):
    """The person wants other weights of Eq. 1."""

    alpha: float | None = Field(None, description="weight of relevance, 0 to 1, as they said it")
    beta: float | None = Field(None, description="weight of exploitation, 0 to 1, as they said it")


TOOLS: dict[str, type[Arguments]] = {
    "why": AskWhy,
    "compare": AskCompare,
    "show": AskShow,
    "recall": AskRecall,
    "change": MakeChange,
    "weigh": MakeWeights,
}

Understood: TypeAlias = "Answer | Turn"


def respond(text: str, dossier: Dossier, deps: Deps, before: Sequence[Remark] = ()) -> Understood:
    """The answer to ``text``, or the change that the machine has to make.

    ``before``: what was said until now, oldest first.

    Raises:
        BadRequest: a change that means nothing, or a model nobody knows.
    """
    requirements.check(text)
    if isinstance(deps.planner, RulePlanner):
        return _by_rules(text, dossier, deps)
    try:
        return _Exchange(text, dossier, deps).run(before)
    except server_errors() as error:
        line = " ".join(str(error).split())[:160]
        found = _by_rules(text, dossier, deps)
        if not isinstance(found, Answer):
            return found
        note = f"(The planning model can't be used: {line}. Answered by rules.)"
        return Answer(f"{found.text}\n{note}", found.header, found.rows)


def _by_rules(text: str, dossier: Dossier, deps: Deps) -> Understood:
    return _ruled(text, dossier, deps) or Answer(HELP)


def _ruled(text: str, dossier: Dossier, deps: Deps) -> Understood | None:
    """What the rules make of it; None where they don't understand it."""
    found = follow_ups.read(text, dossier)
    if found is None or isinstance(found, Change | Weigh):
        return found
    return explaining.answer(found, dossier, deps)


@dataclass
class _Exchange:
    """One exchange with the planning model."""

    text: str
    dossier: Dossier
    deps: Deps
    results: list[Answer] = field(default_factory=list)

    def run(self, before: Sequence[Remark]) -> Understood:
        """Ask, run what it calls, and return its checked answer or the change it asks for."""
        messages = self._opening(before)
        mended = False
        for _ in range(MOST_ROUNDS):
            reply = self._asked(messages)
            messages.append(reply)
            if reply.tool_calls:
                for call in reply.tool_calls:
                    turn = self._called(call, messages)
                    if turn is not None:
                        return turn
                continue
            said = str(reply.content).strip()
            wrong = unsupported(said, self._sources())
            if said and not wrong:
                # Words without a tool behind them stand only for what no rule understands either.
                by_rules = None if self.results else _ruled(self.text, self.dossier, self.deps)
                return by_rules or Answer(said)
            if mended:
                break
            mended = True
            messages.append(HumanMessage(_mend(wrong)))
        if self.results:
            return self.results[-1]
        return _by_rules(self.text, self.dossier, self.deps)

    def _opening(self, before: Sequence[Remark]) -> list[BaseMessage]:
        needed = self.dossier["requirements"]
        assert needed is not None, "only a conversation with requirements is followed up"
        decision = self.dossier.get("decision")
        standing = decision.summary if decision else "no decision yet"
        system = library.load("follow_up").render(
            requirements=requirements.describe(needed), standing=standing
        )
        past = [
            HumanMessage(one.text) if one.who == "person" else AIMessage(one.text) for one in before
        ]
        return [SystemMessage(system), *past, HumanMessage(f"<said>\n{self.text}\n</said>")]

    def _asked(self, messages: list[BaseMessage]) -> AIMessage:
        schemas = [function_schema(name, kind.__doc__ or "", kind) for name, kind in TOOLS.items()]
        seat = self.deps.planner.bind_tools(schemas, tool_choice="auto")
        reply = seat.invoke(messages)
        if not isinstance(reply, AIMessage):
            raise ValueError("the planning model answered with something that is no message")
        return reply

    def _called(self, call: ToolCall, messages: list[BaseMessage]) -> Turn | None:
        try:
            found = self._act(call["name"], call["args"])
        except ValidationError as error:
            first = error.errors()[0]
            found = f"wrong arguments: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        except BadRequest as error:
            found = str(error)
        if isinstance(found, Change | Weigh):
            return found
        failed = isinstance(found, str)
        if not isinstance(found, str):
            self.results.append(found)
            found = enclose("result", found.plain(), fence(found.plain()))
        messages.append(
            ToolMessage(
                found,
                tool_call_id=call["id"],
                name=call["name"],
                status="error" if failed else "success",
            )
        )
        return None

    def _act(self, name: str, arguments: dict[str, Any]) -> Answer | Turn | str:
        if name not in TOOLS:
            return f"there is no tool {name!r} here; there are: {', '.join(TOOLS)}"
        asked = TOOLS[name].model_validate(arguments)
        if isinstance(asked, MakeChange):
            return self._change(asked.branch)
        if isinstance(asked, MakeWeights):
            return self._weigh(asked)
        return explaining.answer(_QUESTIONS[type(asked)](asked), self.dossier, self.deps)

    def _change(self, branch: bool) -> Turn | str:
        before = self.dossier["requirements"]
        assert before is not None, "only a conversation with requirements is followed up"
        after = revising.revise(self.text, before)
        if after == before:
            return "their words state no other requirement; ask them what it should be"
        return Change(after, branch=branch)

    def _weigh(self, asked: MakeWeights) -> Turn | str:
        stated = asked.model_dump(exclude_none=True)
        if invented := unsupported(" ".join(map(str, stated.values())), [self.text]):
            return f"they did not say {', '.join(invented)}"
        before = self.dossier.get("balance") or Balance()
        return Weigh(Balance.model_validate({**before.model_dump(), **stated}))

    def _sources(self) -> list[str]:
        return [self.text, *(one.plain() for one in self.results)]


_QUESTIONS: dict[type[Arguments], Callable[[Any], Question]] = {
    AskWhy: lambda asked: Why(asked.model),
    AskCompare: lambda asked: Compare(asked.models),
    AskShow: lambda asked: Show(asked.topic),
    AskRecall: lambda asked: Recall(asked.query),
}


def _mend(wrong: Sequence[str]) -> str:
    if not wrong:
        return "That answer is empty. Answer in words, from the tools' results."
    return (
        f"No tool result holds {', '.join(wrong[:10])}. Say it again without, or call the tool "
        "that has it."
    )
