"""``mirror scores`` as a person types it: output, exit codes, and nothing sent without a yes."""

import io
import json
import re
import shutil
import sys
from pathlib import Path

import pytest
import world
from stub_hub import StubHub, eval_result, found, ranked, record

from agent import settings
from agent.__main__ import main
from agent.commands import doctor
from memory.records import Origin, Score
from memory.scores import Scores

RECORDED = Path(__file__).parents[2] / "cassettes" / "lm_eval_results.json"
SECRET = "s3cr3t"
PROTOCOL = "lm-eval 0.4.13 · 0-shot · no chat template · pubmedqa template v1.0 · acc · items x"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "CACHE", "RUNS"):
        monkeypatch.setenv(f"MIRROR_{name}", str(tmp_path / name.lower()))
    for name in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "LANGSMITH_TRACING"):
        monkeypatch.setenv(name, "1")  # what the command would set for its own process
    return tmp_path / "home"


@pytest.fixture
def mirror(home, capsys):
    """Runs a command: (exit code, standard output, standard error)."""

    def run(*words):
        capsys.readouterr()
        code = main(["scores", *words])
        out, err = capsys.readouterr()
        assert err.count("\n") == (1 if code else 0), err
        return code, out, err

    return run


@pytest.fixture
def kept(home):
    def keep(*scores):
        store = Scores(home / "scores.sqlite", bundled=None)
        store.add(scores)
        store.close()

    return keep


def score(value=0.5, **given):
    fixed = {
        "model": "acme/m",
        "benchmark": "pubmedqa",
        "protocol": PROTOCOL,
        "origin": Origin.MEASURED,
        "source": "s",
    }
    return Score(value=value, **(fixed | given))


def measured(value=0.5, **given):
    return score(value, revision="a" * 40, n=100, low=0.4, high=0.6, date="2026-01-02", **given)


# --- show -------------------------------------------------------------------------------


def test_show_tells_value_interval_origin_protocol_date_and_conflicts(mirror, kept):
    kept(measured(), measured(0.7, origin=Origin.VERIFIED), score(0.2, model="acme/n"))
    code, out, _ = mirror("show", "--benchmark", "pubmedqa", "--model", "acme/m")
    assert code == 0
    heading, row, other, end = out.splitlines()
    assert heading == f"pubmedqa  [{PROTOCOL}]"
    assert "acme/m@aaaaaaaaaaaa" in row
    assert "0.500 (0.400-0.600)  n 100  measured here  2026-01-02" in row
    assert "! 2 observations 0.200 apart" in row
    assert "but acme/m@" in other
    assert "verified" in other
    assert end == "1 cells"


def test_show_as_json_holds_every_observation(mirror, kept):
    kept(measured(), measured(0.7, origin=Origin.REPORTED))
    code, out, _ = mirror("show", "--model", "acme/m", "--json")
    (cell,) = json.loads(out)["cells"]
    assert (code, cell["value"], cell["origin"]) == (0, 0.5, "measured here")
    assert cell["conflict"] == pytest.approx(0.2)
    assert [one["value"] for one in cell["others"]] == [0.7]


def test_a_comparison_across_protocols_is_refused_unless_mixed_or_named(mirror, kept):
    kept(score(), score(0.9, model="acme/n", protocol="other"))
    pair = ("show", "--model", "acme/m", "--model", "acme/n", "--benchmark", "pubmedqa")
    code, out, err = mirror(*pair)
    assert (code, out) == (2, "")
    assert "different protocols" in err
    assert "--mix" in err
    assert mirror(*pair, "--mix")[1].splitlines()[-1] == "2 cells"
    assert mirror(*pair, "--protocol", "other")[1].splitlines()[-1] == "1 cells"
    assert "2 cells" in mirror("show", "--model", "acme/m", "--model", "acme/n")[1]  # no ranking


def test_models_can_be_asked_for_at_a_revision(mirror, kept):
    kept(score(0.1, revision="one"), score(0.2, revision="two"))
    assert "2 cells" in mirror("show", "--model", "acme/m")[1]
    out = mirror("show", "--model", "acme/m@two")[1]
    assert "0.200" in out
    assert "0.100" not in out
    assert "No score" in mirror("show", "--model", "acme/m@three")[1]


