"""The tools as the planning model sees them, and which stage may call which.

The model chooses words and arguments; the machine guards the gates. A tool is offered only
while what it finds is missing and everything before it is known, so stage 3 can't come before
stage 1 whatever the model says, and no tool here spends: ``propose_plan`` asks, and a person
answers. Numbers come from methods, never from the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field

from memory.errors import BadRequest, NothingSurvives
from tools import benchmark_recommender, recalling, registry_search, remembering, score_lookup
from tools.benchmark_characterizer import with_samples
from tools.characterizing import shortlist
from tools.choosing import candidates, community, funnel, shortlisting
from tools.choosing.shortlisting import Grounds
from tools.clients.advisor import advisor
from tools.clients.benchmarks.items import available
from tools.plans import planning
from tools.real_task import own_task
from tools.request import requirements
from tools.routing import runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from memory.records import Finding
    from tools.deps import Deps
    from tools.dossier import Dossier


T = TypeVar("T")


class Stage(StrEnum):
    """Where a conversation stands (MSM's three stages, then the gate to spending)."""

    UNDERSTAND = "understand"
    CRITICAL = "critical requirements"
    IMPORTANT = "important considerations"
    CONTEXTUAL = "contextual validation"
    PLANNED = "planned"


class Arguments(BaseModel):
    """A tool's arguments; an argument that does not exist is refused."""

    model_config = ConfigDict(extra="forbid")


class Recall(Arguments):
    """Look up what was found out before: measurements, decisions, preferences."""

    query: str | None = Field(None, description="what to look for; default: the request")


class Requirement(Arguments):
    """Write down what the user needs. Numbers are read from the request by the machine."""

    task: str | None = Field(None, description="Hub task, such as text-generation")
    licence_use: tuple[Literal["commercial", "derivative", "network"], ...] | None = Field(
        None, description="what the licence must allow"
    )
    languages: tuple[str, ...] | None = Field(None, description="ISO 639-1 codes")
    domains: tuple[str, ...] | None = Field(None, description="such as medical, finance, law")


class Nothing(Arguments):
    """No arguments."""


def function_schema(name: str, description: str, arguments: type[Arguments]) -> dict[str, object]:
    """A tool in OpenAI's function format."""
    parameters = arguments.model_json_schema()
    parameters.pop("title", None)
    parameters.pop("description", None)
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function}


@dataclass(frozen=True)
class Outcome:
    """What a tool says to the model and the user, and what it adds to the dossier.

    ``told`` is what the user reads where that is not ``text``: without the model's envelopes.
    """

    text: str
    found: Dossier
    told: str | None = None


@dataclass(frozen=True)
class Tool:
    """One tool: its name, stage, the dossier key it fills, and its arguments' schema.

    ``applies``: whether this conversation has a use for it; else it is never offered.
    """

    name: str
    stage: Stage
    fills: str
    arguments: type[Arguments]
    run: Callable[[Any, Dossier, Deps], Outcome]
    applies: Callable[[Dossier], bool] = lambda _: True

    def schema(self) -> dict[str, object]:
        """The tool in OpenAI's function format."""
        return function_schema(self.name, self.run.__doc__ or "", self.arguments)

    def call(self, arguments: dict[str, object], dossier: Dossier, deps: Deps) -> Outcome:
        """Validate and run, and recall what is known from before of the tool's stage.

        Raises:
            ValidationError: the arguments do not fit the schema.
            MirrorError: the tool can't do it; the line says why.
        """
        outcome = self.run(self.arguments.model_validate(arguments), dossier, deps)
        recalled = recalling.at_stage(
            self.name, cast("Dossier", {**dossier, **outcome.found}), deps
        )
        return _reminded(outcome, [*(dossier.get("recalled") or ())], recalled)


def recall_findings(asked: Recall, dossier: Dossier, deps: Deps) -> Outcome:
    """Recall earlier findings about such a request."""
    found = recalling.recall(asked.query or dossier["request"], deps)
    if not found:
        return Outcome("Nothing remembered about this yet.", {"recalled": []})
    return Outcome(recalling.enclosed(found), {"recalled": found}, recalling.in_words(found))


def _reminded(outcome: Outcome, before: list[Finding], recalled: list[Finding]) -> Outcome:
    """The outcome with what was recalled beside it."""
    if not recalled:
        return outcome
    return Outcome(
        f"{outcome.text}\n{recalling.enclosed(recalled)}",
        {**outcome.found, "recalled": [*before, *recalled]},
        f"{outcome.told or outcome.text}\n{recalling.in_words(recalled)}",
    )


