"""The first two stages of choosing: what a model must be, then what it should be.

MSM (arXiv 2512.02043), stage 1 "critical requirements" and stage 2 "important
considerations". Every removed model keeps the one constraint that removed it, and for every
constraint we count how many models its relaxation alone would bring back. The work is done for all
models at once (``tools.choosing.faults``); a reason is written when somebody reads it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple, cast, overload

import numpy as np

from memory.records import Elimination, Funnel, Relaxation
from tools.choosing import constraints, faults
from tools.choosing.columns import Columns
from tools.choosing.constraints import billions, fitting, size_limit
from tools.choosing.faults import Fault
from tools.methods import licences

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from numpy.typing import NDArray

    from memory.records import Model, Requirements
    from tools.methods import lineage

    Rows = NDArray[np.int64]
    Bits = NDArray[np.uint8]

Stage = Literal["critical", "important"]

NAMED = 10_000
"""Of so many survivors at most the names are written down; of more, how many."""


FAULTS: Mapping[Stage, Sequence[Fault]] = {
    "critical": faults.CRITICAL,
    "important": faults.IMPORTANT,
}
_OVER = 1 << faults.CRITICAL.index(Fault("size", "over"))
FOLDED = np.uint8(128)
"""The bit of a copy: it stands behind its root and is not counted."""


class Loosening(NamedTuple):
    """One way to relax one constraint: the kinds of failure it forgives, sizes up to ``most``."""

    constraint: str
    change: str
    forgives: tuple[str, ...]
    most: int | None = None


IMPORTANT_LOOSENINGS = (
    Loosening("languages", "accept unstated languages", ("unknown",)),
    Loosening("languages", "any language", ("unknown", "lacking")),
    Loosening("ecosystem", "any ecosystem", ("other",)),
    Loosening("context", "accept unstated context", ("unknown",)),
    Loosening("context", "any context", ("unknown", "short")),
)


@dataclass(frozen=True)
class Eliminations(Sequence[Elimination]):
    """The models that fell, in order; each record is made when it is asked for.

    ``among``: the rows that were looked at (None: all); ``first`` the lowest fault bit of each, 0
    for those that passed: ``left``, their rows.
    """

    columns: Columns
    wanted: Requirements
    stage: Stage
    among: Rows | None
    first: Bits
    left: Rows

    @cached_property
    def places(self) -> Rows:
        """The places in ``first`` of those that fell."""
        return np.flatnonzero((self.first != 0) & (self.first != FOLDED))

    @property
    def rows(self) -> Rows:
        """The rows of the models that fell."""
        return self.places if self.among is None else self.among[self.places]

    def of(self, k: int) -> Elimination:
        """The ``k``-th elimination."""
        place = int(self.places[k])
        fault = FAULTS[self.stage][int(self.first[place]).bit_length() - 1]
        row = place if self.among is None else int(self.among[place])
        return Elimination(
            model=self.columns.registry.ids[row],
            stage=self.stage,
            constraint=fault.constraint,
            reason=faults.reason(self.columns, row, fault, self.wanted),
        )

    def about(self, model: str) -> Elimination | None:
        """The elimination of the model of this id; None when it did not fall here."""
        row = self.columns.registry.row(model)
        if row is None:
            return None
        at = int(np.searchsorted(self.rows, row, sorter=self._order))
        place = int(self._order[at]) if at < len(self.rows) else -1
        return self.of(place) if place >= 0 and self.rows[place] == row else None

    @cached_property
    def _order(self) -> Rows:
        return np.argsort(self.rows, kind="stable")

    @overload
    def __getitem__(self, at: int) -> Elimination: ...
    @overload
    def __getitem__(self, at: slice) -> list[Elimination]: ...
    def __getitem__(self, at: int | slice) -> Elimination | list[Elimination]:
        if isinstance(at, slice):
            return [self.of(k) for k in range(*at.indices(len(self)))]
        return self.of(at)

    def __iter__(self) -> Iterator[Elimination]:
        return map(self.of, range(len(self)))

    def __len__(self) -> int:
        return len(self.places)


def variants(models: Columns | Mapping[str, Model]) -> dict[str, tuple[str, ...]]:
    """root -> its quantized, mirrored and re-uploaded copies."""
    columns = Columns.over(models)
    return columns.copies(np.arange(len(columns.root)))


# --- stage 1: critical requirements -------------------------------------------------------


def critical(
    models: Columns | Mapping[str, Model], wanted: Requirements
) -> tuple[Funnel, Eliminations]:
    """Task, modality, size, licence, in this order, over models with their variants folded."""
    columns = Columns.over(models)
    bits = _critical(columns, wanted)
    return _sifted("critical", columns, None, bits, wanted, _critical_loosenings(wanted))


def meeting(columns: Columns, wanted: Requirements) -> Rows:
    """The rows of the models that pass stage 1."""
    return np.flatnonzero(_critical(columns, wanted) == 0)


def _critical(columns: Columns, wanted: Requirements) -> Bits:
    bits = faults.critical(columns, wanted)
    np.copyto(bits, FOLDED, where=columns.is_copy)
    return bits


def _critical_loosenings(wanted: Requirements) -> list[Loosening]:
    larger = _larger_limits(wanted, size_limit(wanted))
    return [
        Loosening("task", "any task", ("other",)),
        Loosening("modality", "any modality", ("other",)),
        *(Loosening("size", label, ("over",), most) for most, label in larger),
        Loosening("size", "no lower limit", ("under",)),
        Loosening("size", "accept unknown size", ("unknown",)),
        Loosening("licence", "accept unknown licence", ("unknown",)),
        Loosening("licence", "any licence", ("unknown", "forbidden")),
    ]


def _larger_limits(wanted: Requirements, limit: int | None) -> list[tuple[int, str]]:
    if limit is None:
        return []
    cap = wanted.max_params
    shown = min(limit, cap or limit)
    steps = [(int(limit * by), f"≤ {billions(int(shown * by))}") for by in (1.5, 2)]
    if wanted.gpu_memory_gb is not None and (cap is None or limit < cap):
        for bits in (b for b in (8, 4) if b < wanted.precision_bits):
            most = min(fitting(wanted, bits), cap or fitting(wanted, bits))
            steps.append((most, f"{bits}-bit weights (≤ {billions(most)})"))
    return sorted(steps)


# --- stage 2: important considerations ----------------------------------------------------


def important(
    among: Collection[str] | Rows,
    wanted: Requirements,
    registry: Columns | Mapping[str, Model] | None = None,
) -> tuple[Funnel, Eliminations]:
    """Languages, ecosystem, context, in this order, over ``among`` (stage 1's survivors).

    Languages and formats are also looked for in ancestors and copies in ``registry`` (None:
    ``among`` itself, a mapping). Domain does not filter: general models stay, relevance is scored
    later.
    """
    columns = Columns.over(cast("Mapping[str, Model]", among) if registry is None else registry)
    rows = columns.rows(among)
    bits = faults.important(columns, rows, wanted)
    return _sifted("important", columns, rows, bits, wanted, IMPORTANT_LOOSENINGS)


# --- both stages --------------------------------------------------------------------------


def _sifted(
    stage: Stage,
    columns: Columns,
    among: Rows | None,
    bits: Bits,
    wanted: Requirements,
    loosenings: Sequence[Loosening],
) -> tuple[Funnel, Eliminations]:
    """What became of the models in ``among`` with these faults; ``FOLDED`` ones don't count."""
    first = bits & (~bits + np.uint8(1))
    passed = np.flatnonzero(bits == 0)
    left = passed if among is None else among[passed]
    folded = int(np.count_nonzero(first == FOLDED))
    over = np.flatnonzero(bits == _OVER) if stage == "critical" else passed[:0]
    funnel = Funnel(
        stage=stage,
        considered=len(bits) - folded,
        removed=_removed(stage, first),
        survivors=tuple(columns.names(left)) if len(left) <= NAMED else (),
        folded=folded,
        relaxations=_relaxations(
            stage, bits, columns.params[over if among is None else among[over]], loosenings
        ),
        left=len(left),
    )
    return funnel, Eliminations(columns, wanted, stage, among, first, left)


def _removed(stage: Stage, first: Bits) -> dict[str, int]:
    """Constraint -> how many models it removed, in the order in which they come up."""
    counts: dict[str, int] = {}
    seen: dict[str, int] = {}
    for k, fault in enumerate(FAULTS[stage]):
        hit = first == 1 << k
        if n := int(np.count_nonzero(hit)):
            counts[fault.constraint] = counts.get(fault.constraint, 0) + n
            seen[fault.constraint] = min(seen.get(fault.constraint, len(first)), int(hit.argmax()))
    return {constraint: counts[constraint] for constraint in sorted(counts, key=seen.__getitem__)}


def _relaxations(
    stage: Stage, bits: Bits, sizes: Rows, loosenings: Sequence[Loosening]
) -> tuple[Relaxation, ...]:
    """How many models that fail one constraint only come back under each loosening.

    ``sizes``: of those that are too large and nothing else. Where no natural step of size helps,
    the smallest of them is named.
    """
    alone = {fault: int(np.count_nonzero(bits == 1 << k)) for k, fault in enumerate(FAULTS[stage])}
    found = []
    for loose in loosenings:
        if loose.most is None:
            gains = sum(alone[Fault(loose.constraint, kind)] for kind in loose.forgives)
        else:
            gains = int(np.count_nonzero(sizes <= loose.most))
        if gains:
            found.append(Relaxation(constraint=loose.constraint, change=loose.change, gains=gains))
    if len(sizes) and not any(relaxation.constraint == "size" for relaxation in found):
        least = int(sizes.min())
        change = f"≤ {billions(least)}, the smallest there is"
        gains = int(np.count_nonzero(sizes == least))
        found.append(Relaxation(constraint="size", change=change, gains=gains))
    return tuple(found)


def best_relaxation(funnel: Funnel) -> str:
    """The relaxation that brings most models back, the milder of equals, as a sentence."""
    best = max(funnel.relaxations, key=lambda r: r.gains, default=None)
    if best is None:
        return "No single relaxation brings a model back; loosen two constraints."
    plural = "s" if best.gains > 1 else ""
    return f"Relaxing {best.constraint} ({best.change}) brings {best.gains:,} model{plural} back."


def describe(funnel: Funnel) -> str:
    """One line: how many came in, what removed the others, how many are left."""
    removed = " · ".join(f"{constraint} {n:,}" for constraint, n in funnel.removed.items())
    folded = f", {funnel.folded:,} copies folded" if funnel.folded else ""
    counts = f"{funnel.considered:,} -> {funnel.remaining:,}{folded}"
    eased = [one for one in funnel.relaxations if one.constraint not in ("task", "modality")][:2]
    relax = " · ".join(f"{one.change} adds {one.gains:,}" for one in eased)
    return " ".join(
        part
        for part in (
            counts,
            f"(removed: {removed})" if removed else "",
            f"(relax: {relax})" if relax else "",
        )
        if part
    )


def why(model: str, eliminations: Eliminations) -> Elimination | None:
    """The one recorded reason a model was removed; None if it was not."""
    row = eliminations.columns.registry.row(model)
    return next(map(eliminations.of, np.flatnonzero(eliminations.rows == row).tolist()), None)


def warnings(
    model: Model, models: Mapping[str, Model], wanted: Requirements, parents: lineage.Graph
) -> tuple[str, ...]:
    """What to mind about a survivor: licence conditions, and values that nobody stated."""
    found = constraints.verdict(model, models, parents)
    uses = wanted.licence_use or ()
    notes = [note for use in uses for note in licences.allows(found, use).warnings]
    codes, ancestor = constraints.languages(model, models, parents)
    if wanted.languages and ancestor:
        notes.append(f"languages inherited from {ancestor}")
    if wanted.languages and not codes:
        notes.append("languages not stated")
    if model.params_estimated and size_limit(wanted) is not None:
        notes.append("parameter count is an estimate")
    if model.task_inferred:
        notes.append(f"task inferred: {model.task_inferred}")
    return tuple(dict.fromkeys(notes))
