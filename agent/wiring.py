"""connect(settings): the only place where live objects are made.

Everything here is made without work: databases open, files load and models start when they
are first used, so a command pays only for what it touches.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from langgraph.config import get_stream_writer

from agent import settings as environment
from agent.graph import build
from agent.planners import seat
from agent.session import Session
from memory.calibrations import Calibrations
from memory.characterizations import Characterizations
from memory.conversations import Conversations
from memory.errors import BadRequest, MirrorError
from memory.example_sets import ExampleSets
from memory.findings import Findings
from memory.ledger import Ledger
from memory.registry import Registry
from memory.registry_store import RegistryStore
from memory.scores import Scores
from tools.characterizing.sources import Sources
from tools.clients.backends.hf_backend import HfBackend
from tools.clients.backends.lm_eval_runner import LmEvalRunner
from tools.clients.backends.served_backend import ServedBackend, servers
from tools.clients.backends.vllm_backend import VllmBackend
from tools.clients.benchmarks.catalogue import LmEvalCatalogue
from tools.clients.chat import OpenAIChat
from tools.clients.embedder import OnnxEmbedder, SentenceTransformerEmbedder
from tools.clients.executors.executor import LocalExecutor
from tools.clients.executors.ray_executor import RayExecutor
from tools.clients.hub.api import ENDPOINT, Hub
from tools.clients.hub.download import Downloads
from tools.clients.web import Web
from tools.deps import Deps
from tools.judging.chat import PricedChat
from tools.plans.price_book import is_here, price_of
from tools.real_task.own_task_runner import OwnTaskRunner

if TYPE_CHECKING:
    from pathlib import Path

    from agent.graph import Graph
    from agent.settings import Settings
    from tools.clients.executors.executor import Executor
    from tools.deps import Embedder, Progress


JUDGE_SECONDS = 120.0
"""The longest a judge may think: some reason at length, some write a batch of examples."""


def clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the one clock, handed to everything as Deps.clock


def to_stream(progress: Progress) -> None:
    """Send progress into the stream of the node that is running, if one is."""
    try:
        write = get_stream_writer()
    except RuntimeError:  # no graph is running: a command that asks for no conversation
        return
    write(progress)


def deps(settings: Settings, planner: str | None = None) -> Deps:
    """The live objects of this deployment."""
    home, cache = _folder(settings.home, "MIRROR_HOME"), _folder(settings.cache, "MIRROR_CACHE")
    encoder = embedder(settings.embedder)
    tasks = ExampleSets(home / "examples")
    return Deps(
        clock=clock,
        registry=Registry.at_home(home, cache),
        scores=scores(settings),
        findings=findings(settings, encoder),
        ledger=ledger(settings),
        embedder=encoder,
        catalogue=LmEvalCatalogue(cache, encoder, to_stream),
        runner=OwnTaskRunner(runner(settings, cache), tasks),
        examples=tasks,
        planner=seat(settings, planner),
        runs=settings.runs,
        cache=cache,
        user=settings.user,
        usd_per_hour=settings.usd_per_hour,
        gpu_usd_per_hour=settings.gpu_usd_per_hour,
        minutes=settings.minutes,
        progress=to_stream,
        hub=hub(settings),
        downloads=downloads(settings),
        judges=judges(settings),
        judge=partial(judging, settings),
        calibrations=Calibrations(home / "calibrations"),
        sources=sources(settings),
        characterizations=characterizations(settings),
    )


def judges(settings: Settings) -> tuple[str, ...]:
    """The judges that the settings name."""
    return tuple((settings.judge_model or "").replace(",", " ").split())


def judging(settings: Settings, judge: str | None = None) -> PricedChat:
    """The judge ``NAME`` or ``NAME=URL``, else the first one configured, and its price.

    The key goes to the configured server alone, and so does the stated price, but that it also
    holds for others elsewhere.

    Raises:
        BadRequest: no model or no server is named; nothing is sent to one that was not.
        NotApproved: its price is unknown.
    """
    named = judge or next(iter(judges(settings)), None)
    if named is None:
        raise BadRequest("There is no judge: name one with --judge MODEL or MIRROR_JUDGE_MODEL.")
    name, _, address = named.partition("=http")
    server = f"http{address}" if address else settings.judge_base_url
    if server is None:
        raise BadRequest(
            f"The judge {name!r} needs MIRROR_JUDGE_BASE_URL, or write NAME=URL: nothing is sent to"
            " a server that you did not name (OpenAI's is https://api.openai.com/v1)."
        )
    if urlsplit(server).password is not None:  # it would be kept and shown with every plan
        raise BadRequest("A judge's URL holds no password; MIRROR_JUDGE_API_KEY is for its key.")
    if (settings.judge_usd_in is None) != (settings.judge_usd_out is None):
        raise BadRequest("MIRROR_JUDGE_USD_IN and MIRROR_JUDGE_USD_OUT go together; set both.")
    configured = server == settings.judge_base_url
    stated = None
    if settings.judge_usd_in is not None and settings.judge_usd_out is not None:
        free = is_here(server) and not configured
        stated = None if free else (settings.judge_usd_in, settings.judge_usd_out)
    key = settings.judge_api_key if configured else None
    chat = OpenAIChat(name, server, key, timeout=JUDGE_SECONDS)
    price = price_of(name, server, clock(), stated=stated, usd_per_hour=settings.usd_per_hour)
    return PricedChat(chat, price, server)


def connect(settings: Settings, planner: str | None = None) -> Session:
    """A session on this deployment's conversations."""
    held = conversations(settings)
    return Session(build(held.checkpointer()), deps(settings, planner), held)


