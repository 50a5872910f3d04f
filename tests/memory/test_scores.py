"""P_ij: origins, protocols, the bundled layer, and files that can't be read."""

import csv
import gzip
import sqlite3

import pytest

from memory.bundled_scores import BundledScores
from memory.errors import DamagedStore
from memory.records import Origin, Score
from memory.scores import Scores, resolve
from memory.sqlite import StoreUnavailable


def score(value=0.5, origin=Origin.MEASURED, **given):
    fixed = {"model": "a/m", "benchmark": "t", "protocol": "p", "source": "s"}
    return Score(value=value, origin=origin, **(fixed | given))


@pytest.fixture
def scores(tmp_path):
    opened = Scores(tmp_path / "scores.sqlite", bundled=None)
    yield opened
    opened.close()


@pytest.fixture
def bundled(tmp_path):
    rows = [
        ("a/m", "mmlu/law", "oc:1", "0.5", "accuracy", "", "measured elsewhere", "pkg"),
        ("a/m", "mmlu/art", "oc:1", "0.7", "accuracy", "", "measured elsewhere", "pkg"),
        ("b/n", "mmlu/law", "oc:1", "0.6", "accuracy", "100", "self-reported", "pkg"),
    ]
    header = ("model", "benchmark", "protocol", "value", "metric", "n", "origin", "source")
    with gzip.open(tmp_path / "scores.csv.gz", "wt", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([header, *rows])
    columns = "benchmark,lm_eval_task,cells\nmmlu/law,mmlu_law,2\nmmlu/art,mmlu_law,1\nelo,,3\n"
    (tmp_path / "columns.csv").write_text(columns, "utf-8")
    return BundledScores(tmp_path / "scores.csv.gz", tmp_path / "columns.csv")


def test_trust_goes_by_origin_then_items_then_date():
    elsewhere = score(0.9, Origin.ELSEWHERE, n=1000, date="2026-02-01")
    few, many = score(0.4, n=8), score(0.5, n=24, date="2026-01-01")
    later = score(0.6, n=24, date="2026-01-02")
    reported = score(0.99, Origin.REPORTED)
    assert resolve([reported, elsewhere]) == elsewhere
    assert resolve([elsewhere, few, many]) == many
    assert resolve([later, many]) == later
    assert resolve([score(0.1, Origin.VERIFIED), elsewhere]).value == 0.1


def test_reduced_weights_never_stand_for_the_published_ones():
    reduced, published = score(0.3, precision="Q4_1"), score(0.6, Origin.ELSEWHERE)
    assert resolve([reduced, published]) == published
    assert resolve([reduced]) == reduced


def test_published_weights_may_state_their_type():
    measured = score(0.3, precision="BF16 safetensors")
    assert resolve([score(0.6, Origin.ELSEWHERE), measured]) == measured


def test_a_missing_cell_is_no_score():
    with pytest.raises(ValueError, match="missing"):
        resolve([])


def test_scores_survive_and_a_repeated_one_is_kept_once(scores, tmp_path):
    first = score(0.5, low=0.4, high=0.6, n=24, run="r", date="2026-01-01")
    scores.add([first, first])
    later = {"date": "2026-01-02", "run": "r2", "cost_usd": 0.0}
    scores.add([first.model_copy(update=later), score(0.6, n=30)])
    scores.close()
    again = Scores(tmp_path / "scores.sqlite", bundled=None)
    assert again.known(["a/m", "x/y"], ["t"]) == [first, score(0.6, n=30)]
    assert again.known(["a/m"], ["other"]) == []
    again.close()


def test_reading_makes_no_file(tmp_path):
    assert Scores(tmp_path / "none" / "scores.sqlite", bundled=None).known(["a"], ["t"]) == []
    assert not (tmp_path / "none").exists()


def test_two_protocols_are_never_silently_in_one_column(scores):
    scores.add(
        [
            score(0.9, protocol="ours"),
            score(0.5, Origin.ELSEWHERE, protocol="theirs"),
            score(0.6, Origin.ELSEWHERE, model="b/n", protocol="theirs"),
        ]
    )
    matrix = scores.matrix(["a/m", "b/n"], ["t"])
    assert {key: cell.score.value for key, cell in matrix.cells.items()} == {
        ("a/m", "t"): 0.5,
        ("b/n", "t"): 0.6,
    }
    assert matrix.protocols == {"t": ("theirs",)}
    assert matrix.mixed == ()
    assert [one.value for one in matrix.left_out["a/m", "t"]] == [0.9]


def test_a_named_protocol_is_taken_and_mixing_is_labelled(scores):
    scores.add([score(0.9, protocol="ours"), score(0.6, model="b/n", protocol="theirs")])
    ours = scores.matrix(["a/m", "b/n"], ["t"], {"t": "ours"})
    assert list(ours.cells) == [("a/m", "t")]
    mixed = scores.matrix(["a/m", "b/n"], ["t"], mix=True)
    assert len(mixed.cells) == 2
    assert mixed.mixed == ("t",)


def test_conflicting_observations_are_shown(scores):
    scores.add([score(0.5, source="one"), score(0.7, source="two")])
    cell = scores.matrix(["a/m"], ["t"]).cells["a/m", "t"]
    assert cell.conflict == pytest.approx(0.2)
    assert len(cell.observations) == 2


def test_bundled_columns_become_tasks_and_stay_apart_by_protocol(tmp_path, bundled):
    scores = Scores(tmp_path / "s.sqlite", bundled)
    found = scores.known(["a/m"], ["mmlu_law"])
    assert [one.protocol for one in found] == [
        "oc:1 · mmlu/law · accuracy",
        "oc:1 · mmlu/art · accuracy",
    ]
    assert found[0].n is None
    matrix = scores.matrix(["a/m", "b/n"], ["mmlu_law"])
    assert matrix.protocols["mmlu_law"] == ("oc:1 · mmlu/law · accuracy",)
    assert matrix.cells["b/n", "mmlu_law"].score.origin is Origin.REPORTED
    assert matrix.cells["b/n", "mmlu_law"].score.n == 100


def test_the_facts_in_the_package_can_be_read():
    found = BundledScores().get("meta-llama/Meta-Llama-3-70B-Instruct", "mmlu")
    assert found
    assert all(one.origin is not Origin.MEASURED for one in found)


def test_a_damaged_bundle_is_named(tmp_path, bundled):
    whole = bundled.scores.read_bytes()
    bundled.scores.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DamagedStore, match=r"scores\.csv\.gz"):
        bundled.get("a/m", "mmlu_law")


def test_a_bundled_value_out_of_range_is_named(bundled):
    with gzip.open(bundled.scores, "at", encoding="utf-8") as out:
        out.write("c/o,mmlu/law,oc:1,55,accuracy,,measured elsewhere,pkg\n")
    with pytest.raises(DamagedStore, match="value"):
        bundled.get("c/o", "mmlu_law")


def test_a_damaged_database_is_named_and_left_as_it_is(tmp_path):
    path = tmp_path / "scores.sqlite"
    path.write_bytes(b"this is no database, but somebody's file" * 50)
    before = path.read_bytes()
    with pytest.raises(DamagedStore, match=r"scores\.sqlite"):
        Scores(path, bundled=None).add([score()])
    assert path.read_bytes() == before


def test_a_full_disk_is_one_clear_line(scores, tmp_path):
    scores.add([score()])
    with scores.database.reading() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StoreUnavailable, match="disk is full"):
        scores.add([score(source="x" * 50_000)])
    assert scores.known(["a/m"], ["t"]) == [score()]
    assert sqlite3.connect(tmp_path / "scores.sqlite").execute(
        "PRAGMA integrity_check"
    ).fetchone() == ("ok",)
