"""connect(settings): the only place where live objects are made.

Everything here is made without work: databases open, files load and models start when they
are first used, so a command pays only for what it touches.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from langgraph.config import get_stream_writer

from agent import settings as environment
from agent.graph import build
from agent.planners import seat
from agent.session import Session
from memory.conversations import Conversations
from memory.errors import BadRequest, MirrorError
from memory.example_sets import ExampleSets
from memory.findings import Findings
from memory.ledger import Ledger
from memory.registry import Registry
from memory.scores import Scores
from tools.clients.catalogue import LmEvalCatalogue
from tools.clients.chat import OpenAIChat
from tools.clients.embedder import OnnxEmbedder, SentenceTransformerEmbedder
from tools.clients.executor import LocalExecutor
from tools.clients.hf_backend import HfBackend
from tools.clients.hub import Hub
from tools.clients.lm_eval_runner import LmEvalRunner
from tools.clients.ray_executor import RayExecutor
from tools.clients.served_backend import ServedBackend, servers
from tools.clients.vllm_backend import VllmBackend
from tools.deps import Deps
from tools.plans.price_book import price_of
from tools.real_task.own_task import OwnTaskRunner

if TYPE_CHECKING:
    from pathlib import Path

    from agent.graph import Graph
    from agent.settings import Settings
    from tools.clients.executor import Executor
    from tools.deps import Embedder, Progress
    from tools.plans.price_book import Price


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
        registry=registry(home, cache),
        scores=scores(settings),
        findings=Findings(home / "findings.sqlite", encoder.encode, encoder.name),
        ledger=Ledger(home / "ledger.sqlite", clock),
        embedder=encoder,
        catalogue=LmEvalCatalogue(cache, encoder, to_stream),
        runner=OwnTaskRunner(runner(settings, cache), tasks),
        examples=tasks,
        planner=seat(settings, planner),
        runs=settings.runs,
        cache=cache,
        usd_per_hour=settings.usd_per_hour,
        gpu_usd_per_hour=settings.gpu_usd_per_hour,
        minutes=settings.minutes,
        progress=to_stream,
        hub=hub(settings),
    )


def judging(settings: Settings, model: str | None = None) -> tuple[OpenAIChat, Price]:
    """The judging model (``model``, else the configured one) and its price.

    Raises:
        BadRequest: no model or no server is named; nothing is sent to one that was not.
        NotApproved: its price is unknown.
    """
    name = model or settings.judge_model
    if name is None:
        raise BadRequest("There is no judge: name one with --judge MODEL or MIRROR_JUDGE_MODEL.")
    if settings.judge_base_url is None:
        raise BadRequest(
            f"The judge {name!r} needs MIRROR_JUDGE_BASE_URL: nothing is sent to a server that you"
            " did not name (OpenAI's is https://api.openai.com/v1)."
        )
    if (settings.judge_usd_in is None) != (settings.judge_usd_out is None):
        raise BadRequest("MIRROR_JUDGE_USD_IN and MIRROR_JUDGE_USD_OUT go together; set both.")
    stated = None
    if settings.judge_usd_in is not None and settings.judge_usd_out is not None:
        stated = (settings.judge_usd_in, settings.judge_usd_out)
    chat = OpenAIChat(name, settings.judge_base_url, settings.judge_api_key)
    server, rate = settings.judge_base_url, settings.usd_per_hour
    return chat, price_of(name, server, clock(), stated=stated, usd_per_hour=rate)


def connect(settings: Settings, planner: str | None = None) -> Session:
    """A session on this deployment's conversations."""
    held = conversations(settings)
    return Session(build(held.checkpointer()), deps(settings, planner), held)


def scores(settings: Settings) -> Scores:
    """This deployment's scores alone: a file, or the database of ``MIRROR_DATABASE_URL``."""
    if settings.database_url is not None:
        return Scores(settings.database_url.get_secret_value())
    return Scores(_folder(settings.home, "MIRROR_HOME") / "scores.sqlite")


def registry(home: Path, cache: Path) -> Registry:
    """The registry that was synced to ``home``, else the bundled one."""
    synced = home / "registry" / "models.parquet"
    return Registry.synced(synced, cache) if synced.exists() else Registry.load()


def hub(settings: Settings) -> Hub | None:
    """This deployment's Hub; None where nothing may be asked of it."""
    return None if settings.offline else Hub(settings.hub_url, token=settings.hub_token)


def conversations(settings: Settings) -> Conversations:
    """This deployment's conversations alone, for listing them."""
    return Conversations(_folder(settings.home, "MIRROR_HOME") / "conversations.sqlite")


async def development() -> Graph:
    """The graph for ``langgraph dev`` (``langgraph.json`` names it), made off its event loop."""
    return await asyncio.to_thread(lambda: build(deps=deps(environment.load())))


def runner(settings: Settings, cache: Path) -> LmEvalRunner:
    """The back ends of this deployment: local weights, and the servers it names."""
    local = VllmBackend if settings.backend == "vllm" else HfBackend
    key = settings.server_key.get_secret_value() if settings.server_key else None
    return LmEvalRunner(
        [
            local(cache, settings.models_dir, progress=to_stream),
            ServedBackend(servers(settings.servers, settings.models_dir), key),
        ],
        executor(settings),
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