def record_requirements(asked: Requirement, dossier: Dossier, deps: Deps) -> Outcome:
    """Write down the user's requirements (MSM stages 1 and 2)."""
    read = requirements.read_request(dossier["request"])
    heard = requirements.borne_out(asked.model_dump(exclude_none=True), read)
    needed = requirements.revised(read, {**heard, **(dossier.get("given") or {})})
    if clashes := requirements.contradictions(needed):
        raise BadRequest("The request contradicts itself: " + "; ".join(clashes) + ".")
    return Outcome("Understood: " + requirements.describe(needed), {"requirements": needed})


def filter_registry(asked: Nothing, dossier: Dossier, deps: Deps) -> Outcome:
    """Stage 1: keep the models that meet the critical requirements."""
    needed = _known(dossier.get("requirements"))
    thread, run, at = dossier.get("thread"), dossier.get("run"), _now(deps)
    deps.findings.remember(*remembering.preferences(needed, deps.user, at, thread, run))
    result, _ = funnel.critical(deps.index.columns, needed)
    if not result.remaining:
        raise NothingSurvives(
            f"None of {result.considered:,} models passes stage 1. "
            + funnel.best_relaxation(result)
        )
    return Outcome(funnel.describe(result), {"critical": result})


def rank_candidates(asked: Nothing, dossier: Dossier, deps: Deps) -> Outcome:
    """Stage 2: weigh domain, languages and ecosystem, and rank by relevance."""
    needed = _known(dossier.get("requirements"))
    result, kept = candidates.weigh(needed, deps)
    if not result.remaining:
        raise NothingSurvives(
            f"None of {result.considered:,} models passes stage 2. "
            + funnel.best_relaxation(result)
        )
    lead = ", ".join(candidate.model for candidate in kept[:3])
    text = f"{funnel.describe(result)}; most relevant: {lead}"
    if why := registry_search.explain(kept[0]):
        text += f" (the first for {why})"
    return Outcome(text, {"important": result, "candidates": kept})


def characterize(asked: Nothing, dossier: Dossier, deps: Deps) -> Outcome:
    """Stage 3: read what the leading candidates' own cards say, and order the equal ones by it."""
    ranked, needed = _known(dossier.get("candidates")), _known(dossier.get("requirements"))
    read = shortlist.read([one.model for one in ranked], deps)
    if not read:
        return Outcome("No card of a candidate is at hand to be read.", {"characterized": 0})
    ordered = registry_search.overlaid(ranked, needed, deps.registry, deps)
    said = sum(len(one.characteristics) for one in read)
    lead = ", ".join(one.model for one in ordered[:3])
    return Outcome(
        f"Read the cards of {len(read)} candidates by rules: {said} characteristics, each quoted;"
        f" leading: {lead}",
        {"candidates": ordered, "characterized": len(read)},
    )


def recommend_benchmarks(asked: Nothing, dossier: Dossier, deps: Deps) -> Outcome:
    """Stage 3: choose the benchmarks that say most about this job, the user's own first."""
    needed = _known(dossier.get("requirements"))
    advice = benchmark_recommender.advised(
        needed, deps.catalogue, available(), advisor(deps.planner)
    )
    chosen = [with_samples(one, deps.embedder, deps.cache) for one in advice.choices]
    if needed.examples is not None:
        chosen = own_task.as_benchmarks(deps.examples.get(needed.examples), chosen)
    text = "Benchmarks: " + ", ".join(f"{choice.task} ({choice.weight:.2f})" for choice in chosen)
    return Outcome(text + advice.note, {"benchmarks": chosen})


def look_up_scores(asked: Nothing, dossier: Dossier, deps: Deps) -> Outcome:
    """Stage 3: look up what is already known of the candidates on those benchmarks."""
    models = [candidate.model for candidate in _known(dossier.get("candidates"))]
    tasks = [choice.task for choice in _known(dossier.get("benchmarks"))]
    known = score_lookup.look_up(models, tasks, deps.scores)
    return Outcome(known.describe(), {"scores": known.scores})