def test_bundled_facts_are_shown_too(mirror):
    model = "meta-llama/Meta-Llama-3-70B-Instruct"
    assert "measured elsewhere" in mirror("show", "--model", model, "--benchmark", "mmlu")[1]


# --- import, export ---------------------------------------------------------------------


def test_import_then_export_then_import_is_a_closed_circle(mirror, home, tmp_path):
    shutil.copy(RECORDED, tmp_path / "results_1.json")
    assert mirror("import", "results_1.json", "--dry-run")[1].startswith("would add 2")
    assert not (home / "scores.sqlite").exists()
    assert mirror("import", ".", "--measured-here")[1].startswith("added 2")
    assert mirror("export", "all.csv")[1] == "2 scores in all.csv\n"
    assert mirror("import", "all.csv")[1].startswith("added 0, already here 2")
    code, out, _ = mirror("show", "--model", "acme/m", "--json")
    assert {cell["origin"] for cell in json.loads(out)["cells"]} == {"measured here"}
    assert "is there already" in mirror("export", "all.csv")[2]


def test_import_keeps_the_good_and_ends_with_2_for_the_bad(mirror, tmp_path):
    rows = ["a/m,t,p,0.5", "a/m,u,p,nan", "a/m,v,p,55", "no id,w,p,0.5", "a/m,t,p,0.5", "a/m,x,p,1"]
    text = "\n".join(["model,benchmark,protocol,value", *rows])
    (tmp_path / "s.csv").write_text(text, "utf-8")
    code, out, err = mirror("import", "s.csv")
    assert code == 2
    assert out.startswith("added 2, already here 0, skipped 0, refused 4")
    for said in ("line 3: 'nan'", "line 4: value 55", "line 5: 'no id'", "line 6: it repeats"):
        assert said in out
    assert "4 of the entries can't be used, the others were kept; the first, line 3" in err
    code, out, _ = mirror("import", "s.csv", "--json")
    told = json.loads(out)
    assert (code, told["known"], len(told["refused"])) == (2, 2, 4)
    assert (tmp_path / "s.csv").read_text("utf-8") == text


def test_text_from_outside_cannot_drive_the_terminal(mirror, tmp_path):
    held = json.loads(RECORDED.read_text("utf-8"))
    held["results"] = {"\x1b[2J\x9b": {"acc,none": 0.5}, "\x1b]0;x\x07": "odd"}
    (tmp_path / "results_1.json").write_text(json.dumps(held), "utf-8")
    code, out, err = mirror("import", "results_1.json")
    assert code == 2
    assert out.replace("\n", "").isprintable()
    assert err.rstrip("\n").isprintable()


def test_import_from_the_hub(mirror, monkeypatch):
    with StubHub() as stub:
        monkeypatch.setenv("MIRROR_HUB_URL", stub.url)
        assert "MIRROR_OFFLINE=0" in mirror("import", "hub:acme/m")[2]
        assert stub.seen == []
        monkeypatch.setenv("MIRROR_OFFLINE", "0")
        results = [eval_result("openai/gsm8k", "gsm8k", 50, True, verifyToken="t")]
        stub.plays("acme/m", found({"id": "acme/m", "evalResults": results}))
        stub.plays("datasets/a/b/leaderboard", found([ranked(1, "acme/n", 0.5)]))
        code, out, err = mirror("import", "hub:acme/m")
        assert code == 2
        assert "--scale 100" in err
        assert mirror("import", "hub:acme/m", "--scale", "100")[0] == 0
        assert mirror("import", "leaderboard:a/b")[1].startswith("added 1")
        assert "no model acme/none" in mirror("import", "hub:acme/none")[2]
        assert "no model id" in mirror("import", "hub:../x")[2]
    assert "verified" in mirror("show", "--model", "acme/m")[1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("import", "nothing.csv"), "There is no nothing.csv"),
        (("import", "."), "holds no results_"),
        (("import", "/dev/null"), "no plain file"),
        (("missing", "--run", "none"), "no report of run"),
        (("missing", "--thread", "none"), "none"),
        (("missing", "--model", "acme/m"), "--benchmark"),
        (("publish", "acme/m"), "nothing to publish"),
        (("export", "s.parquet"), ".csv or .jsonl"),
    ],
)
def test_bad_requests_are_one_line(mirror, words, says):
    code, _, err = mirror(*words)
    assert code == 2
    assert says in err


