"""What it would cost to measure a model whose weights are not on this machine.

The price is that of rented 80 GB GPUs, from ``tools.methods.gpu_time`` and an hourly rate; both
rest on assumptions. Nothing here rents anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memory.errors import BadRequest
from memory.records import Arm, Step
from tools.methods import gpu_time
from tools.methods.gpu_time import Range

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.records import BenchmarkChoice, Model
    from tools.deps import Runner
    from tools.dossier import Dossier

BACKEND = "hf on a rented GPU"
UNKNOWN = "size unknown, can't be priced"
ITEMS = 100
MOST_BENCHMARKS = 2
FREE = Range(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Rental:
    """What every rented model would be measured on, and the dollars an 80 GB GPU hour costs.

    ``bits`` per weight are those the user means to run the model at.
    """

    benchmarks: Sequence[BenchmarkChoice]
    items: int
    usd_per_hour: float
    bits: int

    def quote(self, model: Model) -> str:
        """The expected price in words, or that there is none."""
        if not model.params:
            return UNKNOWN
        gpus, _ = gpu_time.placement(model.params, self.bits)
        seconds = sum(seconds.expected for seconds in self._seconds(model, model.params, gpus))
        usd, minutes = self._usd(seconds, gpus), max(round(seconds / 60), 1)
        price = f"about ${usd:.2f}" if usd >= 0.005 else "less than $0.01"
        where = f"{gpus} rented GPUs" if gpus > 1 else "a rented GPU"
        return f"{price} and {minutes} minute{'s' if minutes > 1 else ''} on {where}"

    def steps(self, model: Model, runner: Runner, could_change: str) -> list[Step]:
        """A step per benchmark, the first of which pays for fetching and loading the weights.

        Raises:
            BadRequest: the model's size is unknown.
        """
        if not model.params:
            raise BadRequest(f"{model.id}: {UNKNOWN}.")
        arm, gpus = self._arm(model, model.params)
        times = self._seconds(model, model.params, gpus)
        return [
            self._step(arm, choice, _protocol(runner, choice), could_change, seconds, gpus)
            for choice, seconds in zip(self.benchmarks, times, strict=True)
        ]

    def baseline(self, constant: Arm, runner: Runner, could_change: str) -> list[Step]:
        """The constant answer, free, on the benchmarks whose items are known here."""
        known = [choice for choice in self.benchmarks if choice.items_source is not None]
        return [self._step(constant, c, _protocol(runner, c), could_change) for c in known]

    def _step(
        self,
        arm: Arm,
        choice: BenchmarkChoice,
        protocol: str,
        could_change: str,
        seconds: Range = FREE,
        gpus: int = 1,
    ) -> Step:
        return Step(
            arm=arm,
            benchmark=choice.task,
            protocol=protocol,
            items=self._items(choice),
            usd_low=self._usd(seconds.low, gpus),
            usd=self._usd(seconds.expected, gpus),
            usd_high=self._usd(seconds.high, gpus),
            minutes_low=seconds.low / 60,
            minutes=seconds.expected / 60,
            minutes_high=seconds.high / 60,
            could_change=could_change,
            here=False,
        )

    def _arm(self, model: Model, params: int) -> tuple[Arm, int]:
        """The arm, and how many GPUs it takes."""
        gpus, bits = gpu_time.placement(params, self.bits)
        reduced = bits < gpu_time.PUBLISHED_BITS
        size = gpu_time.published_bytes(params) / 1e9
        arm = Arm(
            name=f"{model.id} @ {bits} bits" if reduced else model.id,
            model=model.id,
            backend=BACKEND,
            precision=f"{bits} bits" if reduced else None,
            revision=model.revision,
            note=f"weights to be fetched ({round(size, 1):g} GB at {gpu_time.PUBLISHED_BITS} bits);"
            f" fits {gpus} x 80 GB at {bits} bits",
        )
        return arm, gpus

    def _seconds(self, model: Model, params: int, gpus: int) -> list[Range]:
        """Seconds on each benchmark, one after another."""
        ready = gpu_time.ready_seconds(params)
        works = [
            gpu_time.compute_seconds(model.params_active or params, self._items(choice), gpus)
            for choice in self.benchmarks
        ]
        first = gpu_time.Range(*(a + b for a, b in zip(ready, works[0], strict=True)))
        return [first, *works[1:]]

    def _items(self, choice: BenchmarkChoice) -> int:
        """As many as are wanted, or as there are of the user's own."""
        return self.items if choice.available is None else min(self.items, choice.available)

    def _usd(self, seconds: float, gpus: int) -> float:
        return seconds / 3600 * self.usd_per_hour * gpus


def rental(dossier: Dossier, usd_per_hour: float, items: int | None = None) -> Rental:
    """The two weightiest benchmarks, ``items`` (else 100) of each, at the precision asked for."""
    needed = dossier.get("requirements")
    by_weight = sorted(dossier.get("benchmarks") or (), key=lambda choice: -choice.weight)
    return Rental(
        benchmarks=by_weight[:MOST_BENCHMARKS],
        items=ITEMS if items is None else items,
        usd_per_hour=usd_per_hour,
        bits=needed.precision_bits if needed else gpu_time.PUBLISHED_BITS,
    )


def _protocol(runner: Runner, choice: BenchmarkChoice) -> str:
    """The runner's own protocol, or the plain one of a task whose items it does not have."""
    try:
        return runner.protocol(choice.task)
    except BadRequest:
        return f"{runner.name} · 0-shot · {choice.task} · {choice.metric}"
