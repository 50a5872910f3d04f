"""Answers from what one conversation has found out: why, compared with what, and at what price.

Every word and number here comes from the dossier, the registry and the ledger; nothing is
inferred that was not recorded. A family's name ("why not Qwen?") is answered for its best member,
with what became of the others.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from memory.errors import BadRequest
from tools.choosing import community
from tools.choosing.constraints import billions, graph, verdict
from tools.conversation.follow_ups import Compare, Recall, Show, Why
from tools.conversation.whereabouts import Fate, Whereabouts, model_of
from tools.plans import planning
from tools.request import requirements
from tools.scores import evidence_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from memory.records import Comparison, Decision, Model
    from tools.conversation.follow_ups import Question
    from tools.deps import Deps
    from tools.dossier import Dossier

ALIKE = 0.5  # cosine from which a finding is about the same thing
MOST_COMPARED = 4


@dataclass(frozen=True)
class Answer:
    """``text``, and where it helps a table of ``rows`` under ``header``."""

    text: str
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()

    def plain(self) -> str:
        """All of it as text, a line a row: what a planning model is given."""
        return "\n".join(
            [self.text, *(" | ".join(row) for row in (self.header, *self.rows) if row)]
        )


def answer(question: Question, dossier: Dossier, deps: Deps) -> Answer:
    """The answer to a question about what ``dossier`` holds.

    Raises:
        BadRequest: it names a model nobody knows; the line names near ones.
    """
    match question:
        case Why(model):
            return _why(model, dossier, deps)
        case Compare(models):
            return _compare(models, dossier, deps)
        case Show(topic):
            return _SHOWN[topic](dossier, deps)
        case Recall(query):
            return _recall(query, deps)
    assert_never(question)


# --- why ----------------------------------------------------------------------------------


def _why(name: str | None, dossier: Dossier, deps: Deps) -> Answer:
    places = Whereabouts(dossier, deps)
    if name is None:
        leader = places.leader()
        if leader is None:
            return Answer("Nothing leads yet: no model has been chosen or shortlisted.")
        return Answer(_told(places.fate(leader)))
    found = places.called(name)
    if len(found) == 1:
        return Answer(_told(places.fate(found[0])))
    fates = sorted((places.fate(model) for model in found), key=lambda fate: fate.rank)
    counts = Counter(fate.kind for fate in fates)
    told = ", ".join(f"{n:,} {kind}" for kind, n in counts.most_common())
    best = "\n".join(_told(fate) for fate in fates[:3])
    return Answer(f"{len(found):,} models are called {name}: {told}.\nThe nearest:\n{best}")


def _told(fate: Fate) -> str:
    return f"{fate.model}: {fate.kind}. {fate.reason}"


# --- compare ------------------------------------------------------------------------------


def _compare(names: Sequence[str], dossier: Dossier, deps: Deps) -> Answer:
    places = Whereabouts(dossier, deps)
    models = list(dict.fromkeys(places.nearest(name) for name in names[:MOST_COMPARED]))
    if len(models) < 2:
        models = list(dict.fromkeys([*models, *places.leading()]))[:2]
    if len(models) < 2:
        raise BadRequest("Name two models to compare, such as: compare A and B.")
    rows = [*_facts(models, deps), *_standings(models, places), *_cells(models, dossier)]
    decision = dossier.get("decision")
    measured = [_difference(one) for one in _between(models, decision)]
    text = " ".join(measured) or "They were not measured on the same items in this conversation."
    return Answer(text, ("", *models), tuple(rows))


def _facts(models: Sequence[str], deps: Deps) -> Iterator[tuple[str, ...]]:
    known = [deps.registry.models[model] for model in models]
    everything = deps.registry.models
    parents = graph(everything)
    yield "size", *(billions(one.params) if one.params else "unknown" for one in known)
    yield "licence", *(one.licence or "unknown" for one in known)
    yield "along its lineage", *(verdict(one, everything, parents).category for one in known)
    yield "context", *(f"{one.context_length:,}" if one.context_length else "?" for one in known)
    yield "languages", *(_listed(one) for one in known)
    yield "released", *(one.released or "unknown" for one in known)
    beside = community.signals(models, deps.registry, deps.clock())
    yield "community (no part of quality)", *(one.describe() for one in beside)
    if any(one.unmaintained for one in beside):
        yield "popular but unmaintained", *(one.unmaintained or "no" for one in beside)


def _listed(model: Model) -> str:
    shown = ", ".join(model.languages[:6]) or "not stated"
    return shown + (f" and {len(model.languages) - 6} more" if len(model.languages) > 6 else "")


def _standings(models: Sequence[str], places: Whereabouts) -> Iterator[tuple[str, ...]]:
    fates = [places.fate(model) for model in models]
    yield "here", *(fate.kind for fate in fates)
    yield "why", *(fate.reason for fate in fates)


def _cells(models: Sequence[str], dossier: Dossier) -> Iterator[tuple[str, ...]]:
    table = evidence_table.table(dossier)
    by_name: dict[str, evidence_table.Row] = {}
    for row in table.rows:  # a measured arm is called after its model and stands first
        by_name.setdefault(model_of(row.name), row)
    for j, benchmark in enumerate(table.benchmarks):
        cells = [by_name[model].cells[j] if model in by_name else None for model in models]
        yield (
            benchmark,
            *(_cell(cell) for cell in cells),
        )


def _cell(cell: evidence_table.Cell | None) -> str:
    if cell is None or cell.value is None:
        return "unknown"
    return f"{cell.text}, {cell.why}"


def _between(models: Sequence[str], decision: Decision | None) -> Iterator[Comparison]:
    for one in decision.comparisons if decision else ():
        if {model_of(one.a), model_of(one.b)} <= set(models):
            yield one


def _difference(one: Comparison) -> str:
    says = "no clear difference" if one.low <= 0 <= one.high else "a clear difference"
    return (
        f"{one.a} minus {one.b} on the same {one.n} items: {one.difference:+.3f} "
        f"({one.low:+.3f} to {one.high:+.3f}), {says}."
    )


# --- show ---------------------------------------------------------------------------------


def _requirements(dossier: Dossier, deps: Deps) -> Answer:
    needed = dossier.get("requirements")
    return Answer("Understood: " + requirements.describe(needed) if needed else "Nothing yet.")


def _shortlist(dossier: Dossier, deps: Deps) -> Answer:
    chosen = dossier.get("selected") or []
    if not chosen:
        return Answer("There is no shortlist yet.")
    rows = tuple(
        (
            one.model,
            f"{one.s:.2f}",
            f"{one.sigma:.2f}",
            f"{one.known_cells} known, {one.predicted_cells} predicted of {one.cells}",
            "–" if one.related is None else f"{one.related:.2f} ({one.related_cells} scores)",
        )
        for one in chosen
    )
    header = ("model", "s (Eq. 1)", "relevance", "scores", "related benchmarks")
    return Answer(f"Shortlist of {len(chosen)}, by Eq. 1.", header, rows)


def _benchmarks(dossier: Dossier, deps: Deps) -> Answer:
    chosen = dossier.get("benchmarks") or []
    rows = tuple((one.task, f"{one.weight:.2f}", one.reason) for one in chosen)
    text = "The benchmarks that say most about this job." if rows else "None are chosen yet."
    return Answer(text, ("benchmark", "weight", "why") if rows else (), rows)


def _scores(dossier: Dossier, deps: Deps) -> Answer:
    table = evidence_table.table(dossier)
    rows = tuple((row.name, *(cell.text for cell in row.cells)) for row in table.rows)
    legend = ", ".join(origin.value for origin in table.origins)
    text = f"What is believed of each score; from: {legend}." if rows else "No scores are known."
    return Answer(text, ("model", *table.benchmarks) if rows else (), rows)


def _plan(dossier: Dossier, deps: Deps) -> Answer:
    plan = dossier.get("plan")
    if plan is None:
        return Answer("There is no plan yet.")
    rows = tuple(
        (step.arm.name, step.benchmark, f"{step.items}", f"{step.minutes:.1f}", f"{step.usd:.2f}")
        for step in plan.steps
    )
    header = ("arm", "benchmark", "items", "minutes", "$") if rows else ()
    return Answer(planning.describe(plan), header, rows)


def _budget(dossier: Dossier, deps: Deps) -> Answer:
    run, plan = dossier.get("run") or "", dossier.get("plan")
    spent, minutes = deps.ledger.spent(run), deps.ledger.seconds(run) / 60
    told = [f"Spent in this run: ${spent:.2f}, {minutes:.1f} minutes."]
    approval = dossier.get("approval")
    if plan is not None and approval is None and dossier.get("decision") is None:
        told.append(f"The plan asks for ${plan.usd:.2f}, never more than ${plan.cap_usd:.2f}.")
    if approval is not None and approval.decision == "approve" and approval.cap_usd is not None:
        told.append(f"{approval.by} approved up to ${approval.cap_usd:.2f}.")
    needed = dossier.get("requirements")
    if needed is not None and needed.budget_usd is not None:
        told.append(f"Your budget is ${needed.budget_usd:.2f}.")
    return Answer(" ".join(told))


def _report(dossier: Dossier, deps: Deps) -> Answer:
    folder = dossier.get("report")
    return Answer(
        f"{folder}/report.html" if folder else "The report is written when it is decided."
    )


_SHOWN = {
    "requirements": _requirements,
    "shortlist": _shortlist,
    "benchmarks": _benchmarks,
    "scores": _scores,
    "plan": _plan,
    "budget": _budget,
    "report": _report,
}


# --- recall -------------------------------------------------------------------------------


def _recall(query: str, deps: Deps) -> Answer:
    found = [(one, near) for one, near in deps.findings.recall(query, 5) if near >= ALIKE]
    if not found:
        return Answer("Nothing is remembered about this.")
    return Answer(
        f"Remembered, {len(found)} of the nearest.",
        ("when", "what"),
        tuple((one.at[:10], one.text) for one, _ in found),
    )
