"""The router of a run, from its plan and what the ledger keeps; and one before there is a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from memory.errors import BadRequest, DamagedStore
from memory.records import CONSTANT, Plan, Requirements, Routing
from tools import router
from tools.real_task import own_task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.routers import FittedRouter
    from tools.deps import Deps


def fit(run: str, deps: Deps) -> FittedRouter:
    """Learn from the answers to the run's own examples, its arms' alone; nothing is asked again.

    Raises:
        BadRequest: there is no such run, or it measured no example of the user's.
        DamagedStore: its report can't be read.
    """
    plan, needed = _told(deps.runs / Path(run).name / "report.json", run)
    if needed.examples is None:
        raise BadRequest(
            f"Run {run} had no examples of your own, and a router learns from answers to those: "
            "mirror select … --examples FILE"
        )
    found = of_plan(plan, needed.examples, deps)
    if found is None:
        raise BadRequest(f"No arm of run {run} has answered an example; there is nothing to learn.")
    return found


def of_plan(plan: Plan, examples: str, deps: Deps) -> FittedRouter | None:
    """The router of a plan's arms, from their answers so far; None when there are none."""
    steps = [s for s in plan.steps if s.benchmark == examples and s.arm.model != CONSTANT]
    if not steps:
        return None
    task = own_task.graded(deps.examples.get(examples))
    models = [step.arm.model for step in steps]
    return router.learn(plan.run, task, deps, models, protocol=steps[0].protocol)


def before(run: str, models: Sequence[str], examples: str, deps: Deps) -> Routing:
    """What answers that earlier runs paid for say of routing over ``models``."""
    task = own_task.graded(deps.examples.get(examples))
    found = router.learn(run, task, deps, models)
    if found is not None:
        return found.about
    return Routing(
        run=run,
        at=deps.clock().isoformat(timespec="seconds"),
        benchmark=examples,
        instruction=task.task.instruction,
        embedder=deps.embedder.name,
        basis="nothing",
        members=(),
        pays=False,
        best=None,
        reason="No answer to your examples is kept yet; whether choosing a model per prompt pays is"
        " tested once they are measured.",
    )


def _told(path: Path, run: str) -> tuple[Plan, Requirements]:
    try:
        told = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise BadRequest(f"There is no report of run {run!r} in {path.parent.parent}.") from None
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error
    if not isinstance(told, dict) or not told.get("plan"):
        raise BadRequest(f"Run {run} measured nothing: it has no plan.")
    try:
        return Plan.model_validate(told["plan"]), Requirements.model_validate(told["requirements"])
    except (ValidationError, KeyError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> DamagedStore:
    return DamagedStore(f"{path} can't be read ({type(error).__name__}); it was left untouched.")
