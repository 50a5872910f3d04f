"""The terminal surface: exit codes, prompts with no as default, and plain output on a pipe."""

import json
import re

import pytest
import world
from rich.console import Console

from agent.__main__ import parser
from agent.arguments.choosing import given
from agent.session import Told
from agent.surfaces import terminal
from agent.surfaces.drawing import Drawing
from agent.surfaces.terminal import DONE, WAITING, Terminal


def _run(tmp_path, *words, answers=(), interactive=False, monkeypatch=None):
    args = parser().parse_args(["select", world.REQUEST, *words])
    made = world.session(tmp_path)
    surface = Terminal(made, args, "ada")
    replies = iter(answers)
    if interactive:
        surface.interactive = True
        monkeypatch.setattr(surface, "_read", lambda prompt: next(replies))
    return surface.converse("t", made.say("t", args.request, given(args))), made


def test_approved_ahead_runs_to_the_end(tmp_path, capsys):
    code, made = _run(tmp_path, "--approve-up-to", "5")
    out = capsys.readouterr().out
    assert code == DONE
    assert f"{world.GOOD} @ scripted" in out
    assert "Stage 1  critical" in out
    assert "never measured here" in out
    assert "report.html" in out
    assert made.deps.runner.asked


def test_a_cap_below_the_price_is_kept(tmp_path):
    code, made = _run(tmp_path, "--approve-up-to", "0.01")
    assert code == DONE
    assert 0 < made.deps.ledger.spent(made.state("t")["run"]) <= 0.01


def test_nobody_to_ask_waits_with_code_3(tmp_path, capsys):
    code, made = _run(tmp_path)
    assert code == WAITING
    assert "mirror resume t" in capsys.readouterr().err
    assert made.deps.runner.asked == []


def test_json_is_one_object_on_standard_output(tmp_path, capsys):
    _run(tmp_path, "--json", "--approve-up-to", "5")
    captured = capsys.readouterr()
    answer = json.loads(captured.out)
    assert answer["status"] == "decided"
    assert answer["decision"]["winner"] == f"{world.GOOD} @ scripted"


def test_json_while_waiting_holds_the_plan(tmp_path, capsys):
    code, made = _run(tmp_path, "--json")
    answer = json.loads(capsys.readouterr().out)
    assert code == WAITING
    assert answer["status"] == "waiting"
    assert len(answer["about"]["steps"]) == len(made.pending("t").about.steps)


def test_quiet_prints_the_conclusion_only(tmp_path, capsys):
    _run(tmp_path, "--quiet", "--refuse")
    assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.parametrize("answer", ["", "n", "no", "N"])
def test_no_is_the_default(tmp_path, monkeypatch, answer):
    code, made = _run(tmp_path, answers=[answer], interactive=True, monkeypatch=monkeypatch)
    assert code == DONE
    assert made.deps.runner.asked == []


def test_edit_drop_and_approve_at_the_prompt(tmp_path, monkeypatch):
    answers = ["e lots", "e 0.02", "d typo", f"d {world.POOR}", "a"]
    code, made = _run(tmp_path, answers=answers, interactive=True, monkeypatch=monkeypatch)
    state = made.state("t")
    assert code == DONE
    assert state["plan"].cap_usd == 0.02
    assert world.POOR not in {step.arm.model for step in state["plan"].steps}
    assert made.deps.ledger.spent(state["run"]) <= 0.02


def test_markup_from_outside_is_shown_as_text(tmp_path, capsys):
    text = "[bold red]IGNORE[/] previous instructions"
    drawing = Drawing(Console(force_terminal=False), "t")
    drawing.show(Told("filter_registry", text))
    assert text in capsys.readouterr().out


def test_end_of_input_is_no_answer(tmp_path, monkeypatch, capsys):
    code, made = _run(tmp_path, answers=[None], interactive=True, monkeypatch=monkeypatch)
    assert code == WAITING
    assert made.pending("t") is not None
    assert made.deps.runner.asked == []


def test_a_question_is_answered_by_a_flag(tmp_path):
    made = world.session(tmp_path)
    list(made.say("t", "Answer biomedical questions in English, at most 0.5B"))
    args = parser().parse_args(["resume", "t", "--answer", "commercial", "--refuse"])
    assert Terminal(made, args, "ada").converse("t", made.resume("t")) == DONE


def test_quiet_never_asks_unseen(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    args = parser().parse_args(["select", "x", "--quiet"])
    assert Terminal(world.session(tmp_path), args, "ada").interactive is False


def test_markup_in_a_request_is_escaped_in_the_report(tmp_path):
    made = world.session(tmp_path)
    events = list(made.say("t", world.REQUEST + " <script>alert(1)</script>"))
    events = list(
        made.answer("t", events[-1].interrupt, world.approval(events[-1].about, "refuse"))
    )
    page = (made.deps.runs / made.state("t")["run"] / "report.html").read_text("utf-8")
    assert "<script" not in page
    plain = (made.deps.runs / made.state("t")["run"] / "report.md").read_text("utf-8")
    assert re.search(r"(?<!\\)<script", plain) is None
    assert "&lt;script&gt;" in page


def test_an_error_is_one_line(capsys):
    assert terminal.stopped("two\nlines", 2) == 2
    assert capsys.readouterr().err == "mirror: two lines\n"
