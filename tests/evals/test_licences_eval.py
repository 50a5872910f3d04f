"""Real licence conflicts, where the data is at hand."""

import os
from pathlib import Path

import pytest

from evals.licences import measure

DATA = Path(os.environ.get("MIRROR_EVAL_DATA", "/work/shared/data"))  # noqa: TID251


@pytest.mark.skipif(not (DATA / "lineage").is_dir(), reason="needs the lineage data")
def test_on_real_records_every_verdict_is_the_strictest_ancestors():
    found = measure(DATA)
    assert [part["verdicts_not_the_strictest"] for part in found.values()] == [0, 0]
    assert found["crawl"]["conflicts"] >= 20
    assert found["registry"]["over_non_commercial"] >= 1
