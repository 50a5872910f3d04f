"""``mirror route`` as a person runs it, after a run that measured two arms on their examples."""

import json
import threading
import time

import openai
import pytest
import uvicorn
import world
from stub_chat import StubChat, says

from agent.__main__ import main
from agent.session import Asked, Told
from memory.routers import Routers
from tools.clients.fakes import HashEmbedder, ScriptedRunner
from tools.real_task import examples
from tools.real_task.own_task_runner import OwnTaskRunner


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
    object.__setattr__(made.deps, "minutes", 0.3)  # fewer items: each is written to disk
    path = home / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    name = made.deps.examples.keep(examples.read(path), "Yes or no?")
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
    monkeypatch.setattr("tools.clients.benchmarks.installed.folder", lambda name: None)
    assert main(serve) == 2
    assert "pip install 'mirror-llm[serve]'" in capsys.readouterr().err


def test_a_run_is_served_to_the_openai_client(ran, home, capsys, monkeypatch):
    started = []

    class Caught(uvicorn.Server):
        def __init__(self, config):
            super().__init__(config)
            started.append(self)

    monkeypatch.setattr(uvicorn, "Server", Caught)
    monkeypatch.setenv("POOR_KEY", "sesame")
    with StubChat(says("from good")) as good, StubChat(says("from poor")) as poor:
        members = home / "two.toml"
        members.write_text(
            f'["{world.GOOD}"]\nbase_url = "{good.url}"\n'
            f'["{world.POOR}"]\nbase_url = "{poor.url}"\nkey_env = "POOR_KEY"\n'
        )
        words = ["route", "serve", ran, "--members", str(members), "--port", "0"]
        code = []
        thread = threading.Thread(target=lambda: code.append(main(words)))
        thread.start()
        while not (started and started[0].started):
            assert thread.is_alive()
            time.sleep(0.01)
        port = started[0].servers[0].sockets[0].getsockname()[1]
        with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none") as client:
            answer = client.chat.completions.create(
                model="mirror", messages=[{"role": "user", "content": "fever cough lungs 3"}]
            )
        started[0].should_exit = True
        thread.join(20)
    assert code == [0]
    who = answer.model_extra["mirror"]["member"]
    assert who.startswith((world.GOOD, world.POOR))
    assert answer.choices[0].message.content == f"from {'good' if world.GOOD in who else 'poor'}"
    said = capsys.readouterr().err
    assert "Members: " in said
    assert "sesame" not in said
    assert (home / "routers" / f"{ran}.choices.jsonl").is_file()


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
