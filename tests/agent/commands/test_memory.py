"""``mirror memory``, ``replay`` and ``watch`` as a person types them."""

import io
import json
import sys

import pytest
import world

from agent.__main__ import main
from memory import decision_records
from memory.findings import Findings
from memory.records import Finding, Origin, Score
from memory.registry import Registry
from tools.clients.embedder import OnnxEmbedder
from tools.clients.fakes import HashEmbedder

OLD, NEW = "2025-01-01T00:00:00+00:00", "2026-11-20T00:00:00+00:00"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "CACHE", "RUNS"):
        monkeypatch.setenv(f"MIRROR_{name}", str(tmp_path / name.lower()))
    for name in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "LANGSMITH_TRACING"):
        monkeypatch.setenv(name, "1")
    # The real embedding is measured elsewhere; a word count is quicker and shows the same.
    embedder = HashEmbedder()
    monkeypatch.setattr(OnnxEmbedder, "encode", lambda self, texts: embedder.encode(texts))
    return tmp_path / "home"


@pytest.fixture
def mirror(home, capsys):
    """Runs a command: (exit code, standard output, standard error)."""

    def run(*words):
        capsys.readouterr()
        code = main(list(words))
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def kept(home):
    """Some findings in the home, one of them contradicted and one stale."""
    home.mkdir()
    store = Findings(home / "findings.sqlite", HashEmbedder().encode)
    score = Score(
        model="a/m", benchmark="t", protocol="p", value=0.5, origin=Origin.MEASURED, source="s"
    )
    store.remember(
        Finding(id="old", kind="decision", text="clinical notes: a/m won", at=OLD),
        Finding(id="7", kind="preference", text="size 7B", at=NEW, subject="size", says="7B"),
        Finding(id="13", kind="preference", text="size 13B", at=NEW, subject="size", says="13B"),
        Finding(id="e", kind="evaluation", text="a/m \x1b[31mscored 0.50", at=NEW, score=score),
    )
    store.close()
    return home


def test_search_shows_date_kind_id_and_what_to_mind(mirror, kept):
    code, out, err = mirror("memory", "search", "clinical notes", "-n", "1")
    assert (code, err) == (0, "")
    assert out.startswith("1.00" if "1.00" in out else "0.")
    assert "2025-01-01: clinical notes: a/m won [stale: " in out
    assert "old  decision" in out
    code, out, _ = mirror("memory", "search", "size 7B", "--kind", "preference", "--json")
    found = json.loads(out)["findings"]
    assert [one["id"] for one in found] == ["7", "13"]
    assert found[0]["note"] == "contradicted 2026-11-20: 13B"
    assert found[0]["similarity"] > found[1]["similarity"]


def test_list_counts_and_hides_what_acts_on_a_terminal(mirror, kept):
    code, out, _ = mirror("memory", "list")
    assert code == 0
    assert out.splitlines()[-1] == "1 decision · 1 evaluation · 2 preference"
    assert "\x1b" not in out
    assert json.loads(mirror("memory", "list", "--kind", "decision", "--json")[1])["counts"] == {
        "decision": 1,
        "evaluation": 1,
        "preference": 2,
    }
    assert len(mirror("memory", "list", "-n", "1")[1].splitlines()) == 3


def test_an_empty_memory_is_said_and_made_nowhere(mirror, home):
    for words in (("search", "anything"), ("list",)):
        assert mirror("memory", *words) == (0, "Nothing is remembered yet.\n", "")
    assert not (home / "findings.sqlite").exists()
    code, out, _ = mirror("memory", "export", "all.jsonl", "--json")
    assert (code, json.loads(out)["findings"]) == (0, 0)


