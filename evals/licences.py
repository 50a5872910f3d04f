"""Licence conflicts on the real Hub: ``python -m evals.licences --data DIR --json``.

2,057 Hub records of 2025 with the base models they name (their tags, and the crawl's edges), and
the bundled registry.
A conflict is a model whose own tag is permissive over an ancestor whose licence is not. Every
verdict is compared with a reading of its own: all clauses of all ancestors, gathered by a plain
walk over the edges. Most models of the crawl (adapters above all) state no licence: they are
unknown, never conflicts.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from memory.records import LineageEdge, Model
from memory.registry import Registry
from tools.choosing.constraints import scancode_categories
from tools.lineage.licence_chain import read
from tools.methods.licences import clauses

if TYPE_CHECKING:
    from typing import Any

    from memory.records import Relation

RELATIONS: dict[str, Relation] = {
    "adapters": "adapter",
    "adapter": "adapter",
    "merges": "merge",
    "merge": "merge",
    "quantized": "quantized",
    "finetune": "finetune",
}
FORBID = {"non-commercial", "research-only"}
HUB = "https://huggingface.co/"


def records(data: Path) -> Registry:
    """The crawl as a registry: licences from the records' tags, edges from tags and the list."""
    folder = data / "lineage"
    licences: dict[str, str | None] = {}
    edges: defaultdict[str, dict[str, Relation]] = defaultdict(dict)
    with gzip.open(
        folder / "models_2057_modelinfo_and_card.jsonl.gz", "rt", encoding="utf-8"
    ) as lines:
        for row in map(json.loads, lines):
            info = row["modelinfo"] if isinstance(row["modelinfo"], dict) else {}
            tags = info.get("tags") or []
            named = [tag.removeprefix("license:") for tag in tags if tag.startswith("license:")]
            licences[row["model_id"]] = named[0] if named else None
            for tag in tags:
                if found := re.fullmatch(r"base_model:(?:(\w+):)?([^:]+/[^:]+)", tag):
                    how = RELATIONS.get(found[1] or "", "finetune")
                    edges[row["model_id"]].setdefault(found[2], how)
    with (folder / "edges_8137.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            edges[row["child"].removeprefix(HUB)][row["parent"]] = RELATIONS[row["relation"]]
    models = {
        id: Model(
            id=id,
            licence=licences.get(id),
            bases=tuple(
                LineageEdge(parent=parent, relation=how, source="crawl")
                for parent, how in edges[id].items()
            ),
        )
        for id in sorted({*licences, *edges})
    }
    return Registry(models, "crawl")


def measure(data: Path) -> dict[str, dict[str, Any]]:
    """All figures, as printed: of the crawl and of the bundled registry."""
    return {"crawl": conflicts(records(data)), "registry": conflicts(Registry.load())}


def conflicts(registry: Registry) -> dict[str, Any]:
    """Counts over all models of a registry; ``verdicts_not_the_strictest`` must be 0."""
    found: dict[str, int] = defaultdict(int)
    named = scancode_categories()
    for id, model in registry.models.items():
        reading, above = read(id, registry), _above(id, registry)
        found["models"] += 1
        found["with_ancestors"] += bool(above)
        found[f"verdict_{reading.category}"] += 1
        said = [clauses(registry.models[one].licence, named) if one in registry.models else None
                for one in above]  # fmt: skip
        forced = {clause for one in said for clause in one or ()}
        own = clauses(model.licence, named)
        if own == frozenset() and (forced or None in said):
            found["permissive_tags_overruled"] += 1
            found["conflicts"] += bool(forced)
            found["over_non_commercial"] += bool(forced & FORBID)
            found["over_restricted"] += bool(forced) and not forced & FORBID
            found["over_unknown_only"] += not forced
        strictest = forced | (own or frozenset())
        refused = reading.permissions["commercial"].allowed is False
        wrong = set(reading.clauses) != strictest or refused != bool(strictest & FORBID)
        unknown = own is None or None in said
        wrong |= (reading.category == "unknown") != unknown
        found["verdicts_not_the_strictest"] += wrong
    return {"verdicts_not_the_strictest": 0, **found}


def _above(id: str, registry: Registry) -> set[str]:
    """Every ancestor, by following edges until nothing new turns up."""
    found: set[str] = set()
    open_ends = {id}
    while open_ends:
        reached = {
            edge.parent
            for one in open_ends
            if one in registry.models
            for edge in registry.models[one].bases
        }
        open_ends = reached - found
        found |= reached
    return found - {id}


def main() -> None:
    """Print the figures as one JSON line, or indented without ``--json``."""
    parser = argparse.ArgumentParser(prog="python -m evals.licences", description=main.__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    print(json.dumps(measure(args.data), indent=None if args.json else 2))


if __name__ == "__main__":
    main()
