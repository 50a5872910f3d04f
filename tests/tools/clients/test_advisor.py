"""Asking the planning model in words: rules have no opinion, and trouble is one line."""

import pytest
from langchain_core.language_models.fake_chat_models import FakeListChatModel

from agent.planners import RulePlanner
from tools.clients.advisor import NoAdvice, advisor


class Refusing(FakeListChatModel):
    """A server that answers with an error."""

    def _call(self, *args, **kwargs):
        raise ValueError("no such model\nand more")


def test_rules_give_no_opinion():
    assert advisor(RulePlanner()) is None


def test_a_model_is_asked_turn_by_turn():
    ask = advisor(FakeListChatModel(responses=["first", "second"]))
    assert ask is not None
    assert [ask(["a question"]), ask(["a question", "first", "again"])] == ["first", "second"]


@pytest.mark.parametrize("model", [Refusing(responses=["x"]), FakeListChatModel(responses=[" "])])
def test_trouble_is_no_advice(model):
    ask = advisor(model)
    assert ask is not None
    with pytest.raises(NoAdvice) as told:
        ask(["a question"])
    assert "\n" not in str(told.value)
