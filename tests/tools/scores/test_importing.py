"""Import: twice adds nothing, strangers' claims are demoted, bad entries are counted."""

import json
import shutil
from pathlib import Path

import pytest

from memory.errors import BadRequest
from memory.records import Origin, Score
from memory.scores import Scores
from tools.scores import importing
from tools.scores.sources import table_file

RECORDED = Path(__file__).parents[2] / "cassettes" / "lm_eval_results.json"


def score(value=0.5, origin=Origin.MEASURED, **given):
    fixed = {"model": "a/m", "benchmark": "t", "protocol": "p", "source": "s"}
    return Score(value=value, origin=origin, **(fixed | given))


@pytest.fixture
def scores(tmp_path):
    opened = Scores(tmp_path / "scores.sqlite", bundled=None)
    yield opened
    opened.close()


def bring(scores, source, ours=frozenset(), *, dry_run=False, **more):
    entries = importing.read(str(source), hub=None, **more)
    return importing.keep(entries, scores, lambda one: one.run in ours, dry_run=dry_run)


@pytest.mark.parametrize("name", ["all.csv", "all.jsonl"])
def test_an_export_comes_back_exactly_into_an_empty_store(scores, tmp_path, name):
    kept = [score(0.1 + 0.2, run="r", n=7), score(0.6, Origin.REPORTED), score(0.7, run="other")]
    scores.add(kept)
    table_file.write(tmp_path / name, scores.own())
    fresh = Scores(tmp_path / "fresh.sqlite", bundled=None)
    done = bring(fresh, tmp_path / name, {"r", "other"})
    assert (len(done.added), done.known, done.refused) == (3, 0, ())
    assert fresh.own() == kept
    fresh.close()


def test_the_same_source_twice_adds_nothing_and_a_dry_run_never_does(scores, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    shutil.copy(RECORDED, folder / "results_1.json")
    dry = bring(scores, folder, dry_run=True)
    assert (len(dry.added), len(dry.skipped)) == (2, 2)
    assert scores.own() == []
    assert bring(scores, folder).added == dry.added
    again = bring(scores, folder)
    assert (again.added, again.known) == ((), 2)
    assert len(scores.own()) == 2


def test_measured_here_is_believed_of_known_runs_only(scores, tmp_path):
    path = tmp_path / "s.jsonl"
    table_file.write(path, [score(0.1, run="ours"), score(0.2, run="theirs"), score(0.3)])
    bring(scores, path, {"ours"})
    assert [one.origin for one in scores.own()] == [
        Origin.MEASURED,
        Origin.ELSEWHERE,
        Origin.ELSEWHERE,
    ]
    assert bring(scores, path, {"ours"}).added == ()


def test_what_was_exported_here_is_not_made_a_strangers(scores, tmp_path):
    scores.add([score(0.3)])  # no run: imported as measured here
    table_file.write(tmp_path / "s.csv", scores.own())
    done = bring(scores, tmp_path / "s.csv")
    assert (done.added, done.known) == ((), 1)


def test_one_bad_file_of_a_folder_costs_itself_only(scores, tmp_path):
    shutil.copy(RECORDED, tmp_path / "results_1.json")
    (tmp_path / "results_2.json").write_bytes(RECORDED.read_bytes()[:500])
    done = bring(scores, tmp_path)
    assert len(done.added) == 2
    assert [one.where for one in done.refused] == ["results_2.json"]


def test_a_source_that_breaks_off_adds_nothing(scores, tmp_path):
    path = tmp_path / "s.csv"
    path.write_bytes(b"model,benchmark,protocol,value\na/m,t,p,0.5\na/m,\xff,p,0.5\n")
    with pytest.raises(BadRequest, match="line 3 is not UTF-8"):
        bring(scores, path)
    assert scores.own() == []


def test_eval_results_files_need_to_be_told_whose_they_are(scores, tmp_path):
    path = tmp_path / "hle.yaml"
    path.write_text(
        "- dataset: {id: a/b, task_id: t}\n  value: 0.25\n  date: 2026-01-02\n"
        "  verifyToken: mine\n- 7\n",
        "utf-8",
    )
    with pytest.raises(BadRequest, match="--model"):
        bring(scores, path)
    done = bring(scores, path, model="a/m")
    assert [(one.model, one.value, one.origin, one.date) for one in done.added] == [
        ("a/m", 0.25, Origin.REPORTED, "2026-01-02")
    ]
    assert len(done.refused) == 1


@pytest.mark.parametrize(
    ("name", "content", "more", "says"),
    [
        ("s.xlsx", "x", {}, "no known kind"),
        (None, "", {}, "There is no"),
        ("r.json", "{}", {"scale": 100.0}, "leave --scale out"),
        ("r.json", json.dumps({"results": {}})[:-1], {}, "cut off"),
    ],
)
def test_sources_that_are_none(scores, tmp_path, name, content, more, says):
    path = tmp_path / (name or "nothing.csv")
    if name:
        path.write_text(content, "utf-8")
    with pytest.raises(BadRequest, match=says):
        bring(scores, path, **more)


@pytest.mark.parametrize("source", ["hub:a/m", "leaderboard:a/b"])
def test_nothing_is_asked_of_the_hub_unless_allowed(scores, source):
    with pytest.raises(BadRequest, match="MIRROR_OFFLINE=0"):
        bring(scores, source)
