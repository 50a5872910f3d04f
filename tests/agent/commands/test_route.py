"""``mirror route`` as a person runs it, after a run that measured two arms on their examples."""

import argparse
import json

import pytest
import world

from agent.__main__ import main
from agent.session import Asked, Told
from agent.surfaces.terminal import Terminal
from memory.routers import Routers
from tools.clients.fakes import HashEmbedder, ScriptedRunner
from tools.real_task.own_task import OwnTaskRunner


class Specialists(ScriptedRunner):
    """One arm knows fevers, the other loans."""

    def generate(self, arm, prompts, most_tokens):
        for prompt in prompts:
            yield "yes" if ("fever" in prompt) == (arm.model == world.GOOD) else "no"

    def generation_seconds(self, arm, items, tokens, new_tokens):
        return (0.0, 0.0, 0.1) if arm.backend == "constant" else (0.0, 0.1 * items, 0.2 * items)


ROWS = [
    {"question": f"{'fever cough lungs' if n % 2 else 'loan bank interest'} {n}", "answer": "yes"}
    for n in range(39)
] + [{"question": "neither", "answer": "no"}]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory):
    """A folder with a finished run, and the run's name."""
    home = tmp_path_factory.mktemp("home")
    made = world.session(home)
    inner = Specialists({world.GOOD: 0.5, world.POOR: 0.5})
    object.__setattr__(made.deps, "runner", OwnTaskRunner(inner, made.deps.examples))
    path = home / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    words = {"examples": str(path), "input": None, "reference": None, "instruction": "Yes or no?"}
    fixed = words | {"may_leave": False, "request": world.REQUEST, "json": False, "quiet": True}
    name = Terminal(made, argparse.Namespace(**fixed), "ada").keep_examples()
    told = list(made.say("t", world.REQUEST, {"examples": name}))
    assert isinstance(told[-1], Asked)
    advice = [one.text for one in told if isinstance(one, Told) and one.tool == "advise_routing"]
    assert "kept yet" in advice[0]
    ended = list(made.answer("t", told[-1].interrupt, world.approval(told[-1].about)))[-1]
    again = list(made.say("u", world.REQUEST, {"examples": name}))
    advice = [one.text for one in again if isinstance(one, Told) and one.tool == "advise_routing"]
    assert "examples held out" in advice[0]
    made.deps.ledger.close()
    return home, ended.decision.run


@pytest.fixture
def home(deployment):
    return deployment[0]


@pytest.fixture
def ran(deployment, monkeypatch):
    """The run's name, with the settings that find it."""
    home, run = deployment
    for name, value in (("HOME", home), ("RUNS", home / "runs"), ("CACHE", home)):
        monkeypatch.setenv(f"MIRROR_{name}", str(value))
    monkeypatch.setattr("agent.wiring.embedder", lambda which: HashEmbedder())
    monkeypatch.chdir(home)
    return run


def test_a_run_is_fitted_explained_and_reported(ran, home, capsys):
    assert main(["route", "fit", ran, "--json"]) == 0
    about = json.loads(capsys.readouterr().out)
    assert {one["model"] for one in about["members"]} == {world.GOOD, world.POOR}
    assert about["basis"] == "grades"
    assert Routers(home / "routers").get(ran).about.reason == about["reason"]
    assert main(["route", "explain", ran, "my fever and cough"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == about["reason"]
    assert len(lines) == 2
    folder = home / "runs" / ran
    told = json.loads((folder / "report.json").read_text("utf-8"))
    assert told["routing"]["reason"] == about["reason"]
    assert "One model or several?" in (folder / "report.html").read_text("utf-8")
    assert "Routing: " in (folder / "report.md").read_text("utf-8")


def test_what_can_not_be_served_is_said_in_one_line(ran, tmp_path, capsys, monkeypatch):
    members = tmp_path / "members.toml"
    members.write_text(f'["{world.GOOD}"]\nbase_url = "http://127.0.0.1:9/v1"\n')
    serve = ["route", "serve", ran, "--members", str(members)]
    for words, message in (
        (["route", "fit", "nothing"], "no report of run 'nothing'"),
        (["route", "explain", "../x"], "no run's name"),
        ([*serve[:-1], "nowhere.toml"], "nowhere.toml"),
        ([*serve, "--host", "0.0.0.0"], "--key-env"),
        ([*serve, "--key-env", "UNSET_KEY"], "UNSET_KEY is not set"),
    ):
        assert main(words) == 2
        error = capsys.readouterr().err.strip()
        assert message in error
        assert "\n" not in error
    monkeypatch.setattr("tools.clients.installed.folder", lambda name: None)
    assert main(serve) == 2
    assert "pip install 'mirror-llm[serve]'" in capsys.readouterr().err


def test_another_embedder_is_refused(ran, capsys, monkeypatch):
    assert main(["route", "fit", ran]) == 0
    monkeypatch.setattr("agent.wiring.embedder", lambda which: HashEmbedder(64))
    assert main(["route", "explain", ran]) == 2
    assert "fitted with hash-384 and MIRROR_EMBEDDER is hash-64" in capsys.readouterr().err


@pytest.mark.parametrize(
    "flag", [["--port", "99999"], ["--max-seconds", "0"], ["--cost-weight", "-1"]]
)
def test_flags_are_bounded(flag, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["route", "serve", "r", "--members", "m.toml", *flag])
    assert caught.value.code == 2
    assert flag[1] in capsys.readouterr().err
