"""Deterministic stand-ins for the outside world, shipped so that every test can use them.

They answer the protocols of ``tools.deps`` by computing, never by canned replies: the same
question gets the same answer in every process.
"""

from __future__ import annotations

import hashlib
import re
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from memory.errors import BackendUntrustworthy, BadRequest
from memory.records import CONSTANT, Arm, ChatReply, ItemResult
from tools.clients.backends.lm_eval_process import ArmFailed
from tools.clients.backends.log_probs import TextLogProb, TokenLogProbs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from memory.records import Model
    from tools.clients.benchmarks.item_sources import Lettered
    from tools.deps import Message


@dataclass
class FixedClock:
    """A clock that shows ``now`` and moves by ``step`` after each reading."""

    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    step: timedelta = timedelta()

    def __call__(self) -> datetime:
        """The time, then one step on."""
        shown, self.now = self.now, self.now + self.step
        return shown


@dataclass(frozen=True)
class HashEmbedder:
    """Bag of words by feature hashing (Weinberger et al. 2009, eq. 1), made unit length.

    Texts that share words are near; word order and meaning are unseen.
    """

    dimensions: int = 384

    @property
    def name(self) -> str:
        """Method and dimensions."""
        return f"hash-{self.dimensions}"

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n texts) -> (n, dimensions) float32 rows of length 1; a wordless text is one word."""
        rows = np.zeros((len(texts), self.dimensions), dtype=np.float64)
        for row, text in zip(rows, texts, strict=True):
            for word in re.findall(r"\w+", text.lower()) or [""]:
                digest = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest())
                row[(digest >> 1) % self.dimensions] += 1.0 if digest & 1 else -1.0
            if not row.any():  # its words cancelled out
                row[0] = 1.0
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        unit: NDArray[np.float32] = (rows / lengths).astype(np.float32)
        return unit


@dataclass
class ScriptedRunner:
    """A Runner whose arms have a given accuracy; each item's outcome is a hash of arm and item.

    ``accuracy`` maps a model id (or CONSTANT) to the chance of a right answer; only models named
    there can be measured. A model in ``untrustworthy`` fails the probe. A model in ``crash_at``
    or ``hang_at`` stops before that many items: at once, or after ``timeout`` seconds of
    silence. ``asked`` records every (arm name, item) that was computed.

    ``files`` has runs of texts per benchmark, ``questions`` those with options. How likely a text
    is, is a hash, too, but for a model in ``memorized``, which finds a run likelier in that order,
    and a question with its options as they are. ``read`` records every
    (arm name, text) whose log-probability was computed.
    """

    accuracy: Mapping[str, float]
    benchmarks: Mapping[str, int] = field(default_factory=lambda: {"pubmedqa": 200, "medmcqa": 500})
    crash_at: Mapping[str, int] = field(default_factory=dict)
    hang_at: Mapping[str, int] = field(default_factory=dict)
    untrustworthy: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    seconds_per_item: float = 1.0
    timeout: float = 0.05
    asked: list[tuple[str, str]] = field(default_factory=list)
    name: str = "scripted 1"
    at_once: int = 1
    elsewhere: bool = False
    files: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)
    memorized: frozenset[str] = frozenset()
    questions: Mapping[str, Sequence[Lettered]] = field(default_factory=dict)
    read: list[tuple[str, str]] = field(default_factory=list)

    def arms(self, models: Sequence[Model]) -> tuple[list[Arm], dict[str, str]]:
        """One arm per scripted model, the baseline last."""
        here = [m.id for m in models if m.id in self.accuracy]
        arms = [
            Arm(name=f"{i} @ scripted", model=i, backend="scripted", weights="script") for i in here
        ]
        baseline = Arm(name=CONSTANT, model=CONSTANT, backend="constant")
        reasons = {m.id: "weights not on this machine" for m in models if m.id not in here}
        return [*arms, baseline], reasons

    def here(self) -> frozenset[str]:
        """The scripted models."""
        return frozenset(self.accuracy)

    def protocol(self, benchmark: str) -> str:
        """Runner, shots, template and metric."""
        return f"{self.name} · 0-shot · {benchmark} v1 template · acc · items made"

    def items(self, benchmark: str, n: int, seed: int) -> list[str]:
        """Ids of ``n`` items at random; the ids for n begin those for n + 1.

        Raises:
            BadRequest: unknown benchmark, or fewer than ``n`` items.
        """
        size = self.benchmarks.get(benchmark, 0)
        if not 0 <= n <= size:
            raise BadRequest(f"{benchmark} has {size} items here; {n} can't be drawn from them.")
        order = np.random.default_rng(seed).permutation(size)
        return [f"{benchmark}:{i}" for i in order[:n]]

    def seconds(self, arm: Arm, benchmark: str, items: int) -> tuple[float, float, float]:
        """Half, all and twice ``seconds_per_item`` each, after two seconds of loading."""
        if arm.model == CONSTANT:
            return 0.0, 0.0, 1.0
        work = items * self.seconds_per_item
        return 0.5 * work, 2.0 + work, 2.0 + 2.0 * work

    def probe(self, arm: Arm) -> None:
        """Raise BackendUntrustworthy for the models told to."""
        if arm.model in self.untrustworthy:
            raise BackendUntrustworthy("known answers: 0 of 10 right, at least 9 expected.")

    def run(self, arm: Arm, benchmark: str, items: Sequence[str]) -> Iterator[ItemResult]:
        """Yield one result per item, until told to fail.

        Raises:
            ArmFailed: the script says crash or hang here.
            BadRequest: an item of another benchmark.
        """
        chance = self.accuracy.get(arm.model, 1 / 3)
        for done, item in enumerate(items):
            if not item.startswith(f"{benchmark}:"):
                raise BadRequest(f"{benchmark} has no item {item}.")
            self._fail(arm, done)
            self.asked.append((arm.name, item))
            right = _fraction(arm.name, item) < chance
            yield ItemResult(
                arm=arm.name,
                benchmark=benchmark,
                item=item,
                correct=None if item in self.missing else float(right),
                answer="" if item in self.missing else ("yes" if right else "no"),
                target="yes",
                seconds=0.0 if arm.model == CONSTANT else self.seconds_per_item,
            )

    def close(self) -> None:
        """Nothing is running."""

    def published(self, benchmark: str) -> list[list[str]]:
        """The scripted runs."""
        return [list(run) for run in self.files.get(benchmark, ())]

    def lettered(self, benchmark: str, count: int) -> list[Lettered]:
        """The scripted questions."""
        return list(self.questions.get(benchmark, ()))[:count]

    def tells_tokens(self, arm: Arm) -> bool:
        """Where there are questions to tell them of."""
        return bool(self.questions)

    def log_prob_seconds(self, arm: Arm, texts: Sequence[str]) -> tuple[float, float, float]:
        """Half, all and twice a hundredth of an item's time for each text."""
        work = 0.01 * self.seconds_per_item * len(texts)
        return 0.5 * work, work, 2.0 * work

    def log_probs(self, arm: Arm, texts: Sequence[str]) -> Iterator[TextLogProb]:
        """Minus 2 a word, give or take a half, and 5 more for a run that was memorized."""
        known = [run for runs in self.files.values() for run in runs]
        for text in texts:
            self.read.append((arm.name, text))
            total = _fraction(arm.name, text) - 0.5 - 2.0 * len(text.split())
            places = ([text.find(line) for line in run] for run in known)
            told = any(-1 not in found and found == sorted(found) for found in places)
            asked = [one.text() for of in self.questions.values() for one in of]
            total += 5.0 * ((told or text in asked) and arm.model in self.memorized)
            row = np.full(2, total / 2)
            yield TextLogProb(total, TokenLogProbs(row, row * 0, row * 0 + 1))

    def _fail(self, arm: Arm, done: int) -> None:
        if self.crash_at.get(arm.model) == done:
            raise ArmFailed("The evaluation process ended (exit code 1). See worker.log.")
        if self.hang_at.get(arm.model) == done:
            threading.Event().wait(self.timeout)
            raise ArmFailed(f"No answer for {self.timeout:g} s. See worker.log.")


@dataclass
class ScriptedChat:
    """A Chat that answers with what ``says`` makes of the messages; words count as tokens.

    An exception that ``says`` returns is raised instead. ``asked`` holds what it was sent.
    """

    says: Callable[[Sequence[Message]], str | Exception]
    model: str = "scripted-judge"
    timeout: float = 1.0
    asked: list[Sequence[Message]] = field(default_factory=list)

    def reply(self, messages: Sequence[Message], max_tokens: int) -> ChatReply:
        """What the script says, cut off at ``max_tokens`` words."""
        self.asked.append(messages)
        said = self.says(messages)
        if isinstance(said, Exception):
            raise said
        words = re.findall(r"\S+\s*", said)
        return ChatReply(
            model=self.model,
            text="".join(words[:max_tokens]),
            prompt_tokens=sum(len(message.content.split()) for message in messages),
            completion_tokens=min(len(words), max_tokens),
            finish_reason="stop" if len(words) <= max_tokens else "length",
            seconds=0.5,
        )


def _fraction(*parts: str) -> float:
    """A number in [0, 1) that the parts decide."""
    digest = hashlib.blake2b("\0".join(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
