"""``mirror judge calibrate`` as a person runs it: prints, asks, stores, refuses in one line."""

import json
import sys

import pytest
from stub_chat import Reply, StubChat, fails, says

from agent.__main__ import main
from memory.calibrations import Calibrations
from memory.ledger import Ledger
from tools.clients.fakes import FixedClock

JUDGED = "label,verdict,verdict_swapped,input,answer_1,answer_2\n" + "".join(
    f"{1 + n % 2},{1 + n % 2 if n % 5 else 1},{1 + n % 2 if n % 5 else 2},q{n},long answer,short\n"
    for n in range(60)
)
UNJUDGED = "label,input,answer_1,answer_2\n1,add 1 and 1,2,3\n2,name a colour,seven,red\n"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("MODEL", "BASE_URL", "API_KEY", "USD_IN", "USD_OUT"):
        monkeypatch.delenv(f"MIRROR_JUDGE_{name}", raising=False)
    monkeypatch.setenv("MIRROR_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def served(monkeypatch):
    """A judge on loopback that always takes the first answer, at a stated price."""
    with StubChat(says('{"better": 1, "comment": "first"}')) as server:
        monkeypatch.setenv("MIRROR_JUDGE_MODEL", "judge-1")
        monkeypatch.setenv("MIRROR_JUDGE_BASE_URL", server.url)
        monkeypatch.setenv("MIRROR_JUDGE_USD_IN", "10")
        monkeypatch.setenv("MIRROR_JUDGE_USD_OUT", "20")
        yield server


def labels(tmp_path, text, name="labels.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def run(*words):
    return main(["judge", "calibrate", *words])


def spent(home):
    ledger = Ledger(home / "ledger.sqlite", FixedClock())
    total = ledger._connection.execute("SELECT coalesce(sum(usd), 0) FROM entries").fetchone()[0]
    ledger.close()
    return total


def test_verdicts_in_the_file_are_measured_stored_and_free(home, tmp_path, capsys):
    assert run(labels(tmp_path, JUDGED), "--judge", "some-judge") == 0
    out = capsys.readouterr().out
    assert "60 pairs, 0 without a verdict, 12 ties" in out
    for word in ("Accuracy    0.90", "Kappa", "Position", "Length", "Corrected   if 25%", "Stored"):
        assert word in out
    (stored,) = Calibrations(home / "calibrations").all()
    assert (stored.judge, stored.prompt, stored.usd) == ("some-judge", "as given", 0)
    assert not (home / "ledger.sqlite").exists()


def test_json_is_the_record(home, tmp_path, capsys):
    assert run(labels(tmp_path, JUDGED), "--judge", "j", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["accuracy"]["value"] == pytest.approx(0.9)
    assert said == Calibrations(home / "calibrations").all()[0].model_dump(mode="json")


def test_a_judge_like_a_coin_is_called_one(home, tmp_path, capsys):
    text = "label,verdict\n" + "1,1\n1,2\n2,1\n2,2\n" * 10
    assert run(labels(tmp_path, text), "--judge", "coin") == 0
    assert "can't be told from a coin" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "holds no labels"),
        ("label,verdict\n0,1\n", "write 1 or 2"),
        ("score\n1\n", "lacks the column 'label'"),
        (b"label\n\xff\n", "not UTF-8"),
        ("label,verdict\n1,1\n", "--judge NAME"),
        ("label,verdict,judge\n1,1,a\n2,2,b\n", "holds a, b"),
        ("label,verdict\n1,\n", "--judge NAME"),
        ("label\n1\n", "needs the columns input, answer_1, answer_2"),
        (UNJUDGED, "MIRROR_JUDGE_MODEL"),
    ],
)
def test_bad_input_is_one_line_and_code_2(home, tmp_path, capsys, text, complaint):
    assert run(labels(tmp_path, text)) == 2
    err = capsys.readouterr().err
    assert complaint in err
    assert err.count("\n") == 1
    assert not (home / "calibrations").exists()


def test_no_verdict_at_all_stores_nothing(home, tmp_path, capsys):
    assert run(labels(tmp_path, "label,verdict\n1,\n"), "--judge", "j") == 2
    assert "nothing was stored" in capsys.readouterr().err
    assert not (home / "calibrations").exists()


