import multiprocessing
import sqlite3

import numpy as np
import pytest

from memory.errors import DamagedStore
from memory.findings import Findings
from memory.records import Finding
from tools.clients.fakes import HashEmbedder

EMBEDDER = HashEmbedder()


def finding(id, text, kind="decision"):
    return Finding(id=id, kind=kind, text=text, at="2026-01-02T03:04:05+00:00")


def opened(path, embed=EMBEDDER.encode, space="hash"):
    return Findings(path / "findings.sqlite", embed, space)


@pytest.fixture
def findings(tmp_path):
    store = opened(tmp_path)
    store.remember(finding("m", "med42 won on clinical notes for doctors"))
    store.remember(finding("c", "chemdfm won on molecules as smiles strings"))
    store.remember(finding("p", "prefers apache licence for clinical notes", "preference"))
    yield store
    store.close()


def ids(recalled):
    return [one.id for one, _ in recalled]


def test_recall_is_by_meaning_with_the_cosine(findings):
    recalled = findings.recall("clinical notes for doctors", 2)
    assert ids(recalled) == ["m", "p"]
    first, second = (cosine for _, cosine in recalled)
    expected = (
        EMBEDDER.encode(["clinical notes for doctors"]) @ EMBEDDER.encode([recalled[0][0].text]).T
    )
    assert first == pytest.approx(float(expected[0, 0]), abs=1e-5)
    assert first > second


def test_kind_restricts_and_k_is_capped(findings):
    assert ids(findings.recall("clinical notes", 9, kind="preference")) == ["p"]
    assert len(findings.recall("clinical notes", 9)) == 3
    assert findings.recall("clinical notes", 0) == []
    assert findings.recall("clinical notes", 3, kind="evaluation") == []


def test_forgetting_and_replacing_change_what_is_recalled(findings):
    findings.recall("anything", 1)
    assert findings.forget("m")
    assert not findings.forget("m")
    findings.remember(finding("c", "clinical notes again"))
    assert ids(findings.recall("clinical notes again", 3)) == ["c", "p"]
    assert [one.id for one in findings.all()] == ["p", "c"]


def test_nothing_remembered_recalls_nothing(tmp_path):
    assert opened(tmp_path).recall("anything", 3) == []


def test_remembering_needs_no_embedding(tmp_path):
    def refuse(texts):
        raise AssertionError("embedded too early")

    opened(tmp_path, refuse).remember(finding("a", "text"))


def test_a_second_process_reads_the_index_and_embeds_only_the_query(findings, tmp_path):
    findings.recall("clinical", 1)
    asked = []

    def watch(texts):
        asked.extend(texts)
        return EMBEDDER.encode(texts)

    assert ids(opened(tmp_path, watch).recall("molecules", 1)) == ["c"]
    assert asked == ["molecules"]


@pytest.mark.parametrize("damage", ["missing", "empty", "junk", "truncated", "flipped", "old"])
def test_a_bad_index_is_made_again(findings, tmp_path, damage):
    findings.recall("clinical", 1)
    content = findings.index_path.read_bytes()
    if damage == "old":
        findings.remember(finding("n", "molecules molecules"))
        findings.forget("m")
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    bad = {"empty": b"", "junk": b"junk" * 50, "truncated": content[:-9], "flipped": bytes(flipped)}
    findings.index_path.write_bytes(bad.get(damage, content))
    if damage == "missing":
        findings.index_path.unlink()
    expected = ids(findings.recall("molecules", 3))
    assert ids(opened(tmp_path).recall("molecules", 3)) == expected
    assert expected[0] == ("n" if damage == "old" else "c")


def test_vectors_of_another_embedding_are_not_searched(findings, tmp_path):
    findings.recall("clinical", 1)
    other = opened(tmp_path, HashEmbedder(16).encode, "other")
    assert ids(other.recall("molecules as smiles strings", 1)) == ["c"]
    assert other.index_path != findings.index_path


def test_a_damaged_database_is_named_and_left_alone(tmp_path):
    path = tmp_path / "findings.sqlite"
    path.write_bytes(b"this is no database, but it is all there is" * 100)
    before = path.read_bytes()
    with pytest.raises(DamagedStore, match=r"findings\.sqlite"):
        opened(tmp_path).remember(finding("a", "text"))
    with pytest.raises(DamagedStore, match=r"findings\.sqlite"):
        opened(tmp_path).recall("text", 1)
    assert path.read_bytes() == before


def test_an_index_that_cannot_be_written_costs_only_time(findings):
    findings.index_path.mkdir()
    assert ids(findings.recall("molecules", 1)) == ["c"]


def write_many(folder, writer, count):
    store = opened(folder)
    for i in range(count):
        store.remember(finding(f"{writer}-{i}", f"writer {writer} says word{writer}{i}"))
        if i % 5 == 0:
            store.recall("writer", 3)
    store.close()


def test_two_processes_remembering_at_once_lose_nothing(tmp_path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_many, args=(tmp_path, name, 15)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
        assert writer.exitcode == 0
    store = opened(tmp_path)
    assert len(store.all()) == 30
    assert ids(store.recall("worda7", 1)) == ["a-7"]
    assert ids(store.recall("wordb14", 1)) == ["b-14"]
    assert len(store.recall("writer", 99)) == 30
    store.close()


def test_another_writer_is_seen_without_reopening(findings, tmp_path):
    findings.recall("clinical", 1)
    opened(tmp_path).remember(finding("z", "zebra"))
    assert ids(findings.recall("zebra", 1)) == ["z"]


def test_a_killed_writer_leaves_a_whole_database(findings, tmp_path):
    raw = sqlite3.connect(tmp_path / "findings.sqlite", isolation_level=None)
    raw.execute("BEGIN IMMEDIATE")
    raw.execute("DELETE FROM findings")
    raw.close()  # gone without a commit, as after kill -9
    assert len(opened(tmp_path).all()) == 3


def test_flat_search_equals_brute_force(tmp_path):
    rng = np.random.default_rng(0)
    store = opened(tmp_path)
    words = [f"w{i}" for i in range(40)]
    texts = [" ".join(rng.choice(words, 6)) for _ in range(60)]
    for i, text in enumerate(texts):
        store.remember(finding(str(i), text))
    cosines = (EMBEDDER.encode(texts) @ EMBEDDER.encode(["w1 w2 w3"]).T).ravel()
    recalled = store.recall("w1 w2 w3", 10)
    np.testing.assert_allclose([c for _, c in recalled], np.sort(cosines)[::-1][:10], atol=1e-5)
