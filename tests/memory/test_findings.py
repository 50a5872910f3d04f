"""One contract for both stores of findings, a SQLite file and PostgreSQL; and the index beside."""

import multiprocessing
import sqlite3

import numpy as np
import postgres
import psycopg
import pytest

from memory import vector_shard
from memory.errors import BadRequest, DamagedStore
from memory.findings import Findings
from memory.records import Finding, Origin, Score
from tools.clients.fakes import HashEmbedder

EMBEDDER = HashEmbedder()
WORDS = [f"w{i}" for i in range(40)]


def finding(id, text, kind="decision", **more):
    return Finding(id=id, kind=kind, text=text, at="2026-01-02T03:04:05+00:00", **more)


def opened(place, embed=EMBEDDER.encode, space="hash", folder=None):
    return Findings(place, embed, space, folder)


def filled(store):
    store.remember(finding("m", "med42 won on clinical notes for doctors"))
    store.remember(finding("c", "chemdfm won on molecules as smiles strings"))
    store.remember(finding("p", "prefers apache licence for clinical notes", "preference"))
    return store


@pytest.fixture(scope="module")
def server():
    with postgres.running() as found:
        yield found


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    if request.param == "sqlite":
        return tmp_path / "findings.sqlite"
    found = request.getfixturevalue("server")
    if found is None:
        pytest.skip("PostgreSQL's initdb and pg_ctl are not installed")
    return found.url()


@pytest.fixture
def both(place, tmp_path):
    """Findings in either store, with three of them."""
    store = filled(opened(place, folder=tmp_path))
    yield store
    store.close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "findings.sqlite"


@pytest.fixture
def findings(path, monkeypatch):
    """Three findings in a file, with an index on disk from the first recall on."""
    monkeypatch.setattr(vector_shard, "TAIL", 0)
    store = filled(opened(path))
    yield store
    store.close()


def ids(recalled):
    return [one.id for one, _ in recalled]


# --- the contract -------------------------------------------------------------------------


def test_recall_is_by_meaning_with_the_cosine(both):
    recalled = both.recall("clinical notes for doctors", 2)
    assert ids(recalled) == ["m", "p"]
    first, second = (cosine for _, cosine in recalled)
    expected = (
        EMBEDDER.encode(["clinical notes for doctors"]) @ EMBEDDER.encode([recalled[0][0].text]).T
    )
    assert first == pytest.approx(float(expected[0, 0]), abs=1e-3)
    assert first > second


def test_kinds_restrict_and_k_is_capped(both):
    assert ids(both.recall("clinical notes", 9, kind="preference")) == ["p"]
    assert len(both.recall("clinical notes", 9)) == 3
    assert len(both.recall("clinical notes", 9, kind=("decision", "preference"))) == 3
    assert both.recall("clinical notes", 0) == []
    assert both.recall("clinical notes", 3, kind="evaluation") == []


def test_every_field_comes_back_as_it_was(both, place, tmp_path):
    score = Score(
        model="a/m",
        benchmark="t",
        protocol="p",
        value=0.1 + 0.2,
        origin=Origin.MEASURED,
        source="s",
    )
    full = finding(
        "f",
        "ünï · 中文 ' \" %s :name",
        "evaluation",
        subject="s",
        says="x",
        model="a/m",
        revision="r",
        registry="v",
        thread="t",
        run="r",
        score=score,
    )
    both.remember(full.model_copy(update={"note": "is not kept"}))
    assert both.get(["f", "nobody", "m"]) == [full, next(iter(both.all()))]
    assert list(both.all())[-1] == full
    assert both.latest(1) == [full]
    assert both.latest(9, "preference")[0].id == "p"
    assert both.count() == {"decision": 2, "evaluation": 1, "preference": 1}
    again = opened(place, folder=tmp_path)
    assert again.get(["f"]) == [full]
    again.close()


