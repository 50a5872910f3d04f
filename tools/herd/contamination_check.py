"""What a run does to see whether an arm was trained on a benchmark, and what that takes.

Of the signals in ``tools.methods.contamination`` a run uses what its back end can give:

- the order test, on runs of questions that follow each other in the benchmark's file. It needs
  totals only, which every back end has that echoes log-probabilities. They are not the sampled
  items, whose neighbours are missing: what is memorized of an order is which text comes next;
- Min-K%++, where log-probabilities come token by token with the vocabulary's. By itself it says
  nothing: a plain question surprises less than an odd one, seen or not, and texts of the same kind
  that can't have been seen are not to be had. So each question is compared with itself, its
  options in other orders, as the order test compares a file with itself.

A paraphrase gap would need each arm's answers to the same questions in other words, as many items
again, and shows nothing at the sizes a run can pay (``evals.contamination``); a back end without
log-probabilities is said to be unchecked.

The texts and their orders are the same in every run, so an arm is asked once about a benchmark,
whatever runs follow: asking again with other texts until something stands out would accuse anyone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from memory.records import CONSTANT
from tools.deps import Reader
from tools.herd.contamination import assess
from tools.methods.contamination import min_k_plus_plus, order_test

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.records import Arm, Contamination
    from tools.clients.item_sources import Lettered
    from tools.clients.log_probs import TextLogProb
    from tools.deps import Runner
    from tools.methods.contamination import OrderTest

SHUFFLES = 4
"""Random orders of each run of texts: with four runs, p can be as low as 5 to the power of -4."""

REORDERED, REORDERINGS = 8, 3
"""Questions whose options are put in other orders, and in how many: p from 4 to the power of -8."""

BETWEEN = "\n\n"
NO_ORDER = "there is no published order of its items here"
NO_READER = "its back end gives no log-probabilities"


@dataclass(frozen=True)
class Check:
    """The question to one arm about one benchmark.

    ``runs`` are the runs of texts, each as published and then in ``SHUFFLES`` random orders;
    ``options`` questions, each with its options as published and then in ``REORDERINGS`` others.
    ``key`` is a digest of them, so that an answer is only reused for the same question.
    """

    reader: Reader
    arm: Arm
    benchmark: str
    runs: tuple[str, ...]
    options: tuple[str, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything that is asked."""
        return self.runs + self.options

    @property
    def key(self) -> str:
        """Methods and texts."""
        methods = ["order test"] * bool(self.runs) + ["min-k%++"] * bool(self.options)
        digest = hashlib.sha256("\0".join(self.texts).encode("utf-8", "surrogatepass"))
        return f"{', '.join(methods)} · {digest.hexdigest()[:12]}"

    @property
    def seconds(self) -> tuple[float, float, float]:
        """Low, expected and high seconds, once the arm is loaded; low is an answer kept."""
        _, expected, high = self.reader.log_prob_seconds(self.arm, self.texts)
        return 0.0, expected, high

    def conclude(self, found: Sequence[TextLogProb]) -> Contamination:
        """What the log-probabilities of ``texts`` say.

        Raises:
            ValueError: not one run, or not one question, has all of its log-probabilities.
        """
        runs, options = found[: len(self.runs)], found[len(self.runs) :]
        order = _against_orders([one.total for one in runs], SHUFFLES) if runs else None
        own = _against_orders(list(map(_min_k, options)), REORDERINGS) if options else None
        return assess(self.arm, self.benchmark, order=order, options=own)


def _against_orders(scores: Sequence[float], others: int) -> OrderTest:
    grid = np.array(scores, dtype=np.float64).reshape(-1, 1 + others)
    return order_test(grid[:, 0], grid[:, 1:])


def _min_k(found: TextLogProb) -> float:
    """NaN, which is left out, where the back end did not tell tokens apart after all."""
    if found.tokens is None:
        return float("nan")
    return min_k_plus_plus(found.tokens.log_probs, found.tokens.means, found.tokens.deviations)


@dataclass
class Checks:
    """The checks of a runner's arms, each made once: its texts cost more to find than to keep."""

    runner: Runner
    _known: dict[tuple[str, str], Check | str] = field(default_factory=dict)

    def of(self, arm: Arm, benchmark: str) -> Check | str:
        """The check of ``arm`` on ``benchmark``, or why there can't be one."""
        key = arm.identity, benchmark
        if key not in self._known:
            self._known[key] = prepare(self.runner, arm, benchmark)
        return self._known[key]

    def seconds(self, arm: Arm, benchmark: str) -> tuple[float, float, float]:
        """Low, expected and high seconds of a loaded arm's check; zeros where there is none."""
        check = self.of(arm, benchmark) if arm.model != CONSTANT else NO_ORDER
        return (0.0, 0.0, 0.0) if isinstance(check, str) else check.seconds


def prepare(runner: Runner, arm: Arm, benchmark: str) -> Check | str:
    """The check of ``arm`` on ``benchmark``, or why there can't be one."""
    if not isinstance(runner, Reader):
        return NO_READER
    rng = np.random.default_rng(0)
    runs, options = [], []
    for run in runner.published(benchmark):
        orders = [rng.permutation(len(run)) for _ in range(SHUFFLES)]
        runs += [BETWEEN.join(run), *(BETWEEN.join(run[i] for i in order) for order in orders)]
    for item in runner.lettered(benchmark, REORDERED) if runner.tells_tokens(arm) else ():
        options += reordered(item, rng)
    if not runs and not options:
        return NO_ORDER
    return Check(runner, arm, benchmark, tuple(runs), tuple(options))


def reordered(item: Lettered, rng: np.random.Generator) -> list[str]:
    """The question with its options as published, then in ``REORDERINGS`` random orders."""
    orders = [rng.permutation(len(item.options)).tolist() for _ in range(REORDERINGS)]
    return [item.text(), *(item.text(order) for order in orders)]
