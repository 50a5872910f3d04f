"""--synthesize: examples made from the request, priced, approved, written once, never mixed."""

import json
import re
from collections import Counter

import pytest
import world
from judged_world import approve, session
from scripted_judges import obedient
from stub_chat import StubChat, fails, judge

from agent.__main__ import parser
from agent.arguments.choosing import given
from agent.session import Asked, Decided
from agent.surfaces.terminal import DONE, Terminal
from memory.errors import BadRequest, MirrorError
from tools.real_task import authoring

WANTED = {"synthesize": 12, "judges": ("judge-1",)}


def scribe(messages):
    """Writes what is asked for, each with a word of its own; judges where that is asked."""
    asked = re.search(r"Write (\d+) new examples", messages[0].content)
    if asked is None:
        return obedient(messages)
    first = messages[0].content.count("Customer:")
    numbers = range(first, first + int(asked[1]))
    written = [{"input": f"Customer: {_words(n)}"} for n in numbers]
    return json.dumps({"examples": written})


def _words(n):
    return " ".join(f"thing{n:03}{letter}" for letter in "abcdef")


def begin(made):
    return list(made.say("t", world.REQUEST, dict(WANTED)))


def test_examples_are_priced_and_approved_before_anything_is_sent(tmp_path):
    with StubChat(judge(scribe)) as server:
        made = session(tmp_path, {"judge-1": server.url})
        events = begin(made)
        first = events[-1].about
        assert authoring.writes(first)
        assert (first.steps[0].items, first.run.endswith("-examples")) == (12, True)
        assert 0 < first.usd < first.cap_usd
        assert server.seen == []
        events = approve(made, events)
        assert len(server.seen) == 2  # ten and two
        second = events[-1].about
        assert not authoring.writes(second)
        assert any("not yours but synthetic" in note for note in second.notes)
        assert all("(synthetic)" in one.protocol for one in second.steps if one.judges)
        decision = approve(made, events)[-1].decision
    assert decision.winner.startswith(world.GOOD)
    assert "The examples it rests on are synthetic." in decision.summary
    assert any(f"under plan {first.hash}" in caveat for caveat in decision.caveats)
    ledger = made.deps.ledger
    assert decision.spent_usd == pytest.approx(ledger.spent(first.run) + ledger.spent(second.run))
    for kind in ("html", "md"):
        page = (tmp_path / "runs" / decision.run / f"report.{kind}").read_text("utf-8")
        assert "On synthetic examples" in page
        assert "On your own examples" not in page
    (score,) = made.deps.scores.known([world.GOOD], [second.steps[0].benchmark])
    assert "(synthetic)" in score.protocol


def test_refused_examples_cost_nothing_and_the_request_goes_on_without(tmp_path):
    with StubChat(judge(scribe)) as server:
        made = session(tmp_path, {"judge-1": server.url})
        asked = begin(made)[-1]
        no = world.approval(asked.about, "refuse")
        ended = list(made.answer("t", asked.interrupt, no))[-1]
        assert server.seen == []
    assert isinstance(ended, Asked | Decided)
    needed = made.state("t")["requirements"]
    assert (needed.examples, needed.synthesize) == (None, None)


def test_an_author_that_breaks_off_is_asked_on_by_resume_and_paid_once(tmp_path):
    with StubChat(judge(scribe), fails(401), judge(scribe)) as server:
        made = session(tmp_path, {"judge-1": server.url})
        events = approve(made, begin(made))  # ten were written, then the key was refused
        task = made.deps.examples.get(made.state("t")["requirements"].examples)
        assert len(task.examples.examples) == 10
        assert any("stopped early" in note for note in task.examples.notes)
        assert isinstance(events[-1], Asked)
    with StubChat(fails(401), judge(scribe)) as server:
        made = session(tmp_path / "b", {"judge-1": server.url})
        events = begin(made)
        with pytest.raises(MirrorError, match="refuses the key"):
            approve(made, events)
        ended = list(made.resume("t"))[-1]
        assert isinstance(ended, Asked)  # the same approval still holds, and now they are written
        assert len(made.state("t")["requirements"].examples) > 0
        asked = Counter(json.dumps(body) for _, _, body in server.seen)
        assert sorted(asked.values()) == [1, 2]  # the refused one again, nothing else


def _terminal(tmp_path, server, *words):
    args = parser().parse_args(["select", world.REQUEST, *words])
    made = session(tmp_path, {"judge-1": server.url} if server else {})
    return Terminal(made, args, "ada"), made, args


def test_a_cap_given_ahead_is_for_the_whole_conversation(tmp_path):
    with StubChat(judge(scribe)) as server:
        words = ("--synthesize", "12", "--judge", "judge-1", "--approve-up-to", "0.03", "--quiet")
        terminal, made, args = _terminal(tmp_path, server, *words)
        stated = given(args) | terminal.wanted_examples()
        assert terminal.converse("t", made.say("t", args.request, stated)) == DONE
    run = made.state("t")["run"]
    plan = made.state("t")["plan"]
    examples = made.deps.ledger.spent(authoring.run_of(run))
    assert examples > 0
    assert plan.cap_usd <= 0.03 - examples + 1e-9
    assert made.state("t")["decision"].spent_usd <= 0.03


def test_what_can_not_be_is_one_line(tmp_path):
    terminal, _, _ = _terminal(tmp_path, None, "--synthesize", "5")
    with pytest.raises(BadRequest, match="--judge MODEL or MIRROR_JUDGE_MODEL"):
        terminal.wanted_examples()
    terminal, _, _ = _terminal(tmp_path, None, "--synthesize", "500", "--judge", "x=http://h/v1")
    with pytest.raises(BadRequest, match="1 to 200"):
        terminal.wanted_examples()
    with pytest.raises(SystemExit):
        parser().parse_args(["select", "x", "--synthesize", "5", "--examples", "f.csv"])