def test_forgetting_and_replacing_change_what_is_recalled(both):
    both.recall("anything", 1)
    assert both.forget("m", "nobody", "m") == ["m"]
    assert both.forget("m") == []
    both.remember(finding("c", "clinical notes again"))
    assert ids(both.recall("clinical notes again", 3)) == ["c", "p"]
    assert [one.id for one in both.all()] == ["p", "c"]


def test_saying_the_same_again_changes_nothing_but_a_change_of_mind_does(both):
    said = finding("a", "at most 7B", "preference", subject="size", says="7B")
    other = finding("b", "at most 13B", "preference", subject="size", says="13B")
    later = said.model_copy(update={"at": "2026-09-09", "run": "r2"})
    both.remember(said)
    both.remember(later)
    assert both.get(["a"]) == [said]
    assert both.last_words(["size", "nothing"]) == {"size": said}
    both.remember(other)
    assert both.last_words(["size"]) == {"size": other}
    both.remember(later)
    assert both.last_words(["size"]) == {"size": later}


def test_many_at_once_are_kept_all_or_none(both):
    both.remember(*(finding(f"n{i}", f"{WORDS[i % 40]} {i}") for i in range(600)))
    assert len(list(both.all())) == 603
    assert len(both.recall("w3", 700)) == 603
    assert both.forget(*(f"n{i}" for i in range(600)))[-1] == "n599"
    assert len(both.recall("w3", 700)) == 3


def test_another_writer_is_seen_without_reopening(both, place, tmp_path):
    both.recall("clinical", 1)
    other = opened(place, folder=tmp_path)
    other.remember(finding("z", "zebra"))
    assert ids(both.recall("zebra", 1)) == ["z"]
    other.forget("z")
    assert "z" not in ids(both.recall("zebra", 9))
    other.close()


def test_a_very_long_query_is_answered(both):
    assert ids(both.recall("clinical " * 200_000, 1)) == ["p"]


# --- the index ----------------------------------------------------------------------------


def test_nothing_remembered_recalls_nothing_and_makes_no_file(path):
    store = opened(path)
    assert store.recall("anything", 3) == []
    assert store.forget("x") == store.latest(3) == store.get(["x"]) == list(store.all()) == []
    assert store.count() == store.last_words(["s"]) == {}
    assert not path.exists()


def test_remembering_needs_no_embedding(path):
    def refuse(texts):
        raise AssertionError("embedded too early")

    opened(path, refuse).remember(finding("a", "text"))


@pytest.mark.parametrize("waiting", [0, 99])
def test_a_second_process_embeds_only_the_query(path, monkeypatch, waiting):
    monkeypatch.setattr(vector_shard, "TAIL", waiting)
    filled(opened(path)).recall("clinical", 1)
    asked = []

    def watch(texts):
        asked.extend(texts)
        return EMBEDDER.encode(texts)

    assert ids(opened(path, watch).recall("molecules", 1)) == ["c"]
    assert asked == ["molecules"]


def index_files(path):
    return sorted(path.parent.glob("findings.*.faiss"))


DAMAGE = {
    "empty": lambda content: b"",
    "junk": lambda content: b"junk" * 50,
    "truncated": lambda content: content[:-9],
    "flipped": lambda content: content[:40] + bytes([content[40] ^ 1]) + content[41:],
}


@pytest.mark.parametrize("which", ["manifest", "shard"])
@pytest.mark.parametrize("damage", ["missing", *DAMAGE])
def test_a_bad_index_is_made_again(findings, path, damage, which):
    findings.recall("clinical", 1)
    [manifest] = path.parent.glob("findings.*.json")
    bad = manifest if which == "manifest" else index_files(path)[0]
    if damage == "missing":
        bad.unlink()
    else:
        bad.write_bytes(DAMAGE[damage](bad.read_bytes()))
    expected = ids(findings.recall("molecules", 3))
    assert ids(opened(path).recall("molecules", 3)) == expected == ["c", "m", "p"]


def test_an_old_index_catches_up(findings, path):
    findings.recall("clinical", 1)
    old = {one: one.read_bytes() for one in path.parent.glob("findings.*.*") if one != path}
    findings.remember(finding("n", "molecules molecules"))
    findings.forget("m")
    for file, content in old.items():
        if file.suffix in (".json", ".faiss"):
            file.write_bytes(content)
    assert ids(opened(path).recall("molecules", 3)) == ["n", "c", "p"]