def scores(settings: Settings) -> Scores:
    """This deployment's scores alone: a file, or the database of ``MIRROR_DATABASE_URL``."""
    if settings.database_url is not None:
        return Scores(settings.database_url.get_secret_value())
    return Scores(_folder(settings.home, "MIRROR_HOME") / "scores.sqlite")


def ledger(settings: Settings) -> Ledger:
    """This deployment's ledger alone."""
    return Ledger(_folder(settings.home, "MIRROR_HOME") / "ledger.sqlite", clock)


def findings(settings: Settings, encoder: Embedder | None = None) -> Findings:
    """This deployment's findings: a file, or the database of ``MIRROR_DATABASE_URL``.

    The index stays under ``home`` wherever the findings are.
    """
    home, encoder = _folder(settings.home, "MIRROR_HOME"), encoder or embedder(settings.embedder)
    url = settings.database_url
    place = home / "findings.sqlite" if url is None else url.get_secret_value()
    return Findings(place, encoder.encode, encoder.name, home)


def hub(settings: Settings, **how: Any) -> Hub | None:
    """This deployment's Hub, patient as ``how`` says; None where nothing may be asked of it."""
    return None if settings.offline else Hub(settings.hub_url, token=settings.hub_token, **how)


def registry_store(settings: Settings) -> RegistryStore:
    """The files of the models read from the Hub and from dumps."""
    return RegistryStore(_folder(settings.home, "MIRROR_HOME") / "registry")


def downloads(settings: Settings) -> Downloads | None:
    """Where weights may be fetched from once approved; None on a cluster, whose nodes have theirs.

    A download lands on this machine.
    """
    found = hub(settings)
    if found is None or settings.ray_address not in (None, "local"):
        return None
    return Downloads(found, settings.backend)


def sources(settings: Settings) -> Sources:
    """Where texts about models are: local folders, and the web unless this is offline.

    A Hub that the settings name may be anywhere, as its owner chose it; what cards link may not.
    """
    if settings.offline:
        return Sources(settings.models_dir)
    own = Web(allowed=lambda _address, _port: True) if settings.hub_url else Web()
    return Sources(settings.models_dir, Web(), (own, (settings.hub_url or ENDPOINT).rstrip("/")))


def characterizations(settings: Settings) -> Characterizations:
    """What the sources of models were found to say here."""
    return Characterizations(_folder(settings.home, "MIRROR_HOME") / "characterizations.sqlite")


def conversations(settings: Settings) -> Conversations:
    """This deployment's conversations alone, for listing them."""
    return Conversations(_folder(settings.home, "MIRROR_HOME") / "conversations.sqlite")


async def development() -> Graph:
    """The graph for ``langgraph dev`` (``langgraph.json`` names it), made off its event loop."""
    return await asyncio.to_thread(lambda: build(deps=deps(environment.load())))


def runner(settings: Settings, cache: Path) -> LmEvalRunner:
    """The back ends of this deployment: local weights, and the servers it names."""
    local = VllmBackend if settings.backend == "vllm" else HfBackend
    places = executor(settings)
    key = settings.server_key.get_secret_value() if settings.server_key else None
    return LmEvalRunner(
        [
            local(
                cache,
                settings.models_dir,
                progress=to_stream,
                downloads=downloads(settings),
                elsewhere=places.elsewhere,
            ),
            ServedBackend(servers(settings.servers, settings.models_dir), key),
        ],
        places,
        cache / "logs",
    )


def executor(settings: Settings) -> Executor:
    """Where evaluation processes run: a Ray cluster if one is named, else this machine."""
    python = settings.worker_python
    if settings.ray_address is None:
        return LocalExecutor(str(python or sys.executable), environment.worker_environment())
    return RayExecutor(
        settings.ray_address,
        environment.worker_environment,
        gpus=settings.ray_gpus_per_arm,
        python=None if python is None else str(python),
    )


def embedder(which: str) -> Embedder:
    """The interactive default without torch, or any sentence-transformers model."""
    return OnnxEmbedder() if which == "onnx" else SentenceTransformerEmbedder(which)


def _folder(path: Path, setting: str) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MirrorError(
            f"{path} can't be used: {error.strerror}. Set {setting} to a folder you can write to."
        ) from error
    return path
