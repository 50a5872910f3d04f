"""The report of a run: what was asked, what fell away and why, what is known, what was paid.

``write`` makes ``<runs>/<run>/`` with ``report.html`` (self-contained: no script, no network),
``report.md``, ``report.json`` (the dossier, for programs) and ``eliminated.csv`` (each removed
model with its one reason, computed again from the registry and the requirements).
Everything from outside is escaped by Jinja; nothing in a card or an answer can become markup.
"""

from __future__ import annotations

import csv
import itertools
import json
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

from memory import decision_records
from memory.errors import MirrorError
from memory.records import CONSTANT, PrototypeAnswer, Record
from tools import herd_runner
from tools.characterizing import claims
from tools.choosing import community, funnel
from tools.dossier import VOID
from tools.judging.reply import DIMENSIONS
from tools.plans import estimating
from tools.plans.value_of_information import doubt
from tools.real_task import own_task, prototype_deltas
from tools.real_task.answer_format import form_of
from tools.real_task.own_task import kept_name
from tools.reports import plots, recording
from tools.routing import runs
from tools.scores import evidence_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memory.records import (
        Candidate,
        Elimination,
        Interval,
        ItemResult,
        Measurement,
        Plan,
        Prediction,
        Routing,
    )
    from tools.choosing.community import Signals
    from tools.choosing.funnel import Eliminations
    from tools.deps import Deps
    from tools.dossier import Dossier

TEMPLATES = Path(__file__).parent / "templates"
LEFT_OUT = ("messages", "strikes", "complaint")
SHOWN, LETTERS = 10, 400  # examples side by side, and letters of each text


