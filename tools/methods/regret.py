"""What choosing the leader now is expected to lose against one contender.

The mean of a difference, known from n of N items, is taken to be Student-t with n - 1 degrees of
freedom around what was seen. The expected loss is then s [(ν + z²)/(ν - 1) f(z) - z F(-z)] with
z = -mean/s (Chick & Inoue 2001, "New two-stage and sequential procedures for selecting the best
simulated system", eq. 3). It is an estimate, not a bound: it decides what is still worth buying.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def expected_regret(
    differences: ArrayLike, behind: float = 0.0, population: float = math.inf
) -> float:
    """E[max(0, mean - behind)] where ``differences`` are contender minus leader.

    Args:
        differences: (n,) finite, a random sample without replacement.
        behind: what the contender must gain on the leader before it is better.
        population: how many items there are in all; the whole of it leaves nothing open.

    Returns infinity with fewer than three items: nothing is known. One squared difference of 1
    is added, so that items which all agree are not certainty.
    """
    d = np.asarray(differences, dtype=np.float64)
    n = d.size
    if n < 3:
        return math.inf
    gap = float(d.mean()) - behind
    spread = float(np.sum((d - d.mean()) ** 2)) + 1
    s = math.sqrt(spread / (n - 1) / n * (1 - n / population))
    if s == 0:
        return max(gap, 0.0)
    z, nu = -gap / s, n - 1
    log_density = special.gammaln((nu + 1) / 2) - special.gammaln(nu / 2)
    log_density -= 0.5 * math.log(nu * math.pi) + (nu + 1) / 2 * math.log1p(z * z / nu)
    density = math.exp(log_density)
    return max(s * ((nu + z * z) / (nu - 1) * density - z * float(special.stdtr(nu, -z))), 0.0)


if __name__ == "__main__":
    for wins, losses in ((5, 5), (4, 6), (2, 8)):
        d = [1.0] * wins + [-1.0] * losses + [0.0] * 90
        points = 100 * expected_regret(d, population=1000)
        print(f"{wins} won, {losses} lost, 90 even: {points:.2f} points")  # noqa: T201
