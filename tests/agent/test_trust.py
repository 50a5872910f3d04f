"""Code that comes with weights: off by default, ticked at the prompt or by a flag, and recorded."""

from dataclasses import replace

import pytest
import world

from agent.__main__ import parser
from agent.arguments.choosing import given
from agent.surfaces.terminal import DONE, Terminal
from memory.errors import BadRequest

FILE = "modeling_chat.py"
TICK = f"{world.POOR}@r1"


class OwnCode(world.KillingRunner):
    """POOR comes with code of its own; every probe notes whether its arm was trusted."""

    def arms(self, models):
        arms, missing = super().arms(models)
        own = {"code": (FILE,), "revision": "r1"}
        return [a.model_copy(update=own) if a.model == world.POOR else a for a in arms], missing

    def probe(self, arm):
        assert arm.trusted or not arm.code
        super().probe(arm)


def run(tmp_path, *words, answers=(), monkeypatch=None):
    made = world.session(tmp_path)
    runner = OwnCode({world.GOOD: 1.0, world.POOR: 0.0})
    made.deps = replace(made.deps, runner=runner)
    args = parser().parse_args(["select", world.REQUEST, *words])
    surface = Terminal(made, args, "ada")
    if answers:
        surface.interactive = True
        replies = iter(answers)
        monkeypatch.setattr(surface, "_read", lambda prompt: next(replies))
    return surface.converse("t", made.say("t", args.request, given(args))), made


def measured(made):
    return {name.split(" @")[0] for name, _ in made.deps.runner.asked} - {"constant-answer"}


def test_it_is_left_out_unless_ticked(tmp_path, capsys):
    code, made = run(tmp_path, "--approve-up-to", "5")
    out = " ".join(capsys.readouterr().out.split())
    assert code == DONE
    assert measured(made) == {world.GOOD}
    assert f"{TICK} would run its own {FILE} as you" in out
    assert "which nobody has ticked" in out


def test_a_flag_ticks_and_the_ledger_has_it(tmp_path, capsys):
    code, made = run(tmp_path, "--approve-up-to", "5", "--trust-remote-code", TICK)
    assert code == DONE
    assert measured(made) == {world.GOOD, world.POOR}
    assert f"{TICK}: {FILE}" in " ".join(capsys.readouterr().out.split())
    plan = made.state("t")["plan"]
    (approved,) = made.deps.ledger.approvals(plan.hash)
    assert (approved.decision, approved.trust) == ("approve", (TICK,))


def test_another_revision_is_refused_in_one_line_and_the_thread_waits(tmp_path):
    with pytest.raises(BadRequest, match="revision r1 here, not r0"):
        run(tmp_path, "--approve-up-to", "5", "--trust-remote-code", f"{world.POOR}@r0")
    made = world.session(tmp_path)
    assert made.pending("t") is not None


def test_a_model_without_revision_is_no_tick(capsys):
    with pytest.raises(SystemExit):
        parser().parse_args(["select", "chat", "--trust-remote-code", world.POOR])
    assert "names no revision" in capsys.readouterr().err


def test_the_prompt_ticks_and_asks_again(tmp_path, monkeypatch):
    answers = ["t nobody/none", f"t {world.POOR}", "a"]
    code, made = run(tmp_path, answers=answers, monkeypatch=monkeypatch)
    assert code == DONE
    assert measured(made) == {world.GOOD, world.POOR}


def test_ticking_is_not_approving(tmp_path, monkeypatch):
    _, made = run(tmp_path, answers=[f"t {world.POOR}", ""], monkeypatch=monkeypatch)
    assert made.deps.runner.asked == []


def test_a_tick_for_what_is_not_there_is_said(tmp_path, capsys):
    code, made = run(tmp_path, "--approve-up-to", "5", "--trust-remote-code", "no/body@r1")
    assert code == DONE
    assert measured(made) == {world.GOOD}
    assert "no/body@r1 changes nothing" in " ".join(capsys.readouterr().out.split())
