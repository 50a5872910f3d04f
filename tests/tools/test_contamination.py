"""Flags carry their evidence, and their cost is stated and bounded."""

import pytest

from memory.records import Contamination
from tools.contamination import assess, weighed
from tools.methods.contamination import MembershipTest, OrderTest, ParaphraseGap


def order(p):
    return OrderTest(rank=0.9, p=p, p_t=p, gain=3.0, shards=4)


def member(p):
    return MembershipTest(auc=0.8, p=p, n=20, n_reference=30)


def gap(p):
    return ParaphraseGap(gap=0.2, low=0.1, high=0.3, p=p, n=50)


def test_one_signal_uses_the_whole_level():
    found = assess("m", "b", order=order(0.04))
    assert found.flags[0].flagged
    assert found.weight == 0.5
    assert found.reason == (
        "may have been trained on: counts x0.5, because the published order is likelier than 90% "
        "of random orders (50% when unseen), over 4 shards; a file sorted by topic looks the same "
        "(p = 0.04)"
    )


def test_more_signals_share_it():
    found = assess("m", "b", order=order(0.04), membership=member(0.5))
    assert (found.weight, len(found.flags)) == (1.0, 2)
    assert found.reason == "no sign of contamination (order, min-k%++): full weight"
    three = assess("m", "b", order=order(0.01), membership=member(0.01), gap=gap(0.01))
    assert three.weight == 0.25
    assert {flag.threshold for flag in three.flags} == {0.05 / 3}
    assert assess("m", "b", order=order(0.01), gap=gap(0.001)).weight == 0.25


def test_unchecked_is_said_and_survives_storage():
    found = assess("m", "b")
    assert (found.weight, found.reason) == (1.0, "not checked for contamination: full weight")
    flagged = assess("m", "b", gap=gap(0.001))
    assert Contamination.model_validate_json(flagged.model_dump_json()) == flagged


def test_weights_fall_only_where_flagged():
    given = {("m", "b"): 0.6, ("m", "c"): 0.4, ("n", "b"): 0.6}
    assert weighed(given, [assess("m", "b", gap=gap(0.001))]) == {**given, ("m", "b"): 0.3}
    with pytest.raises(ValueError, match="no weight for x on b"):
        weighed(given, [assess("x", "b")])
