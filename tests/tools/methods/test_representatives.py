import numpy as np
import pytest

from tools.methods.representatives import representatives


def test_each_cluster_is_shown_by_the_row_nearest_to_its_centre_largest_first():
    rng = np.random.default_rng(1)
    sizes, places = (30, 20, 10), (0.0, 5.0, 10.0)
    rows = np.concatenate([rng.normal(p, 0.1, (n, 3)) for n, p in zip(sizes, places, strict=True)])
    found = representatives(rows, 3)
    starts = np.cumsum([0, *sizes])
    assert [int(np.searchsorted(starts, i, side="right")) - 1 for i in found] == [0, 1, 2]
    for cluster, i in enumerate(found):
        own = rows[starts[cluster] : starts[cluster + 1]]
        nearest = np.argmin(((own - own.mean(axis=0)) ** 2).sum(axis=1)) + starts[cluster]
        assert i == nearest


def test_few_or_equal_rows_are_no_error():
    assert representatives(np.zeros((0, 3)), 3) == []
    assert representatives(np.ones((5, 3)), 3) == [0]
    assert sorted(representatives(np.eye(2), 5)) == [0, 1]
    with pytest.raises(ValueError, match="at least 1"):
        representatives(np.eye(2), 0)
