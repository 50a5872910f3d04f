"""What the Hub says today of models whose weights are not on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.clients.hub.api import HubUnavailable
from tools.deps import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.records import Model
    from tools.clients.hub.api import HubFacts
    from tools.deps import Deps


def remarks(models: Sequence[Model], deps: Deps) -> dict[str, str]:
    """Model id -> gone, renamed, gated, pickles only, or the size of its weights.

    Empty when this deployment asks no Hub. A Hub that can't be asked costs the remarks and says
    so; it never stops a conversation that is otherwise free of it.
    """
    if deps.hub is None:
        return {}
    found: dict[str, str] = {}
    for done, model in enumerate(models):
        deps.progress(Progress("asking the Hub", done, len(models)))
        try:
            found[model.id] = _remark(deps.hub.facts(model.id))
        except HubUnavailable as error:
            return {one.id: str(error) for one in models}
    deps.progress(Progress("asking the Hub", len(models), len(models)))
    return found


def _remark(facts: HubFacts | None) -> str:
    if facts is None or facts.disabled:
        return "no longer on the Hub"
    parts = [
        f"now named {facts.id}" if facts.renamed_from else "",
        "gated on the Hub" if facts.gated else "",
        "pickled weights only, which Mirror refuses" if facts.pickle_only else "",
        f"{facts.weights_bytes / 1e9:.1f} GB on the Hub" if facts.weights_bytes else "",
    ]
    return ", ".join(part for part in parts if part) or "on the Hub"