@pytest.mark.parametrize(
    "words",
    [
        ["scores"],
        ["scores", "show", "--model", "a b"],
        ["scores", "publish", "a/b/c"],
        ["scores", "publish", "a/b@main"],
        ["scores", "import", "x.csv", "--scale", "0"],
        ["scores", "import", "x.csv", "--scale", "nan"],
        ["scores", "publish", "a/b", "--as", "nonsense"],
        ["scores", "missing", "--run", "a", "--thread", "b"],
    ],
)
def test_bad_arguments_are_one_line_and_code_2(words, capsys):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


# --- missing ----------------------------------------------------------------------------


def test_missing_cells_and_those_known_under_other_protocols(mirror, kept):
    kept(score(), score(protocol="q", model="acme/n"), score(model="acme/o"))
    models = [word for name in "mnp" for word in ("--model", f"acme/{name}")]
    code, out, _ = mirror("missing", *models, "--benchmark", "pubmedqa")
    assert code == 0
    n, p, end = out.splitlines()
    assert n.split() == ["acme/n", "pubmedqa", "only", "under:", "q"]
    assert p.split() == ["acme/p", "pubmedqa"]
    assert end == "2 of 3 cells are missing"


def test_missing_cells_are_predicted_from_the_bundled_scores_with_a_basis(mirror):
    models = ["--model", "Qwen/Qwen1.5-7B-Chat", "--model", "made/up-7b"]
    code, out, _ = mirror("missing", *models, "--benchmark", "alpaca_eval_1", "--predict")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("Qwen/Qwen1.5-7B-Chat")
    assert re.match(r"    predicted  0\.\d{3} \(0\.\d{3}-0\.\d{3}\)  from its own", lines[1])
    assert lines[3].startswith("    can't be predicted reliably")
    _, text, _ = mirror("missing", *models, "--benchmark", "alpaca_eval_1", "--predict", "--json")
    found = json.loads(text)
    assert [one["trusted"] for one in found["predicted"]] == [True, False]


def test_missing_of_a_run_and_of_its_thread(mirror, home, tmp_path, monkeypatch):
    made = world.session(home)
    world.go(made, "t")
    made.deps.scores.close()
    made.deps.ledger.close()
    made.conversations.close()
    monkeypatch.setenv("MIRROR_RUNS", str(home / "runs"))
    run = next((home / "runs").iterdir()).name
    code, by_run, _ = mirror("missing", "--run", run, "--json")
    assert code == 0
    assert json.loads(by_run)["cells"] > 0
    assert mirror("missing", "--thread", "t", "--json")[1] == by_run
    assert "nothing to publish" in mirror("publish", world.GOOD, "--run", run)[2]  # scripted
    mirror("export", "own.jsonl")
    (home / "scores.sqlite").rename(tmp_path / "moved")
    mirror("import", "own.jsonl")  # the ledger knows the run, so it stays measured here
    assert "measured here" in mirror("show", "--model", world.GOOD)[1]
    (home / "runs" / run / "report.json").write_text("{", "utf-8")
    assert "can't be read" in mirror("missing", "--run", run)[2]


# --- publish ----------------------------------------------------------------------------


class Typed(io.StringIO):
    """A terminal at which someone types."""

    def isatty(self):
        return True


@pytest.fixture
def stub(monkeypatch):
    with StubHub() as server:
        server.plays("acme/m", found(record("acme/m", {})))
        monkeypatch.setenv("MIRROR_HUB_URL", server.url)
        yield server


