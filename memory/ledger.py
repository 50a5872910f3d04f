"""The ledger: who approved what, what was spent, and every result that was paid for.

Append-only by trigger. An approval is bound to one plan's hash and, by a unique row, to one
run: of two processes that open it at once exactly one wins. Lines are ordered by row id, so
a clock that goes backwards changes nothing but the text of a date.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from memory.errors import NotApproved
from memory.records import (
    Approval,
    Arm,
    ChatReply,
    Contamination,
    Forecast,
    ItemResult,
    LedgerEntry,
)
from memory.sqlite import clear_errors, connect, writing

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from memory.records import Plan

# A tenth of a micro-dollar: what float sums of thousands of items may be off by.
ROUNDING_USD = 1e-7

_TABLES = {
    "approvals": "id TEXT PRIMARY KEY, plan TEXT NOT NULL, record TEXT NOT NULL",
    "budgets": "approval TEXT NOT NULL UNIQUE REFERENCES approvals(id), run TEXT NOT NULL UNIQUE,"
    " plan TEXT NOT NULL, cap_usd REAL NOT NULL",
    "entries": "run TEXT NOT NULL REFERENCES budgets(run), usd REAL NOT NULL,"
    " seconds REAL NOT NULL, record TEXT NOT NULL",
    "results": "arm TEXT NOT NULL, benchmark TEXT NOT NULL, protocol TEXT NOT NULL,"
    " item TEXT NOT NULL, record TEXT NOT NULL, UNIQUE (arm, benchmark, protocol, item)",
    "forecasts": "run TEXT NOT NULL REFERENCES budgets(run), arm TEXT NOT NULL,"
    " benchmark TEXT NOT NULL, what TEXT NOT NULL, record TEXT NOT NULL, UNIQUE (run, what)",
    "checks": "arm TEXT NOT NULL, benchmark TEXT NOT NULL, check_key TEXT NOT NULL,"
    " record TEXT NOT NULL, UNIQUE (arm, benchmark, check_key)",
    "replies": "model TEXT NOT NULL, item TEXT NOT NULL, protocol TEXT NOT NULL,"
    " prompt TEXT NOT NULL, record TEXT NOT NULL, UNIQUE (model, item, protocol, prompt)",
}


class ReplyKey(NamedTuple):
    """What a paid reply is kept under.

    ``item`` names the texts it is about, ``protocol`` how it was asked, ``prompt`` the wording
    and its version. Two calls of one key are the same call.
    """

    model: str
    item: str
    protocol: str
    prompt: str


class Took(NamedTuple):
    """A forecast, and what came of it: ``n`` items (or loadings) took ``seconds`` each."""

    forecast: Forecast
    n: int
    seconds: float


# Only results count: an item that hung until its time-out, or a loading after which nothing was
# measured, says nothing of how long the work takes.
_TOOK = """
    SELECT f.rowid, f.record, count(*), avg(json_extract(r.record, '$.seconds'))
    FROM forecasts f JOIN results r ON r.arm = f.arm AND r.benchmark = f.benchmark
    WHERE json_extract(r.record, '$.run') = f.run GROUP BY f.rowid
    UNION ALL
    SELECT f.rowid, f.record, count(*), avg(e.seconds)
    FROM forecasts f JOIN entries e ON e.run = f.run AND json_extract(e.record, '$.what') = f.what
    WHERE f.benchmark = '' AND EXISTS (
        SELECT 1 FROM results r WHERE r.arm = f.arm AND json_extract(r.record, '$.run') = f.run
    ) GROUP BY f.rowid
    ORDER BY 1
