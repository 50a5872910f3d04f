"""``mirror experiment`` on the bundled facts."""

import json

import pytest

from agent.__main__ import main


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MIRROR_HOME", str(tmp_path))


def test_constraints(capsys):
    words = ["experiment", "constraints", "Answer questions, commercial use, at most 8B"]
    code = main([*words, "--good", "BioMistral/BioMistral-7B", "--good", "google/medgemma-27b-it"])
    out = capsys.readouterr().out
    assert code == 0
    assert "passes   BioMistral/BioMistral-7B" in out
    assert "removed  google/medgemma-27b-it  size: " in out
    assert "1 of 2 known-good models pass" in out
    assert main([*words, "--good", "no/such", "--json"]) == 2


def test_signals(capsys):
    words = ["experiment", "signals", "--benchmark", "theoremqa"]
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    by_signal = {one["signal"]: one for one in found["correlations"]}
    assert by_signal["parameters"]["n"] >= 10
    assert by_signal["parameters"]["low"] > 0.2 > by_signal["downloads"]["rho"]
    assert main([*words, "--models", "5000"]) == 2
    assert "import scores" in capsys.readouterr().err