@pytest.fixture
def allowed(stub, monkeypatch):
    monkeypatch.setenv("MIRROR_OFFLINE", "0")
    monkeypatch.setenv("MIRROR_HUB_TOKEN", "hf_loopback_only")
    return stub


def test_publish_shows_all_and_writes_files_where_nothing_may_be_sent(mirror, kept, stub, tmp_path):
    kept(measured(), measured(0.9, precision="Q4_1 GGUF", benchmark="piqa"))
    code, out, _ = mirror("publish", "acme/m", "--yes")
    assert code == 0
    path = tmp_path / "runs/published/acme__m/.eval_results/mirror-pubmedqa.yaml"
    for line in path.read_text("utf-8").splitlines():
        assert f"  {line}\n" in out
    assert f"{stub.url}/acme/m would add" in out
    assert "stays here  piqa 0.900: reduced" in out
    assert "MIRROR_OFFLINE=0 and MIRROR_HUB_TOKEN" in out
    assert stub.seen == []


@pytest.mark.parametrize("typed", ["", "y\n", "no\n", "YES please\n", "Yes\n"])
def test_only_yes_is_yes(mirror, kept, allowed, monkeypatch, typed):
    kept(measured())
    monkeypatch.setattr(sys, "stdin", Typed(typed))
    assert "Nothing was sent" in mirror("publish", "acme/m")[1]
    assert allowed.seen == []


def test_without_a_terminal_nobody_can_say_yes(mirror, kept, allowed, monkeypatch):
    kept(measured())
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    assert "run this again with --yes" in mirror("publish", "acme/m")[1]
    assert allowed.seen == []


@pytest.mark.parametrize("words", [("--yes",), ()])
def test_a_yes_opens_one_pull_request_and_a_second_opens_none(
    mirror, kept, allowed, monkeypatch, words
):
    kept(measured())
    monkeypatch.setattr(sys, "stdin", Typed("yes\nyes\n"))
    address = f"{allowed.url}/acme/m/discussions/7"
    code, out, _ = mirror("publish", "acme/m", "--as", "pubmedqa=acme/b#t", *words)
    assert code == 0
    assert f"Pull request: {address}" in out
    assert "id: acme/b" in out
    sent = len(allowed.posted)
    assert (
        f"Proposed already, nothing was sent: {address}"
        in mirror("publish", "acme/m", "--as", "pubmedqa=acme/b#t", *words)[1]
    )
    assert len(allowed.posted) == sent


# --- stores -----------------------------------------------------------------------------


def test_a_damaged_file_is_named_and_stays(mirror, home, tmp_path):
    home.mkdir()
    path = home / "scores.sqlite"
    path.write_bytes(b"somebody's file, no database" * 100)
    before = path.read_bytes()
    (tmp_path / "s.csv").write_text("model,benchmark,protocol,value\na/m,t,p,0.5\n", "utf-8")
    for words in (("show",), ("import", "s.csv"), ("export", "o.csv"), ("publish", "a/m")):
        code, _, err = mirror(*words)
        assert code == 2
        assert "scores.sqlite is damaged" in err
    assert path.read_bytes() == before
    assert not (tmp_path / "o.csv").exists()


def test_a_server_that_is_down_is_one_line_without_its_password(mirror, monkeypatch):
    monkeypatch.setenv("MIRROR_DATABASE_URL", f"postgresql://u:{SECRET}@127.0.0.1:1/d")
    code, out, err = mirror("show")
    assert code == 2
    assert "127.0.0.1:1/d" in err
    held = settings.load()
    look = doctor._try("scores database", lambda: doctor._database(held))
    assert not look.ok
    assert SECRET not in out + err + look.detail + repr(held) + str(held)


def test_doctor_names_a_database_that_works(home, monkeypatch, tmp_path):
    monkeypatch.setenv("MIRROR_DATABASE_URL", f"sqlite:///{tmp_path}/shared.sqlite")
    look = doctor._try("scores database", lambda: doctor._database(settings.load()))
    assert (look.ok, look.detail) == (True, f"{tmp_path}/shared.sqlite, 0 scores")
