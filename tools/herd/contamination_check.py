"""What a run does to see whether an arm was trained on a benchmark, and what that takes.

Of the signals in ``tools.methods.contamination`` a run uses what its back end can give:

- the order test, on runs of questions that follow each other in the benchmark's file. It needs
  totals only, which every back end has that echoes log-probabilities. They are not the sampled
  items, whose neighbours are missing: what is memorized of an order is which text comes next;
- Min-K%++, where log-probabilities come token by token with the vocabulary's. By itself it says
  nothing: a plain question surprises less than an odd one, seen or not, and texts of the same kind
  that can't have been seen are not to be had. So each question is compared with itself, its
  options in other orders, as the order test compares a file with itself.

- the paraphrase gap instead, where tokens are not told but the arm answers: the same questions as
  published and in other words, by rule. It sees only a model that knows the letters by heart and
  loses many of them (``evals.contamination`` says how many); one that reads badly loses some, too.

The texts and their orders are the same in every run, so an arm is asked once about a benchmark,
whatever runs follow: asking again with other texts until something stands out would accuse anyone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import TYPE_CHECKING

import numpy as np

from memory.records import CONSTANT
from tools.clients.backends.log_probs import TextLogProb
from tools.clients.benchmarks.item_options import published, reworded
from tools.deps import Reader, Speaker
from tools.herd.contamination import assess
from tools.methods.contamination import min_k_plus_plus, order_test, paraphrase_gap
from tools.real_task.answer_labels import find_label

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from memory.records import Arm, Contamination
    from tools.clients.benchmarks.item_sources import Lettered
    from tools.deps import Runner
    from tools.methods.contamination import OrderTest, ParaphraseGap

SHUFFLES = 4
"""Random orders of each run of texts: with four runs, p can be as low as 5 to the power of -4."""

REORDERED, REORDERINGS = 8, 3
"""Questions whose options are put in other orders, and in how many: p from 4 to the power of -8."""

REWORDED, LETTER_TOKENS = 16, 8
"""Questions that are asked in two forms, and the tokens each answer may take."""

INSTRUCTION = "Answer with the letter of the right option and nothing else.\n\n"
BETWEEN = "\n\n"
LETTERS = tuple(ascii_uppercase[:5])
CHARS_PER_TOKEN = 4.0
NO_ORDER = "there is no published order of its items here"
NO_READER = "its back end gives no log-probabilities"


@dataclass(frozen=True)
class Check:
    """The question to one arm about one benchmark.

    ``runs`` are the runs of texts, each as published and then in ``SHUFFLES`` random orders;
    ``options`` questions, each with its options as published and then in ``REORDERINGS`` others;
    ``forms`` questions with the letter that is right, all as published and then all reworded.
    ``key`` is a digest of them, so that an answer is only reused for the same question.
    """

    reader: Reader
    arm: Arm
    benchmark: str
    runs: tuple[str, ...]
    options: tuple[str, ...] = ()
    forms: tuple[tuple[str, str], ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything whose log-probability is asked for."""
        return self.runs + self.options

    @property
    def asked(self) -> int:
        """How many answers ``ask`` gives."""
        return len(self.texts) + len(self.forms)

    @property
    def key(self) -> str:
        """Methods and texts."""
        methods = {"order test": self.runs, "min-k%++": self.options, "paraphrase gap": self.forms}
        texts = [*self.texts, *(prompt for prompt, _ in self.forms)]
        digest = hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass"))
        told = ", ".join(name for name, asked in methods.items() if asked)
        return f"{told} · {digest.hexdigest()[:12]}"

    @property
    def seconds(self) -> tuple[float, float, float]:
        """Low, expected and high seconds, once the arm is loaded; low is an answer kept."""
        _, expected, high = self.reader.log_prob_seconds(self.arm, self.texts)
        if self.forms and isinstance(self.reader, Speaker):
            tokens = (
                sum(len(prompt) for prompt, _ in self.forms) / len(self.forms) / CHARS_PER_TOKEN
            )
            more = self.reader.generation_seconds(self.arm, len(self.forms), tokens, LETTER_TOKENS)
            expected, high = expected + more[1], high + more[2]
        return 0.0, expected, high

    def ask(self) -> Iterator[TextLogProb | str]:
        """The log-probability of each text, then the answer to each form, as soon as it is known.

        Raises what the reader does.
        """
        yield from self.reader.log_probs(self.arm, self.texts)
        if self.forms and isinstance(self.reader, Speaker):
            prompts = [INSTRUCTION + prompt for prompt, _ in self.forms]
            yield from self.reader.generate(self.arm, prompts, LETTER_TOKENS)

    def conclude(self, found: Sequence[TextLogProb | str]) -> Contamination:
        """What the answers to ``ask`` say.

        Raises:
            ValueError: not one run, or not one question, has all of its log-probabilities.
        """
        told = [one for one in found if isinstance(one, TextLogProb)]
        runs, options = told[: len(self.runs)], told[len(self.runs) :]
        order = _against_orders([one.total for one in runs], SHUFFLES) if runs else None
        own = _against_orders(list(map(_min_k, options)), REORDERINGS) if options else None
        gap = self._gap([one for one in found if isinstance(one, str)])
        return assess(self.arm, self.benchmark, order=order, options=own, gap=gap)

    def _gap(self, answers: Sequence[str]) -> ParaphraseGap | None:
        """None where nothing was asked in two forms, or no answer to both has a letter in it."""
        right = [
            _graded(answer, letter)
            for answer, (_, letter) in zip(answers, self.forms, strict=bool(answers))
        ]
        half = len(right) // 2
        both = np.array(right, dtype=np.float64).reshape(2, half)
        if not np.isfinite(both).all(axis=0).any():
            return None
        return paraphrase_gap(both[0], both[1])


def _graded(answer: str, letter: str) -> float:
    found = find_label(answer, LETTERS)
    return float("nan") if found is None else float(found == letter)


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
    forms = _forms(runner, benchmark) if not runner.tells_tokens(arm) else []
    if not (runs or options or forms):
        return NO_ORDER
    return Check(runner, arm, benchmark, tuple(runs), tuple(options), tuple(forms))


def _forms(runner: Reader, benchmark: str) -> list[tuple[str, str]]:
    """Questions as published, then reworded, each with the letter of its right option."""
    if not isinstance(runner, Speaker):
        return []
    items = runner.lettered(benchmark, REWORDED)
    plain, other = map(published, items), reworded(items, np.random.default_rng(0))
    both = [
        form.asked(item)
        for forms in (plain, other)
        for form, item in zip(forms, items, strict=True)
    ]
    return [(prompt, ascii_uppercase[place]) for prompt, place in both]


def reordered(item: Lettered, rng: np.random.Generator) -> list[str]:
    """The question with its options as published, then in ``REORDERINGS`` random orders."""
    orders = [rng.permutation(len(item.options)).tolist() for _ in range(REORDERINGS)]
    return [item.text(), *(item.text(order) for order in orders)]
