"""Money: an approval is good for one plan, one run, up to its cap, whoever asks at once."""

import multiprocessing
import sqlite3
from datetime import UTC, datetime

import pytest

from memory.errors import DamagedStore, NotApproved
from memory.ledger import Ledger
from memory.records import Approval, Arm, Contamination, ItemResult, Plan
from memory.sqlite import StoreUnavailable

AT = datetime(2026, 1, 2, tzinfo=UTC)
ARM = Arm(name="a", model="o/m", backend="hf", weights="w", precision="Q4")


def clock():
    return AT


def plan(run="r1", cap=1.0):
    return Plan(thread="t", run=run, steps=(), seed=1, cap_usd=cap)


def yes(for_plan, **given):
    fixed = {"plan": for_plan.hash, "decision": "approve", "by": "me", "surface": "test"}
    return Approval(**(fixed | {"at": AT.isoformat()} | given))


@pytest.fixture
def ledger(tmp_path):
    opened = Ledger(tmp_path / "ledger.sqlite", clock)
    yield opened
    opened.close()


@pytest.fixture
def budget(ledger):
    ledger.record_approval(yes(plan()))
    return ledger.open(plan(), yes(plan()))


def test_spends_up_to_the_cap_and_no_further(ledger, budget):
    budget.spend("one", 0.6, seconds=3)
    with pytest.raises(NotApproved, match=r"\$0\.4000"):
        budget.spend("two", 0.41)
    budget.spend("three", 0.4)
    assert budget.remaining == pytest.approx(0)
    assert [entry.what for entry in ledger.entries("r1")] == ["one", "three"]
    assert ledger.spent("r1") == pytest.approx(1.0)
    assert ledger.seconds("r1") == 3


def test_ten_dimes_make_a_dollar(budget):
    for _ in range(10):
        budget.spend("dime", 0.1)
    with pytest.raises(NotApproved):
        budget.spend("more", 0.01)


@pytest.mark.parametrize("usd", [-0.1, float("nan"), float("inf")])
def test_what_is_no_price_is_refused(ledger, budget, usd):
    with pytest.raises(NotApproved):
        budget.spend("odd", usd)
    assert ledger.entries("r1") == []


def test_a_reserve_is_replaced_by_the_real_cost_even_above_it(ledger, budget):
    budget.spend("reserve", 0.5)
    budget.settle("item", 0.5, 0.2, 4)
    assert budget.remaining == pytest.approx(0.8)
    budget.spend("reserve", 0.8)
    budget.settle("item", 0.8, 0.9)
    assert ledger.spent("r1") == pytest.approx(1.1)
    with pytest.raises(NotApproved):
        budget.spend("next", 0.01)


def test_the_same_run_goes_on_with_what_is_left(ledger, budget):
    budget.spend("before the crash", 0.7)
    ledger.close()
    assert ledger.open(plan(), yes(plan())).remaining == pytest.approx(0.3)


@pytest.mark.parametrize("decision", ["refuse", "edit", "drop"])
def test_anything_but_yes_is_no(ledger, decision):
    answer = yes(plan(), decision=decision)
    ledger.record_approval(answer)
    with pytest.raises(NotApproved, match=decision):
        ledger.open(plan(), answer)


def test_a_changed_plan_needs_a_new_approval(ledger):
    ledger.record_approval(yes(plan()))
    with pytest.raises(NotApproved, match="changed"):
        ledger.open(plan(cap=300.0), yes(plan()))


def test_an_approval_nobody_recorded_is_worth_nothing(ledger):
    with pytest.raises(NotApproved, match="not in the ledger"):
        ledger.open(plan(), yes(plan()))


@pytest.mark.parametrize("cap", [1.5, -1.0, float("nan")])
def test_an_approval_cannot_raise_the_cap(ledger, cap):
    answer = yes(plan()).model_copy(update={"cap_usd": cap})  # as a careless caller makes it
    ledger.record_approval(answer)
    with pytest.raises(NotApproved, match="cap"):
        ledger.open(plan(), answer)


def test_an_approval_may_lower_the_cap(ledger):
    answer = yes(plan(), cap_usd=0.2)
    ledger.record_approval(answer)
    with pytest.raises(NotApproved):
        ledger.open(plan(), answer).spend("x", 0.3)


def test_a_second_approval_of_a_run_is_refused(ledger, budget):
    second = yes(plan(), by="somebody else")
    ledger.record_approval(second)
    with pytest.raises(NotApproved, match="already bound"):
        ledger.open(plan(), second)
    assert [answer.by for answer in ledger.approvals(plan().hash)] == ["me", "somebody else"]


def test_the_same_click_twice_is_one_line(ledger):
    assert ledger.record_approval(yes(plan())) == ledger.record_approval(yes(plan()))
    assert len(ledger.approvals(plan().hash)) == 1


def race(path, by, barrier, outcomes):
    ledger = Ledger(path, clock)
    answer = yes(plan(), by=by)
    ledger.record_approval(answer)
    barrier.wait()
    try:
        ledger.open(plan(), answer).spend("first", 1.0)
        outcomes.put("won")
    except NotApproved:
        outcomes.put("refused")
    ledger.close()


