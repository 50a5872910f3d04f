"""Talking line by line: answers, commands and things said, at any time."""

import pytest
import world
from typed_lines import Lines

from agent.__main__ import parser
from agent.surfaces.chat import COMMANDS, Chat
from agent.surfaces.reading import Reader


def talk(tmp_path, *lines, session=None):
    made = session or world.session(tmp_path)
    chat = Chat(made, parser().parse_args(["chat"]), "ada", {}, Lines(*lines))
    assert chat.run() == 0
    return chat


def test_a_whole_conversation(tmp_path, capsys):
    chat = talk(
        tmp_path,
        world.VAGUE,
        "commercial",
        "why not acme/huge?",
        "a",
        "/why",
        "/compare acme/med-400m acme/chat-300m",
        "/budget",
        "/quit",
        "never read",
    )
    out = capsys.readouterr().out
    assert "Stage 1, size: 70B parameters" in out
    assert "acme/med-400m: winner" in out
    assert "on the same" in out
    assert "ada approved up to" in out
    assert chat.reader.lines == ["never read"]


def test_what_is_said_at_a_plan_neither_approves_nor_refuses_it(tmp_path, capsys):
    made = world.session(tmp_path)
    talk(tmp_path, world.REQUEST, "no idea, what would that cost me all in all?", session=made)
    (thread,) = (one.id for one in made.conversations.threads())
    assert made.pending(thread) is not None
    assert made.deps.ledger.spent(made.state(thread)["run"]) == 0


@pytest.mark.parametrize(
    ("answer", "decision"),
    [("n", "refuse"), ("a", "approve"), ("drop acme/chat-300m @ scripted", "drop")],
)
def test_the_words_that_answer_a_plan_do(tmp_path, answer, decision):
    made = world.session(tmp_path)
    talk(tmp_path, world.REQUEST, "", answer, session=made)
    (thread,) = (one.id for one in made.conversations.threads())
    approval = made.state(thread)["approval"]
    assert approval.decision == decision


def test_a_change_and_its_undoing(tmp_path, capsys):
    made = world.session(tmp_path)
    chat = talk(tmp_path, world.REQUEST, "actually 80B is fine", "/undo", "/plan", session=made)
    assert "Changed: at most 0.5B -> 80B." in capsys.readouterr().out
    assert made.state(chat.thread)["requirements"].max_params == 500_000_000


def test_a_branch_is_talked_in_and_the_first_can_be_opened_again(tmp_path, capsys):
    made = world.session(tmp_path)
    chat = talk(tmp_path, world.REQUEST, "n", "and if it could be 80B?", "n", session=made)
    assert "Back with: /open " in capsys.readouterr().out
    branch = chat.thread
    first = next(one.id for one in made.conversations.threads() if one.id != branch)
    again = talk(tmp_path, f"/open {first}", "/threads", session=made)
    assert again.thread == first
    assert "* 2026" in capsys.readouterr().out


def test_weights_and_new_requests(tmp_path, capsys):
    made = world.session(tmp_path)
    chat = talk(
        tmp_path, world.REQUEST, "/weights 0.9 0.8", "/new", world.REQUEST, "n", session=made
    )
    assert "alpha 0.9, beta 0.8" in capsys.readouterr().out
    assert len(made.conversations.threads()) == 2
    assert made.state(chat.thread)["balance"] is None


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("/nonsense", "There is no command /nonsense"),
        ("/why", "There is no conversation yet"),
        ("/weights", "Say the weights"),
        ("/open nowhere", "no conversation 'nowhere'"),
        ("???", "no words"),
    ],
)
def test_what_can_not_be_done_is_one_line_and_the_talk_goes_on(tmp_path, capsys, line, says):
    talk(tmp_path, line, "/help")
    shown = capsys.readouterr()
    assert says in shown.err
    assert shown.err.count("\n") == 1
    assert all(name in shown.out for name in COMMANDS)


def test_ctrl_c_stops_the_work_and_keeps_the_thread(tmp_path, capsys):
    made = world.session(tmp_path)
    talk(tmp_path, world.REQUEST, KeyboardInterrupt(), "/plan", "n", session=made)
    out = capsys.readouterr().out
    assert "is kept: /open " in out
    (thread,) = (one.id for one in made.conversations.threads())
    assert made.state(thread)["approval"].decision == "refuse"


def test_lines_of_a_pipe_are_read_and_continued(monkeypatch):
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO("one \\\ntwo\nthree\\"))
    reader = Reader()
    assert reader.line("> ") == "one \ntwo"
    assert reader.line("> ") == "three"
    assert reader.line("> ") is None
