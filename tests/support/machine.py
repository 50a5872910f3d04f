"""A machine that reaches some weights, and a dossier to plan for it: for tests of plans."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from memory.errors import BadRequest
from memory.ledger import Ledger
from memory.records import CONSTANT, Arm, BenchmarkChoice, Candidate, Model, Requirements, Selected
from tools.clients.fakes import FixedClock


@dataclass
class Machine:
    """A runner that reaches some weights: ``load`` seconds once and ``pace`` an item."""

    reachable: dict[str, tuple[str, ...]]
    pool: int = 500
    load: float = 10.0
    pace: float = 0.5
    name: str = "harness 1"

    def arms(self, models):
        arms = [
            Arm(name=f"{m.id} {p}", model=m.id, backend="hf", precision=p, note="from a carrier")
            for m in models
            for p in self.reachable.get(m.id, ())
        ]
        missing = {m.id: "weights not here" for m in models if m.id not in self.reachable}
        return [*arms, Arm(name=CONSTANT, model=CONSTANT, backend="constant")], missing

    def protocol(self, benchmark):
        if benchmark == "absent":
            raise BadRequest("no local items")
        return f"{self.name} · {benchmark}"

    def items(self, benchmark, n, seed):
        if n > self.pool:
            raise BadRequest("too few")
        return [f"{seed}-{i}" for i in range(n)]

    def seconds(self, arm, benchmark, items):
        if arm.model == CONSTANT:
            return 0.0, 0.0, 1.0
        middle = self.load + self.pace * items
        return middle / 2, middle, middle * 2


def world(
    machine,
    *,
    shortlist=("a/1", "b/2"),
    others=("c/3",),
    budget=None,
    minutes=2.0,
    sizes=None,
    rate=2.0,
):
    names = [*shortlist, *others]
    models = {n: Model(id=n, params=(sizes or {}).get(n)) for n in names}
    registry = SimpleNamespace(models=models, version="v")
    dossier = {
        "thread": "t",
        "run": "run-1",
        "requirements": Requirements(text="x", budget_usd=budget),
        "candidates": [Candidate(model=n, sigma=0.5) for n in names],
        "selected": [
            Selected(model=n, s=0.5, sigma=0.5, benchmark_term=0.5, known_cells=0, cells=2)
            for n in shortlist
        ],
        "benchmarks": [
            BenchmarkChoice(task="light", weight=0.3, reason="", items_source="here"),
            BenchmarkChoice(task="heavy", weight=0.5, reason="", items_source="here"),
            BenchmarkChoice(task="absent", weight=0.2, reason=""),
        ],
    }
    return dossier, SimpleNamespace(
        registry=registry,
        runner=machine,
        ledger=Ledger(Path("nowhere", "ledger.sqlite"), FixedClock()),
        minutes=minutes,
        usd_per_hour=3.6,
        hub=None,
        downloads=None,
        judges=(),
        gpu_usd_per_hour=rate,
    )
