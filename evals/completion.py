"""How well missing scores are predicted: BenchPress' official folds, five probes, MTEB, scale.

    python -m evals.completion --data DIR [--folds 30] [--ablation] [--scale] --json

The last line is one JSON object. What is compared and how: ``evals.completion_benchpress``,
``evals.completion_mteb`` and ``evals.completion_scale``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from evals.completion_benchpress import (
    REFERENCE,
    THEIR_PROBES,
    ablation,
    benchpress,
    benchpress_table,
    five_probe,
    folds,
)
from evals.completion_mteb import cold_start, mteb, mteb_matrix
from evals.completion_scale import in_own_process


def measure(folder: Path, n_folds: int, *, ablate: bool, scale: bool) -> dict[str, object]:
    """All figures, as printed."""
    table = benchpress_table(folder)
    masks = list(folds(folder, table.scores.shape))[:n_folds]
    found: dict[str, object] = {"benchpress": benchpress(table, masks)}
    own = five_probe(table)
    ids = np.asarray(table.benchmarks["id"]).tolist()
    theirs = five_probe(table, [ids.index(probe) for probe in THEIR_PROBES])
    found |= {
        "five_probe_medae": own["medae"],
        "five_probe_their_count": own["their_count"],
        "five_probe_order_kept": own["order_kept"],
        "five_probe_their_probes": theirs,
        "reference": REFERENCE,
    }
    embeddings = mteb_matrix(folder)
    found |= {
        "mteb": {"half": mteb(embeddings, 0.5), "tenth": mteb(embeddings, 0.9)},
        "mteb_cold_start": {str(k): cold_start(embeddings, k) for k in (0, 1, 3, 5)},
    }
    if ablate:
        found["ablation_medae"] = ablation(table, masks[::5])
    if scale:
        found["scale"] = _scale()
    return found


def _scale() -> dict[str, float]:
    """5,000 x 200, a third known, and 20,000 x 1,500, a fiftieth known."""
    middle, large = in_own_process(5_000, 200, 0.33), in_own_process(20_000, 1_500, 0.02)
    return {
        "rows5000_s": middle["seconds"],
        "rows5000_cpu_s": middle["cpu_seconds"],
        "rows20000_s": large["seconds"],
        "rows20000_cpu_s": large["cpu_seconds"],
        "rows20000_peak_mb": large["peak_mb"],
    }


def main() -> None:
    """Print the figures as one JSON line, or indented without ``--json``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=30)
    parser.add_argument("--ablation", action="store_true")
    parser.add_argument("--scale", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = measure(args.data, args.folds, ablate=args.ablation, scale=args.scale)
    print(json.dumps(found, indent=None if args.json else 2))


if __name__ == "__main__":
    main()
