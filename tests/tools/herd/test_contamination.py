"""Flags carry their evidence, and their cost is stated and bounded."""

import pytest

from memory.records import Arm, Contamination, Origin, Score
from tools.herd.contamination import assess, factors, suspicion, unchecked
from tools.methods.contamination import OrderTest, ParaphraseGap

ARM = Arm(name="m Q4", model="m", backend="hf", precision="Q4", revision="r1")


def order(p):
    return OrderTest(rank=0.9, p=p, p_t=p, gain=3.0, shards=4)


def options(p):
    return OrderTest(rank=0.8, p=p, p_t=p, gain=0.1, shards=8)


def gap(p):
    return ParaphraseGap(gap=0.2, low=0.1, high=0.3, p=p, n=50)


def test_one_signal_uses_the_whole_level():
    found = assess(ARM, "b", order=order(0.04))
    assert found.flags[0].flagged
    assert found.weight == 0.5
    assert found.reason == (
        "may have been trained on: counts x0.5, because the published order is likelier than 90% "
        "of random orders (50% when unseen), over 4 shards; a file sorted by topic looks the same "
        "(p = 0.04)"
    )


def test_more_signals_share_it():
    found = assess(ARM, "b", order=order(0.04), options=options(0.5))
    assert (found.weight, len(found.flags)) == (1.0, 2)
    assert found.reason == "no sign of contamination (order, min-k%++): full weight"
    three = assess(ARM, "b", order=order(0.01), options=options(0.01), gap=gap(0.01))
    assert three.weight == 0.25
    assert {flag.threshold for flag in three.flags} == {0.05 / 3}
    assert assess(ARM, "b", order=order(0.01), gap=gap(0.001)).weight == 0.25


def test_unchecked_is_said_and_survives_storage():
    found = assess(ARM, "b")
    assert (found.weight, found.reason) == (1.0, "not checked for contamination")
    late = unchecked(ARM, "b", "time was up")
    assert (late.weight, late.reason) == (1.0, "not checked for contamination: time was up")
    flagged = assess(ARM, "b", gap=gap(0.001))
    assert Contamination.model_validate_json(flagged.model_dump_json()) == flagged


def test_only_what_is_suspected_has_a_factor():
    found = [assess(ARM, "b", gap=gap(0.001)), assess(ARM, "c", gap=gap(0.5)), assess(ARM, "d")]
    assert factors(found) == {("m Q4", "b"): 0.5}


@pytest.mark.parametrize(
    ("change", "suspected"),
    [
        ({}, True),
        ({"benchmark": "c"}, False),
        ({"precision": None}, False),
        ({"revision": "r2"}, False),
        ({"origin": Origin.REPORTED}, False),
    ],
)
def test_a_suspicion_is_of_the_same_weights_measured_here(change, suspected):
    score = Score(
        model="m",
        precision="Q4",
        revision="r1",
        benchmark="b",
        protocol="p",
        value=0.5,
        origin=Origin.MEASURED,
        source="here",
    ).model_copy(update=change)
    found = assess(ARM, "b", gap=gap(0.001))
    assert suspicion(score, [found]) == (found if suspected else None)
    assert suspicion(score, [assess(ARM, "b", gap=gap(0.5))]) is None