def test_the_index_of_another_database_is_not_used(findings, path):
    """As after restoring a backup: the rows' numbers are the same, the findings are not."""
    findings.recall("clinical", 1)
    findings.close()
    for old in path.parent.glob("findings.sqlite*"):
        old.unlink()
    other = opened(path)
    for id in "xyz":
        other.remember(finding(id, f"zebra {id}"))
    assert sorted(ids(other.recall("zebra", 5))) == ["x", "y", "z"]


@pytest.mark.parametrize("whole", [True, False])
def test_a_forgotten_text_is_nowhere_on_disk(findings, path, whole):
    findings.remember(finding("s", "the-secret-word zebra"))
    vector = EMBEDDER.encode(["the-secret-word zebra"]).astype("<f2").astype("<f4").tobytes()
    findings.recall("zebra", 1)
    other = opened(path, HashEmbedder(16).encode, "other")
    other.recall("zebra", 1)
    other.close()
    held = [one for one in path.parent.iterdir() if vector in one.read_bytes()]
    assert [findings._space in one.name for one in held] == [True]
    [index] = held
    killed = index.with_suffix(".123.part")  # as a writer leaves it that is killed half way
    killed.write_bytes(index.read_bytes())
    if not whole:
        findings._manifest.unlink()
    assert findings.forget("s") == ["s"]
    findings.close()
    for one in path.parent.iterdir():
        assert b"the-secret-word" not in one.read_bytes()
        assert vector not in one.read_bytes()
    assert all(findings._space in one.name for one in index_files(path))


def test_vectors_of_another_embedding_are_not_searched(findings, path):
    findings.recall("clinical", 1)
    other = opened(path, HashEmbedder(16).encode, "other")
    assert ids(other.recall("molecules as smiles strings", 1)) == ["c"]


def test_an_index_that_cannot_be_written_costs_only_time(findings, path):
    findings._manifest.mkdir()
    assert ids(findings.recall("molecules", 1)) == ["c"]


def test_findings_on_a_server_need_a_folder_for_the_index(server):
    if server is None:
        pytest.skip("PostgreSQL's initdb and pg_ctl are not installed")
    store = opened(server.url())
    store.remember(finding("a", "text"))
    with pytest.raises(BadRequest, match="folder"):
        store.recall("text", 1)
    store.close()


# --- files of others ----------------------------------------------------------------------


def test_a_damaged_database_is_named_and_left_alone(path):
    path.write_bytes(b"this is no database, but it is all there is" * 100)
    before = path.read_bytes()
    with pytest.raises(DamagedStore, match=r"findings\.sqlite"):
        opened(path).remember(finding("a", "text"))
    with pytest.raises(DamagedStore, match=r"findings\.sqlite"):
        opened(path).recall("text", 1)
    assert path.read_bytes() == before


def test_a_row_that_is_no_finding_is_named(both, place):
    broken = "UPDATE findings SET record = '{}' WHERE id = 'm'"
    if isinstance(place, str):
        with psycopg.connect(place, autocommit=True) as raw:
            raw.execute(broken)
    else:
        raw = sqlite3.connect(place, isolation_level=None)
        raw.execute(broken)
        raw.close()
    for reading in (lambda: both.recall("clinical", 1), lambda: list(both.all())):
        with pytest.raises(DamagedStore, match="id: Field required"):
            reading()


def test_the_table_of_before_gets_its_new_column(path):
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute(
        "CREATE TABLE findings (row INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
        " kind TEXT NOT NULL, record TEXT NOT NULL)"
    )
    old = finding("old", "won on clinical notes")
    record = old.model_dump_json(exclude={"subject", "says", "score", "note", "model"})
    raw.execute("INSERT INTO findings (id, kind, record) VALUES ('old', 'decision', ?)", (record,))
    raw.close()
    store = opened(path)
    assert store.get(["old"]) == [old]
    store.remember(finding("new", "zebra", subject="s"))
    assert ids(store.recall("clinical", 1)) == ["old"]
    assert store.last_words(["s"])["s"].id == "new"


