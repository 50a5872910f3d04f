"""A decision recomputed from its record: it holds until something it rests on changes."""

import dataclasses
import json

import pytest
import world

from memory import decision_records
from memory.errors import BadRequest, DamagedStore, UnknownThread
from memory.records import Contamination, LineageEdge, Origin, Score
from memory.registry import Registry
from tools.decisions.changes import Known
from tools.decisions.replaying import replay
from tools.reports import recording, reporting


@pytest.fixture(scope="module")
def decided(tmp_path_factory):
    made = world.session(tmp_path_factory.mktemp("home"))
    return made, world.go(made, "t")[-1].decision


@pytest.fixture
def record(decided):
    made, decision = decided
    return decision_records.read(made.deps.runs, decision.run)


@pytest.fixture
def known(decided):
    deps = decided[0].deps
    return Known(deps.registry, deps.scores, deps.ledger.checks())


def changed(known, models, version="another"):
    return dataclasses.replace(known, registry=Registry({m.id: m for m in models}, version))


def decisive(replayed):
    return [(one.part, one.about) for one in replayed.differences if one.decisive]


# --- the record ---------------------------------------------------------------------------


def test_the_record_holds_all_that_the_decision_rests_on(record, decided):
    made, decision = decided
    state = made.state("t")
    assert record.decision == decision
    assert record.requirements == state["requirements"]
    assert record.plan == state["plan"]
    assert record.plan_hash == state["plan"].hash == record.approvals[-1].plan
    assert record.approvals[-1].by == "ada"
    assert {one.id for one in record.models} >= {world.GOOD, world.POOR}
    assert record.made_with.code == recording.code()
    assert record.made_with.prompts["planner"] >= 1
    assert set(record.made_with.items) == {"pubmedqa", "medmcqa"}
    given = {(one.arm, one.benchmark): len(one.grades) for one in record.outcomes}
    for one in decision.measurements:
        assert given[one.arm, one.benchmark] == one.n + one.missing - (
            len(record.drawn[one.benchmark]) - given[one.arm, one.benchmark]
        )


def test_it_is_packed_without_loss_and_written_again_the_same(record, decided):
    made, decision = decided
    path = made.deps.runs / decision.run / decision_records.NAME
    before = path.read_text("utf-8")
    assert decision_records.packed(record) == before
    reporting.write(made.state("t"), made.deps)
    assert path.read_text("utf-8") == before


def test_a_refused_plan_is_recorded_and_holds(tmp_path):
    made = world.session(tmp_path)
    asked = list(made.say("t", world.REQUEST))[-1]
    list(made.answer("t", asked.interrupt, world.approval(asked.about, "refuse")))
    record = decision_records.read(made.deps.runs, asked.about.run)
    assert record.outcomes == ()
    assert record.approvals[0].decision == "refuse"
    assert replay(record, Known(made.deps.registry, made.deps.scores)).holds


def test_an_unknown_run_names_the_latest(decided):
    made, decision = decided
    with pytest.raises(UnknownThread, match=decision.run):
        decision_records.read(made.deps.runs, "nobody")
    with pytest.raises(UnknownThread):
        decision_records.read(made.deps.runs, "../../etc")


def edited(file):
    file["record"]["decision"]["winner"] = "acme/huge"


def newer(file):
    file["edition"] = 2


def odd(file):
    file["edition"] = "first"


def bare(file):
    del file["sha256"]


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (edited, DamagedStore, "changed after it was written"),
        (newer, BadRequest, "newer Mirror"),
        (odd, DamagedStore, "edition"),
        (bare, DamagedStore, "KeyError"),
        (None, DamagedStore, "no record"),
    ],
)
def test_a_record_that_cannot_be_used_is_named_and_left_alone(
    tmp_path, decided, spoil, error, message
):
    made, decision = decided
    path = tmp_path / decision.run / decision_records.NAME
    path.parent.mkdir()
    text = (made.deps.runs / decision.run / decision_records.NAME).read_text("utf-8")
    file = json.loads(text)
    if spoil is None:
        text = text[:-100]
    else:
        spoil(file)
        text = json.dumps(file)
    path.write_text(text, "utf-8")
    with pytest.raises(error, match=message) as caught:
        decision_records.read(tmp_path, decision.run)
    assert str(path) in str(caught.value)
    deps = dataclasses.replace(made.deps, runs=tmp_path)
    with pytest.raises(error, match=message):
        reporting.write(made.state("t"), deps)
    assert path.read_text("utf-8") == text
    assert [one.name for one in path.parent.iterdir()] == [decision_records.NAME]


