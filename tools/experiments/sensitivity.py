"""Constraint sensitivity (MSM): drop each stated constraint in turn and choose again.

What comes back, and whether the top changes: a constraint that alone keeps better models out is
worth a second thought; one whose removal changes nothing costs nothing. Each choice is made by
the same tools as in a conversation, from the funnel to Eq. 1; nothing is measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from memory.errors import NothingSurvives
from tools import toolbelt
from tools.choosing import shortlisting
from tools.choosing.shortlisting import Grounds
from tools.deps import Progress
from tools.request.requirements import revised

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memory.records import Requirements
    from tools.deps import Deps
    from tools.dossier import Dossier

UNSTATED: Mapping[str, Mapping[str, object]] = {
    "task": {"task": None},
    "size": {"max_params": None, "min_params": None, "gpu_memory_gb": None},
    "licence": {"licence_use": (), "licences": ()},
    "languages": {"languages": ()},
    "ecosystem": {"ecosystem": ()},
    "context": {"context": None},
}
STEPS = ("filter_registry", "rank_candidates", "characterize", "recommend_benchmarks",
         "look_up_scores")  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """What is chosen under some requirements: how many models survive, and S* best first.

    ``dropped``: the constraint that was taken away, "" for none. Nobody surviving gives 0 and ().
    """

    dropped: str
    survivors: int
    top: tuple[str, ...]

    def stay(self, other: Choice) -> int:
        """How many of this one's top are in the other's too."""
        return len(set(self.top) & set(other.top))


def sensitivity(wanted: Requirements, deps: Deps) -> list[Choice]:
    """The choice as asked for, then with each stated constraint dropped, in the funnel's order."""
    stated = [
        name
        for name, changes in UNSTATED.items()
        if any(getattr(wanted, field) not in (None, ()) for field in changes)
    ]
    found = [_choose("", wanted, deps)]
    for done, name in enumerate(stated, 1):
        deps.progress(Progress("constraints dropped", done, len(stated), name))
        found.append(_choose(name, revised(wanted, UNSTATED[name]), deps))
    return found


def _choose(dropped: str, wanted: Requirements, deps: Deps) -> Choice:
    dossier: Dossier = {"request": wanted.text, "requirements": wanted}
    tools = {tool.name: tool for tool in toolbelt.TOOLS}
    try:
        for name in STEPS:
            dossier = cast("Dossier", {**dossier, **tools[name].call({}, dossier, deps).found})
    except NothingSurvives:
        return Choice(dropped, 0, ())
    important = dossier.get("important")
    grounds = Grounds(
        deps.scores.observations(), deps.registry, deps.ledger.checks(), deps.embedder, deps.cache
    )
    found = shortlisting.shortlist(  # not the tool: an experiment leaves nothing to remember
        wanted,
        dossier.get("candidates") or [],
        dossier.get("benchmarks") or [],
        dossier.get("scores") or [],
        grounds,
        None,
    )
    return Choice(
        dropped,
        important.remaining if important else 0,
        tuple(one.model for one in found.selected),
    )