def test_without_a_yes_nothing_is_asked(home, tmp_path, capsys, served):
    assert run(labels(tmp_path, UNJUDGED)) == 3
    err = capsys.readouterr().err
    assert "Ask judge-1 4 times" in err
    assert "$10 in, $20 out per 1M tokens" in err
    assert "--yes-up-to" in err
    assert served.seen == []


@pytest.mark.parametrize("line", ["", "n\n", "yes please\n", "\n"])
def test_at_a_terminal_only_a_clear_yes_asks(home, tmp_path, monkeypatch, served, line):
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys.stdin, "readline", lambda: line, raising=False)
    assert run(labels(tmp_path, UNJUDGED)) == 3
    assert served.seen == []
    monkeypatch.setattr(sys.stdin, "readline", lambda: "a\n", raising=False)
    assert run(labels(tmp_path, UNJUDGED)) == 0
    assert len(served.seen) == 4


def test_an_approved_judge_is_asked_paid_and_stored(home, tmp_path, capsys, served):
    assert run(labels(tmp_path, UNJUDGED), "--yes-up-to", "1") == 0
    assert "both orders agree in 0%" in " ".join(capsys.readouterr().out.split())
    (stored,) = Calibrations(home / "calibrations").all()
    assert (stored.judge, stored.prompt, stored.ties) == ("judge-1", "judge/pairwise@1", 2)
    assert stored.usd == pytest.approx(4 * (11 * 10 + 3 * 20) / 1e6)
    assert spent(home) == pytest.approx(stored.usd)


def test_a_second_run_pays_nothing(home, tmp_path, served):
    assert run(labels(tmp_path, UNJUDGED), "--yes-up-to", "1") == 0
    before = spent(home)
    assert run(labels(tmp_path, UNJUDGED), "--yes-up-to", "0") == 0
    assert len(served.seen) == 4
    assert spent(home) == before


def test_a_cap_of_zero_refuses_before_the_first_call(home, tmp_path, capsys, served):
    assert run(labels(tmp_path, UNJUDGED), "--yes-up-to", "0") == 2
    assert "approved $0.00" in capsys.readouterr().err
    assert served.seen == []
    assert spent(home) == 0


def test_a_refused_key_is_one_line_without_the_key(home, tmp_path, capsys, monkeypatch, served):
    served.replies = [fails(401, "Incorrect API key: sk-loopback")]
    monkeypatch.setenv("MIRROR_JUDGE_API_KEY", "sk-loopback")
    assert run(labels(tmp_path, UNJUDGED), "--yes-up-to", "1") == 2
    said = capsys.readouterr()
    assert "refuses the key (401)" in said.err
    assert "sk-loopback" not in said.err + said.out
    assert len(served.seen) == 1


def test_a_judge_that_says_nothing_readable_is_missing_not_wrong(home, tmp_path, capsys, served):
    served.replies = [says("As a language model I can't compare.")]
    assert run(labels(tmp_path, UNJUDGED), "--yes-up-to", "1") == 2
    assert "Not one verdict" in capsys.readouterr().err
    assert len(served.seen) == 8  # each asked once more


def test_an_unknown_price_is_refused(home, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MIRROR_JUDGE_MODEL", "no-such-model")
    monkeypatch.setenv("MIRROR_JUDGE_BASE_URL", "https://api.openai.com/v1")
    assert run(labels(tmp_path, UNJUDGED), "--yes-up-to", "1") == 2
    assert "price of no-such-model" in capsys.readouterr().err


def test_one_price_without_the_other_is_refused(home, tmp_path, capsys, monkeypatch, served):
    monkeypatch.delenv("MIRROR_JUDGE_USD_OUT")
    assert run(labels(tmp_path, UNJUDGED), "--yes-up-to", "1") == 2
    assert "go together" in capsys.readouterr().err


def test_stopping_early_says_why_and_keeps_what_there_is(home, tmp_path, capsys, served):
    served.replies = [says('{"better": 1}'), says('{"better": 2}'), Reply(status=404, body=b"{}")]
    assert run(labels(tmp_path, UNJUDGED), "--yes-up-to", "1") == 0
    said = capsys.readouterr()
    assert "2 pairs, 1 without a verdict" in said.out
    assert "stopped early" in said.err
