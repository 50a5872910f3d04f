"""What a surface can rely on: gates hold, answers are bound, errors lose nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import world
from langchain_core.messages import AIMessage
from scripted_planner import Scripted, call

from agent.session import Asked, Decided, Told, new_thread
from memory.errors import (
    BadRequest,
    NotApproved,
    NothingSurvives,
    PlannerFailed,
    ThreadBusy,
    UnknownThread,
)
from memory.records import Approval, Plan, Question
from tools import toolbelt


def test_from_request_to_decision(tmp_path):
    made = world.session(tmp_path)
    events = world.go(made, "t")
    tools = [event.tool for event in events if isinstance(event, Told) and event.tool != "planner"]
    # Advice on routing is for those who bring examples of their own.
    named = [tool.name for tool in toolbelt.TOOLS if tool.name != "advise_routing"]
    assert tools == named
    decision = events[-1].decision
    assert decision.winner == f"{world.GOOD} @ scripted"
    state = made.state("t")
    assert set(state["critical"].removed) == {"size", "licence"}
    facts = json.loads((Path(events[-1].report) / "report.json").read_text("utf-8"))
    assert facts["decision"]["winner"] == decision.winner
    fallen = (Path(events[-1].report) / "eliminated.csv").read_text("utf-8")
    assert "acme/huge,critical,size" in fallen
    assert "acme/nc,critical,licence" in fallen
    remembered = made.deps.findings.recall(world.REQUEST, 1)
    assert remembered[0][0].run == decision.run
    assert made.deps.scores.known([world.GOOD], ["pubmedqa"])[0].run == decision.run


def test_what_is_missing_is_asked_and_a_bad_answer_is_asked_again(tmp_path):
    made = world.session(tmp_path)
    asked = list(made.say("t", "Answer biomedical questions in English"))[-1]
    assert isinstance(asked.about, Question)
    again = list(made.answer("t", asked.interrupt, "purple"))[-1]
    assert again.about == asked.about
    assert "purple" in again.complaint
    second = list(made.answer("t", again.interrupt, "commercial"))[-1]
    assert second.about.field != asked.about.field
    assert second.complaint is None
    plan = list(made.answer("t", second.interrupt, "at most 0.5B"))[-1]
    assert isinstance(plan.about, Plan)


def test_refusal_decides_on_free_evidence(tmp_path):
    made = world.session(tmp_path)
    asked = list(made.say("t", world.REQUEST))[-1]
    ended = list(made.answer("t", asked.interrupt, world.approval(asked.about, "refuse")))[-1]
    assert isinstance(ended, Decided)
    assert made.deps.runner.asked == []
    assert ended.decision.winner is None
    assert made.deps.ledger.spent(asked.about.run) == 0
    assert made.deps.ledger.approvals(asked.about.hash)[0].decision == "refuse"


def test_an_edited_plan_is_asked_again_and_the_old_answer_is_void(tmp_path):
    made = world.session(tmp_path)
    first = list(made.say("t", world.REQUEST))[-1]
    edited = world.approval(first.about, "edit", cap_usd=0.01)
    second = list(made.answer("t", first.interrupt, edited))[-1]
    assert second.about.cap_usd == 0.01
    assert second.about.hash != first.about.hash
    with pytest.raises(NotApproved, match="no longer open"):
        list(made.answer("t", first.interrupt, world.approval(first.about)))
    with pytest.raises(NotApproved, match="plan has changed"):
        list(made.answer("t", second.interrupt, world.approval(first.about)))
    assert made.deps.runner.asked == []
    ended = list(made.answer("t", second.interrupt, world.approval(second.about)))[-1]
    assert 0 < made.deps.ledger.spent(second.about.run) <= 0.01
    assert ended.decision.spent_usd <= 0.01


def test_dropping_an_arm(tmp_path):
    made = world.session(tmp_path)
    first = list(made.say("t", world.REQUEST))[-1]
    dropping = world.approval(first.about, "drop", drop=(world.POOR,))
    second = list(made.answer("t", first.interrupt, dropping))[-1]
    assert world.POOR not in {step.arm.model for step in second.about.steps}
    assert isinstance(
        list(made.answer("t", second.interrupt, world.approval(second.about)))[-1], Decided
    )


@pytest.mark.parametrize("junk", ["yes", "approve", {"plan": "x"}, None, True])
def test_a_word_is_no_approval(tmp_path, junk):
    made = world.session(tmp_path)
    asked = list(made.say("t", world.REQUEST))[-1]
    with pytest.raises(NotApproved):
        list(made.answer("t", asked.interrupt, junk))
    assert made.pending("t").about.hash == asked.about.hash


def test_unknown_thread_and_busy_thread(tmp_path):
    made = world.session(tmp_path)
    with pytest.raises(UnknownThread):
        list(made.resume("nobody"))
    code = (
        "import sys, time; from pathlib import Path\n"
        "from memory.conversations import Conversations\n"
        "with Conversations(Path(sys.argv[1])).lock('t'):\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "conversations.sqlite")], stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    try:
        with pytest.raises(ThreadBusy, match="'t'"):
            list(made.say("t", world.REQUEST))
    finally:
        holder.kill()
        holder.communicate()
    assert isinstance(list(made.say("t", world.REQUEST))[-1], Asked)


@pytest.mark.parametrize(
    ("reply", "what"),
    [
        (call("buy_a_yacht"), "no tool 'buy_a_yacht'"),
        (call("propose_plan"), "no tool 'propose_plan'"),  # real, but not in this stage
        (call("record_requirements", max_params="many"), "wrong arguments"),
        (call("record_requirements", colour="red"), "wrong arguments"),
        (AIMessage("I would simply use GPT-4."), "Answer with a call"),
    ],
)
def test_a_wild_planner_is_stopped_and_rules_go_on(tmp_path, reply, what):
    made = world.session(tmp_path, Scripted(replies=[reply]))
    with pytest.raises(PlannerFailed, match=what) as failure:
        list(made.say("t", world.REQUEST))
    assert "--planner rules" in str(failure.value)
    assert "\n" not in str(failure.value)
    made.conversations.close()
    rules = world.session(tmp_path)
    assert isinstance(list(rules.resume("t"))[-1].about, Plan)


def test_a_looping_planner_is_bounded(tmp_path):
    looping = Scripted(replies=[call("recall_findings")])
    made = world.session(tmp_path, looping)
    with pytest.raises(PlannerFailed, match="3 times in a row"):
        list(made.say("t", world.REQUEST))
    assert looping.turn == 4  # one that found something, three that could not again


def test_a_planner_can_not_skip_a_stage_or_spend(tmp_path):
    made = world.session(tmp_path, Scripted(replies=[call("select_models", alpha=0.0)]))
    with pytest.raises(PlannerFailed):
        list(made.say("t", world.REQUEST))
    state = made.state("t")
    assert state.get("critical") is None
    assert state.get("selected") is None
    assert made.deps.runner.asked == []


@pytest.mark.parametrize("text", ["", "   ", "???", "12345", "x" * 30_000])
def test_no_request(tmp_path, text):
    made = world.session(tmp_path)
    with pytest.raises(BadRequest):
        list(made.say("t", text))
    assert made.conversations.threads() == []


def test_contradictions_say_which(tmp_path):
    made = world.session(tmp_path)
    with pytest.raises(BadRequest, match="at least 70B and at most 7B"):
        list(made.say("t", "chat, commercial, at least 70B parameters, at most 7B parameters"))


def test_nobody_survives_names_the_best_relaxation(tmp_path):
    made = world.session(tmp_path)
    with pytest.raises(NothingSurvives, match="Relaxing size"):
        list(made.say("t", "chat in English, commercial use, at most 0.1B parameters"))


def test_an_approval_survives_the_checkpoint(tmp_path):
    made = world.session(tmp_path)
    world.go(made, "t")
    made.conversations.close()
    state = world.session(tmp_path).state("t")
    assert isinstance(state["approval"], Approval)
    assert isinstance(state["plan"], Plan)
    assert state["plan"].hash == state["approval"].plan


def test_thread_names_are_readable_and_new():
    assert new_thread("Clinical notes, please").startswith("clinical-notes-")
    assert new_thread("???") != new_thread("???")


def test_a_cut_off_call_is_told_so(tmp_path):
    broken = {"name": "record_requirements", "args": '{"max_p', "id": "c", "error": None}
    cut = AIMessage("", invalid_tool_calls=[{**broken, "type": "invalid_tool_call"}])
    made = world.session(tmp_path, Scripted(replies=[cut]))
    with pytest.raises(PlannerFailed, match="cut off"):
        list(made.say("t", world.REQUEST))


@pytest.mark.parametrize("number", [{"budget_usd": 0}, {"max_params": 10**9}, {"context": 1}])
def test_numbers_are_not_the_models_to_set(tmp_path, number):
    made_up = call("record_requirements", **number)
    made = world.session(tmp_path, Scripted(replies=[call("recall_findings"), made_up]))
    with pytest.raises(PlannerFailed, match="wrong arguments|no tool"):
        list(made.say("t", world.REQUEST))
    assert made.state("t").get("requirements") is None


class Listening(Scripted):
    """Also keeps what it was sent."""

    heard: list = []

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        self.heard.append(messages)
        return super()._generate(messages)


def test_the_planner_hears_what_was_found_and_what_was_refused(tmp_path):
    replies = [call("recall_findings"), AIMessage("Hm."), call("record_requirements")]
    planner = Listening(replies=replies, heard=[])
    made = world.session(tmp_path, planner)
    with pytest.raises(PlannerFailed):
        list(made.say("t", world.REQUEST))
    third = [str(message.content) for message in planner.heard[2]]
    assert any("Nothing remembered" in text for text in third)
    assert any("Answer with a call" in text for text in third)
    assert sum(world.REQUEST in text for text in third) == 1


@pytest.mark.parametrize(
    ("decision", "more", "says"),
    [
        ("drop", {"drop": ("no-such-arm",)}, "no-such-arm"),
        ("drop", {"drop": (world.GOOD, world.POOR)}, "refuse the plan"),
        ("edit", {"cap_usd": -5.0}, "-5"),
    ],
)
def test_an_answer_that_can_not_be_done_is_asked_again(tmp_path, decision, more, says):
    made = world.session(tmp_path)
    first = list(made.say("t", world.REQUEST))[-1]
    again = list(made.answer("t", first.interrupt, world.approval(first.about, decision, **more)))[
        -1
    ]
    assert again.about.hash == first.about.hash
    assert says in again.complaint
    made.conversations.close()
    anew = world.session(tmp_path)
    still = anew.pending("t")
    ended = list(anew.answer("t", still.interrupt, world.approval(still.about)))[-1]
    assert isinstance(ended, Decided)


def test_a_price_for_another_machine_can_not_be_approved(tmp_path):
    made = world.session(tmp_path)
    object.__setattr__(made.deps.runner, "accuracy", {})
    asked = list(made.say("t", world.REQUEST))[-1]
    assert not any(step.here for step in asked.about.steps)
    with pytest.raises(NotApproved, match="nothing to approve"):
        list(made.answer("t", asked.interrupt, world.approval(asked.about)))
    assert made.deps.ledger.approvals(asked.about.hash) == []
    ended = list(made.answer("t", asked.interrupt, world.approval(asked.about, "refuse")))[-1]
    assert ended.decision.spent_usd == 0