def test_a_killed_writer_leaves_a_whole_database(findings, path):
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("BEGIN IMMEDIATE")
    raw.execute("DELETE FROM findings")
    raw.close()  # gone without a commit, as after kill -9
    assert len(list(opened(path).all())) == 3


# --- many processes -----------------------------------------------------------------------


def work(place, folder, worker, count):
    """Remember, recall, forget every third, with an index that is written all the time."""
    vector_shard.TAIL = 3
    store = opened(place, folder=folder)
    for i in range(count):
        store.remember(finding(f"{worker}-{i}", f"worker {worker} says word{worker}{i}"))
        assert f"{worker}-{i}" in ids(store.recall(f"word{worker}{i}", 99))
        if i % 3 == 0:
            assert store.forget(f"{worker}-{i}") == [f"{worker}-{i}"]
            assert f"{worker}-{i}" not in ids(store.recall(f"word{worker}{i}", 99))
    store.close()


def test_processes_remembering_forgetting_and_recalling_at_once_lose_nothing(place, tmp_path):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=work, args=(place, tmp_path, name, 8)) for name in "abc"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
        assert worker.exitcode == 0
    store = opened(place, folder=tmp_path)
    kept = {f"{name}-{i}" for name in "abc" for i in range(8) if i % 3}
    assert {one.id for one in store.all()} == kept
    assert set(ids(store.recall("worker", 99))) == kept
    store.close()


# --- exactness ----------------------------------------------------------------------------


def test_flat_search_equals_brute_force(path):
    rng = np.random.default_rng(0)
    store = opened(path)
    texts = [" ".join(rng.choice(WORDS, 6)) for _ in range(60)]
    for i, text in enumerate(texts):
        store.remember(finding(str(i), text))
    cosines = (EMBEDDER.encode(texts) @ EMBEDDER.encode(["w1 w2 w3"]).T).ravel()
    recalled = store.recall("w1 w2 w3", 10)
    np.testing.assert_allclose([c for _, c in recalled], np.sort(cosines)[::-1][:10], atol=1e-3)


def test_above_the_limit_recall_is_nearly_exact_and_rare_kinds_wholly(path, monkeypatch):
    monkeypatch.setattr(vector_shard, "FLAT_BELOW", 1_000)
    monkeypatch.setattr(vector_shard, "TAIL", 50)
    rng = np.random.default_rng(0)
    made = rng.normal(size=(3_000, 32)).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)

    def embed(texts):
        return made[[int(text) for text in texts]]

    def kind(i):
        return "preference" if i % 100 == 0 else "decision"

    store = opened(path, embed)
    store.remember(*(finding(str(i), str(i), kind(i)) for i in range(2_500)))
    store.recall("0", 1)
    assert not store._index.shards["decision"].exact
    assert store._index.shards["preference"].exact
    for start in range(2_500, 2_900, 40):  # through the tail, folded now and then
        store.remember(*(finding(str(i), str(i), kind(i)) for i in range(start, start + 40)))
        store.recall("0", 1)
    again = opened(path, embed)
    right = []
    for query in range(2_900, 2_960):
        truth = np.argsort(-(made[:2_900] @ made[query]))[:10]
        found = again.recall(str(query), 10)
        right.append(len({int(one.id) for one, _ in found} & set(truth.tolist())) / 10)
        np.testing.assert_allclose(
            [c for _, c in found], [made[int(o.id)] @ made[query] for o, _ in found], atol=2e-3
        )
        rare = [i for i in np.argsort(-(made[:2_900] @ made[query])) if i % 100 == 0][:5]
        assert ids(again.recall(str(query), 5, "preference")) == [str(i) for i in rare]
    assert np.mean(right) > 0.97
    assert again.forget("7") == ["7"]
    assert "7" not in ids(again.recall("7", 20))
