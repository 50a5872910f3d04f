"""A router of two topics and as many members, made by hand so that tests say what it should do."""

from __future__ import annotations

import numpy as np

from memory.records import RouteMember, RouteRegion, Routing
from memory.routers import FittedRouter
from tools.clients.fakes import HashEmbedder

TOPICS = ("fever cough lungs patient", "loan bank interest credit")
INSTRUCTION = "Answer the question."


def fitted(*names: str, value=None, run: str = "r1") -> FittedRouter:
    """``value`` (2, m): by default the first is best at the first topic, the last at the second."""
    embedder = HashEmbedder()
    centres = embedder.encode(list(TOPICS)).astype(np.float64)
    if value is None:
        rising = np.linspace(0.2, 0.8, len(names))
        value = np.stack([rising[::-1], rising])
    members = tuple(
        RouteMember(name=name, model=f"acme/{name}", n=10, mean=0.5, seconds=1.0) for name in names
    )
    regions = tuple(
        RouteRegion(n=10, examples=(topic,), best=names[0], means={}, graded={}) for topic in TOPICS
    )
    about = Routing(
        run=run,
        at="2026-01-01",
        benchmark="examples:1",
        instruction=INSTRUCTION,
        embedder=embedder.name,
        basis="grades",
        members=members,
        regions=regions,
        pays=True,
        best=names[0],
        reason="made by hand",
        chars_in=4000.0,
        chars_out=400.0,
    )
    return FittedRouter(about, centres, np.asarray(value, dtype=np.float64))
