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

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.records import BenchmarkChoice, Model
    from tools.deps import Runner
    from tools.methods.gpu_time import Range

BACKEND = "hf on a rented GPU"
UNKNOWN = "size unknown, can't be priced"
ITEMS = 100
MOST_BENCHMARKS = 2


@dataclass(frozen=True)
class Rental:
    """What every rented model would be measured on, and the dollars an 80 GB GPU hour costs.

    ``bits`` per weight are those the user means to run the model at.
    """

    benchmarks: Sequence[BenchmarkChoice]
    items: int
    usd_per_hour: float
    bits: int = gpu_time.PUBLISHED_BITS

    def quote(self, model: Model) -> str:
        """The expected price in words, or that there is none."""
        if not model.params:
            return UNKNOWN
        gpus, _ = gpu_time.placement(model.params, self.bits)
        seconds = sum(seconds.expected for seconds in self._seconds(model, model.params, gpus))
        usd, minutes = self._usd(seconds, gpus), max(round(seconds / 60), 1)
        return (
            f"about ${usd:.2f} and {minutes} minute{'s' if minutes > 1 else ''}"
            f" on {f'{gpus} rented GPUs' if gpus > 1 else 'a rented GPU'}"
        )

    def steps(self, model: Model, runner: Runner, could_change: str = "") -> tuple[Step, ...]:
        """A step per benchmark, the first of which pays for fetching and loading the weights.

        Raises:
            BadRequest: the model's size is unknown.
        """
        if not model.params:
            raise BadRequest(f"{model.id}: {UNKNOWN}.")
        arm, gpus = self._arm(model, model.params)
        priced = zip(self.benchmarks, self._seconds(model, model.params, gpus), strict=True)
        return tuple(
            Step(
                arm=arm,
                benchmark=choice.task,
                protocol=_protocol(runner, choice),
                items=self.items,
                usd_low=self._usd(seconds.low, gpus),
                usd=self._usd(seconds.expected, gpus),
                usd_high=self._usd(seconds.high, gpus),
                minutes_low=seconds.low / 60,
                minutes=seconds.expected / 60,
                minutes_high=seconds.high / 60,
                could_change=could_change,
                here=False,
            )
            for choice, seconds in priced
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
            note=f"weights to be fetched ({size:.3g} GB at {gpu_time.PUBLISHED_BITS} bits);"
            f" fits {gpus} x 80 GB at {bits} bits",
        )
        return arm, gpus

    def _seconds(self, model: Model, params: int, gpus: int) -> list[Range]:
        """Seconds on each benchmark, one after another."""
        ready = gpu_time.ready_seconds(params)
        work = gpu_time.compute_seconds(model.params_active or params, self.items, gpus)
        first = gpu_time.Range(*(a + b for a, b in zip(ready, work, strict=True)))
        return [work if j else first for j, _ in enumerate(self.benchmarks)]

    def _usd(self, seconds: float, gpus: int) -> float:
        return seconds / 3600 * self.usd_per_hour * gpus


def _protocol(runner: Runner, choice: BenchmarkChoice) -> str:
    """The runner's own protocol, or the plain one of a task whose items it does not have."""
    try:
        return runner.protocol(choice.task)
    except BadRequest:
        return f"{runner.name} · 0-shot · {choice.task} · {choice.metric}"
