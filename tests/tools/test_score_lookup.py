"""What is known of a shortlist, shown with its gaps, and the choice that follows."""

import pytest

from memory.records import Arm, BenchmarkChoice, Candidate, Origin, Score
from memory.scores import Scores
from tools.herd.contamination import assess
from tools.methods.contamination import OrderTest
from tools.score_lookup import doubted, look_up, select, shortlisted
from tools.scores.related import Related


def score(model, benchmark, value, **given):
    fixed = {"protocol": "p", "origin": Origin.ELSEWHERE, "source": "s"}
    return Score(model=model, benchmark=benchmark, value=value, **(fixed | given))


@pytest.fixture
def scores(tmp_path):
    opened = Scores(tmp_path / "scores.sqlite", bundled=None)
    opened.add(
        [
            score("a", "t", 0.8),
            score("a", "u", 0.25, precision="Q4", origin=Origin.MEASURED),
            score("b", "t", 0.4),
            score("b", "t", 0.5, source="another"),
            score("b", "u", 0.9, protocol="other"),
            score("c", "u", 0.9, protocol="other"),
        ]
    )
    yield opened
    opened.close()


def test_what_is_known_is_counted_by_origin(scores):
    known = look_up(["a", "b"], ["t", "u"], scores, protocols={"u": "p"})
    assert known.describe() == (
        "Known scores: 3 of 4 cells (2 measured elsewhere, 1 measured here);"
        " 1 more under other protocols, not compared"
    )


def test_mixed_protocols_are_named(scores):
    known = look_up(["a", "b"], ["u"], scores, mix=True)
    assert "protocols are mixed in u" in known.describe()


def test_nothing_known_is_said(scores):
    assert look_up(["x", "y"], ["t"], scores).describe() == "Known scores: 0 of 2 cells"


def test_equation_one_over_candidates_and_known_cells(scores):
    candidates = [
        Candidate(model=name, sigma=s) for name, s in [("b", 0.9), ("a", 0.5), ("x", 0.4)]
    ]
    benchmarks = [
        BenchmarkChoice(task="t", weight=0.75, reason=""),
        BenchmarkChoice(task="u", weight=0.25, reason=""),
    ]
    known = look_up(["b", "a", "x"], ["t", "u"], scores, protocols={"u": "p"})
    chosen = select(candidates, benchmarks, known.scores, alpha=0.5, beta=0.66)
    # b: t known .4, u unknown -> .25 (the column's mean); x: nothing known.
    assert [one.model for one in chosen] == ["b", "a"]
    assert chosen[0].benchmark_term == pytest.approx(0.75 * 0.4 + 0.25 * 0.25)
    assert chosen[1].s == pytest.approx(0.5 * 0.5 + 0.5 * (0.75 * 0.8 + 0.25 * 0.25))
    assert [(one.known_cells, one.cells) for one in chosen] == [(1, 2), (2, 2)]


def test_scores_of_models_that_are_no_candidates_change_nothing(scores):
    candidates = [Candidate(model="a", sigma=0.5)]
    benchmarks = [BenchmarkChoice(task="t", weight=1, reason="")]
    alone = select(candidates, benchmarks, [score("a", "t", 0.8)])
    assert select(candidates, benchmarks, [score("a", "t", 0.8), score("z", "t", 0.1)]) == alone


def test_a_suspected_score_counts_by_its_weight_and_is_named(scores):
    arm = Arm(name="a Q4", model="a", backend="hf", precision="Q4")
    order = OrderTest(rank=1.0, p=0.001, p_t=0.001, gain=5.0, shards=4)
    found = [assess(arm, "u", order=order)]
    scores.add([score("b", "u", 0.75)])
    candidates = [Candidate(model=name, sigma=0.5) for name in ("a", "b")]
    benchmarks = [BenchmarkChoice(task="u", weight=1.0, reason="")]
    known = look_up(["a", "b"], ["u"], scores, protocols={"u": "p"}).scores
    plain = {one.model: one.benchmark_term for one in select(candidates, benchmarks, known)}
    lowered = {
        one.model: one.benchmark_term
        for one in select(candidates, benchmarks, known, suspected=found)
    }
    assert plain == {"a": 0.25, "b": 0.75}
    assert lowered == pytest.approx({"a": (0.25 + 0.5) / 2, "b": 0.75})
    assert doubted(known, found) == (
        "; may have been trained on, so it counts less: a Q4 on u x0.5"
    )
    assert doubted(known, []) == ""
    others = [Candidate(model="b", sigma=0.5)]  # a suspicion about no candidate changes nothing
    assert select(others, benchmarks, known, suspected=found) == select(others, benchmarks, known)


def test_related_benchmarks_are_one_more_column_of_equation_one():
    candidates = [Candidate(model=name, sigma=0.4) for name in ("a", "b", "c")]
    benchmarks = [BenchmarkChoice(task="t", weight=1.0, reason="")]
    others = Related({"a": 0.2, "b": 0.9}, {"a": 3, "b": 7}, ("near",))
    chosen = select(candidates, benchmarks, [], related=others, alpha=0.25, share=0.75)
    s = {one.model: one.s for one in chosen}
    # Nobody is known on t, so it is the prior for all; c gets the mean of the column.
    assert s["b"] == pytest.approx(0.25 * 0.4 + 0.75 * (0.25 * 0.5 + 0.75 * 0.9))
    assert s["c"] == pytest.approx(0.25 * 0.4 + 0.75 * (0.25 * 0.5 + 0.75 * 0.55))
    by_name = {one.model: one for one in chosen}
    assert (by_name["b"].related, by_name["b"].related_cells) == (0.9, 7)
    assert by_name["c"].related is None
    line = shortlisted(chosen, [], others)
    assert line.endswith("2 placed by related benchmarks (near)")