def select_models(asked: Nothing, dossier: Dossier, deps: Deps) -> Outcome:
    """Stage 3: choose the set S* of RELM's Eq. 1 (at most ten models)."""
    ranked, benchmarks = _known(dossier.get("candidates")), _known(dossier.get("benchmarks"))
    scores = _known(dossier.get("scores"))
    suspected = deps.ledger.checks()
    observed = deps.scores.observations()
    grounds = Grounds(observed, deps.registry, suspected, deps.embedder, deps.cache)
    needed, balance = _known(dossier.get("requirements")), dossier.get("balance")
    found = shortlisting.shortlist(needed, ranked, benchmarks, scores, grounds, balance)
    chosen = [deps.registry.models[one.model] for one in found.selected]
    version, at = deps.registry.version, _now(deps)
    deps.findings.remember(
        *(remembering.characterization(one, version, at, dossier.get("run")) for one in chosen)
    )
    arms, _ = deps.runner.arms([deps.registry.models[one.model] for one in ranked])
    kept = {one.id for one in chosen} | {arm.model for arm in arms}
    predicted = [one for one in found.predicted if one.model in kept]
    beside = community.signals([one.id for one in chosen], deps.registry, deps.clock())
    return Outcome(
        score_lookup.shortlisted(found.selected, predicted, found.related)
        + score_lookup.doubted(scores, suspected)
        + community.flagged(beside),
        {"selected": found.selected, "predicted": predicted},
    )


def advise_routing(asked: Nothing, dossier: Dossier, deps: Deps) -> Outcome:
    """Stage 3: say whether choosing a model per prompt pays, from answers already paid for."""
    needed = _known(dossier.get("requirements"))
    models = [candidate.model for candidate in _known(dossier.get("candidates"))]
    found = runs.before(dossier["run"], models, _known(needed.examples), deps)
    return Outcome(f"Routing: {found.reason}", {"routing": found})


def _has_examples(dossier: Dossier) -> bool:
    needed = dossier.get("requirements")
    return needed is not None and needed.examples is not None


def propose_plan(asked: Nothing, dossier: Dossier, deps: Deps) -> Outcome:
    """Stage 3: propose a priced evaluation plan, which a person must approve."""
    plan = planning.make_plan(dossier, deps)
    return Outcome(planning.describe(plan), {"plan": plan})


TOOLS = (
    Tool("recall_findings", Stage.UNDERSTAND, "recalled", Recall, recall_findings),
    Tool("record_requirements", Stage.UNDERSTAND, "requirements", Requirement, record_requirements),
    Tool("filter_registry", Stage.CRITICAL, "critical", Nothing, filter_registry),
    Tool("rank_candidates", Stage.IMPORTANT, "candidates", Nothing, rank_candidates),
    Tool("characterize", Stage.CONTEXTUAL, "characterized", Nothing, characterize),
    Tool("recommend_benchmarks", Stage.CONTEXTUAL, "benchmarks", Nothing, recommend_benchmarks),
    Tool("look_up_scores", Stage.CONTEXTUAL, "scores", Nothing, look_up_scores),
    Tool("select_models", Stage.CONTEXTUAL, "selected", Nothing, select_models),
    Tool("advise_routing", Stage.CONTEXTUAL, "routing", Nothing, advise_routing, _has_examples),
    Tool("propose_plan", Stage.CONTEXTUAL, "plan", Nothing, propose_plan),
)


def stage(dossier: Dossier) -> Stage:
    """The first stage with something still to find out."""
    return next((tool.stage for tool in TOOLS if _missing(tool, dossier)), Stage.PLANNED)


def awaits_examples(dossier: Dossier) -> bool:
    """Whether now is the time to have examples made: candidates are known, benchmarks not yet."""
    return dossier.get("candidates") is not None and dossier.get("benchmarks") is None


def offered(dossier: Dossier) -> list[Tool]:
    """The tools that may be called now: of this stage, unfinished, inputs at hand."""
    now = stage(dossier)
    open_tools = [tool for tool in TOOLS if tool.stage == now and _missing(tool, dossier)]
    if now is not Stage.CONTEXTUAL:
        return open_tools
    return open_tools[:1]  # each tool of stage 3 needs what the one before it found


def _missing(tool: Tool, dossier: Dossier) -> bool:
    unknown = cast("dict[str, object]", dossier).get(tool.fills) is None
    return unknown and tool.applies(dossier)


def _now(deps: Deps) -> str:
    return deps.clock().isoformat(timespec="seconds")


def _known(value: T | None) -> T:
    if value is None:
        raise BadRequest("A tool was called before what it needs was known.")
    return value
