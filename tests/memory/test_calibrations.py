import pytest

from memory.calibrations import Calibrations
from memory.errors import DamagedStore
from memory.records import Calibration, Interval
from memory.sqlite import StoreUnavailable

SOME = Calibration(
    judge="openai/GPT-4 (x)",
    prompt="judge/pairwise@1",
    at="2026-01-01",
    source="labels.csv",
    kind="pairs",
    n=10,
    missing=0,
    ties=0,
    accuracy=Interval(value=0.8, low=0.6, high=0.9),
    kappa=0.6,
    hits=4,
    positives=5,
    rejections=4,
    negatives=5,
)


def test_the_latest_of_a_judge_and_wording_is_found(tmp_path):
    store = Calibrations(tmp_path / "calibrations")
    assert store.all() == []
    newer = SOME.model_copy(update={"at": "2026-02-01", "hits": 5})
    other = SOME.model_copy(update={"at": "2026-03-01", "prompt": "judge/pairwise@2"})
    paths = [store.add(one) for one in (newer, SOME, other, SOME)]
    assert len(set(paths)) == 3
    assert paths[1] == paths[3]
    assert store.latest(SOME.judge, SOME.prompt) == newer
    assert store.latest("nobody", SOME.prompt) is None
    assert [path.suffix for path in store.folder.iterdir()] == [".json"] * 3


def test_a_damaged_file_is_named_and_left_alone(tmp_path):
    store = Calibrations(tmp_path)
    path = store.add(SOME)
    path.write_text(path.read_text("utf-8")[:50], "utf-8")
    with pytest.raises(DamagedStore, match=path.name):
        store.latest(SOME.judge, SOME.prompt)
    assert len(path.read_text("utf-8")) == 50


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(StoreUnavailable, match="Can't write"):
        Calibrations(tmp_path / "file").add(SOME)
