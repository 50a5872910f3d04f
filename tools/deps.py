"""Deps: the live objects tools may touch, and the small protocols they answer to.

Made in one place (``agent.wiring``), handed to the graph as LangGraph context, never
checkpointed and never shown to a model: secrets and clients live here and nowhere else.
Fakes of each protocol are in ``tools.clients.fakes``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, runtime_checkable

from memory.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    import numpy as np
    from langchain_core.language_models import BaseChatModel
    from numpy.typing import NDArray

    from memory.calibrations import Calibrations
    from memory.characterizations import Characterizations
    from memory.example_sets import ExampleSets
    from memory.findings import Findings
    from memory.ledger import Ledger
    from memory.records import Arm, BenchmarkChoice, ChatReply, ItemResult, Model
    from memory.registry import Registry
    from memory.scores import Scores
    from tools.characterizing.sources import Sources
    from tools.clients.backends.log_probs import TextLogProb
    from tools.clients.benchmarks.item_sources import Lettered
    from tools.clients.hub.api import Hub
    from tools.clients.hub.download import Downloads
    from tools.judging.chat import PricedChat
    from tools.registry_index import RegistryIndex
    from tools.registry_search import SearchIndex


class Embedder(Protocol):
    """Turns texts into unit vectors."""

    @property
    def name(self) -> str:
        """Which model and precision; part of every cache key."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n texts) -> (n, d) float32 rows of length 1."""
        ...


class Runner(Protocol):
    """Measures arms on benchmarks: lm-eval over some back end."""

    @property
    def name(self) -> str:
        """The back end's name, part of a protocol string."""
        ...

    @property
    def at_once(self) -> int:
        """How many arms may be measured side by side, each from a thread of its own."""
        ...

    def arms(self, models: Sequence[Model]) -> tuple[list[Arm], dict[str, str]]:
        """Which of these can be measured, and for each other one why not."""
        ...

    def here(self) -> frozenset[str]:
        """Ids or aliases of the models that may be measured at all, for asking ``arms`` of few."""
        ...

    def protocol(self, benchmark: str) -> str:
        """Harness and version, shots, template, metric: what a score must share to compare."""
        ...

    def items(self, benchmark: str, n: int, seed: int) -> list[str]:
        """Ids of ``n`` items drawn at random without replacement, the same for every arm."""
        ...

    def seconds(self, arm: Arm, benchmark: str, items: int) -> tuple[float, float, float]:
        """Low, expected and high wall time to measure ``items`` items, loading included."""
        ...

    def probe(self, arm: Arm) -> None:
        """Ask known questions. Raises ``BackendUntrustworthy`` on a wrong answer."""
        ...

    def run(self, arm: Arm, benchmark: str, items: Sequence[str]) -> Iterator[ItemResult]:
        """Yield a result per item, as soon as it is known."""
        ...

    def close(self) -> None:
        """End what it is doing, from whatever thread; the next probe or run starts it again."""
        ...


@runtime_checkable
class Reader(Protocol):
    """What a Runner may also do: say how likely an arm finds a text."""

    def published(self, benchmark: str) -> list[list[str]]:
        """Runs of texts as the benchmark's file has them, all of one length; empty: unknown."""
        ...

    def lettered(self, benchmark: str, count: int) -> list[Lettered]:
        """``count`` questions with options in the file's order, always the same; empty: none."""
        ...

    def tells_tokens(self, arm: Arm) -> bool:
        """Whether ``log_probs`` says of this arm how likely each token is, and every other."""
        ...

    def log_prob_seconds(self, arm: Arm, texts: Sequence[str]) -> tuple[float, float, float]:
        """Low, expected and high wall time of ``log_probs`` for a loaded arm."""
        ...

    def log_probs(self, arm: Arm, texts: Sequence[str]) -> Iterator[TextLogProb]:
        """Yield each text's log-probability in nats, as soon as it is known."""
        ...


@runtime_checkable
class Speaker(Protocol):
    """What a Runner may also do: answer prompts."""

    def generate(self, arm: Arm, prompts: Sequence[str], most_tokens: int) -> Iterator[str]:
        """The arm's greedy answer to each prompt."""
        ...

    def generation_seconds(
        self, arm: Arm, items: int, tokens: float, new_tokens: float
    ) -> tuple[float, float, float]:
        """Low, expected and high seconds for ``items`` prompts of ``tokens``."""
        ...


class Catalogue(Protocol):
    """The benchmarks that could be run."""

    def search(self, query: str, domains: Sequence[str], k: int) -> list[BenchmarkChoice]:
        """The ``k`` nearest benchmarks, weights summing to 1."""
        ...


class Message(NamedTuple):
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


class Chat(Protocol):
    """A language model that is asked once per call."""

    @property
    def model(self) -> str:
        """Its name, as the server knows it."""
        ...

    @property
    def timeout(self) -> float:
        """The longest one call may take, in seconds."""
        ...

    def reply(self, messages: Sequence[Message], max_tokens: int) -> ChatReply:
        """The answer, of at most ``max_tokens`` tokens.

        Raises ``ChatFailed`` (``tools.clients.chat``) when there is none.
        """
        ...


@dataclass(frozen=True)
class Progress:
    """How far some long work is: ``done`` of ``total`` (None: unknown)."""

    what: str
    done: int
    total: int | None = None
    detail: str = ""


def silent(_: Progress) -> None:
    """Show nothing: the progress sink of scripts and tests."""


def nobody(judge: str) -> PricedChat:
    """No judge can be asked: a deployment without any."""
    raise BadRequest(f"There is no server to ask the judge {judge} at.")


@dataclass(frozen=True)
class Deps:
    """Everything outside the conversation that a tool may use.

    ``judges`` are those of the deployment; ``judge`` reaches any, by ``NAME`` or ``NAME=URL``, and
    raises BadRequest or NotApproved where its server or price is unknown.
    ``sources`` and ``characterizations``: where texts about models are, and what they said.
    """

    clock: Callable[[], datetime]
    registry: Registry
    scores: Scores
    findings: Findings
    ledger: Ledger
    embedder: Embedder
    catalogue: Catalogue
    runner: Runner
    examples: ExampleSets
    planner: BaseChatModel
    runs: Path
    cache: Path
    user: str = "someone"
    usd_per_hour: float = 0.0
    gpu_usd_per_hour: float = 2.0
    minutes: float = 2.0
    hub: Hub | None = None
    downloads: Downloads | None = None
    sources: Sources | None = None
    characterizations: Characterizations | None = None
    progress: Callable[[Progress], None] = field(default=silent)
    judges: tuple[str, ...] = ()
    judge: Callable[[str], PricedChat] = field(default=nobody)
    calibrations: Calibrations | None = None

    @cached_property
    def index(self) -> RegistryIndex:
        """The registry ready to be asked, from the cache or made now."""
        from tools.registry_index import RegistryIndex

        return RegistryIndex.opened(self.registry, self.cache)

    @cached_property
    def searching(self) -> SearchIndex:
        """``index`` with its labels embedded; raises ``MirrorError`` without an embedding model."""
        from tools.registry_search import SearchIndex

        return SearchIndex.of(self.index, self.embedder, self.cache, self.progress)
