"""Records ``tests/cassettes/lm_eval_results.json``: what the installed lm-eval really writes.

Two made-up tasks over made-up items, its own ``dummy`` model, its own tracker; only the machine's
description is taken out. Run as ``python tests/support/record_lm_eval.py`` after a new lm-eval.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

TARGET = Path(__file__).parents[1] / "cassettes" / "lm_eval_results.json"
MACHINE = ("pretty_env_info", "upper_git_hash", "git_hash", "total_evaluation_time_seconds")


def _tasks(folder: Path) -> list[dict]:
    rows = [{"q": f"Is {n} even?", "gold": n % 2} for n in range(20)]
    data = folder / "items.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    common = {
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}, "cache_dir": str(folder / "cache")},
        "test_split": "test",
        "doc_to_text": "{{q}}",
        "metadata": {"version": 1.0},
    }
    choice = {
        "task": "made_choice",
        "output_type": "multiple_choice",
        "doc_to_choice": ["yes", "no"],
        "doc_to_target": "gold",
        "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
    }
    prose = {
        "task": "made_prose",
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": "{{q}}",
        "metric_list": [{"metric": "word_perplexity"}, {"metric": "bits_per_byte"}],
    }
    return [common | choice, common | prose]


def main() -> None:
    from lm_eval import simple_evaluate
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tracker = EvaluationTracker(output_path=str(folder / "out"))
        results = simple_evaluate(
            model="dummy",
            model_args="pretrained=acme/m",
            tasks=_tasks(folder),
            limit=16,
            task_manager=TaskManager(include_path=str(folder), include_defaults=False),
            evaluation_tracker=tracker,
            bootstrap_iters=100,
        )
        samples = results.pop("samples")
        tracker.save_results_aggregated(results=results, samples=samples)
        written = next(folder.rglob("results_*.json")).read_text("utf-8")
    held = json.loads(written.replace(str(folder), "/made"))
    kept = {key: value for key, value in held.items() if key not in MACHINE}
    TARGET.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
