"""``mirror characterize`` as a person runs it: free by rules, priced and asked with a reader."""

import json

import pytest
from stub_chat import StubChat, fails, says
from stub_web import Answer, StubWeb

from agent.__main__ import main
from memory.characterizations import Characterizations
from memory.ledger import Ledger
from tools.clients.fakes import FixedClock

CARD = "---\nlicense: mit\n---\n# ClinNote\nClinNote is a medical model.\x1b[31m It writes notes.\n"
REPLY = json.dumps(
    {"answers": [
        {"question": "domain", "value": "medical", "quote": "is a medical model"},
        {"question": "domain", "value": "law", "quote": "is a legal model"},
    ]}
)  # fmt: skip


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("JUDGE_MODEL", "JUDGE_BASE_URL", "MODELS_DIR", "OFFLINE", "HUB_URL"):
        monkeypatch.delenv(f"MIRROR_{name}", raising=False)
    monkeypatch.setenv("MIRROR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MIRROR_CACHE", str(tmp_path / "cache"))
    (tmp_path / "card.md").write_text(CARD)
    return tmp_path / "home"


@pytest.fixture
def served(monkeypatch):
    with StubChat(says(REPLY)) as server:
        monkeypatch.setenv("MIRROR_JUDGE_BASE_URL", server.url)
        monkeypatch.setenv("MIRROR_JUDGE_USD_IN", "10")
        monkeypatch.setenv("MIRROR_JUDGE_USD_OUT", "20")
        yield server


def run(*words):
    return main(["characterize", *words])


def test_rules_show_answers_quotes_and_sources_for_nothing(home, capsys):
    assert run("acme/clinnote", "--card", "card.md") == 0
    out = capsys.readouterr().out
    assert '"license: mit"  card metadata' in out
    assert "medical" in out
    assert "\x1b" not in out
    assert "$0.0000" in out
    kept = Characterizations(home / "characterizations.sqlite")
    assert list(kept.latest(["acme/clinnote"])) == ["acme/clinnote"]
    kept.close()


def test_json_is_one_object_with_everything(home, capsys):
    assert run("acme/clinnote", "--card", "card.md", "--json") == 0
    ((found,),) = json.loads(capsys.readouterr().out).values()
    assert found["model"] == "acme/clinnote"
    assert found["characteristics"][0]["quote"]


def test_a_card_is_found_in_its_models_folder(home, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "models" / "acme" / "clinnote"
    folder.mkdir(parents=True)
    (folder / "README.md").write_text(CARD)
    monkeypatch.setenv("MIRROR_MODELS_DIR", str(tmp_path / "models"))
    assert run("acme/clinnote", "acme/none") == 0
    assert "nothing to read about acme/none" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("acme/none",), "Nothing was read"),
        (("acme/a", "acme/b", "--card", "card.md"), "one model"),
        (("acme/a", "--card", "gone.md"), "can't be read"),
        (("acme/a", "--card", "card.md", "--yes-up-to", "1"), "--reader"),
        (("acme/a", "--card", "card.md", "--reader", "m"), "MIRROR_JUDGE_BASE_URL"),
    ],
)
def test_what_can_be_put_right_is_one_line(home, words, why, capsys):
    assert run(*words) == 2
    assert why in capsys.readouterr().err


def test_a_reader_is_priced_first_and_not_asked_without_a_yes(home, served, capsys):
    assert run("acme/clinnote", "--card", "card.md", "--reader", "judge-1") == 3
    said = capsys.readouterr()
    assert "at most $" in said.err
    assert "license: mit" in said.out  # what the rules read is shown all the same
    assert served.seen == []


def test_an_approved_reader_answers_is_metered_and_paid_once(home, served, capsys):
    words = ("acme/clinnote", "--card", "card.md", "--reader", "judge-1", "--yes-up-to", "1")
    assert run(*words) == 0
    out = capsys.readouterr().out
    assert '"is a medical model"' in out
    assert "dropped 1: quote not in the sources" in out
    ledger = Ledger(home / "ledger.sqlite", FixedClock())
    runs = ledger._connection.execute("SELECT run, sum(usd) FROM entries GROUP BY run").fetchall()
    ledger.close()
    assert len(runs) == 1
    assert 0 < runs[0][1] < 1
    assert run(*words) == 0
    assert len(served.seen) == 1


def test_a_reader_that_refuses_or_a_cap_too_low_keeps_what_the_rules_read(
    home, served, capsys, monkeypatch
):
    words = ("acme/clinnote", "--card", "card.md", "--reader", "judge-1", "--yes-up-to")
    assert run(*words, "0.000001") == 0
    said = capsys.readouterr()
    assert "stopped early" in said.err
    assert "license: mit" in said.out
    assert served.seen == []
    with StubChat(fails(401)) as other:
        monkeypatch.setenv("MIRROR_JUDGE_BASE_URL", other.url)
        assert run(*words, "1") == 0
    assert "stopped early" in capsys.readouterr().err


def test_online_the_card_comes_from_the_named_hub_and_links_into_this_network_are_not_followed(
    home, monkeypatch, capsys
):
    with StubWeb({}) as hub:
        links = f"[post]({hub.url}/blog/clinnote) [in](http://169.254.169.254/blog/latest)"
        hub.pages["/acme/clinnote/resolve/main/README.md"] = Answer(
            f"{CARD}\n{links}\n".encode(), kind="text/plain"
        )
        hub.pages["/blog/clinnote"] = Answer(b"<p>ClinNote is a legal model.</p>")
        monkeypatch.setenv("MIRROR_OFFLINE", "0")
        monkeypatch.setenv("MIRROR_HUB_URL", hub.url)
        assert run("acme/clinnote") == 0
        assert hub.seen == ["/acme/clinnote/resolve/main/README.md"]
    out = capsys.readouterr().out
    assert "medical" in out
    assert out.count("not on the public web") == 2