def write(dossier: Dossier, deps: Deps) -> Path:
    """Write the report's files and return their folder; a second writing replaces the first.

    The record of the decision stands beside it (``memory.decision_records``).

    Raises:
        MirrorError: the folder can't be written (no room, no permission); the line names it.
        DamagedStore: it holds a record that was damaged or edited; nothing is written.
    """
    folder = deps.runs / dossier["run"]
    if (folder / decision_records.NAME).exists():
        decision_records.load(folder / decision_records.NAME)
    dossier = cast("Dossier", {**dossier, "routing": _routing(dossier, deps)})
    fresh = folder.with_name(folder.name + ".writing")
    try:
        fresh.mkdir(parents=True, exist_ok=True)
        with (fresh / "eliminated.csv").open("w", encoding="utf-8", newline="") as file:
            _csv(itertools.chain(*eliminated(dossier, deps)), file)
        for name, text in _pages(dossier, deps, fresh / "eliminated.csv").items():
            (fresh / name).write_text(text, "utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        fresh.rename(folder)
    except OSError as error:
        raise MirrorError(
            f"The report can't be written to {folder}: {error.strerror}. Make room or set "
            f"MIRROR_RUNS, then: mirror resume {dossier['thread']}"
        ) from error
    return folder


def _pages(dossier: Dossier, deps: Deps, fallen: Path) -> dict[str, str]:
    """File name -> text of all that is small; ``fallen`` is ``eliminated.csv``, already written."""
    shown = _shown(dossier, deps)
    facts = {
        **_facts(dossier),
        "registry": deps.registry.version,
        "community": [asdict(one) for one in shown["community"]],
    }
    pages = {
        "report.json": json.dumps(facts, indent=1, ensure_ascii=False) + "\n",
        "report.md": _render("report.md.j2", {**shown, "pictures": {}}, autoescape=False),
        "report.html": _render("report.html.j2", shown, autoescape=True),
    }
    if dossier.get("decision") is not None:
        record = recording.record(dossier, deps, fallen)
        pages[decision_records.NAME] = decision_records.packed(record)
    return pages


def _community(dossier: Dossier, deps: Deps) -> list[Signals]:
    """The signals of the shortlist, to stand beside its scores."""
    names = [one.model for one in dossier.get("selected") or ()]
    known = [name for name in names if name in deps.registry.models]
    return community.signals(known, deps.registry, deps.clock()) if known else []


def _explained(dossier: Dossier) -> list[Candidate]:
    """The shortlist as candidates, each with what it matched."""
    found = {one.model: one for one in dossier.get("candidates") or ()}
    return [found[one.model] for one in dossier.get("selected") or () if one.model in found]


def eliminated(dossier: Dossier, deps: Deps) -> tuple[Eliminations, ...]:
    """Each model that fell, with the one reason, in registry order: of stage 1, then of 2."""
    needed = dossier.get("requirements")
    if needed is None or dossier.get("critical") is None:
        return ()
    columns = deps.index.columns
    _, first = funnel.critical(columns, needed)
    _, second = funnel.important(first.left, needed, columns)
    return first, second


def _csv(fallen: Iterable[Elimination], file: TextIO) -> None:
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(["model", "stage", "constraint", "reason"])
    rows.writerows((one.model, one.stage, one.constraint, one.reason) for one in fallen)


def _facts(dossier: Dossier) -> dict[str, Any]:
    return {key: _plain(value) for key, value in dossier.items() if key not in LEFT_OUT}


def _plain(value: object) -> Any:
    if isinstance(value, Record):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def _shown(dossier: Dossier, deps: Deps) -> dict[str, Any]:
    """What the pages show, by the templates' names for it."""
    return {
        # A conversation from before a key was added has none of it, which is not an error.
        "d": {**VOID, **dict.fromkeys(LEFT_OUT), **dossier},
        "constant": CONSTANT,
        "claimed": claims.MOST,
        "registry": deps.registry,
        "timing": estimating.timing(deps.ledger.took(dossier["run"])),
        "evidence": evidence_table.table(dossier),
        "community": _community(dossier, deps),
        "explained": _explained(dossier),
        "pictures": _pictures(dossier),
        "prototype": _prototype(dossier, deps),
        "dimensions": DIMENSIONS,
        "share": _share,
    }


def _render(template: str, shown: dict[str, Any], *, autoescape: bool) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = _cell
    return environment.get_template(template).render(shown)


@dataclass(frozen=True)
class Prototype:
    """The top arms on the user's own examples: measures, and answers side by side.

    ``whose``: "your own", or "synthetic".
    """

    whose: str
    measures: list[list[str]]
    answers: list[list[str]]


def _prototype(dossier: Dossier, deps: Deps) -> Prototype | None:
    """MSM's prototype deltas of the best arms; None where no example was answered by an arm."""
    needed, plan = dossier.get("requirements"), dossier.get("plan")
    if needed is None or needed.examples is None or plan is None:
        return None
    task = deps.examples.get(needed.examples)
    metric = own_task.graded(task).metric
    came = _answers(needed.examples, plan, deps)
    decision = dossier.get("decision")
    order = [line.model for line in decision.ranking] if decision else []
    arms = [arm for arm in order if any(one.arm == arm for one in came)][: prototype_deltas.TOP]
    if not arms:
        return None
    answers = [
        PrototypeAnswer(arm=arm, example=one.item, answer=one.answer, seconds=one.seconds)
        for arm in arms
        for one in came
        if one.arm == arm
    ]
    given = {answer.example for answer in answers}
    used = [one for one in task.examples.examples if one.id in given]
    found = prototype_deltas.compare(
        used, answers, form_of([one.reference for one in used], metric)
    )
    return Prototype(
        "synthetic" if task.examples.synthetic else "your own",
        prototype_deltas.rows(found),
        prototype_deltas.side_by_side(found, used[:SHOWN], LETTERS),
    )


def _answers(examples: str, plan: Plan, deps: Deps) -> list[ItemResult]:
    """One answer of an arm to an example, whether it was graded by metric, by judge or by both."""
    came = [one for one in herd_runner.results(plan, deps) if kept_name(one.benchmark) == examples]
    # By metric last, so that it stays: its time is that of the writing.
    came.sort(key=lambda one: one.benchmark == examples)
    return list({(one.arm, one.item): one for one in came}.values())


def _routing(dossier: Dossier, deps: Deps) -> Routing | None:
    """Whether choosing an arm per prompt pays; None where no two arms answered an example."""
    needed, plan = dossier.get("requirements"), dossier.get("plan")
    if needed is None or needed.examples is None or plan is None:
        return None
    found = runs.of_plan(plan, needed.examples, deps)
    return found.about if found is not None and len(found.about.members) > 1 else None


def _pictures(dossier: Dossier) -> dict[str, str]:
    """The page's plots by name, each as an ``<svg>``, or empty when there is nothing to draw."""
    measured, pairs = dossier.get("measurements") or [], _foretold(dossier)
    points, unit = regret_by_spend(dossier)
    return {
        "intervals": plots.intervals(measured) if measured else "",
        "foretold": plots.predicted_against_measured(pairs) if pairs else "",
        "regret": plots.regret_against_spend(points, unit) if len(points) > 1 else "",
    }


def regret_by_spend(dossier: Dossier) -> tuple[list[tuple[float, float]], str]:
    """What the plan was worth when it was proposed, arm by arm, and the unit of spending.

    Points (spent, expected regret in [0, 1]), the first before anything is spent; none where
    there was no plan or nothing to choose.
    """
    plan = dossier.get("plan")
    steps = [step for step in plan.steps if step.arm.model != CONSTANT] if plan else []
    models = list(dict.fromkeys(step.arm.model for step in steps))
    open_question = doubt(dossier, sum(step.items for step in steps) // max(len(steps), 1), models)
    if not steps or open_question is None:
        return [], ""
    dollars = any(step.usd > 0 for step in steps)
    points = [(0.0, open_question.regret([], []))]
    for n, model in enumerate(models, 1):
        own = [step for step in steps if step.arm.model == model]
        spent = sum(step.usd if dollars else step.minutes for step in own)
        tasks = list(dict.fromkeys(step.benchmark for step in own))
        points.append((points[-1][0] + spent, open_question.regret(models[:n], tasks)))
    return points, "dollars" if dollars else "minutes"


def _foretold(dossier: Dossier) -> list[tuple[Prediction, Measurement]]:
    """Each prediction whose cell was then measured here, with every measurement of it.

    One that claims no level, of a benchmark nobody was measured on, has nothing to come true.
    """
    guesses = {
        (one.model, one.benchmark): one
        for one in dossier.get("predicted") or ()
        if one.high - one.low < 1
    }
    return [
        (guesses[found.model, found.benchmark], found)
        for found in dossier.get("measurements") or ()
        if (found.model, found.benchmark) in guesses
    ]


def _share(found: Interval | None) -> str:
    """A rate with its interval in percent; a dash where there is none."""
    if found is None or found.value is None:
        return "–"
    return f"{found.value:.0%} ({found.low:.0%} – {found.high:.0%})"


def _cell(value: object) -> str:
    """A value from outside for Markdown: one line, in which nothing is markup."""
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", " ".join(str(value).split()))
