"""A run that meets a full disk, a cap of nothing or a clock that goes back: nothing is lost."""

import errno
import sqlite3
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import world

from agent.__main__ import parser
from agent.arguments.choosing import given
from agent.session import Decided
from agent.surfaces.terminal import DONE, Terminal
from memory.errors import MirrorError
from memory.records import CONSTANT
from memory.sqlite import StoreUnavailable
from tools.clients.backends.lm_eval_process import ArmFailed


class FillingRunner(world.KillingRunner):
    """Calls ``fill`` before the item at which the disk is to be full, once."""

    def run(self, arm, benchmark, items):
        for result in super().run(arm, benchmark, items):
            if len(self.asked) == self.fill_at and self.fill:
                fill, self.fill = self.fill, None
                fill()
            yield result


def connection(made, store):
    if store == "conversations":
        return made.conversations._open()
    return getattr(made.deps, store)._connection


def fill(held):
    """No page can be added, and those that are there have no room left."""
    held.execute("CREATE TABLE filler (x)")
    held.commit()
    pages = held.execute("PRAGMA page_count").fetchone()[0]
    held.execute(f"PRAGMA max_page_count={pages}")
    for size in (2000, 200, 20):
        with suppress(sqlite3.OperationalError):
            while True:
                held.execute("INSERT INTO filler VALUES (zeroblob(?))", (size,))
                held.commit()
        held.rollback()


def make_room(held):
    held.execute(f"PRAGMA max_page_count={2**30}")


def filled(home, fill_at=20):
    made = world.session(home)
    runner = FillingRunner({world.GOOD: 1.0, world.POOR: 0.0})
    runner.fill_at = fill_at
    made.deps = replace(made.deps, runner=runner)
    return made, runner


@pytest.mark.parametrize("store", ["ledger", "conversations"])
def test_a_disk_full_in_mid_run_is_one_line_and_nothing_is_paid_twice(tmp_path, store):
    made, runner = filled(tmp_path)

    runner.fill = lambda: fill(connection(made, store))
    with pytest.raises(StoreUnavailable, match=rf"{store}\.sqlite: the disk is full") as raised:
        world.go(made, "t")
    assert "\n" not in str(raised.value)
    before = list(runner.asked)
    assert before
    make_room(connection(made, store))
    ended = world.go(made, "t")[-1]
    assert isinstance(ended, Decided)
    assert ended.decision.winner.startswith(world.GOOD)
    paid = Counter((name, item) for name, item in runner.asked if name != CONSTANT)
    # The item in hand when the ledger filled up could not be kept; no other is asked again.
    assert sum(count - 1 for count in paid.values()) <= (store == "ledger")
    run = made.state("t")["run"]
    assert made.deps.ledger.spent(run) <= made.state("t")["plan"].cap_usd


@pytest.mark.parametrize(("store", "write"), [("scores", "add"), ("findings", "remember")])
def test_what_finds_no_room_is_written_when_there_is(tmp_path, monkeypatch, store, write):
    made = world.session(tmp_path)
    kind = type(getattr(made.deps, store))
    honest = getattr(kind, write)

    def full(self, *what):
        if not made.deps.runner.asked:
            return honest(self, *what)
        raise StoreUnavailable(f"Can't use {store}.sqlite: the disk is full; free some space")

    monkeypatch.setattr(kind, write, full)
    with pytest.raises(StoreUnavailable):
        world.go(made, "t")
    asked = len(made.deps.runner.asked)
    monkeypatch.setattr(kind, write, honest)
    assert isinstance(world.go(made, "t")[-1], Decided)
    assert [name for name, _ in made.deps.runner.asked[asked:] if name != CONSTANT] == []
    assert made.deps.scores.known([world.GOOD], ["pubmedqa"])
    assert any(one.kind == "decision" for one in made.deps.findings.all())


