"""Constraint calibration (MSM): models known to be good must pass what a request states.

A constraint that removes a known-good model is either too strict or rests on a fact that is
wrong or missing. All failing constraints are told, not only the first as in the funnel.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tools.choosing import faults
from tools.choosing.columns import Columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.records import Requirements
    from memory.registry import Registry


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
    ids = dict.fromkeys(registry.get(id).id for id in known_good)
    columns = Columns.over(registry.models)
    rows = columns.rows(ids)
    checked = [Checked(id, ()) for id in ids]
    for stage, bits in (
        (faults.CRITICAL, faults.critical(columns, wanted)[rows]),
        (faults.IMPORTANT, faults.important(columns, rows, wanted)),
    ):
        for k, row in enumerate(rows.tolist()):
            failed = [fault for bit, fault in enumerate(stage) if bits[k] >> bit & 1]
            why = ((one.constraint, faults.reason(columns, row, one, wanted)) for one in failed)
            checked[k] = replace(checked[k], failures=(*checked[k].failures, *why))
    return Calibration(
        tuple(checked),
        dict(Counter(name for one in checked for name, _ in one.failures)),
        dict(Counter(one.failures[0][0] for one in checked if len(one.failures) == 1)),
    )
