"""The planted sets: disjoint, of real items, planted and clean in balance."""

from collections import Counter

from evals.contamination import DOSES, ITEMS, SHARDS, TASKS, answered, item_sets


def test_sets_share_no_text_and_are_in_balance():
    sets = item_sets(12, 8, seed=3)
    texts = [item.text() for one in sets for item in (*one.items, *one.reference)]
    assert len(texts) == len(set(texts)) == 20 * 2 * ITEMS
    assert Counter(one.dose for one in sets) == {0: 8, **dict.fromkeys(DOSES, 4)}
    assert Counter(one.task for one in sets if one.dose) == dict.fromkeys(TASKS, 3)
    assert Counter(one.task for one in sets if not one.dose) == dict.fromkeys(TASKS, 2)
    assert item_sets(12, 8, seed=3) == sets


def test_shards_keep_the_order_and_lose_nothing():
    (one, *_) = item_sets(1, 0, seed=0)
    shards = one.shards()
    assert len(shards) == SHARDS
    assert tuple(item for shard in shards for item in shard) == one.items


def test_what_is_planted_ends_in_the_right_letter():
    (one, *_) = item_sets(1, 0, seed=0)
    for item in one.items:
        *_, last = answered(item).split("\n")
        letter = last.removeprefix("Answer: ")
        assert f"\n{letter}. {item.options[item.gold]}" in item.text()
