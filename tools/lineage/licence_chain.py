"""A model's licence read link by link: what each ancestor's licence forces, and what may be done.

The verdict is the strictest ancestor's (``tools.methods.licences``); here each link of the chain
is shown with how it was derived and which clauses come from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.choosing import constraints
from tools.methods import licences, lineage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memory.registry import Registry
    from tools.methods.licences import Category, Permission, Use

USES: tuple[Use, ...] = ("commercial", "derivative", "network")


@dataclass(frozen=True)
class Link:
    """One licence of the chain. ``licence`` None: nobody states one.

    ``relation``: how the model below it was made from it; "" for the model itself. ``listed``:
    whether the registry knows the model at all. ``clauses``: None where the terms are not known.
    """

    model: str
    relation: str
    licence: str | None
    listed: bool
    clauses: tuple[str, ...] | None

    @property
    def forces(self) -> tuple[str, ...]:
        """What its clauses say, in words."""
        return tuple(licences.CLAUSES[clause] for clause in self.clauses or ())


@dataclass(frozen=True)
class Reading:
    """The verdict on a model, its chain nearest first, and what it allows."""

    model: str
    category: Category
    clauses: tuple[str, ...]
    chain: tuple[Link, ...]
    permissions: Mapping[Use, Permission]


def read(id: str, registry: Registry) -> Reading:
    """Read the licences of a model and of all its ancestors.

    Raises:
        BadRequest: no model of that id or alias is in the registry.
    """
    model = registry.get(id)
    parents = _above(model.id, registry)
    verdict = constraints.verdict(model, registry.models, parents)
    links = [_link(model.id, "", registry)]
    for name, _ in verdict.chain[1:]:
        links.append(_link(name, _relation(name, parents), registry))
    return Reading(
        model.id,
        verdict.category,
        verdict.clauses,
        tuple(links),
        {use: licences.allows(verdict, use) for use in USES},
    )


def _above(id: str, registry: Registry) -> lineage.Graph:
    """child -> [(parent, relation)] over the ancestors of one model only."""
    graph: lineage.Graph = {}
    queue = [id]
    while queue:
        name = queue.pop()
        if name in graph or name not in registry.models:
            continue
        edges: list[tuple[str, str]] = [
            (e.parent, e.relation) for e in registry.models[name].bases if e.parent != name
        ]
        graph[name] = edges
        queue.extend(parent for parent, _ in edges)
    return graph


def _link(name: str, relation: str, registry: Registry) -> Link:
    listed = name in registry.models
    licence = registry.models[name].licence if listed else None
    found = licences.clauses(licence, constraints.scancode_categories())
    ordered = None if found is None else tuple(one for one in licences.CLAUSES if one in found)
    return Link(name, relation, licence, listed, ordered)


def _relation(name: str, graph: lineage.Graph) -> str:
    return next(how for edges in graph.values() for parent, how in edges if parent == name)
