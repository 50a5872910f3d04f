"""Which characteristics of models co-occur more than chance: Dunning's G² test.

For two characteristics over M models the counts form a 2 x 2 table

    k11 models with both     k12 with the first only
    k21 with the second only k22 with neither

and G² = 2 Σ k ln(k / expected) is χ²(1) distributed when they are independent. It stays
honest for rare events, where χ² itself does not (Dunning 1993, *Accurate Methods for the
Statistics of Surprise and Coincidence*, eq. 7-10). RELM (section 4.1.2) calls the kept pairs
indicators and expands requests with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.special import xlogy

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# χ²(1) exceeds 30 by chance once in 2e7: a few thousand characteristics make some 1e6 pairs.
SURPRISING = 30.0
TELLING = 0.05


def g2(k11: ArrayLike, k12: ArrayLike, k21: ArrayLike, k22: ArrayLike) -> NDArray[np.float64]:
    """Dunning's G² of 2 x 2 tables of counts; arrays of one shape in, the same shape out.

    Zero when the table is exactly what independence predicts, and for an empty table.
    """
    a, b, c, d = (np.asarray(k, dtype=np.float64) for k in (k11, k12, k21, k22))
    total = a + b + c + d
    cells = ((a, a + b, a + c), (b, a + b, b + d), (c, c + d, a + c), (d, c + d, b + d))
    # Cell by cell, ln(k N / (row · column)): summing large entropies first would cancel digits.
    parts = [
        xlogy(k, np.divide(k * total, row * column, out=np.ones_like(total), where=k > 0))
        for k, row, column in cells
    ]
    return np.asarray(np.maximum(2.0 * np.sum(parts, axis=0), 0.0), dtype=np.float64)


def _binary(characteristics: sparse.csr_array | sparse.csc_array) -> sparse.csc_array:
    has = sparse.csc_array(characteristics, dtype=np.float64, copy=True)
    has.eliminate_zeros()
    has.data[:] = 1.0
    return has


def cooccurrences(
    characteristics: sparse.csr_array | sparse.csc_array, surprising: float = SURPRISING
) -> sparse.csr_array:
    """Pairs that co-occur more than chance: symmetric (K x K) of G², an empty diagonal.

    ``characteristics``: (M models x K), any non-zero entry counts as having it. Pairs below
    ``surprising`` or rarer together than chance would have it are left out.
    """
    models = characteristics.shape[0]
    binary = _binary(characteristics)
    have = np.diff(binary.indptr).astype(np.float64)
    both = sparse.coo_array(sparse.triu(binary.T @ binary, k=1))
    row, column = both.coords
    k11 = both.data.astype(np.float64)
    k12, k21 = have[row] - k11, have[column] - k11
    score = g2(k11, k12, k21, models - k11 - k12 - k21)
    kept = (k11 * models > have[row] * have[column]) & (score >= surprising)
    upper = sparse.coo_array((score[kept], (row[kept], column[kept])), shape=both.shape)
    return sparse.csr_array(upper + upper.T)


def indicators(
    characteristics: sparse.csr_array | sparse.csc_array,
    top: int = 8,
    surprising: float = SURPRISING,
    telling: float = TELLING,
) -> sparse.csr_array:
    """The ``top`` indicators of each characteristic: (K x K) strengths in [0, 1], row by row.

    Entry (k, l) is G²_kl over G²_kk, the G² of k with itself: the share of all there is to know
    about having k that having l tells (the uncertainty coefficient, as G² = 2 M · mutual
    information). Pairs below ``telling`` are left out: with many models even a hint is beyond
    chance. A characteristic that every model or none has gets an empty row.
    """
    pairs = cooccurrences(characteristics, surprising)
    models = characteristics.shape[0]
    have = np.diff(_binary(characteristics).indptr).astype(np.float64)
    none = np.zeros_like(have)
    itself = g2(have, none, none, models - have)
    strength = sparse.coo_array(pairs)
    row, column = strength.coords
    share = np.minimum(strength.data / np.maximum(itself[row], np.finfo(float).tiny), 1.0)
    order = np.lexsort((column, -share, row))
    order = order[share[order] >= telling]
    first = np.searchsorted(row[order], np.arange(pairs.shape[0]))
    order = order[np.arange(len(order)) - first[row[order]] < top]
    return sparse.csr_array((share[order], (row[order], column[order])), shape=pairs.shape)


if __name__ == "__main__":
    names = ["medical", "trained on PubMed", "english", "code"]
    rng = np.random.default_rng(0)
    medical = rng.random(400) < 0.2
    pubmed = np.where(medical, rng.random(400) < 0.7, rng.random(400) < 0.02)
    table = np.column_stack([medical, pubmed, rng.random(400) < 0.8, rng.random(400) < 0.3])
    found = indicators(sparse.csr_array(table.astype(float)))
    for k, name in enumerate(names):
        told = {names[i]: round(found.toarray()[k, i], 2) for i in found[[k], :].indices}
        print(f"{name:18} is told by {told or 'nothing surprising'}")  # noqa: T201
