"""Where a model stands in one conversation: chosen, shortlisted, ranked, fallen, and why."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from memory.errors import BadRequest
from tools import registry_search
from tools.reports.reporting import eliminated

if TYPE_CHECKING:
    from memory.records import Elimination, Ranked, Selected
    from tools.choosing.funnel import Eliminations
    from tools.deps import Deps
    from tools.dossier import Dossier

MOST_CALLED = 5_000


@dataclass(frozen=True)
class Fate:
    """What became of a model, in one word or two and a sentence. Lower ``rank``: nearer to the
    choice."""

    model: str
    kind: str
    reason: str
    rank: float


class Whereabouts:
    """The fates of all models of the registry in one ``dossier``."""

    def __init__(self, dossier: Dossier, deps: Deps) -> None:
        self.dossier = dossier
        self.deps = deps

    def leader(self) -> str | None:
        """The winner, else the first of the ranking, of the shortlist, or of the candidates."""
        return next(iter(self.leading()), None)

    def leading(self) -> list[str]:
        """Models of the registry, the leading ones first."""
        selected = [one.model for one in self.dossier.get("selected") or ()]
        candidates = [one.model for one in self.dossier.get("candidates") or ()]
        return list(dict.fromkeys([*self._ranked, *selected, *candidates]))

    def called(self, name: str) -> list[str]:
        """The model of this id, else all whose ids hold ``name``; never empty.

        Raises:
            BadRequest: there is none; the line names near ones.
        """
        ids = self.deps.registry.ids
        try:
            return [self.deps.registry.get(name).id]
        except BadRequest as nobody:
            sought = name.lower()
            found = [id for id in ids if sought in id.lower()]
            # "Llama" is a family whoever called a model just that; "Llama-3.1-8B" is a model.
            specific = any(letter.isdigit() for letter in sought)
            exact = [id for id in found if specific and id.lower().split("/")[-1] == sought]
            if exact or found:
                return (exact or found)[:MOST_CALLED]
            raise BadRequest(f"{nobody}.") from nobody

    def nearest(self, name: str) -> str:
        """The one model of those called ``name`` that is nearest to the choice.

        Raises:
            BadRequest: as ``called``.
        """
        return min((self.fate(model) for model in self.called(name)), key=lambda f: f.rank).model

    def fate(self, model: str) -> Fate:
        """What became of a model of the registry."""
        if (ranked := self._ranked.get(model)) is not None:
            place, line = ranked
            value = "" if line.value is None else f"Its score is {line.value:.3f}. "
            return Fate(model, line.standing, f"{value}{_sentence(line.reason)}", place)
        if (at := self._selected.get(model)) is not None:
            one = (self.dossier.get("selected") or [])[at]
            reason = (
                f"Number {at + 1} by Eq. 1 with s = {one.s:.2f}: relevance {one.sigma:.2f}, "
                f"benchmarks {one.benchmark_term:.2f} ({one.known_cells} of {one.cells} scores "
                f"known, {one.predicted_cells} predicted{_related(one)})."
            )
            return Fate(model, "shortlisted", reason, 1e3 + at)
        if (at := self._candidates.get(model)) is not None:
            return Fate(model, "not shortlisted", self._below(at), 1e5 + at)
        if (fallen := self._elimination(model)) is not None:
            stage = 1 if fallen.stage == "critical" else 2
            reason = f"Stage {stage}, {fallen.constraint}: {fallen.reason}."
            return Fate(model, f"removed by {fallen.constraint}", reason, 1e8 / stage)
        if (root := self._root(model)) is not None:
            found = self.fate(root)
            reason = f"Folded into {root}, which is {found.kind}."
            return Fate(model, "a copy", reason, found.rank + 0.5)
        if self.dossier.get("critical") is None:
            return Fate(model, "not looked at yet", "No stage has been run.", 1e9)
        return Fate(
            model, "not shortlisted", "It passed both stages; others are more relevant.", 1e6
        )

    def _below(self, at: int) -> str:
        one = (self.dossier.get("candidates") or [])[at]
        selected = self.dossier.get("selected") or []
        why = registry_search.explain(one)
        matched = f" (matched: {why})" if why else ""
        text = (
            f"It passed both stages and is number {at + 1} by relevance, {one.sigma:.2f}{matched}"
        )
        if not selected:
            return f"{text}."
        return f"{text}; by Eq. 1 it is below the last of the shortlist, {selected[-1].model}."

    @cached_property
    def _selected(self) -> dict[str, int]:
        return {one.model: at for at, one in enumerate(self.dossier.get("selected") or ())}

    @cached_property
    def _candidates(self) -> dict[str, int]:
        return {one.model: at for at, one in enumerate(self.dossier.get("candidates") or ())}

    @cached_property
    def _ranked(self) -> dict[str, tuple[int, Ranked]]:
        """Model -> (place, its best arm's line) of the decision."""
        decision = self.dossier.get("decision")
        found: dict[str, tuple[int, Ranked]] = {}
        for place, line in enumerate(decision.ranking if decision else ()):
            if (model := model_of(line.model)) in self.deps.registry.models:
                found.setdefault(model, (place, line))
        return found

    @cached_property
    def _fallen(self) -> tuple[Eliminations, ...]:
        return eliminated(self.dossier, self.deps)

    def _elimination(self, model: str) -> Elimination | None:
        found = (stage.about(model) for stage in self._fallen)
        return next((one for one in found if one is not None), None)

    def _root(self, model: str) -> str | None:
        """The model that this one is a copy of; None for one that stands for itself."""
        columns = self.deps.index.columns
        row = self.deps.registry.row(model)
        if row is None or not columns.is_copy[row]:
            return None
        return self.deps.registry.ids[int(columns.root[row])]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _related(one: Selected) -> str:
    if one.related is None:
        return ""
    return f"; {one.related:.2f} by {one.related_cells} scores on related benchmarks"


def model_of(arm: str) -> str:
    """The model that an arm is called after: "org/name @ Q4_1 GGUF" -> "org/name"."""
    return arm.partition(" ")[0]
