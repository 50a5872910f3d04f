"""Questions whose options have no order of their own, and how they are put in other words."""

import numpy as np
import pytest

from tools.clients.benchmarks import item_options
from tools.clients.benchmarks.item_options import drawn, published, reworded, usable
from tools.clients.benchmarks.item_sources import Lettered

RNG = np.random.default_rng(0)
ITEM = Lettered("Which is red?", ("sky", "blood", "grass"), 1)


@pytest.mark.parametrize("task", ["medmcqa", "commonsense_qa", "openbookqa", "social_iqa"])
def test_installed_questions_have_distinct_options_that_do_not_sort_themselves(task):
    found = usable(task)
    assert len(found) > 400
    assert len({one.question for one in found}) == len(found)
    for one in found:
        assert len(set(one.options)) == len(one.options) >= item_options.LEAST_OPTIONS
        assert not any(character.isdigit() for option in one.options for character in option)
        assert 0 <= one.gold < len(one.options)
    assert drawn(task, 8) == drawn(task, 8)
    assert drawn(task, 9)[:8] == drawn(task, 8)


def test_two_options_have_one_other_order_only():
    assert usable("piqa") == ()
    assert drawn("piqa", 8) == []


@pytest.mark.parametrize("option", ["All of the above", "none of these", "Both A and C", "5 mg"])
def test_what_sorts_itself_is_seen(option):
    assert item_options.SORTED.search(option)
    assert not item_options.SORTED.search("a ballistic bothersome above-board"[:11])


def test_an_order_moves_the_options_and_not_the_letters():
    assert ITEM.text() == "Which is red?\nA. sky\nB. blood\nC. grass"
    assert ITEM.text([2, 0, 1]) == "Which is red?\nA. grass\nB. sky\nC. blood"


def test_reworded_the_right_option_has_another_letter():
    (form,) = reworded([ITEM], np.random.default_rng(0))
    prompt, gold = form.asked(ITEM)
    lines = prompt.split("\n")
    assert lines[0] == "Question: Which is red?"
    assert lines[1 + gold].endswith("blood")
    plain, gold = published(ITEM).asked(ITEM)
    assert (plain, gold) == (ITEM.text() + "\nAnswer:", 1)


@pytest.mark.parametrize("golds", [[0, 1, 2, 0, 1, 2], [0, 0, 1, 2], [2, 2, 1, 1, 0, 0, 1, 2]])
def test_every_letter_is_right_as_often_as_before_and_nowhere_where_it_was(golds):
    items = [Lettered(f"{n}?", ("x", "y", "z"), gold) for n, gold in enumerate(golds)]
    forms = reworded(items, np.random.default_rng(0))
    places = [form.asked(item)[1] for form, item in zip(forms, items, strict=True)]
    assert sorted(places) == sorted(golds)
    assert all(new != old for new, old in zip(places, golds, strict=True))
    assert all(sorted(form.order) == [0, 1, 2] for form in forms)


def test_where_one_letter_is_right_too_often_some_must_keep_it():
    items = [Lettered(f"{n}?", ("x", "y", "z"), gold) for n, gold in enumerate([0, 0, 0, 1])]
    places = [form.asked(i)[1] for form, i in zip(reworded(items, RNG), items, strict=True)]
    assert sorted(places) == [0, 0, 0, 1]
    assert reworded([], RNG) == []
