"""A model's family as a tree: what it was made from, and what was made from it.

Copies (quantized, mirrored) are folded into the model they copy and counted; what was made from a
copy hangs under the original. Real lineage has parents nobody lists, models that name
themselves and cycles: each is marked where it would be, and the walk goes no further there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tools.methods.lineage import VARIANT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memory.records import Model
    from memory.registry import Registry

Mark = Literal["", "not in the registry", "names itself", "closes a cycle", "shown above"]


@dataclass(frozen=True)
class Kin:
    """One relative. ``relation``: how the lower of it and its neighbour was made from the upper.

    ``copies``: quantized and mirrored copies folded into it. ``kin``: the next generation away,
    most downloaded first; ``more``: how many of that generation are not shown.
    """

    id: str
    relation: str = ""
    licence: str | None = None
    downloads: int | None = None
    copies: int = 0
    mark: Mark = ""
    kin: tuple[Kin, ...] = ()
    more: int = 0

    def everyone(self) -> Iterator[str]:
        """The ids shown, nearest to this one first within each branch."""
        yield self.id
        for one in self.kin:
            yield from one.everyone()


@dataclass(frozen=True)
class Family:
    """``model`` with its ancestors (``made_from``) and descendants (``made_into``) as its kin."""

    model: Model
    made_from: Kin
    made_into: Kin


def family(id: str, registry: Registry, top: int = 10, depth: int = 3) -> Family:
    """The family of a model: at most ``top`` of a generation, ``depth`` generations each way.

    Raises:
        BadRequest: no model of that id or alias is in the registry.
    """
    model = registry.get(id)
    return Family(
        model,
        _up(model, "", (), registry, top, depth),
        _down(model, "", (), registry, top, depth),
    )


def _described(model: Model, relation: str, copies: int, kin: list[Kin], more: int) -> Kin:
    return Kin(
        model.id, relation, model.licence, model.downloads, copies, kin=tuple(kin), more=more
    )


def _up(
    model: Model, relation: str, path: tuple[str, ...], registry: Registry, top: int, depth: int
) -> Kin:
    path = (*path, model.id)
    kin: list[Kin] = []
    for edge in model.bases if depth else ():
        if edge.parent == model.id:
            kin.append(Kin(edge.parent, edge.relation, mark="names itself"))
        elif edge.parent in path:
            kin.append(Kin(edge.parent, edge.relation, mark="closes a cycle"))
        elif edge.parent not in registry.models:
            kin.append(Kin(edge.parent, edge.relation, mark="not in the registry"))
        else:
            parent = registry.models[edge.parent]
            kin.append(_up(parent, edge.relation, path, registry, top, depth - 1))
    shown = kin[:top] if depth else []
    more = (len(kin) if depth else len(model.bases)) - len(shown)
    return _described(model, relation, 0, shown, more)


def _down(
    model: Model, relation: str, path: tuple[str, ...], registry: Registry, top: int, depth: int
) -> Kin:
    path = (*path, model.id)
    made, copies = _made_from(model.id, registry)
    made.sort(key=lambda pair: (-(pair[0].downloads or 0), pair[0].id))
    shown = made[:top] if depth else []
    kin: list[Kin] = []
    for child, how in shown:
        if child.id == model.id:
            kin.append(Kin(child.id, how, mark="names itself"))
        elif child.id in path:
            kin.append(Kin(child.id, how, mark="closes a cycle"))
        else:
            kin.append(_down(child, how, path, registry, top, depth - 1))
    return _described(model, relation, copies, kin, len(made) - len(shown))


def _made_from(id: str, registry: Registry) -> tuple[list[tuple[Model, str]], int]:
    """Models made from ``id`` or a copy of it, each with how, and how many copies there are."""
    made: dict[str, tuple[Model, str]] = {}
    copies = {id}
    queue = [id]
    while queue:
        parent = queue.pop()
        for child in registry.children(parent):
            how = next(edge.relation for edge in child.bases if edge.parent == parent)
            if how not in VARIANT:
                made.setdefault(child.id, (child, how))
            elif child.id not in copies:
                copies.add(child.id)
                queue.append(child.id)
    return [pair for name, pair in made.items() if name == id or name not in copies], len(
        copies
    ) - 1
