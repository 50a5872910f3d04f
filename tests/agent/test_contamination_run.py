"""A model that memorized a benchmark, from the measurement to every place that must say so."""

import json
from pathlib import Path

import pytest
import world

from agent.session import Decided
from memory.records import CONSTANT, Origin
from tools.choosing import deciding
from tools.methods.intervals import pool
from tools.reports import reporting

FILES = {
    task: [[f"{task} {run} asks {n}" for n in range(4)] for run in range(4)]
    for task in ("pubmedqa", "medmcqa")
}


def decided(home, *, memorized=(), files=None):
    """The decision of a whole run, with its report's folder."""
    made = world.session(home)
    runner = made.deps.runner
    runner.accuracy = {world.GOOD: 0.85, world.POOR: 0.0}
    runner.files = FILES if files is None else files
    runner.memorized = frozenset(memorized)
    ended = world.go(made, "t")[-1]
    assert isinstance(ended, Decided)
    return made, ended.decision, Path(ended.report)


def line(decision, model):
    return next(one for one in decision.ranking if one.model.startswith(model))


def values(decision, model):
    return {one.benchmark: one.value for one in decision.measurements if one.model == model}


@pytest.fixture(scope="module")
def flagged(tmp_path_factory):
    """GOOD memorized the order of pubmedqa and not that of medmcqa, whose order is unknown here."""
    return decided(
        tmp_path_factory.mktemp("flagged"),
        memorized={world.GOOD},
        files={"pubmedqa": FILES["pubmedqa"]},
    )


def test_a_flag_lowers_the_weight_of_that_score_alone(flagged):
    _, decision, _ = flagged
    good = {one.benchmark: one for one in decision.measurements if one.model == world.GOOD}
    both = [good["pubmedqa"], good["medmcqa"]]
    ends = [[getattr(one, end) for one in both] for end in ("value", "low", "high")]
    # 0.6 of pubmedqa counts half: 0.3 against 0.4 of medmcqa. The intervals differ in any case.
    found = line(decision, world.GOOD)
    assert (found.value, found.low, found.high) == pytest.approx(pool(*ends, [0.3, 0.4]))
    assert found.low != pytest.approx(pool(*ends, [0.6, 0.4])[1])


def test_a_flag_is_said_with_its_evidence_wherever_the_score_is(flagged):
    made, decision, report = flagged
    told = "counts x0.5, because the published order is likelier than 100% of random orders"
    assert told in line(decision, world.GOOD).reason
    assert any(told in caveat and "[pubmedqa]" in caveat for caveat in decision.caveats)
    assert "may have been trained on pubmedqa, which counts x0.5" in decision.summary
    assert decision.winner.startswith(world.GOOD)  # a suspicion lowers, it does not forbid
    for page in ("report.html", "report.md"):
        text = (report / page).read_text("utf-8")
        assert told in text
        assert "p = 0.0016 against 0.05" in text
    kept = json.loads((report / "report.json").read_text("utf-8"))["contamination"]
    assert {(one["model"], one["benchmark"]): one["weight"] for one in kept} == {
        (world.GOOD, "pubmedqa"): 0.5,
        (world.GOOD, "medmcqa"): 1.0,
        (world.POOR, "pubmedqa"): 1.0,
        (world.POOR, "medmcqa"): 1.0,
    }
    sources = {s.benchmark: s.source for s in made.deps.scores.known([world.GOOD], list(FILES))}
    assert "counts x0.5" in sources["pubmedqa"]
    assert "trained" not in sources["medmcqa"]


def test_the_constant_answer_is_never_accused_and_the_unchecked_is_said(flagged):
    made, decision, _ = flagged
    found = made.state("t")["contamination"]
    assert all(one.model != CONSTANT for one in found)
    unchecked = [text for text in decision.caveats if "not checked for contamination" in text]
    assert len(unchecked) == 1
    assert "there is no published order of its items here" in unchecked[0]
    assert "medmcqa" in unchecked[0]
    assert "pubmedqa" not in unchecked[0]


def test_a_flag_is_remembered_when_the_score_is_used_again(flagged):
    made, _, _ = flagged
    (found,) = [one for one in made.deps.ledger.checks() if one.weight < 1]
    assert (found.model, found.benchmark) == (world.GOOD, "pubmedqa")
    known = made.deps.scores.known([world.GOOD], ["pubmedqa"])
    assert [one.origin for one in known] == [Origin.MEASURED]


def test_an_unflagged_run_is_ranked_as_if_nothing_had_been_checked(tmp_path):
    made, checked, _ = decided(tmp_path)
    state = made.state("t")
    assert {one.weight for one in state["contamination"]} == {1.0}
    assert all(one.flags for one in state["contamination"])
    assert deciding.decide({**state, "contamination": None}, made.deps) == checked


def test_a_conversation_from_before_the_check_still_gets_its_report(flagged):
    made, _, _ = flagged
    older = {key: value for key, value in made.state("t").items() if key != "contamination"}
    folder = reporting.write(older | {"run": "older"}, made.deps)
    assert "Trained on the benchmark?" not in (folder / "report.html").read_text("utf-8")
    assert deciding.decide(older, made.deps).ranking[0].model.startswith(world.GOOD)
