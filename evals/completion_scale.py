"""Time and memory of one large completion, in a process of its own.

    python -m evals.completion_scale ROWS COLUMNS SHARE

Scores are made, not real: three factors and biases on the logit scale, ``SHARE`` of them known.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from evals.peak import peak_mb
from tools.methods.completion import complete

if TYPE_CHECKING:
    from numpy.typing import NDArray


def made(rows: int, columns: int, share: float) -> NDArray[np.float64]:
    """(rows, columns) scores in points, NaN where unknown."""
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 0.7, (rows, 3)) @ rng.normal(0, 0.7, (3, columns))
    scores += rng.normal(0, 1, (rows, 1)) + rng.normal(0, 1, columns)
    expit(scores, out=scores)
    scores *= 100
    for row in scores:
        row[rng.random(columns) > share] = np.nan
    return scores


def in_own_process(rows: int, columns: int, share: float) -> dict[str, float]:
    """Seconds of ``complete`` and the peak of the process' resident memory in MB."""
    command = [sys.executable, "-m", "evals.completion_scale", str(rows), str(columns), str(share)]
    out = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(out.stdout)
    return found


def main() -> None:
    """Print seconds, CPU seconds and peak memory as one JSON line."""
    rows, columns, share = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    scores = made(rows, columns, share)
    began, busy = time.perf_counter(), time.process_time()
    complete(scores, bounds=(0.0, 100.0))
    spent, worked = time.perf_counter() - began, time.process_time() - busy
    print(json.dumps({"seconds": spent, "cpu_seconds": worked, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()
