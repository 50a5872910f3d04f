"""Every way to fail a stage, found for all models at once: a byte a model, a bit a fault.

Bits stand in the order in which constraints are asked, so the lowest says why a model fell, and a
model with a single bit would come back if that alone were relaxed. What is failed, and the reason
in words for one model, are ``tools.choosing.constraints``'.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tools.choosing import constraints
from tools.choosing.constraints import graph, size_limits

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from memory.records import Requirements
    from tools.choosing.columns import Columns, Role, Terms
    from tools.choosing.constraints import Package

    Rows = NDArray[np.int64]
    Bits = NDArray[np.uint8]


class Fault(NamedTuple):
    """One way to fail a constraint."""

    constraint: str
    kind: str


CRITICAL = (
    Fault("task", "other"),
    Fault("modality", "other"),
    Fault("size", "unknown"),
    Fault("size", "over"),
    Fault("size", "under"),
    Fault("licence", "unknown"),
    Fault("licence", "forbidden"),
)
IMPORTANT = (
    Fault("languages", "unknown"),
    Fault("languages", "lacking"),
    Fault("ecosystem", "other"),
    Fault("context", "unknown"),
    Fault("context", "short"),
)
"""The faults of each stage by bit; a model has at most one of each constraint's."""


def critical(columns: Columns, wanted: Requirements) -> Bits:
    """(M,) the faults of all models in stage 1: task, modality, size, licence."""
    bit = _bits(CRITICAL)

    def of_role(role: Role) -> int:
        task = bit["task", constraints.fails_task(role.task, wanted)]
        return task | bit["modality", constraints.fails_modality(role.handles, wanted)]

    @functools.cache  # where no licence is named, many terms are alike
    def of_licence(licence: str | None, clauses: Collection[str]) -> int:
        return bit["licence", constraints.fails_licence(licence, clauses, wanted)]

    def of_terms(terms: Terms) -> int:
        return of_licence(terms.licence if wanted.licences else None, terms.clauses)

    allowed = columns.allowed
    pairs = allowed.first.asked(of_role) | allowed.second.asked(of_terms)
    found = pairs.take(allowed.codes, mode="clip")
    least, most = size_limits(wanted)
    params = columns.params
    if least is not None or most is not None:
        _mark(found, params < 0, bit["size", "unknown"])
    if most is not None:
        _mark(found, params > most, bit["size", "over"])
    if least is not None:  # beyond both limits, a model is too large
        under = (params >= 0) & (params < least) & (params <= (np.inf if most is None else most))
        _mark(found, under, bit["size", "under"])
    return found


def important(columns: Columns, rows: Rows, wanted: Requirements) -> Bits:
    """(len(rows),) the faults of these models in stage 2: languages, ecosystem, context."""
    bit = _bits(IMPORTANT)

    def of_languages(codes: Sequence[str]) -> int:
        return bit["languages", constraints.fails_languages(codes, wanted, columns.expected)]

    def of_package(package: Package) -> int:
        return bit["ecosystem", "other" if constraints.unmet(package, wanted) else ""]

    fitting = columns.fitting
    pairs = fitting.first.asked(of_languages) | fitting.second.asked(of_package)
    found = pairs.take(fitting.codes[rows], mode="clip")
    if wanted.context is not None:
        context = columns.context[rows]
        _mark(found, context < 0, bit["context", "unknown"])
        _mark(found, (context >= 0) & (context < wanted.context), bit["context", "short"])
    return found


def _bits(faults: Sequence[Fault]) -> Mapping[tuple[str, str], int]:
    """(constraint, kind) -> its bit; no kind, no bit."""
    none = {(fault.constraint, ""): 0 for fault in faults}
    return none | {(fault.constraint, fault.kind): 1 << k for k, fault in enumerate(faults)}


def _mark(found: Bits, failing: NDArray[np.bool_], bit: int) -> None:
    found |= failing * np.uint8(bit)


def reason(columns: Columns, row: int, fault: Fault, wanted: Requirements) -> str:
    """Why the model in ``row`` has ``fault``, in words."""
    role, _ = columns.allowed.value(row)
    languages, package = columns.fitting.value(row)
    match fault.constraint:
        case "task":
            return constraints.why_task(role.task, wanted)
        case "modality":
            return constraints.why_modality(role.handles, wanted)
        case "size":
            params, estimated = int(columns.params[row]), bool(columns.estimated[row])
            return constraints.why_size(params, estimated, fault.kind, wanted)
        case "licence":
            models = columns.registry.models
            model = models[columns.registry.ids[row]]
            found = constraints.verdict(model, models, graph(models))
            return constraints.why_licence(model, found, wanted)
        case "languages":
            return constraints.why_languages(languages, wanted, columns.expected)
        case "ecosystem":
            return constraints.why_ecosystem(package, wanted)
        case _:
            return constraints.why_context(int(columns.context[row]), wanted)
