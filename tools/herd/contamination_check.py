"""What a run does to see whether an arm was trained on a benchmark, and what that takes.

Of the signals in ``tools.methods.contamination`` a run can afford one: the order test, on runs of
texts that follow each other in the benchmark's file. It needs totals only, which every back end
has that echoes log-probabilities. They are not the sampled items, whose neighbours are missing:
what is memorized of an order is which text comes next. Min-K%++ needs texts of the same kind that
the model can't have seen, and the paraphrase gap paraphrases; a run has neither.

The texts and their orders are the same in every run, so an arm is asked once about a benchmark,
whatever runs follow: asking again with other texts until something stands out would accuse anyone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from memory.records import CONSTANT
from tools.deps import Reader
from tools.herd.contamination import assess
from tools.methods.contamination import order_test

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.records import Arm, Contamination
    from tools.deps import Runner

SHUFFLES = 4
"""Random orders of each run of texts: with four runs, p can be as low as 5 to the power of -4."""

BETWEEN = "\n\n"
NO_ORDER = "there is no published order of its items here"
NO_READER = "its back end gives no log-probabilities"


@dataclass(frozen=True)
class Check:
    """The question to one arm about one benchmark.

    ``texts`` are the runs, each as published and then in ``SHUFFLES`` random orders; ``key`` is a
    digest of them, so that an answer is only reused for the same question.
    """

    reader: Reader
    arm: Arm
    benchmark: str
    texts: tuple[str, ...]

    @property
    def key(self) -> str:
        """Method and texts."""
        digest = hashlib.sha256("\0".join(self.texts).encode("utf-8", "surrogatepass"))
        return f"order test · {digest.hexdigest()[:12]}"

    @property
    def seconds(self) -> tuple[float, float, float]:
        """Low, expected and high seconds, once the arm is loaded; low is an answer kept."""
        _, expected, high = self.reader.log_prob_seconds(self.arm, self.texts)
        return 0.0, expected, high

    def conclude(self, totals: Sequence[float]) -> Contamination:
        """What the log-probabilities of ``texts`` say.

        Raises:
            ValueError: not one run has all of its log-probabilities.
        """
        grid = np.array(totals, dtype=np.float64).reshape(-1, 1 + SHUFFLES)
        return assess(self.arm, self.benchmark, order=order_test(grid[:, 0], grid[:, 1:]))


def prepare(runner: Runner, arm: Arm, benchmark: str) -> Check | str:
    """The check of ``arm`` on ``benchmark``, or why there can't be one."""
    if not isinstance(runner, Reader):
        return NO_READER
    runs = runner.published(benchmark)
    if not runs:
        return NO_ORDER
    rng = np.random.default_rng(0)
    texts = []
    for run in runs:
        orders = [rng.permutation(len(run)) for _ in range(SHUFFLES)]
        texts += [BETWEEN.join(run), *(BETWEEN.join(run[i] for i in order) for order in orders)]
    return Check(runner, arm, benchmark, tuple(texts))


def seconds(runner: Runner, arm: Arm, benchmark: str) -> tuple[float, float, float]:
    """Low, expected and high seconds of a loaded arm's check; zeros where there is none."""
    check = prepare(runner, arm, benchmark) if arm.model != CONSTANT else NO_ORDER
    return (0.0, 0.0, 0.0) if isinstance(check, str) else check.seconds
