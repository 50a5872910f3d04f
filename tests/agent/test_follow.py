"""After the first request: questions leave everything as it is, changes void what rests on them."""

import pytest
import world
from langchain_core.messages import AIMessage
from scripted_planner import Scripted, call

from agent.session import Answered, Asked, Decided, Moved
from memory.errors import BadRequest, NotApproved, UnknownThread
from memory.records import Plan
from tools import toolbelt


def answers(events):
    return [event.answer for event in events if isinstance(event, Answered)]


def asked_plan(made, thread="t"):
    """A session that waits for the approval of a plan."""
    return list(made.say(thread, world.REQUEST))[-1]


def test_a_question_at_a_plan_leaves_the_plan_open(tmp_path):
    made = world.session(tmp_path)
    open_plan = asked_plan(made)
    events = list(made.follow("t", "why not acme/huge?"))
    assert "Stage 1, size: 70B parameters" in answers(events)[0].text
    assert events[-1] == open_plan
    decided = list(made.answer("t", open_plan.interrupt, world.approval(open_plan.about)))[-1]
    assert decided.decision.winner == f"{world.GOOD} @ scripted"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("why?", "winner"),
        ("why not acme/nc?", "licence"),
        ("why not acme?", "4 models are called acme"),
        ("show the shortlist", "Shortlist of 2"),
        ("what benchmarks did you use?", "say most about this job"),
        ("how much did that cost?", "Spent in this run: $"),
        ("requirements", "at most 0.5B"),
        ("scores", "measured here"),
        ("thanks a lot", "That I did not understand"),
        (f"what do you remember about {world.REQUEST}?", "Remembered"),
    ],
)
def test_questions_after_a_decision(tmp_path, text, says):
    made = world.session(tmp_path)
    world.go(made, "t")
    before = made.state("t")
    (event,) = made.follow("t", text)
    assert says in event.answer.plain()
    assert made.state("t") == before
    assert made.conversations.talk.last("t", 2)[0].text == text


def test_two_models_side_by_side_with_their_measured_difference(tmp_path):
    made = world.session(tmp_path)
    world.go(made, "t")
    (answer,) = answers(made.follow("t", f"compare {world.GOOD} and {world.POOR}"))
    assert "on the same" in answer.text
    assert answer.header == ("", world.GOOD, world.POOR)
    rows = {row[0]: row[1:] for row in answer.rows}
    assert rows["size"] == ("0.4B", "0.3B")
    assert rows["licence"] == ("apache-2.0", "mit")
    assert rows["here"] == ("winner", "rejected")
    assert rows["community (no part of quality)"] == ("nothing is known", "nothing is known")


def test_a_change_of_mind_voids_the_plan_and_goes_on(tmp_path):
    made = world.session(tmp_path)
    first = asked_plan(made)
    events = list(made.follow("t", "actually 80B is fine"))
    assert answers(events)[0].text == "Changed: at most 0.5B -> 80B."
    second = events[-1]
    assert isinstance(second.about, Plan)
    assert second.about.hash != first.about.hash
    assert "acme/huge" in made.state("t")["critical"].survivors
    with pytest.raises(NotApproved):
        list(made.answer("t", first.interrupt, world.approval(first.about)))
    assert made.deps.ledger.spent(first.about.run) == 0


def test_a_decision_can_be_changed_and_what_was_paid_is_not_paid_again(tmp_path):
    made = world.session(tmp_path)
    world.go(made, "t")
    asked = len(made.deps.runner.asked)
    reopened = list(made.follow("t", "research only"))[-1]
    assert isinstance(reopened.about, Plan)
    assert made.state("t")["decision"] is None
    decided = list(made.answer("t", reopened.interrupt, world.approval(reopened.about)))[-1]
    again = [item for item in made.deps.runner.asked[asked:] if item[0].startswith(world.GOOD)]
    assert again == [] or decided.decision.spent_usd < 0.5


def test_what_if_goes_on_beside_the_conversation(tmp_path):
    made = world.session(tmp_path)
    before = world.go(made, "t")[-1]
    events = list(made.follow("t", "and if it could be 80B?"))
    (moved,) = [event for event in events if isinstance(event, Moved)]
    assert answers(events)[0].text == "What if: at most 0.5B -> 80B."
    assert "acme/huge" in made.state(moved.thread)["critical"].survivors
    assert made.state("t")["decision"] == before.decision
    assert isinstance(events[-1], Asked)


