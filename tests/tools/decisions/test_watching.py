"""Decisions that were overtaken are re-opened, remembered once, and others are left alone."""

import dataclasses
from math import erf, sqrt

import pytest
import world

from memory import decision_records
from memory.records import Origin, Score
from memory.registry import Registry
from memory.scores import Scores
from tools import recalling
from tools.decisions import watching
from tools.decisions.changes import Known

NEW = "acme/new-500m"


@pytest.fixture(scope="module")
def decided(tmp_path_factory):
    made = world.session(tmp_path_factory.mktemp("home"))
    run = world.go(made, "t")[-1].decision.run
    return made, decision_records.read(made.deps.runs, run)


def newcomer(licence="mit"):
    return world.MODELS[0].model_copy(
        update={"id": NEW, "licence": licence, "released": "2026-09-01"}
    )


@pytest.fixture
def world_with(tmp_path, decided):
    """What is known after some models appeared and some scores of the new one were observed."""
    stores = []

    def make(record, models=(), values=(), n=2000, protocol=None):
        scores = Scores(tmp_path / f"{len(stores)}.sqlite", bundled=None)
        stores.append(scores)
        columns = {one.benchmark: one.protocol for one in record.decision.measurements}
        scores.add(
            Score(
                model=NEW,
                benchmark=benchmark,
                protocol=protocol or columns[benchmark],
                value=value,
                n=n,
                origin=Origin.VERIFIED,
                source="leaderboard",
                date="2026-09-02",
            )
            for benchmark, value in zip(columns, values, strict=False)
        )
        every = [*world.MODELS, *models]
        return Known(Registry({m.id: m for m in every}, "later"), scores)

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def record(decided):
    """The decision, with a winner that leaves room above."""
    record = decided[1]
    lines = [
        line.model_copy(update={"value": 0.7, "low": 0.66, "high": 0.74})
        if line.standing == "winner"
        else line
        for line in record.decision.ranking
    ]
    decision = record.decision.model_copy(update={"ranking": tuple(lines)})
    return record.model_copy(update={"decision": decision})


def test_nothing_new_reopens_nothing(decided, world_with):
    assert watching.overtaken(decided[1], world_with(decided[1])) == []
    assert watching.challengers(decided[1], world_with(decided[1], [newcomer()])) == []


def test_a_better_new_model_reopens_with_its_probability(record, world_with):
    [found] = watching.challengers(record, world_with(record, [newcomer()], (0.75, 0.75)))
    assert (found.model, found.incumbent) == (NEW, f"{world.GOOD} @ scripted")
    own = 0.75 * 0.25 / 2000 * (0.6**2 + 0.4**2)
    sd = sqrt(own + (0.08 / 2 / 1.645) ** 2)
    assert found.probability == pytest.approx(0.5 * (1 + erf((0.05 - 0.01) / sd / sqrt(2))))
    assert f"{found.probability:.2f}" in str(found)


@pytest.mark.parametrize(
    ("licence", "values", "n", "protocol"),
    [
        ("mit", (0.705, 0.705), 2000, None),  # better, but not by more than the margin
        ("mit", (0.75, 0.75), 10, None),  # better, but who knows
        ("mit", (0.75,), 2000, None),  # nothing is known of the other benchmark
        ("mit", (0.75, 0.75), 2000, "another"),  # another protocol compares with nothing
        ("cc-by-nc-4.0", (0.9, 0.9), 2000, None),  # does not pass
    ],
)
def test_what_is_not_surely_better_reopens_nothing(
    record, world_with, licence, values, n, protocol
):
    known = world_with(record, [newcomer(licence)], values, n, protocol)
    assert watching.challengers(record, known) == []


def test_a_reopened_decision_is_remembered_once_and_contradicts_the_old_one(decided, world_with):
    made, record = decided
    findings, at = made.deps.findings, "2026-09-03"
    known = world_with(record)
    closed = [world.MODELS[0].model_copy(update={"licence": "cc-by-nc-4.0"}), *world.MODELS[1:]]
    known = dataclasses.replace(known, registry=Registry({m.id: m for m in closed}, "later"))
    reasons = watching.overtaken(record, known)
    assert any("requirements" in one for one in reasons)
    watching.reopen(record, reasons, findings, at)
    watching.reopen(record, reasons, findings, "2026-10-01")
    [finding] = findings.latest(9, "reopened")
    assert finding.at == at
    assert finding.run == record.run
    [decision] = findings.latest(9, "decision")
    [marked] = recalling.marked([decision], findings, made.deps.clock(), None)
    assert marked.note.startswith(f"contradicted {at}: reopened")
