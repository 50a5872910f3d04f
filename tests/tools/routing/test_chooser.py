"""Who is asked first: value less price, then whoever is well and quick enough."""

import numpy as np
from routed import TOPICS, fitted

from tools.clients.fakes import HashEmbedder
from tools.routing.chooser import REST, Chooser
from tools.routing.members import Member

FIRST, SECOND = HashEmbedder().encode(list(TOPICS)).astype(float)


def member(name, place, usd=0.0, timeout=60.0):
    return Member(name, place, "http://x/v1", name, usd_in=usd, usd_out=usd, timeout=timeout)


def names(ordered):
    return [one.name for one in ordered[1]]


def test_value_orders_and_price_outweighs_it_as_far_as_told():
    members = [member("a", 0, usd=1.0), member("b", 1)]
    assert names(Chooser(fitted("a", "b"), members).order(FIRST)) == ["a", "b"]
    assert names(Chooser(fitted("a", "b"), members).order(SECOND)) == ["b", "a"]
    # 1,000 requests of 1,000 tokens in and 100 out cost $1.10 at a; its lead is .6.
    assert names(Chooser(fitted("a", "b"), members, cost_weight=0.5).order(FIRST)) == ["a", "b"]
    assert names(Chooser(fitted("a", "b"), members, cost_weight=0.6).order(FIRST)) == ["b", "a"]


def test_one_that_failed_rests_and_comes_back():
    now = [0.0]
    made = Chooser(fitted("a", "b"), [member("a", 0), member("b", 1)], now=lambda: now[0])
    a = made.members[0]
    made.failed(a)
    assert names(made.order(FIRST)) == ["b", "a"]
    assert made.rests(a) == REST
    now[0] = REST + 0.1
    assert names(made.order(FIRST)) == ["a", "b"]
    made.failed(a, 99.0)
    made.began(a, 0.1)
    assert names(made.order(FIRST)) == ["a", "b"]


def test_one_that_is_slow_is_asked_last_and_given_no_more_than_the_limit():
    made = Chooser(fitted("a", "b"), [member("a", 0), member("b", 1, timeout=1)], max_seconds=2.0)
    for seconds in (0.1, 3.0, 4.0):
        made.began(made.members[0], seconds)
    assert names(made.order(FIRST)) == ["b", "a"]
    assert [made.patience(one) for one in made.members] == [2.0, 1]


def test_one_that_was_never_graded_is_asked_last():
    value = [[np.nan, 0.1], [np.nan, 0.1]]
    made = Chooser(fitted("a", "b", value=value), [member("a", 0), member("b", 1)])
    assert names(made.order(FIRST)) == ["b", "a"]


def test_members_that_the_file_leaves_out_are_not_asked():
    assert names(Chooser(fitted("a", "b", "c"), [member("c", 2)]).order(FIRST)) == ["c"]