"""


class Ledger:
    """The ledger at ``path``; ``clock`` dates its lines.

    Raises ``DamagedStore`` or ``StoreUnavailable`` (``memory.sqlite``) from any method.
    """

    def __init__(self, path: Path, clock: Callable[[], datetime]) -> None:
        self.path = path
        self._clock = clock

    @cached_property
    def _connection(self) -> sqlite3.Connection:
        connection = connect(self.path)
        with writing(connection, self.path):
            for table, columns in _TABLES.items():
                connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
                for change in ("UPDATE", "DELETE"):
                    connection.execute(
                        f"CREATE TRIGGER IF NOT EXISTS {table}_no_{change.lower()}"
                        f" BEFORE {change} ON {table}"
                        f" BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
                    )
            connection.execute("CREATE INDEX IF NOT EXISTS entries_of_run ON entries (run)")
        return connection

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        if "_connection" in self.__dict__:
            self._connection.close()
            del self._connection

    # --- approvals ----------------------------------------------------------------------

    def record_approval(self, approval: Approval) -> str:
        """Write a person's answer down, whatever it was; the same answer twice is one line.

        Returns its id: the first 16 hex digits of SHA-256 over the record.
        """
        with writing(self._connection, self.path) as connection:
            connection.execute(
                "INSERT OR IGNORE INTO approvals VALUES (?, ?, ?)",
                (_id(approval), approval.plan, approval.model_dump_json()),
            )
        return _id(approval)

    def approvals(self, plan: str) -> list[Approval]:
        """Every answer to the plan of that hash, oldest first."""
        rows = self._select("SELECT record FROM approvals WHERE plan = ? ORDER BY rowid", plan)
        return [Approval.model_validate_json(row[0]) for row in rows]

    def knows(self, run: str) -> bool:
        """Whether spending was ever approved for ``run`` here; looking makes no file."""
        return self.path.exists() and bool(self._select("SELECT 1 FROM budgets WHERE run = ?", run))

    def open(self, plan: Plan, approval: Approval) -> Budget:
        """Bind ``approval`` to ``plan.run`` and return what the run may spend.

        The same run may open the same approval again, after a crash, with what is left.

        Raises:
            NotApproved: the answer was not yes or was never recorded, the plan changed, the cap
                is above the plan's, it would run code that was not ticked, or another run or
                another approval holds the place.
        """
        _check(plan, approval)
        cap = plan.cap_usd if approval.cap_usd is None else approval.cap_usd
        key = _id(approval)
        with writing(self._connection, self.path) as connection:
            if not self._select("SELECT 1 FROM approvals WHERE id = ?", key):
                raise NotApproved("This approval is not in the ledger; ask for the plan again.")
            connection.execute(
                "INSERT OR IGNORE INTO budgets VALUES (?, ?, ?, ?)", (key, plan.run, plan.hash, cap)
            )
            holders = self._select(
                "SELECT approval, run, plan, cap_usd FROM budgets WHERE approval = ? OR run = ?",
                key,
                plan.run,
            )
        if holders != [(key, plan.run, plan.hash, cap)]:
            raise NotApproved(
                f"This approval or run {plan.run!r} is already bound to run {holders[0][1]!r} and"
                " can't be used twice; ask for a new plan."
            )
        return Budget(self, plan.run, plan.hash, key, cap)

    # --- money --------------------------------------------------------------------------

    def entries(self, run: str) -> list[LedgerEntry]:
        """Every line of a run, in the order written."""
        rows = self._select("SELECT record FROM entries WHERE run = ? ORDER BY rowid", run)
        return [LedgerEntry.model_validate_json(row[0]) for row in rows]

    def spent(self, run: str) -> float:
        """Dollars a run has spent or reserved."""
        return float(
            self._select("SELECT coalesce(sum(usd), 0.0) FROM entries WHERE run = ?", run)[0][0]
        )

    def seconds(self, run: str) -> float:
        """Machine seconds a run has used."""
        return float(
            self._select("SELECT coalesce(sum(seconds), 0.0) FROM entries WHERE run = ?", run)[0][0]
        )

    def _append(
        self, budget: Budget, what: str, usd: float, seconds: float, *, capped: bool
    ) -> None:
        if not (math.isfinite(usd) and math.isfinite(seconds) and seconds >= 0):
            raise NotApproved(
                f"{what}: {usd} dollars and {seconds} seconds can't be accounted for."
            )
        entry = LedgerEntry(
            at=self._clock().isoformat(),
            run=budget.run,
            plan=budget.plan,
            approval=budget.approval,
            what=what,
            usd=usd,
            seconds=seconds,
        )
        with writing(self._connection, self.path) as connection:
            left = budget.cap_usd - self.spent(budget.run)
            if capped and usd > left + ROUNDING_USD:
                raise NotApproved(
                    f"{what} needs ${usd:.4f} and ${max(left, 0.0):.4f} of the approved"
                    f" ${budget.cap_usd:.2f} is left; approve a plan with a higher cap to go on."
                )
            connection.execute(
                "INSERT INTO entries VALUES (?, ?, ?, ?)",
                (budget.run, usd, seconds, entry.model_dump_json()),
            )

    # --- results that were paid for -----------------------------------------------------

    def keep(self, arm: Arm, protocol: str, result: ItemResult) -> None:
        """Remember one item's result; the first one of an arm, protocol and item stays."""
        with writing(self._connection, self.path) as connection:
            connection.execute(
                "INSERT OR IGNORE INTO results VALUES (?, ?, ?, ?, ?)",
                (arm.identity, result.benchmark, protocol, result.item, result.model_dump_json()),
            )

    def done(self, arm: Arm, benchmark: str, protocol: str) -> dict[str, ItemResult]:
        """What is known of exactly this arm (weights, precision, back end) per item."""
        rows = self._select(
            "SELECT item, record FROM results"
            " WHERE arm = ? AND benchmark = ? AND protocol = ? ORDER BY rowid",
            arm.identity,
            benchmark,
            protocol,
        )
        return {item: ItemResult.model_validate_json(record) for item, record in rows}

    def answers(self, benchmark: str, protocol: str) -> list[tuple[Arm, ItemResult]]:
        """Every result kept of a benchmark under a protocol, whichever arm and run; oldest first.

        Empty, and no file is made, when there never was one.
        """
        if not self.path.exists():
            return []
        query = (
            "SELECT arm, record FROM results WHERE benchmark = ? AND protocol = ? ORDER BY rowid"
        )
        return [
            (Arm.model_validate_json(arm), ItemResult.model_validate_json(record))
            for arm, record in self._select(query, benchmark, protocol)
        ]

    def expect(self, forecast: Forecast) -> None:
        """Write an estimate down before the work; the first one of a run and ``what`` stays."""
        with writing(self._connection, self.path) as connection:
            connection.execute(
                "INSERT OR IGNORE INTO forecasts VALUES (?, ?, ?, ?, ?)",
                (
                    forecast.run,
                    forecast.arm.identity,
                    forecast.benchmark or "",
                    forecast.what,
                    forecast.model_dump_json(),
                ),
            )

    def took(self, run: str | None = None) -> list[Took]:
        """Each forecast (of ``run``) that came to something, oldest first; makes no file."""
        if not self.path.exists():
            return []
        rows = self._select(_TOOK)
        found = [Took(Forecast.model_validate_json(row[1]), row[2], row[3]) for row in rows]
        return [one for one in found if run in (None, one.forecast.run)]

    def keep_check(self, arm: Arm, key: str, found: Contamination) -> None:
        """Remember what a contamination check found; the first one of an arm and key stays."""
        with writing(self._connection, self.path) as connection:
            connection.execute(
                "INSERT OR IGNORE INTO checks VALUES (?, ?, ?, ?)",
                (arm.identity, found.benchmark, key, found.model_dump_json()),
            )

    def check(self, arm: Arm, benchmark: str, key: str) -> Contamination | None:
        """What was found of exactly this arm under ``key``; None when it was never paid for."""
        query = "SELECT record FROM checks WHERE arm = ? AND benchmark = ? AND check_key = ?"
        rows = self._select(query, arm.identity, benchmark, key)
        return Contamination.model_validate_json(rows[0][0]) if rows else None

    def checks(self) -> list[Contamination]:
        """Everything that was ever found, oldest first; looking makes no file."""
        if not self.path.exists():
            return []
        rows = self._select("SELECT record FROM checks ORDER BY rowid")
        return [Contamination.model_validate_json(record) for (record,) in rows]

    def keep_reply(self, key: ReplyKey, reply: ChatReply) -> None:
        """Remember a model's paid reply; the first one of a key stays."""
        with writing(self._connection, self.path) as connection:
            connection.execute(
                "INSERT OR IGNORE INTO replies VALUES (?, ?, ?, ?, ?)",
                (*key, reply.model_dump_json()),
            )

    def reply(self, key: ReplyKey) -> ChatReply | None:
        """The reply kept under ``key``; None when it was never paid for."""
        query = (
            "SELECT record FROM replies"
            " WHERE model = ? AND item = ? AND protocol = ? AND prompt = ?"
        )
        rows = self._select(query, *key)
        return ChatReply.model_validate_json(rows[0][0]) if rows else None

    def reply_seconds(self, model: str) -> list[float]:
        """How long each kept reply of a model took; makes no file."""
        if not self.path.exists():
            return []
        query = "SELECT json_extract(record, '$.seconds') FROM replies WHERE model = ?"
        return [float(seconds) for (seconds,) in self._select(query, model)]

    def _select(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        with clear_errors(self.path):
            return self._connection.execute(query, values).fetchall()


@dataclass(frozen=True)
class Budget:
    """What one run may spend under one approval. Made by ``Ledger.open`` only."""

    _ledger: Ledger
    run: str
    plan: str
    approval: str
    cap_usd: float

    @property
    def remaining(self) -> float:
        """Dollars of the cap that are neither spent nor reserved; never negative."""
        return max(self.cap_usd - self._ledger.spent(self.run), 0.0)

    def spend(self, what: str, usd: float, seconds: float = 0.0) -> None:
        """Write a cost down before it is made.

        Raises:
            NotApproved: it would pass the cap, or isn't a number of dollars; nothing is written.
        """
        if not usd >= 0:
            raise NotApproved(f"{what}: ${usd} is not a price.")
        self._ledger._append(self, what, usd, seconds, capped=True)

    def settle(self, what: str, reserved: float, usd: float, seconds: float = 0.0) -> None:
        """Replace what was reserved with ``spend`` by what it really cost.

        A cost above its reserve is written in full, even past the cap: the ledger tells the
        truth, and the next ``spend`` is refused.
        """
        self._ledger._append(self, what, usd - reserved, seconds, capped=False)


def _check(plan: Plan, approval: Approval) -> None:
    if approval.decision != "approve":
        raise NotApproved(f"The plan was answered with {approval.decision!r}; nothing is spent.")
    if approval.plan != plan.hash:
        raise NotApproved(
            f"The approval is for plan {approval.plan} and this is plan {plan.hash}: it changed"
            " since; look at the new plan and approve that."
        )
    if approval.cap_usd is not None and not 0 <= approval.cap_usd <= plan.cap_usd:
        raise NotApproved(
            f"The approval's cap ${approval.cap_usd} is not within the plan's"
            f" ${plan.cap_usd:.2f}; change the plan's cap and approve that."
        )
    if unknown := [tick for tick in plan.trusted if tick not in approval.trust]:
        raise NotApproved(
            f"The plan would run code that comes with {unknown[0]}, and the approval does not say"
            " that it may; tick it, or drop that arm."
        )


def _id(approval: Approval) -> str:
    return hashlib.sha256(approval.model_dump_json().encode()).hexdigest()[:16]
