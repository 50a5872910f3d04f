"""Compile the bundled snapshot: ``python -m memory.snapshot.build --data DIR``.

Facts and figures only, each value with its source (NOTICE lists them). The output is the
same byte for byte when the input is: rows sorted, gzip without a time stamp.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from memory.records import LineageEdge, Model, Origin, Score
from memory.snapshot import rows, tasks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SCHEMA = 1
HERE = Path(__file__).parent
FACTS = "registry/models_9897_facts.jsonl.gz"
RELM = "registry/relm_and_domain_models.csv"
SCORES = "scores/opencompass_alpaca_arena_10503.csv.gz"
COPIED = {
    "benchmarks/score_column_to_lm_eval_task.csv": "score_columns.csv",
    "benchmarks/offline_eval_sets_index.csv": "eval_sets.csv",
}
SCORE_FIELDS = ("model", "benchmark", "protocol", "value", "metric", "n", "origin", "source")
SCALES = {"0-1": 1.0, "0-10": 10.0, "0-100": 100.0}  # others (Elo, characters) have no bounds


def read_rows(data: Path) -> dict[str, rows.Row]:
    """Both registry files by model id; where both name a model they are merged."""
    with gzip.open(data / FACTS, "rt", encoding="utf-8") as lines:
        found = {row.id: row for row in (rows.from_facts(json.loads(line)) for line in lines)}
    names = canonical(found.values())
    with (data / RELM).open(encoding="utf-8", newline="") as lines:
        for row in filter(None, map(rows.from_relm, csv.DictReader(lines))):
            known = found.get(names.get(row.id.lower(), ""))
            found[known.id if known else row.id] = rows.merge(known, row) if known else row
    return dict(sorted(found.items()))


def canonical(found: Iterable[rows.Row]) -> dict[str, str]:
    """Lower-case id or alias -> id. A model's own id beats another model's alias."""
    found = tuple(found)
    aliases = {alias.lower(): row.id for row in found for alias in row.aliases}
    return aliases | {row.id.lower(): row.id for row in found}


def resolve_bases(row: rows.Row, names: Mapping[str, str]) -> rows.Row:
    """Parents under their registry ids; self-loops and repeats dropped."""
    edges: dict[str, LineageEdge] = {}
    for edge in row.bases:
        parent = names.get(edge.parent.lower(), edge.parent)
        if parent != row.id:
            edges.setdefault(parent, edge.model_copy(update={"parent": parent}))
    return replace(row, bases=tuple(edges.values()))


def compile_models(found: Mapping[str, rows.Row]) -> list[Model]:
    """Every row as a Model, its lineage resolved and its task decided."""
    names = canonical(found.values())
    resolved = {id: resolve_bases(row, names) for id, row in found.items()}
    inferred = tasks.infer(resolved)
    return [rows.to_model(row, *inferred[id]) for id, row in resolved.items()]


def to_score(raw: Mapping[str, str], names: Mapping[str, str]) -> Score | None:
    """A published score on [0, 1]; None when its scale is unbounded or lower is better."""
    scale = SCALES.get(raw["scale"])
    if scale is None or raw["higher_is_better"] != "1":
        return None
    measured = raw["evidence"] == "measured"
    return Score(
        model=names.get(raw["model_id"].lower(), raw["model_id"]),
        benchmark=raw["benchmark"],
        protocol=raw["protocol"],
        value=round(float(raw["score"]) / scale, 6),
        metric=raw["metric"],
        n=int(raw["n"]) if raw["n"] else None,
        origin=Origin.ELSEWHERE if measured else Origin.REPORTED,
        source=f"{raw['source']} {raw['source_file']}",
    )


def read_scores(data: Path, names: Mapping[str, str]) -> tuple[list[Score], Counter[str]]:
    """(scores sorted by model, benchmark, protocol; how many of each scale were skipped)."""
    kept, skipped = [], Counter[str]()
    with gzip.open(data / SCORES, "rt", encoding="utf-8", newline="") as lines:
        for raw in csv.DictReader(lines):
            score = to_score(raw, names)
            if score is None:
                skipped[raw["scale"]] += 1
            else:
                kept.append(score)
    return sorted(kept, key=lambda s: (s.model, s.benchmark, s.protocol, s.metric)), skipped


def pack(text: str) -> bytes:
    """Gzip without name or time, so equal text gives equal bytes."""
    return gzip.compress(text.encode(), compresslevel=9, mtime=0)


def scores_csv(scores: Sequence[Score]) -> str:
    """The score table as CSV; an empty cell is a missing value."""
    out = io.StringIO()
    writer = csv.DictWriter(out, SCORE_FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(score.model_dump(include=set(SCORE_FIELDS)) for score in scores)
    return out.getvalue()


def build(data: Path, out: Path) -> dict[str, object]:
    """Write every snapshot file to ``out`` and return the manifest."""
    found = read_rows(data)
    models = compile_models(found)
    scores, skipped = read_scores(data, canonical(found.values()))
    lines = (model.model_dump_json(exclude_defaults=True) for model in models)
    (out / "models.jsonl.gz").write_bytes(pack("".join(f"{line}\n" for line in lines)))
    (out / "scores.csv.gz").write_bytes(pack(scores_csv(scores)))
    for source, copy in COPIED.items():
        (out / copy).write_bytes((data / source).read_bytes())
    manifest: dict[str, object] = {
        "schema": SCHEMA,
        "models": len(models),
        "params_estimated": sum(m.params_estimated for m in models),
        "params_missing": sum(m.params is None for m in models),
        "tasks_inferred": sum(m.task_inferred is not None for m in models),
        "tags_outvoted": sum((m.task_inferred or "").startswith("tag ") for m in models),
        "tasks_missing": sum(m.task is None for m in models),
        "scores": len(scores),
        "scores_skipped": dict(sorted(skipped.items())),
        "inputs": {
            name: hashlib.sha256((data / name).read_bytes()).hexdigest()
            for name in (FACTS, RELM, SCORES, *COPIED)
        },
    }
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return manifest


def main() -> None:
    """Read the arguments, build, show the manifest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the catalogues")
    parser.add_argument("--out", type=Path, default=HERE, help="where the snapshot goes")
    options = parser.parse_args()
    print(json.dumps(build(options.data, options.out), indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