def test_other_weights_choose_again_from_the_same_evidence(tmp_path):
    made = world.session(tmp_path)
    asked_plan(made)
    funnel = made.state("t")["critical"]
    events = list(made.follow("t", "alpha 0.9, beta 0.4"))
    assert "alpha 0.9, beta 0.4" in answers(events)[0].text
    state = made.state("t")
    assert state["balance"].alpha == 0.9
    assert state["critical"] == funnel
    assert all(0.4 * one.s > 0.6 for one in state["selected"])


def test_undo_brings_back_what_was_before_the_change(tmp_path):
    made = world.session(tmp_path)
    first = asked_plan(made)
    list(made.follow("t", "actually 80B is fine"))
    back = list(made.undo("t"))[-1]
    assert back.about == first.about
    assert made.state("t")["requirements"].max_params == 500_000_000
    with pytest.raises(BadRequest, match="no change to undo"):
        list(world.session(tmp_path / "other").undo(_only(tmp_path / "other")))


def _only(home):
    made = world.session(home)
    asked_plan(made, "u")
    return "u"


def test_undo_after_a_decision_shows_the_decision_again(tmp_path):
    made = world.session(tmp_path)
    before = world.go(made, "t")[-1]
    list(made.follow("t", "research only"))
    after = list(made.undo("t"))[-1]
    assert isinstance(after, Decided)
    assert after.decision == before.decision


@pytest.mark.parametrize("text", ["alpha 7", "licence must be foo-9.9", "why not Nobody/x?", ""])
def test_what_means_nothing_is_said_and_changes_nothing(tmp_path, text):
    made = world.session(tmp_path)
    asked_plan(made)
    before = made.state("t")
    with pytest.raises(BadRequest):
        list(made.follow("t", text))
    assert made.state("t") == before


def test_following_needs_a_conversation(tmp_path):
    with pytest.raises(UnknownThread):
        list(world.session(tmp_path).follow("nobody", "why?"))


# --- a planning model in the seat ----------------------------------------------------------


LATER = [tool.name for tool in toolbelt.TOOLS if tool.stage is not toolbelt.Stage.UNDERSTAND]


def modelled(tmp_path, *replies):
    """A decided conversation whose follow-ups a scripted model answers."""
    world.go(world.session(tmp_path), "t")
    return world.session(tmp_path, Scripted(replies=list(replies)))


def test_a_model_answers_from_tool_results(tmp_path):
    made = modelled(tmp_path, call("why", model="acme/huge"), AIMessage("It has 70B parameters."))
    assert answers(made.follow("t", "and the huge one?"))[0].text == "It has 70B parameters."


def test_an_invented_number_is_mended_once(tmp_path):
    made = modelled(
        tmp_path,
        call("why", model="acme/huge"),
        AIMessage("It has 71B parameters."),
        AIMessage("It has 70B parameters."),
    )
    assert answers(made.follow("t", "and the huge one?"))[0].text == "It has 70B parameters."


def test_a_model_that_goes_on_inventing_is_replaced_by_the_tools(tmp_path):
    made = modelled(tmp_path, call("why", model="acme/huge"), AIMessage("It scores 0.99."))
    made.deps.planner.replies.append(AIMessage("It scores 0.98."))
    (answer,) = answers(made.follow("t", "and the huge one?"))
    assert answer.text.startswith("acme/huge: removed by size")


def test_a_model_that_loops_is_bounded(tmp_path):
    made = modelled(tmp_path, call("why", model="acme/huge"))
    assert answers(made.follow("t", "and the huge one?"))[0].text.startswith("acme/huge: removed")
    assert made.deps.planner.turn <= 5


@pytest.mark.parametrize(
    "reply",
    [
        call("approve", cap=100),
        call("why", models="many"),
        call("weigh", alpha=0.9),
        call("change"),
        call("why", model="Nobody/x"),
        AIMessage(""),
    ],
)
def test_nonsense_of_a_model_changes_nothing(tmp_path, reply):
    made = modelled(tmp_path, reply)
    before = made.state("t")
    (answer,) = answers(made.follow("t", "tell me more"))
    assert answer.text.startswith("That I did not understand")
    assert made.state("t") == before


def test_a_model_may_ask_for_a_change_whose_values_the_machine_reads(tmp_path):
    made = modelled(tmp_path, call("change"), *map(call, LATER))
    events = list(made.follow("t", "actually 80B is fine"))
    assert answers(events)[0].text == "Changed: at most 0.5B -> 80B."


def test_words_without_a_tool_behind_them_do_not_stand_where_the_rules_understand(tmp_path):
    made = modelled(tmp_path, AIMessage("I'm sorry, I can't do that."))
    assert "Stage 1, size" in answers(made.follow("t", "why not acme/huge?"))[0].text
    assert answers(made.follow("t", "who are you?"))[0].text == "I'm sorry, I can't do that."
