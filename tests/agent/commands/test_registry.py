"""``mirror registry`` as a person types it: output, exit codes, one line where it can't go on."""

import gzip
import json

import pytest
from paging_hub import PagingHub, listed
from stub_hub import busy, down

from agent.__main__ import main
from agent.commands import registry
from memory.records import Model


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "CACHE", "RUNS"):
        monkeypatch.setenv(f"MIRROR_{name}", str(tmp_path / name.lower()))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # what the command would set for its own process
    snapshot = gzip.compress(Model(id="b/undled").model_dump_json().encode())
    (tmp_path / "snapshot.gz").write_bytes(snapshot)
    monkeypatch.setattr("memory.registry_layers.SNAPSHOT", tmp_path / "snapshot.gz")
    monkeypatch.setattr("tools.clients.hub.listing.PAGE", 50)
    return tmp_path


@pytest.fixture
def hub(home, monkeypatch):
    with PagingHub([listed(n) for n in range(120)]) as served:
        monkeypatch.setenv("MIRROR_OFFLINE", "0")
        monkeypatch.setenv("MIRROR_HUB_URL", served.url)
        yield served


@pytest.fixture
def mirror(home, capsys):
    def run(*words):
        capsys.readouterr()
        code = main(["registry", *words])
        out, err = capsys.readouterr()
        assert err.count("\n") == (1 if code else 0), err
        return code, out, err

    return run


def test_offline_nothing_is_asked_and_one_line_says_what_to_do(mirror):
    code, out, err = mirror("sync")
    assert (code, out) == (2, "")
    assert "MIRROR_OFFLINE=0" in err


def test_sync_tells_how_many_how_fast_and_what_there_is_now(mirror, hub):
    hub.records.append(listed(500, "org/\u202ebad"))
    code, out, _ = mirror("sync")
    assert code == 0
    assert "read 121 models in" in out
    assert "/s), 1 set aside" in out
    assert "the registry holds 121 models" in out
    code, out, _ = mirror("sync")
    assert "models that changed" in out


def test_sync_with_a_limit_says_that_there_is_more(mirror, hub):
    code, out, _ = mirror("sync", "--limit", "50")
    assert code == 0
    assert "read 50 models" in out
    assert "goes on from here" in out
    assert "unfinished  50 of all models read" in mirror("status")[1]
    assert json.loads(mirror("sync", "--json")[1])["read"] == 70


@pytest.mark.parametrize("limit", ["0", "-1", "many", "1e3"])
def test_a_limit_that_is_no_number_is_refused(home, capsys, limit):
    with pytest.raises(SystemExit) as stop:
        main(["registry", "sync", "--limit", limit])
    assert stop.value.code == 2
    assert "is no whole number above 0" in capsys.readouterr().err


def test_a_hub_that_goes_away_is_one_line_and_exit_code_2(mirror, hub, monkeypatch):
    monkeypatch.setattr(registry, "TRIES", 1)
    hub.plays(2, *[down()] * 9)
    code, out, err = mirror("sync")
    assert code == 2
    assert "503" in err
    assert "The 50 records read are kept" in err
    assert "the registry holds 51 models" in out


def test_waiting_is_done_as_long_as_the_hub_asks(mirror, hub, monkeypatch):
    slept = []
    monkeypatch.setattr(registry, "_waiting", lambda _: slept.append)
    hub.plays(2, busy(Retry_After="240"))
    assert mirror("sync")[0] == 0
    assert slept == [240.0]


def test_ctrl_c_keeps_what_was_read(mirror, hub, monkeypatch):
    def pressed(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as waiting:
        waiting.setattr(registry, "_waiting", lambda _: pressed)
        hub.plays(2, busy())
        code, _, err = mirror("sync")
    assert code == 130
    assert "mirror registry sync" in err
    code, out, _ = mirror("sync")
    assert (code, "read 70 models" in out) == (0, True)
    assert "the registry holds 121 models" in out


def test_load_and_status(mirror, home):
    path = home / "mine.jsonl"
    path.write_text(json.dumps(listed(1, likes=-1)) + "\n{\n", encoding="utf-8")
    code, out, _ = mirror("load", str(path), "--as-of", "2026-01-31")
    assert code == 0
    assert "read 2 records" in out
    assert "1 set aside: 1 models in layer mine" in out
    code, out, _ = mirror("status")
    assert "mine        1 from mine.jsonl, read 2026-01-31" in out
    assert "left out  1 × likes: no number there can be of it" in out
    assert "set aside   1 from mine, it is no record" in out
    held = json.loads(mirror("status", "--json")[1])
    assert held["layers"]["mine"]["models"] == 1


def test_a_layer_can_be_taken_out_again(mirror, home):
    (home / "mine.jsonl").write_text('{"id": "a/b"}\n{\n', encoding="utf-8")
    mirror("load", "mine.jsonl")
    code, _, err = mirror("drop", "hub")
    assert (code, "There is no layer 'hub' to drop; there are mine." in err) == (2, True)
    code, out, _ = mirror("drop", "mine")
    assert (code, out) == (0, "layer mine is out; the registry holds 1 models\n")
    assert "set aside" not in mirror("status")[1]


def test_status_before_anything_was_read(mirror):
    code, out, _ = mirror("status")
    assert code == 0
    assert "Only the bundled snapshot" in out


def test_a_file_that_is_not_there_is_one_line(mirror):
    code, _, err = mirror("load", "none.jsonl")
    assert (code, "There is no file none.jsonl" in err) == (2, True)
