"""Constraint calibration (MSM): models known to be good must pass what a request states.

A constraint that removes a known-good model is either too strict or rests on a fact that is
wrong or missing. All failing constraints are told, not only the first as in the funnel.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.choosing import constraints

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from memory.records import Model, Requirements
    from memory.registry import Registry
    from tools.choosing.constraints import Failure


@dataclass(frozen=True)
class Checked:
    """One known-good model and what it fails: (constraint, reason), none when it passes."""

    model: str
    failures: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Calibration:
    """``removes``: constraint -> how many known-good models it alone or with others removes.

    ``alone``: the same for models that fail nothing else: relaxing it brings them back.
    """

    checked: tuple[Checked, ...]
    removes: dict[str, int]
    alone: dict[str, int]

    @property
    def passing(self) -> int:
        """How many pass every constraint."""
        return sum(not one.failures for one in self.checked)


def calibrate(known_good: Sequence[str], wanted: Requirements, registry: Registry) -> Calibration:
    """Check each known-good model against every constraint of ``wanted``.

    Raises:
        BadRequest: one of the models is not in the registry.
    """
    models = [registry.get(id) for id in dict.fromkeys(known_good)]
    parents = constraints.graph(registry.models)
    expected = constraints.common_languages(registry.models)

    def failing(model: Model) -> Iterator[Failure | None]:
        yield constraints.check_task(model, wanted)
        yield constraints.check_modality(model, wanted)
        yield constraints.check_size(model, wanted)
        yield constraints.check_licence(
            model, wanted, lambda: constraints.verdict(model, registry.models, parents)
        )
        found = constraints.languages(model, registry.models, parents)
        yield constraints.check_languages(model, wanted, found, expected)
        yield constraints.check_ecosystem(model, wanted, registry.children(model.id))
        yield constraints.check_context(model, wanted)

    checked = tuple(
        Checked(model.id, tuple((one.constraint, one.reason) for one in failing(model) if one))
        for model in models
    )
    return Calibration(
        checked,
        dict(Counter(name for one in checked for name, _ in one.failures)),
        dict(Counter(one.failures[0][0] for one in checked if len(one.failures) == 1)),
    )
