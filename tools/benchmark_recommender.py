"""Which benchmarks say most about a request: RELM's ⟨model, benchmark⟩ half (section 4.1.3).

The catalogue's order of meaning, with a preference for benchmarks whose items are on this
machine: what can be measured here and now tells more than a slightly closer one that can't.
Where a planning model sits in the seat it picks three to five of that shortlist and says why
(RELM asks a strong model to); weights stay those of meaning, and what it says is checked: a
choice that can't be used twice leaves the order of meaning standing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from memory.errors import BadRequest
from prompts import library
from tools.clients.advisor import NoAdvice
from tools.envelope import enclose, fence, harmless
from tools.judging.reply import read_reply

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memory.records import BenchmarkChoice, Requirements
    from tools.clients.advisor import Ask
    from tools.deps import Catalogue

USUAL = 4
"""RELM finds three to five benchmarks to be enough (section 6.1)."""

LEAST, MOST = 3, 5
"""What a planning model may choose."""

SHORTLIST = 3
"""So many times as many are looked at as are recommended."""

RUNNABLE = 1.3
"""How much a benchmark gains when its items are installed here."""

LETTERS = 300
"""Of a description or reason."""


class Pick(BaseModel):
    """One benchmark a planning model chose."""

    model_config = ConfigDict(extra="forbid")
    task: str
    reason: str = Field(min_length=1)


class Picks(BaseModel):
    """What a planning model answers."""

    model_config = ConfigDict(extra="forbid")
    chosen: list[Pick]


@dataclass(frozen=True)
class Advised:
    """The benchmarks, and why a planning model's choice is not among the reasons ("" if it is)."""

    choices: list[BenchmarkChoice]
    note: str = ""


def recommend(
    requirements: Requirements,
    catalogue: Catalogue,
    items: Mapping[str, str],
    k: int = USUAL,
) -> list[BenchmarkChoice]:
    """The ``k`` most telling benchmarks with weights σ_bench summing to 1, best first.

    ``items``: lm-eval task name -> where its items are installed; a choice without items here
    keeps ``items_source`` None. Raises ``BadRequest`` when ``k`` is below 1 or nothing is related.
    """
    return _weighted(_shortlist(requirements, catalogue, items, k)[:k])


def advised(
    requirements: Requirements,
    catalogue: Catalogue,
    items: Mapping[str, str],
    ask: Ask | None,
    k: int = USUAL,
) -> Advised:
    """The same, picked by the planning model behind ``ask`` where there is one.

    Raises ``BadRequest`` as ``recommend`` does; never for what the model says.
    """
    shortlist = _shortlist(requirements, catalogue, items, k)
    if ask is None or len(shortlist) <= LEAST:
        return Advised(_weighted(shortlist[:k]))
    try:
        picks = _picked(requirements, shortlist, ask)
    except (NoAdvice, ValueError) as error:
        why = " ".join(harmless(str(error)).split())[:LETTERS]
        return Advised(
            _weighted(shortlist[:k]), f"; the planning model's choice can't be used ({why})"
        )
    by_name = {one.task: one for one in shortlist}
    chosen = [
        by_name[pick.task].model_copy(
            update={"reason": f"{_said(pick.reason)} (planning model); {by_name[pick.task].reason}"}
        )
        for pick in picks
    ]
    return Advised(_weighted(chosen))


def _shortlist(
    requirements: Requirements, catalogue: Catalogue, items: Mapping[str, str], k: int
) -> list[BenchmarkChoice]:
    """All that are looked at, most worth first; ``weight`` is the worth."""
    if k < 1:
        raise BadRequest(f"Can't recommend {k} benchmarks; ask for at least one.")
    found = catalogue.search(requirements.text, requirements.domains, SHORTLIST * k)
    if not found:
        raise BadRequest("No benchmark is related to this request; say more about the job.")
    ranked = [
        one.model_copy(
            update={
                "weight": one.weight * (RUNNABLE if one.task in items else 1.0),
                "items_source": items.get(one.task),
            }
        )
        for one in found
    ]
    return sorted(ranked, key=lambda one: -one.weight)


def _weighted(chosen: Sequence[BenchmarkChoice]) -> list[BenchmarkChoice]:
    """Weights scaled to sum to 1, largest first."""
    total = sum(one.weight for one in chosen)
    ordered = sorted(chosen, key=lambda one: -one.weight)
    return [one.model_copy(update={"weight": one.weight / total}) for one in ordered]


def _picked(
    requirements: Requirements, shortlist: Sequence[BenchmarkChoice], ask: Ask
) -> list[Pick]:
    """The model's choice, once repaired if need be.

    Raises:
        ValueError: it can't be used either time.
        NoAdvice: there was no answer.
    """
    listed = "\n".join(_listed(one) for one in shortlist)
    mark = fence(requirements.text, listed)
    question = library.load("benchmarks/choose").render(
        fence=mark,
        request=enclose("the job", requirements.text, mark),
        benchmarks=enclose("the benchmarks", listed, mark),
        least=str(LEAST),
        most=str(min(MOST, len(shortlist))),
    )
    answer = ask([question])
    try:
        return _checked(answer, shortlist)
    except ValueError as error:
        repair = library.load("benchmarks/repair").render(complaint=str(error))
        return _checked(ask([question, answer, repair]), shortlist)


def _listed(one: BenchmarkChoice) -> str:
    here = "items on this machine" if one.items_source else "no items here"
    about = " ".join(one.description.split())[:LETTERS]
    return f"{one.task} ({one.metric}; {here}): {about or 'no description'}"


def _checked(answer: str, shortlist: Sequence[BenchmarkChoice]) -> list[Pick]:
    picks = read_reply(answer, Picks).chosen
    names = [pick.task for pick in picks]
    known = {one.task for one in shortlist}
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"{unknown[0]!r} is not among the benchmarks listed")
    if len(set(names)) < len(names):
        raise ValueError("a benchmark is chosen twice")
    if not LEAST <= len(names) <= MOST:
        raise ValueError(f"{len(names)} are chosen, not {LEAST} to {MOST}")
    return picks


def _said(reason: str) -> str:
    return " ".join(harmless(reason).split())[:LETTERS].rstrip(". ")