def test_a_report_without_room_is_one_line_and_made_again(tmp_path, monkeypatch):
    made = world.session(tmp_path)
    honest = Path.write_text

    def full(self, *args, **options):
        if self.name == "report.html":
            raise OSError(errno.ENOSPC, "No space left on device")
        return honest(self, *args, **options)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(MirrorError, match=r"No space left on device. Make room .* mirror resume t"):
        world.go(made, "t")
    asked = len(made.deps.runner.asked)
    monkeypatch.setattr(Path, "write_text", honest)
    ended = world.go(made, "t")[-1]
    assert (Path(ended.report) / "report.html").is_file()
    assert len(made.deps.runner.asked) == asked


def test_a_cap_of_nothing_spends_nothing_and_says_so(tmp_path, capsys):
    args = parser().parse_args(["select", world.REQUEST, "--approve-up-to", "0"])
    made = world.session(tmp_path)
    code = Terminal(made, args, "ada").converse("t", made.say("t", args.request, given(args)))
    assert code == DONE
    assert made.deps.ledger.spent(made.state("t")["run"]) == 0
    assert {name for name, _ in made.deps.runner.asked} <= {CONSTANT}
    told = " ".join(capsys.readouterr().out.split())
    assert "of the approved $0.00 is left" in told


def test_a_clock_that_goes_back_changes_nothing_but_dates(tmp_path):
    made = world.session(tmp_path)
    now = [datetime(2026, 6, 1, tzinfo=UTC)]

    def backwards():
        now[0] -= timedelta(days=1)
        return now[0]

    made.deps.ledger._clock = backwards
    made.deps = replace(made.deps, clock=backwards)
    straight = world.session(tmp_path / "straight")
    ended, usual = world.go(made, "t")[-1], world.go(straight, "t")[-1]
    assert ended.decision.winner == usual.decision.winner
    run = made.state("t")["run"]
    assert 0 < made.deps.ledger.spent(run) <= made.state("t")["plan"].cap_usd
    dates = [entry.at for entry in made.deps.ledger.entries(run)]
    assert dates == sorted(dates, reverse=True)
    assert (Path(ended.report) / "report.html").is_file()


class SilentRunner(world.KillingRunner):
    """The models in ``silent`` answer nothing to be graded; those in ``broken`` never load."""

    silent, broken = frozenset(), frozenset()

    def probe(self, arm):
        if arm.model in self.broken:
            raise ArmFailed("The evaluation process ended (SIGSEGV). See worker.log.")
        super().probe(arm)

    def run(self, arm, benchmark, items):
        for result in super().run(arm, benchmark, items):
            nothing = {"correct": None, "answer": ""} if arm.model in self.silent else {}
            yield result.model_copy(update=nothing)


def decided(tmp_path, **trouble):
    made = world.session(tmp_path)
    runner = SilentRunner({world.GOOD: 1.0, world.POOR: 0.0})
    for name, models in trouble.items():
        setattr(runner, name, frozenset(models))
    made.deps = replace(made.deps, runner=runner)
    ended = world.go(made, "t")[-1]
    assert (Path(ended.report) / "report.html").is_file()
    return {one.model.split(" @")[0]: one for one in ended.decision.ranking}, ended.decision


def test_a_model_that_says_nothing_is_missing_and_not_zero(tmp_path):
    ranking, decision = decided(tmp_path, silent=[world.POOR])
    assert decision.winner.startswith(world.GOOD)
    assert ranking[world.POOR].value is None
    assert "no item was answered" in ranking[world.POOR].reason
    assert {one.model for one in decision.measurements} == {world.GOOD, CONSTANT}


def test_where_every_model_says_nothing_nobody_wins(tmp_path):
    _, decision = decided(tmp_path, silent=[world.GOOD, world.POOR])
    assert decision.winner is None
    assert {one.model for one in decision.measurements} == {CONSTANT}


def test_a_crash_at_load_is_that_arms_reason(tmp_path):
    ranking, decision = decided(tmp_path, broken=[world.POOR])
    assert decision.winner.startswith(world.GOOD)
    assert "ended (SIGSEGV)" in ranking[world.POOR].reason
