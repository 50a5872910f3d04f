"""The part of P_ij that a run looked at, a cell at a time: what is believed, and why.

Rows are what was measured here and the shortlist; columns the job's benchmarks. A cell shows
the best there is, in ``Origin``'s order of trust; a prediction too vague to be cited shows no
number. The report draws it as a heat map, the terminal as a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memory.records import CONSTANT, Origin

if TYPE_CHECKING:
    from memory.records import Contamination, Measurement, Prediction, Score
    from tools.dossier import Dossier

MISSING = "–"


@dataclass(frozen=True)
class Cell:
    """What is believed of one P_ij. ``value`` in [0, 1] is None where nothing may be cited.

    ``text`` is short, ``why`` says where it comes from, in a sentence.
    """

    value: float | None
    text: str
    origin: Origin | None
    why: str


@dataclass(frozen=True)
class Row:
    """One model, or one measured arm of it, with a cell for each benchmark."""

    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class EvidenceTable:
    """``benchmarks`` name the columns of all ``rows``."""

    benchmarks: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def origins(self) -> tuple[Origin, ...]:
        """The origins that appear, most trusted first: the legend."""
        used = {cell.origin for row in self.rows for cell in row.cells}
        return tuple(origin for origin in Origin if origin in used)


def table(dossier: Dossier) -> EvidenceTable:
    """The evidence of a run: measured arms first, then the shortlist by s."""
    benchmarks = tuple(choice.task for choice in dossier.get("benchmarks") or ())
    measured = {(one.arm, one.benchmark): one for one in dossier.get("measurements") or ()}
    known = {(one.model, one.benchmark): one for one in dossier.get("scores") or ()}
    guessed = {(one.model, one.benchmark): one for one in dossier.get("predicted") or ()}
    found = {(one.arm, one.benchmark): one for one in dossier.get("contamination") or ()}
    arms = dict.fromkeys(arm for arm, _ in measured if arm != CONSTANT)
    rows = [
        Row(
            arm,
            tuple(
                _measured(measured.get((arm, name)), found.get((arm, name))) for name in benchmarks
            ),
        )
        for arm in arms
    ]
    rows += [
        Row(
            one.model,
            tuple(
                _believed(known.get((one.model, name)), guessed.get((one.model, name)))
                for name in benchmarks
            ),
        )
        for one in dossier.get("selected") or ()
    ]
    return EvidenceTable(benchmarks, tuple(rows))


def _measured(one: Measurement | None, found: Contamination | None) -> Cell:
    if one is None:
        return Cell(None, MISSING, None, "not measured")
    text = f"{one.value:.2f} ({one.low:.2f}–{one.high:.2f})"
    why = f"measured here on {one.n} items"
    if found is not None and found.weight < 1:
        text, why = f"{text} x{found.weight:g}", f"{why}; {found.reason}"
    return Cell(one.value, text, Origin.MEASURED, why)


def _believed(score: Score | None, guess: Prediction | None) -> Cell:
    if score is not None:
        text = f"{score.value:.2f}"
        if score.low is not None and score.high is not None:
            text += f" ({score.low:.2f}–{score.high:.2f})"
        precision = f", weights at {score.precision}" if score.precision else ""
        why = f"{score.origin}{precision}: {score.source}; {score.protocol}"
        return Cell(score.value, text, score.origin, why)
    if guess is None:
        return Cell(None, MISSING, None, "nothing is known, and nothing could be predicted")
    if not guess.trusted:
        why = f"too little is known to predict it: {guess.basis}"
        return Cell(None, "?", guess.origin, why)
    text = f"{guess.value:.2f} ({guess.low:.2f}–{guess.high:.2f})"
    return Cell(guess.value, text, guess.origin, f"{guess.origin} from {guess.basis}")
