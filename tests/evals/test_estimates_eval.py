"""The estimates eval: leaving out by hand; and once for real, with the weights on this machine."""

import json
import sys

import pytest

from evals import estimates
from evals.estimates import figures, left_out
from memory.ledger import Took
from memory.records import Arm, Forecast
from tools.clients.fakes import ScriptedRunner
from tools.methods import throughput
from tools.plans.estimating import EDITION

ARM = Arm(name="a", model="o/m", backend="scripted")


def took(run, seconds):
    told = Forecast(
        run=run,
        arm=ARM,
        benchmark="boolq",
        what="boolq: a",
        raw_low=0.5,
        raw=1.0,
        raw_high=2.0,
        low=0.5,
        seconds=1.0,
        high=2.0,
        edition=EDITION,
    )
    return Took(told, 8, seconds)


def test_no_run_is_told_of_itself():
    pairs = left_out([took("1", 4.0), took("2", 1.0)], ScriptedRunner({}))
    shrunk = 1 - throughput.RUN - throughput.REST
    assert [told.seconds for told, _ in pairs] == pytest.approx([1.0, 4.0**shrunk])
    assert [told.raw for told, _ in pairs] == [1.0, 1.0]


def test_figures_by_hand():
    pairs = [
        (took("1", 4.0).forecast.model_copy(update={"seconds": 3.0, "high": 5.0}), took("1", 4.0)),
    ]
    found = figures(pairs)
    assert found == {
        "n": 1,
        "raw_medape": 0.75,
        "corrected_medape": 0.25,
        "within_range_raw": 0.0,
        "within_range_corrected": 1.0,
    }
    with pytest.raises(SystemExit, match="Nothing"):
        figures([])


@pytest.mark.weights
def test_the_command_measures_for_real(monkeypatch, capsys):
    words = ["estimates", "--items", "1", "--minutes", "0.01", "--json"]
    monkeypatch.setattr(sys, "argv", words)
    estimates.main()
    found = json.loads(capsys.readouterr().out.splitlines()[-1])["estimates"]
    assert found["runs"] == 1
    assert found["items"]["n"] == 2
    assert found["loading"]["n"] == 1
    assert found["raw_medape"] == found["corrected_medape"]  # nothing else to learn from
    assert all(one["seconds"] > 0 for one in found["work"])
