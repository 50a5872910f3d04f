import pytest

from memory.characterizations import Characterizations
from memory.errors import DamagedStore
from memory.records import Characteristic, Characterization


def made(model="a/b", content="c1", reader="rules", value="medical"):
    one = Characteristic(
        question="domain", value=value, source="card", quote=value, confidence=0.5, origin="rule"
    )
    return Characterization(
        model=model, content=content, reader=reader, at="2026", sources=("card",),
        characteristics=(one,),
    )  # fmt: skip


@pytest.fixture
def kept(tmp_path):
    store = Characterizations(tmp_path / "c.sqlite")
    yield store
    store.close()


def test_reading_makes_no_file(kept):
    assert kept.get("a/b", "c1", "rules") is None
    assert kept.latest(["a/b"]) == {}
    assert not kept.path.exists()


def test_what_is_kept_comes_back_by_model_content_and_reader(kept):
    kept.keep(made())
    assert kept.get("a/b", "c1", "rules") == made()
    assert kept.get("a/b", "c2", "rules") is None
    assert kept.get("a/b", "c1", "other") is None


def test_the_latest_content_counts_and_of_it_every_reader(kept):
    old, new, second = made(), made(content="c2"), made(content="c2", reader="model")
    for one in (old, new, second, made(model="x/y")):
        kept.keep(one)
    assert kept.latest(["a/b", "no/one"]) == {"a/b": [second, new]}


def test_a_card_that_was_changed_back_says_what_it_said_before(kept):
    kept.keep(made())
    kept.keep(made(content="c2", value="law"))
    assert kept.get("a/b", "c1", "rules") == made()
    assert kept.latest(["a/b"]) == {"a/b": [made()]}


def test_the_same_key_is_replaced(kept):
    kept.keep(made())
    kept.keep(made(value="law"))
    assert kept.latest(["a/b"]) == {"a/b": [made(value="law")]}


def test_a_damaged_file_is_named_and_left_alone(tmp_path):
    path = tmp_path / "c.sqlite"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(DamagedStore, match="c.sqlite"):
        Characterizations(path).latest(["a/b"])
    assert path.read_bytes() == b"no database" * 100
    store = Characterizations(tmp_path / "d.sqlite")
    store.keep(made())
    store._file.connection.execute("UPDATE characterizations SET record = '{}'")
    with pytest.raises(DamagedStore, match="d.sqlite"):
        store.latest(["a/b"])
    store.close()