def test_forgetting_asks_first(mirror, kept, monkeypatch):
    code, _, err = mirror("memory", "forget", "old")
    assert code == 2
    assert "--yes" in err
    code, _, err = mirror("memory", "forget", "old", "nobody", "--yes")
    assert code == 2
    assert "'nobody'; nothing was forgotten" in err
    typed = io.StringIO("no\nyes\n")
    typed.isatty = lambda: True
    monkeypatch.setattr(sys, "stdin", typed)
    assert mirror("memory", "forget", "old")[0] == 2
    code, out, _ = mirror("memory", "forget", "old")
    assert code == 0
    assert out.endswith("Forgot 1.\n")
    assert mirror("memory", "forget", "7", "13", "--yes", "--json")[1] == (
        '{"forgotten": ["7", "13"]}\n'
    )
    assert mirror("memory", "list")[1].splitlines()[-1] == "1 evaluation"


def test_export_is_lossless_and_overwrites_nothing(mirror, kept, tmp_path):
    assert mirror("memory", "export", "all.jsonl")[1] == "4 findings in all.jsonl\n"
    lines = (tmp_path / "all.jsonl").read_text("utf-8").splitlines()
    store = Findings(kept / "findings.sqlite", HashEmbedder().encode)
    assert [Finding.model_validate_json(line) for line in lines] == list(store.all())
    store.close()
    code, _, err = mirror("memory", "export", "all.jsonl")
    assert code == 2
    assert "is there already" in err
    assert mirror("memory", "export", "nowhere/all.jsonl")[0] == 2


@pytest.mark.parametrize("query", ["", "   ", "\n"])
def test_an_empty_query_is_refused(mirror, kept, query):
    code, _, err = mirror("memory", "search", query)
    assert code == 2
    assert "nothing to look for" in err


def test_a_huge_query_is_answered(mirror, kept):
    code, out, _ = mirror("memory", "search", "clinical " * 100_000, "-n", "1")
    assert code == 0
    assert "old  decision" in out


def test_a_damaged_database_is_named(mirror, home):
    home.mkdir()
    (home / "findings.sqlite").write_bytes(b"no database at all" * 100)
    code, _, err = mirror("memory", "list")
    assert code == 2
    assert "findings.sqlite is damaged" in err


# --- replay and watch ---------------------------------------------------------------------


@pytest.fixture
def run(home, tmp_path, monkeypatch):
    """A decided run in the runs' folder, and a registry that its winner has left since."""
    left = {model.id: model for model in world.MODELS if model.id != world.GOOD}
    monkeypatch.setattr(Registry, "load", lambda path=None: Registry(left, "later"))
    home.mkdir()
    made = world.session(home)
    decision = world.go(made, "t")[-1].decision
    (home / "runs").rename(tmp_path / "runs")
    made.deps.scores.close()
    made.deps.ledger.close()
    made.deps.findings.close()
    return decision.run


def test_replay_says_what_changed_and_its_exit_code_too(mirror, run):
    code, out, err = mirror("replay", run)
    assert (code, err) == (1, "")
    assert f"{world.GOOD} @ scripted; holds no more" in out
    assert f"! registry: {world.GOOD}: there -> gone" in out
    facts = json.loads(mirror("replay", run, "--json")[1])
    assert facts["holds"] is False
    assert facts["verdict"] == facts["winner"]
    assert facts["same_registry"] is False


def test_watch_reopens_once_and_goes_on_past_a_damaged_record(mirror, run, home, tmp_path):
    code, out, err = mirror("watch", "--json")
    facts = json.loads(out)
    assert (code, err) == (1, "")
    assert facts["decisions"] == 1
    assert facts["reopened"][0]["run"] == run
    mirror("watch")
    listed = json.loads(mirror("memory", "list", "--kind", "reopened", "--json")[1])
    assert [one["run"] for one in listed["findings"]] == [run]
    bad = tmp_path / "runs" / "another" / decision_records.NAME
    bad.parent.mkdir()
    bad.write_text("{")
    code, out, err = mirror("watch")
    assert code == 2
    assert str(bad) in err
    assert "2 decisions, 1 overtaken" in out
    assert bad.read_text() == "{"
    assert mirror("replay", "another")[0] == 2


def test_nothing_to_replay_or_watch(mirror, home):
    code, _, err = mirror("replay", "nobody")
    assert code == 2
    assert "No run has ended here yet" in err
    assert mirror("watch") == (0, "0 decisions, 0 overtaken\n", "")
