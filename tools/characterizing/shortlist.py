"""Reading the shortlist inside a conversation: cards only, by rules, for nothing.

A language model as reader costs money, so it is a plan of its own (``mirror characterize
--reader``); what it once read counts here as well, because both are kept in one place.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from tools.characterizing.reading import Reading
from tools.deps import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from memory.records import Characterization
    from tools.deps import Deps

MOST = 30
"""Cards are read of so many candidates, in their order, where they are to be had."""

LOOKED_AT = 100
SECONDS = 60.0
"""After so long no further card is looked for: a slow Hub must not hold a conversation up."""


def read(models: Sequence[str], deps: Deps) -> list[Characterization]:
    """What the cards of the first of these models say; each is kept."""
    return list(islice(_each(models[:LOOKED_AT], deps), MOST))


def _each(models: Sequence[str], deps: Deps) -> Iterator[Characterization]:
    if deps.sources is None or deps.characterizations is None:
        return
    begin = deps.clock()
    for done, model in enumerate(models):
        now = deps.clock()
        if (now - begin).total_seconds() > SECONDS:
            return
        found = deps.sources.of(model, linked=False)
        if found.documents:
            deps.progress(Progress("reading cards", done, len(models)))
            at = now.isoformat(timespec="seconds")
            yield Reading(model, found, deps.embedder, at).by_rules(deps.characterizations)
