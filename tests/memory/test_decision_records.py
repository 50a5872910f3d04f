"""Records of decisions are read by every later version, back to edition 1."""

import json
from pathlib import Path

import pytest
import world

from memory import decision_records
from memory.errors import DamagedStore
from tools.decisions.changes import Known
from tools.decisions.replaying import replay

RECORDS = sorted((Path(__file__).parent / "records").glob("edition-*.json"))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_of_an_older_edition_is_read_and_replayed(path, tmp_path):

    record = decision_records.load(path)
    assert record.decision.winner == f"{world.GOOD} @ scripted"
    assert record.outcomes
    deps = world.deps(tmp_path)
    again = replay(record, Known(deps.registry, deps.scores))
    assert again.verdict == again.winner
    assert again.holds


def test_a_file_of_the_first_edition_is_kept_here():
    assert [path.stem for path in RECORDS][0] == "edition-1"
    assert json.loads(RECORDS[-1].read_bytes())["edition"] == decision_records.EDITION


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff\xfe", b"[" * 100_000, b"null"])
def test_junk_is_no_record(tmp_path, content):
    path = tmp_path / "decision.json"
    path.write_bytes(content)
    with pytest.raises(DamagedStore, match="left untouched"):
        decision_records.load(path)
    assert path.read_bytes() == content


def test_a_letter_changed_anywhere_is_noticed(tmp_path):
    text = RECORDS[0].read_text("utf-8")
    path = tmp_path / "decision.json"
    for there, instead in (('"mit"', '"gpl"'), ("acme/med-400m", "acme/med-500m"), ("0.6", "0.7")):
        assert there in text
        path.write_text(text.replace(there, instead, 1), "utf-8")
        with pytest.raises(DamagedStore, match="changed after it was written"):
            decision_records.load(path)
