"""What an lm-eval back end is to Mirror: which arms it has, how to load one, how long it takes.

A back end says what the evaluation process must be told (``lm_eval_worker``); the process, the
items and the results are the runner's (``lm_eval_runner``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.records import Arm, Model

Event: TypeAlias = dict[str, Any]
Ask: TypeAlias = Callable[[Event], Iterator[Event]]
"""Send one request to the evaluation process and yield its events."""


@dataclass(frozen=True)
class Pace:
    """Seconds an arm takes: ``start`` once a process (at worst), ``load`` once, and then its work.

    ``per_token`` of what passes through the model, ``per_new_token`` of what it writes,
    ``per_item`` beside that. The work may take between ``low`` and ``high`` times as long.
    """

    start: float
    load: float
    per_token: float
    per_item: float
    per_new_token: float
    low: float = 0.7
    high: float = 2.5


class Backend(Protocol):
    """One way to compute what lm-eval asks for."""

    @property
    def name(self) -> str:
        """As arms and scores name it, such as ``hf``."""
        ...

    def arms(self, models: Sequence[Model]) -> tuple[list[Arm], dict[str, str]]:
        """An arm for each way to measure each model here, and why others can't be."""
        ...

    def here(self) -> frozenset[str]:
        """Names of the models it has; ``arms`` says which of them can be used."""
        ...

    def load(self, arm: Arm, ask: Ask) -> None:
        """Make the process ready for ``arm``.

        Raises:
            ArmFailed: the arm is not to be had any more.
            WeightsUnavailable: there is no room for it.
        """
        ...

    def pace(self, arm: Arm) -> Pace:
        """How long the arm takes. Raises ``ArmFailed`` when it is not to be had any more."""
        ...

    def memory(self, arm: Arm) -> int:
        """Bytes of this machine's memory that the loaded arm holds. Raises as ``pace`` does."""
        ...
