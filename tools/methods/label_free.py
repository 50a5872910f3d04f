"""How far to trust each model when no answer was graded: what is known of it, then agreement.

On AlpacaEval (``evals.routing``) what is known of models beforehand tells far more than how their
answers agree: the best models write unlike the rest. So the prior counts ``PRIOR`` times as much as
the consensus of different families, a share chosen there on other families than are reported. One
thing only the answers tell: a model that says the same to everybody answers nobody, and gets 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tools.methods import consensus
from tools.methods.routing import blend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

PRIOR = 8.0
CONSTANT = 0.1  # of the median model's spread over prompts
FEWEST = 4  # prompts from which a spread is read


def weights(
    embeddings: ArrayLike,
    *,
    clusters: Sequence[object] | None = None,
    prior: ArrayLike | None = None,
    share: float = PRIOR,
) -> Floats:
    """(m,) weights, summing to 1; most is best.

    Args:
        embeddings: (n prompts, m models, d) of the answers; a row of NaN is a missing answer.
        clusters: m labels; relatives have no vote on each other.
        prior: (m,) what is known of each model's quality, more is better; NaN where not known.
        share: how much the prior counts against agreement, which counts 1.

    Raises:
        ValueError: as ``consensus.fit``.
    """
    answers = np.asarray(embeddings, dtype=np.float64)
    agreed = consensus.fit(
        np.zeros((len(answers), 1)), answers, clusters=clusters, regions=1
    ).weights(np.zeros((1, 1)))
    silent = constant(answers)
    if not silent.all():
        agreed = np.where(silent, 0.0, agreed)
    known = np.full(answers.shape[1], np.nan) if prior is None else np.asarray(prior)
    return np.asarray(blend(agreed, known[None], [share])[0])


def constant(embeddings: Floats) -> NDArray[np.bool_]:
    """(m,) which models give (nearly) the same answer to every prompt, unlike the others.

    Where the median model does so too, the prompts are alike, and nobody is accused.
    """
    known = ~np.isnan(embeddings[:, :, 0])
    count = known.sum(axis=0)
    filled = np.where(known[:, :, None], embeddings, 0.0)
    mean = filled.sum(axis=0) / np.maximum(count, 1)[:, None]
    away = np.where(known, ((filled - mean) ** 2).sum(axis=2), 0.0)
    spread = away.sum(axis=0) / np.maximum(count, 1)
    enough = count >= FEWEST
    if not enough.any():
        return np.zeros(len(count), dtype=np.bool_)
    return np.asarray(enough & (spread < CONSTANT * np.median(spread[enough])))


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(60, 1, 16))
    noise = np.array([0.4, 0.8, 1.2])[:, None]
    answers = truth + noise * rng.normal(size=(60, 3, 16))
    same = np.concatenate([answers, np.repeat(rng.normal(size=(1, 1, 16)), 60, axis=0)], axis=1)
    print("by agreement ", np.round(weights(same), 2))  # noqa: T201
    print("and a prior  ", np.round(weights(same, prior=[0.0, 1.0, 0.5, 2.0]), 2))  # noqa: T201