def test_of_two_processes_exactly_one_wins(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    barrier, outcomes = spawn.Barrier(2), spawn.Queue()
    path = tmp_path / "ledger.sqlite"
    racers = [spawn.Process(target=race, args=(path, by, barrier, outcomes)) for by in "ab"]
    for racer in racers:
        racer.start()
    results = sorted(outcomes.get(timeout=60) for _ in racers)
    for racer in racers:
        racer.join(60)
    assert results == ["refused", "won"]
    assert Ledger(path, clock).spent("r1") == 1.0


@pytest.mark.parametrize("table", ["approvals", "budgets", "entries", "results"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET rowid = rowid + 1"])
def test_nothing_is_changed_or_deleted(ledger, budget, table, change):
    budget.spend("x", 0.1)
    ledger.keep(ARM, "p", ItemResult(arm="a", benchmark="t", item="1", correct=1))
    with (
        sqlite3.connect(ledger.path) as other,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        other.execute(change.format(table))
    other.close()


def test_results_are_kept_per_arm_protocol_and_item(ledger):
    result = ItemResult(arm="a", benchmark="t", item="1", correct=None, usd=0.1)
    ledger.keep(ARM, "p", result)
    ledger.keep(ARM, "p", result.model_copy(update={"correct": 1.0}))
    assert ledger.done(ARM, "t", "p") == {"1": result}
    assert ledger.done(ARM, "t", "other protocol") == {}
    assert ledger.done(ARM, "other task", "p") == {}
    assert ledger.done(ARM.model_copy(update={"precision": "Q3"}), "t", "p") == {}
    assert ledger.done(ARM.model_copy(update={"note": "a remark"}), "t", "p") == {"1": result}


def test_a_clock_that_goes_back_keeps_the_order(tmp_path):
    times = iter([datetime(2026, 1, 2, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)])
    ledger = Ledger(tmp_path / "ledger.sqlite", lambda: next(times))
    ledger.record_approval(yes(plan()))
    budget = ledger.open(plan(), yes(plan()))
    budget.spend("first", 0.1)
    budget.spend("second", 0.1)
    assert [entry.what for entry in ledger.entries("r1")] == ["first", "second"]
    ledger.close()


def test_a_damaged_ledger_is_named_and_left_as_it_is(tmp_path):
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"\x00\x01garbage" * 500)
    with pytest.raises(DamagedStore, match=r"ledger\.sqlite"):
        Ledger(path, clock).record_approval(yes(plan()))
    assert path.read_bytes() == b"\x00\x01garbage" * 500


def test_pages_damaged_in_the_middle_are_found(tmp_path, ledger, budget):
    for i in range(300):
        ledger.keep(ARM, "p", ItemResult(arm="a", benchmark="t", item=str(i), correct=1))
    ledger._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    ledger.close()
    data = bytearray(ledger.path.read_bytes())
    data[-4096 * 3 :] = b"\xff" * 4096 * 3
    ledger.path.write_bytes(data)
    with pytest.raises(DamagedStore, match=r"ledger\.sqlite"):
        ledger.spent("r1")


def test_a_full_disk_loses_nothing_that_was_written(ledger, budget):
    pages = ledger._connection.execute("PRAGMA page_count").fetchone()[0]
    ledger._connection.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StoreUnavailable, match="disk is full"):
        budget.spend("x" * 50_000, 0.1)
    assert ledger.spent("r1") == 0
    budget.spend("small", 0.1)
    assert ledger.spent("r1") == pytest.approx(0.1)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(StoreUnavailable, match="folder"):
        Ledger(tmp_path / "file" / "ledger.sqlite", clock).spent("r")


def test_a_contamination_check_is_kept_once_for_exactly_that_arm_and_question(ledger):
    found = Contamination(
        arm=ARM.name, model=ARM.model, benchmark="t", flags=(), weight=0.5, reason="told"
    )
    assert ledger.check(ARM, "t", "q") is None
    ledger.keep_check(ARM, "q", found)
    ledger.keep_check(ARM, "q", found.model_copy(update={"weight": 1.0}))
    assert ledger.check(ARM.model_copy(update={"note": "other"}), "t", "q") == found
    assert ledger.check(ARM.model_copy(update={"precision": "F32"}), "t", "q") is None
    assert ledger.check(ARM, "t", "another question") is None
    assert ledger.check(ARM, "u", "q") is None
    assert ledger.checks() == [found]


def test_a_ledger_from_before_checks_gets_their_table(tmp_path):
    old = Ledger(tmp_path / "old.sqlite", clock)
    old.keep(ARM, "p", ItemResult(arm=ARM.name, benchmark="t", item="i", correct=1.0))
    old.close()
    with sqlite3.connect(old.path) as connection:
        connection.execute("DROP TABLE checks")
    assert old.checks() == []
    assert set(old.done(ARM, "t", "p")) == {"i"}
    old.close()
