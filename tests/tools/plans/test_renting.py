"""Prices of models whose weights are elsewhere."""

from dataclasses import replace

import pytest

from memory.errors import BadRequest
from memory.records import BenchmarkChoice, Model
from tools.clients.fakes import ScriptedRunner
from tools.plans.renting import UNKNOWN, Rental

RUNNER = ScriptedRunner({})
ON = tuple(BenchmarkChoice(task=task, weight=0.5, reason="") for task in ("one", "two"))
RENTAL = Rental(benchmarks=ON, items=100, usd_per_hour=2.0, bits=16)


def usd(rental, **facts):
    return sum(step.usd for step in rental.steps(Model(id="a/1", **facts), RUNNER, ""))


def test_the_price_grows_with_size_items_and_rate():
    eight = usd(RENTAL, params=8 * 10**9)
    assert usd(RENTAL, params=9 * 10**9) > eight
    assert usd(replace(RENTAL, items=101), params=8 * 10**9) > eight
    assert usd(replace(RENTAL, usd_per_hour=3.0), params=8 * 10**9) == pytest.approx(1.5 * eight)
    assert usd(replace(RENTAL, usd_per_hour=0.0), params=8 * 10**9) == 0


def test_a_mixture_computes_with_its_active_weights_and_fetches_all():
    dense = RENTAL.steps(Model(id="a/1", params=30 * 10**9), RUNNER, "")
    mixed = RENTAL.steps(Model(id="a/1", params=30 * 10**9, params_active=3 * 10**9), RUNNER, "")
    assert mixed[1].minutes == pytest.approx(dense[1].minutes / 10)
    fetched = [steps[0].minutes - steps[1].minutes for steps in (dense, mixed)]
    assert fetched[0] == pytest.approx(fetched[1])


@pytest.mark.parametrize("params", [None, 0])
def test_an_unknown_size_has_no_price(params):
    model = Model(id="a/1", params=params)
    assert RENTAL.quote(model) == UNKNOWN
    with pytest.raises(BadRequest, match="a/1: size unknown"):
        RENTAL.steps(model, RUNNER, "")


@pytest.mark.parametrize(
    ("billions", "quote"),
    [
        # 80 + 8 + 2 x 9.6 s at $2 an hour
        (8, "about $0.06 and 2 minutes on a rented GPU"),
        (0.1, "less than $0.01 and 1 minute on a rented GPU"),
    ],
)
def test_a_quote_in_words(billions, quote):
    assert RENTAL.quote(Model(id="a/1", params=int(billions * 1e9))) == quote


def test_the_quote_is_the_price_of_the_steps():
    model = Model(id="a/1", params=70 * 10**9)
    total = sum(step.usd for step in RENTAL.steps(model, RUNNER, ""))
    assert f"${total:.2f}" in RENTAL.quote(model)
