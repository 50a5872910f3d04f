"""Expected regret: an integral, its limits, what is unknown."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from tools.methods.regret import expected_regret


@pytest.mark.parametrize(("behind", "population"), [(0.0, math.inf), (0.1, 50), (-0.2, 21)])
def test_it_is_the_integral_over_what_the_mean_may_be(behind, population):
    d = np.random.default_rng(0).uniform(-1, 0.8, 20)
    spread = np.sum((d - d.mean()) ** 2) + 1
    s = math.sqrt(spread / 19 / 20 * (1 - 20 / population))
    mean = stats.t(19, d.mean() - behind, s)
    integral = integrate.quad(lambda x: x * mean.pdf(x), 0, np.inf)[0]
    assert expected_regret(d, behind, population) == pytest.approx(integral, rel=1e-6)


def test_everything_seen_leaves_only_the_difference():
    assert expected_regret([0.5, 0.5, 0.5], population=3) == pytest.approx(0.5)
    assert expected_regret([-0.5, -0.5, -0.5], population=3) == 0


def test_two_items_tell_nothing():
    assert expected_regret([-1.0, -1.0]) == math.inf


def test_more_items_and_a_wider_gap_leave_less():
    few, many = [-0.1, 0.1, -0.3], [-0.1, 0.1, -0.3] * 20
    assert expected_regret(many) < expected_regret(few)
    assert expected_regret(many, behind=0.2) < expected_regret(many)
    assert 0 <= expected_regret([-1.0] * 500) < 1e-9