# --- replaying ----------------------------------------------------------------------------


def test_nothing_changed_so_it_holds(record, known):
    again = replay(record, known)
    assert again.holds
    assert again.same_registry
    assert again.differences == ()
    assert again.verdict == again.winner == f"{world.GOOD} @ scripted"


def test_other_grades_give_another_verdict(record, known):
    """As if the record had been made up: the grades do not bear out what was concluded."""
    swapped = [
        one.model_copy(update={"grades": dict.fromkeys(one.grades, 0.0)}) for one in record.outcomes
    ]
    again = replay(record.model_copy(update={"outcomes": tuple(swapped)}), known)
    assert not again.holds
    assert again.verdict is None
    assert ("verdict", "winner") in decisive(again)
    assert any(part == "measurement" for part, _ in decisive(again))
    none = replay(record.model_copy(update={"outcomes": ()}), known)
    assert not none.holds
    assert "no grades" in " ".join(map(str, none.differences))


def test_a_licence_that_changed_overturns_the_winner_alone(record, known):
    good, poor, *rest = world.MODELS
    closed = good.model_copy(update={"licence": "cc-by-nc-4.0"})
    again = replay(record, changed(known, [closed, poor, *rest]))
    assert not again.holds
    assert not again.same_registry
    assert ("requirements", world.GOOD) in decisive(again)
    assert f"registry: {world.GOOD} licence: apache-2.0 -> cc-by-nc-4.0" in map(
        str, again.differences
    )
    other = poor.model_copy(update={"licence": "cc-by-nc-4.0"})
    assert replay(record, changed(known, [good, other, *rest])).holds


def test_a_licence_inherited_from_a_new_ancestor_counts(record, known):
    good, *rest = world.MODELS
    edge = LineageEdge(parent="acme/nc", relation="finetune", source="card")
    tuned = good.model_copy(update={"bases": (edge,)})
    again = replay(record, changed(known, [tuned, *rest]))
    assert ("requirements", world.GOOD) in decisive(again)


def test_a_model_that_left_the_registry_is_named(record, known):
    again = replay(record, changed(known, world.MODELS[1:]))
    assert ("registry", world.GOOD) in decisive(again)
    assert "gone" in " ".join(map(str, again.differences))


def test_another_registry_with_the_same_facts_holds(record, known):
    again = replay(record, changed(known, world.MODELS))
    assert again.holds
    assert not again.same_registry


def observed(record, value, **more):
    one = next(m for m in record.decision.measurements if m.model == world.GOOD)
    return Score(
        model=world.GOOD,
        benchmark=one.benchmark,
        protocol=one.protocol,
        value=value,
        low=max(value - 0.02, 0),
        high=min(value + 0.02, 1),
        n=2000,
        origin=Origin.MEASURED,
        source="again",
        date="2026-06-01",
        **more,
    )


@pytest.mark.parametrize(
    ("value", "more", "holds"),
    [
        (0.1, {}, False),
        (0.98, {}, True),
        (0.1, {"revision": "f" * 40}, True),
        (0.1, {"precision": "Q4"}, True),
    ],
)
def test_a_later_score_of_the_same_cell_that_says_otherwise_counts(
    tmp_path, record, known, value, more, holds
):
    from memory.scores import Scores

    scores = Scores(tmp_path / "scores.sqlite", bundled=None)
    scores.add([observed(record, value, **more)])
    again = replay(record, dataclasses.replace(known, scores=scores))
    assert again.holds is holds
    scores.close()


def test_a_new_suspicion_of_the_winner_counts(record, known):
    arm = f"{world.GOOD} @ scripted"
    found = Contamination(
        arm=arm, model=world.GOOD, benchmark="pubmedqa", flags=(), weight=0.5, reason="looks seen"
    )
    assert not replay(record, dataclasses.replace(known, suspected=[found])).holds
    elsewhere = found.model_copy(update={"benchmark": "gsm8k"})
    assert replay(record, dataclasses.replace(known, suspected=[elsewhere])).holds
