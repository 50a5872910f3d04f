import pytest

from memory.errors import BadRequest
from memory.records import BenchmarkChoice, Requirements
from tools.benchmark_recommender import RUNNABLE, SHORTLIST, recommend

REQUEST = Requirements(text="clinical notes", domains=("medical",))


class Shelf:
    """A catalogue of fixed benchmarks, nearest first."""

    def __init__(self, *weights):
        self.weights = weights
        self.asked = None

    def search(self, query, domains, k):
        self.asked = (query, tuple(domains), k)
        return [
            BenchmarkChoice(task=f"task{i}", weight=weight, reason="near")
            for i, weight in enumerate(self.weights[:k])
        ]


def test_items_here_lift_a_benchmark_and_are_named():
    shelf = Shelf(0.3, 0.25, 0.25, 0.2)
    chosen = recommend(REQUEST, shelf, {"task1": "carrier, 500 items"}, k=3)
    assert [one.task for one in chosen] == ["task1", "task0", "task2"]
    assert [one.items_source for one in chosen] == ["carrier, 500 items", None, None]
    assert chosen[0].weight / chosen[1].weight == pytest.approx(0.25 * RUNNABLE / 0.3)


def test_weights_sum_to_one_whatever_is_left_out():
    chosen = recommend(REQUEST, Shelf(0.5, 0.2, 0.2, 0.1), {}, k=2)
    assert sum(one.weight for one in chosen) == pytest.approx(1.0)
    assert [one.task for one in chosen] == ["task0", "task1"]


def test_the_whole_request_is_what_is_looked_for():
    shelf = Shelf(1.0)
    recommend(REQUEST, shelf, {}, k=4)
    assert shelf.asked == ("clinical notes", ("medical",), 4 * SHORTLIST)


def test_nothing_related_or_nothing_asked_is_one_clear_line():
    with pytest.raises(BadRequest, match="No benchmark is related"):
        recommend(REQUEST, Shelf(), {})
    with pytest.raises(BadRequest, match="at least one"):
        recommend(REQUEST, Shelf(1.0), {}, k=0)
