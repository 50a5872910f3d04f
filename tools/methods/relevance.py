"""σ_model(Q, C[M_i]): how much of what a request asks for a model is known to be about.

RELM (section 4.1.3): compare the request with every characteristic, take the best matches,
expand them with the learned indicators, and add up each model's row. Written out, with c_k
the cosine of the request with characteristic k, t the threshold, a_kl the indicator strength
of l for k, d the damping and r_k = ln(1 + M/df_k) / ln(1 + M) the rarity of k:

    matched  T  = the best n characteristics with c_k >= t
    weight   w_k = c_k                          for k in T
             w_l = d · max_{k in T} c_k a'_kl   for l outside T (expansion)
    lent    a'_kl = a_kl / max(1, Σ_l a_kl)    a crowd of indicators shares what one k lends
    full     Z  = Σ_f max_{k in T, facet f} w_k r_k
    σ_i = min(1, Σ_k w_k r_k C_ik / Z)

so σ is 1 for a model that has, of its own, the best match of every matched facet (domain, task,
training data ...: synonyms inside one facet need not all be there), and 0 for all when nothing
matched. C is kept by column (the inverted index): only columns with a weight are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

MATCHES = 12
THRESHOLD = 0.35
DAMPING = 0.5


@dataclass(frozen=True)
class Relevance:
    """Scores and what they rest on.

    ``sigma``: (M,) in [0, 1]. ``matched``: indices of T, best first. ``expanded``: index of each
    characteristic that came by expansion -> the matched one that brought it. ``weights``: (K,)
    w_k r_k, zero where the request says nothing.
    """

    sigma: NDArray[np.float64]
    matched: NDArray[np.int64]
    expanded: dict[int, int]
    weights: NDArray[np.float64]


def rarity(index: sparse.csc_array) -> NDArray[np.float64]:
    """(K,) r_k in (0, 1]: 1 for a characteristic of one model, small for one that all have.

    ``index``: C, (M x K); df_k is the column's sum, so faint entries hardly make it more common.
    A characteristic that no model has gets 0.
    """
    models = max(index.shape[0], 1)
    frequency = np.asarray(index.sum(axis=0), dtype=np.float64).ravel()
    at_least_one = np.maximum(frequency, 1.0)
    spread = np.where(frequency > 0, models / at_least_one, 0.0)
    return np.asarray(np.log1p(spread) / np.log1p(models), dtype=np.float64)


def best_matches(
    cosine: NDArray[np.floating], n: int = MATCHES, threshold: float = THRESHOLD
) -> NDArray[np.int64]:
    """Indices of the at most ``n`` largest cosines not below ``threshold``, best first."""
    order = np.argsort(-cosine, kind="stable")[:n].astype(np.int64)
    return order[cosine[order] >= threshold]


def expand(
    cosine: NDArray[np.floating], matched: NDArray[np.int64], indicators: sparse.csr_array
) -> tuple[NDArray[np.float64], dict[int, int]]:
    """Undamped expansion weights (K,) and which matched characteristic brought each one."""
    weights = np.zeros(len(cosine))
    brought: dict[int, int] = {}
    taken = set(matched.tolist())
    for k in matched.tolist():
        span = slice(indicators.indptr[k], indicators.indptr[k + 1])
        lent = indicators.data[span] / max(1.0, float(indicators.data[span].sum()))
        for other, strength in zip(indicators.indices[span].tolist(), lent, strict=True):
            weight = float(cosine[k] * strength)
            if other not in taken and weight > weights[other]:
                weights[other], brought[other] = weight, k
    return weights, brought


def relevance(
    cosine: NDArray[np.floating],
    index: sparse.csc_array,
    indicators: sparse.csr_array,
    facets: NDArray[np.int64],
    *,
    rare: NDArray[np.float64] | None = None,
    matches: int = MATCHES,
    threshold: float = THRESHOLD,
    damping: float = DAMPING,
) -> Relevance:
    """σ of every model for one request; the formula is this module's.

    ``cosine``: (K,) of the request with each characteristic. ``index``: C, (M x K), 1 for own and
    less for inherited entries. ``indicators``: (K x K) strengths in [0, 1], see
    ``association.indicators``. ``facets``: (K,) which facet each characteristic belongs to.
    ``rare``: ``rarity(index)``, where it is known already.
    """
    matched = best_matches(cosine, matches, threshold)
    weights, brought = expand(cosine, matched, indicators)
    weights *= damping
    weights[matched] = cosine[matched]
    weights *= rarity(index) if rare is None else rare
    best = np.zeros(int(facets.max(initial=0)) + 1)
    np.maximum.at(best, facets[matched], weights[matched])
    full = float(best.sum())
    touched = np.flatnonzero(weights)
    sigma: NDArray[np.float64] = np.zeros(index.shape[0])
    if full > 0:
        sigma = np.asarray(index[:, touched] @ (weights[touched] / full))
        np.minimum(sigma, 1.0, out=sigma)
    return Relevance(sigma=sigma, matched=matched, expanded=brought, weights=weights)


if __name__ == "__main__":
    labels = ["medical", "trained on PubMed", "code"]
    rows = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]])
    told = sparse.csr_array(np.array([[0, 0.6, 0], [0.6, 0, 0], [0, 0, 0]]))
    facet = np.array([0, 1, 0])
    found = relevance(np.array([0.6, 0.1, 0.05]), sparse.csc_array(rows), told, facet)
    print("matched", [labels[k] for k in found.matched])  # noqa: T201
    print("also", {labels[a]: labels[b] for a, b in found.expanded.items()})  # noqa: T201
    print("sigma", found.sigma.round(2))  # noqa: T201
