"""How fast models get into the registry, and in how much memory: files, and a sync's last step.

    python -m evals.ingest [--models 250000] [--kinds hub_jsonl,schema_jsonl,schema_parquet] --json

Made-up models with the facts of the bundled ones, drawn at random: as the Hub's records in JSON
lines, and in the registry's schema as JSON lines and as Parquet. Each file is loaded by a process
of its own with one thread and a folder of its own: ``seconds`` of wall time from the first byte
to ``models.parquet``, ``cpu_s`` of it on the processor, ``records_per_s`` by the latter,
``peak_mb`` of resident memory (``idle_mb`` of it before the file is opened). ``refold_s``:
putting all layers together once more, which a daily sync costs besides reading what changed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from agent import wiring
from evals.peak import peak_mb
from memory import registry_folding
from memory.registry import Registry
from memory.registry_store import RegistryStore
from memory.registry_table import table
from memory.scores import Scores
from tools.registry import loading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memory.records import Model

KINDS = ("hub_jsonl", "schema_jsonl", "schema_parquet")
BLOCK = 50_000
SEED = 20261125


def drawn(n: int) -> Iterator[Model]:
    """``n`` models with ids of their own and the facts of bundled ones; parents are among them."""
    chance, known = random.Random(SEED), list(Registry.load().models.values())
    for place in range(n):
        one = chance.choice(known)
        day = f"{chance.randint(2023, 2026)}-{chance.randint(1, 9):02d}-{chance.randint(1, 28):02d}"
        edges = [
            edge.model_copy(update={"parent": f"made-{chance.randrange(n):07d}/model"})
            for edge in one.bases
        ]
        yield one.model_copy(
            update={
                "id": f"made-{place:07d}/model",
                "aliases": (),
                "bases": tuple(edges),
                "modified": f"{day}T08:15:00+00:00",
                "created": f"{day}T08:00:00+00:00",
                "tags": (*one.tags, "transformers", "safetensors", "text-generation", "region:us"),
            }
        )


def as_hub(place: int, model: Model) -> dict[str, Any]:
    """A model as the Hub's API lists it."""
    relation = model.bases[0].relation if model.bases else None
    return {
        "_id": f"{place:024x}",
        "id": model.id,
        "sha": f"{place:040x}",
        "createdAt": model.created,
        "lastModified": model.modified,
        "private": False,
        "gated": False,
        "disabled": False,
        "downloads": model.downloads or 0,
        "downloadsAllTime": (model.downloads or 0) * 10,
        "likes": model.likes or 0,
        "trendingScore": 0,
        "library_name": "transformers",
        "pipeline_tag": model.task,
        "tags": [*model.tags, *model.languages, f"license:{model.licence}"],
        "cardData": {"license": model.licence, "language": list(model.languages)},
        "config": {"architectures": [model.architecture], "model_type": "llama"},
        "safetensors": {"parameters": {"BF16": model.params}, "total": model.params},
        "baseModels": {"relation": relation, "models": [{"id": e.parent} for e in model.bases]},
        "childrenModelCount": {"finetune": place % 5},
    }


def write(kind: str, n: int, path: Path) -> None:
    """A file of ``n`` models."""
    if kind == "schema_parquet":
        made = drawn(n)
        with tempfile.TemporaryDirectory() as blocks:
            while some := list(islice(made, BLOCK)):
                table(some).write_parquet(Path(blocks) / f"{some[0].id.partition('/')[0]}.parquet")
            pl.scan_parquet(sorted(Path(blocks).iterdir())).sink_parquet(path)
        return
    with path.open("w", encoding="utf-8") as file:
        for place, model in enumerate(drawn(n)):
            one = as_hub(place, model) if kind == "hub_jsonl" else model.model_dump(mode="json")
            file.write(json.dumps(one) + "\n")


def child(path: Path, home: Path) -> dict[str, float]:
    """Load the file, then put the layers together again; in this process."""
    store, scores = RegistryStore(home / "registry"), Scores(home / "scores.sqlite", None)
    idle = peak_mb()
    wall, cpu = time.monotonic(), time.process_time()
    done = loading.load(path, store, scores, wiring.clock)
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    peak = peak_mb()
    again = time.monotonic()
    with store.locked():
        registry_folding.rebuild(store, store.state, wiring.clock().isoformat())
    return {
        "models": done.models,
        "seconds": round(wall, 2),
        "cpu_s": round(cpu, 2),
        "records_per_s": round(done.read / cpu),
        "peak_mb": round(peak),
        "idle_mb": round(idle),
        "refold_s": round(time.monotonic() - again, 2),
        "file_mb": round(path.stat().st_size / 1e6),
        "registry_mb": round(store.models.stat().st_size / 1e6),
    }


def measure(kind: str, n: int, folder: Path) -> dict[str, float]:
    """``child`` in a process of its own, on a file made for it."""
    path = folder / f"{kind}.{'parquet' if kind.endswith('parquet') else 'jsonl'}"
    write(kind, n, path)
    words = [
        sys.executable,
        "-m",
        "evals.ingest",
        "--child",
        str(path),
        str(folder / f"home-{kind}"),
    ]
    alone = {**os.environ, "POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}  # noqa: TID251
    done = subprocess.run(words, check=True, capture_output=True, text=True, env=alone)
    path.unlink()
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Read the arguments, measure, print one JSON line last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=250_000)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    parser.add_argument("--child", nargs=2, metavar=("FILE", "HOME"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(child(Path(options.child[0]), Path(options.child[1]))))
        return
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind in options.kinds.split(","):
            found[kind] = measure(kind, options.models, Path(folder))
            if not options.json:
                print(kind, found[kind])
    print(json.dumps({"models": options.models, **found}))


if __name__ == "__main__":
    main()
