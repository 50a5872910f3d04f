"""Evaluation workers on the nodes of a Ray cluster: each arm's is an actor with GPUs of its own.

Ray places the actors, finds out when one or its node dies, and ends them all when this process
does. Nothing of this process's environment is sent; a key for a served model goes with the
request, as it goes by the pipe on one machine, so use a network you trust or Ray's TLS.

Every node needs Mirror with the same extras, and the weights: at the same path (a file system
that all nodes share; GGUF needs one, it is unpacked into MIRROR_CACHE) or in the node's own
Hugging Face cache. One that lacks them says so (``ray_node``).

A cluster with token authentication needs RAY_AUTH_MODE=token here too: Ray asks one that refuses
it for minutes before it gives up.

Ray is imported when the first worker or number is asked for, never before.
"""

from __future__ import annotations

import atexit
import contextlib
import math
import socket
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from memory.errors import BadRequest, MirrorError
from tools.clients.backends.lm_eval_process import ArmFailed
from tools.clients.executors.executor import PROCESS_BYTES, SHARE, WORKER
from tools.clients.executors.ray_node import NodeWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tools.clients.backends.lm_eval_process import Event

START_SECONDS = 300.0
"""For a place on the cluster: another arm may hold it until its request is done."""

TRIES = 3
NETWORK_SECONDS = 30.0
END_SECONDS = 5.0
REACH_SECONDS = 5.0


class RayExecutor:
    """Workers on the cluster at ``address``."""

    def __init__(
        self,
        address: str,
        environment: Callable[[], Mapping[str, str]],
        *,
        gpus: float = 0.0,
        python: str | None = None,
        arguments: Sequence[str] = WORKER,
        start_seconds: float = START_SECONDS,
    ) -> None:
        """Nothing is connected yet.

        Args:
            address: ``host:port`` of the head, or ``local``: this machine alone.
            environment: called on the node; what the process there may see, cut to a few names.
            gpus: that each arm gets; a fraction shares one. 0: one arm a node, on its processor.
            python: the interpreter on the nodes; none: the one Ray runs in.
            arguments: its arguments.
            start_seconds: to wait for a place on the cluster.
        """
        self._address = address
        self._gpus = gpus
        self._how = (python, tuple(arguments), environment)
        self._start_seconds = start_seconds
        self._workers: WeakSet[RayWorker] = WeakSet()

    room = 1.0 + 1e-9  # shares of the cluster; they don't add up to exactly one

    @property
    def elsewhere(self) -> bool:
        """Unless the cluster is this machine alone."""
        return self._address != "local"

    @cached_property
    def at_once(self) -> int:
        """Arms that the nodes which are there now have GPUs for.

        Raises:
            BadRequest: no cluster, no Ray, or no node with that many GPUs.
        """
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        if self._gpus == 0:
            return max(sum("CPU" in node for node in nodes), 1)
        places: int = sum(math.floor(node.get("GPU", 0) / self._gpus) for node in nodes)
        if places == 0:
            raise BadRequest(
                f"No node of the Ray cluster at {self._address} has {self._gpus:g} GPUs; add one,"
                " or set MIRROR_RAY_GPUS_PER_ARM to fewer."
            )
        return places

    def size(self, weights: int) -> float:
        """The share of the cluster's places or of its memory, whichever is larger."""
        memory: float = self._ray.cluster_resources().get("memory", math.inf)
        return max(1 / self.at_once, (weights + PROCESS_BYTES) / (SHARE * memory))

    def start(self, log: Path, weights: int) -> RayWorker:
        """An actor, perhaps still waiting for its place."""
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")
        actor = self._ray.remote(NodeWorker).options(
            num_cpus=1,
            num_gpus=self._gpus,
            memory=weights + PROCESS_BYTES,
            max_concurrency=2,  # to be ended while it waits for an event
            scheduling_strategy="SPREAD",
        )
        make = partial(actor.remote, *self._how, log)
        worker = RayWorker(self._ray, make, log, self._start_seconds)
        self._workers.add(worker)
        return worker

    def close(self) -> None:
        """End every worker; what they left on the nodes goes with them."""
        for worker in list(self._workers):
            worker.kill()

    @cached_property
    def _ray(self) -> Any:
        try:
            import ray
        except ImportError:
            raise BadRequest(
                "MIRROR_RAY_ADDRESS is set and Ray is not installed: pip install 'mirror-llm[ray]'."
            ) from None
        alone = {} if self.elsewhere else {"include_dashboard": False}
        try:
            if self.elsewhere:
                _reach(self._address)
            if not ray.is_initialized():
                ray.init(self._address, log_to_driver=False, logging_level="ERROR", **alone)
        except (OSError, RuntimeError, ValueError) as error:
            why = str(error).strip().split("\n")[0]
            raise BadRequest(
                f"No Ray cluster to use at MIRROR_RAY_ADDRESS={self._address}: {why}"
            ) from error
        atexit.register(self.close)  # before Ray's own, which leaves the nodes no time to tidy up
        return ray


def _reach(address: str) -> None:
    """Raise OSError or ValueError when nobody listens there: Ray itself tries for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not (colon and port.isdigit()):
        raise ValueError("write host:port, such as head:6379, or local")
    socket.create_connection((host.strip("[]"), int(port)), timeout=REACH_SECONDS).close()


class RayWorker:
    """The parent's side of a ``NodeWorker``; what ``WorkerProcess`` is on one machine."""

    def __init__(self, ray: Any, make: Callable[[], Any], log: Path, start_seconds: float) -> None:
        """Ask for the actor; the first request waits for it."""
        self.log = log
        self._ray = ray
        self._make = make
        self._start_seconds = start_seconds
        self._actor = make()
        self._started = self._ended = False

    @property
    def alive(self) -> bool:
        """Whether it can be asked something; one that has no place yet can."""
        if self._ended or not self._ray.is_initialized():
            return False
        try:
            return not self._started or bool(self._get(self._actor.alive.remote(), NETWORK_SECONDS))
        except ArmFailed:
            return False

    def ask(self, request: Event, timeout: float) -> Iterator[Event]:
        """Send one request and yield its events, each asked for when the one before was taken.

        Raises:
            BackendUntrustworthy: the probe refused the back end.
            ArmFailed: as ``WorkerProcess.ask``; or the cluster has no place, the node no weights,
                or node and network are gone.
        """
        finished = False
        try:
            self._start()
            answer = self._get(self._actor.begin.remote(request, timeout), NETWORK_SECONDS)
            while answer is None and (
                event := self._get(self._actor.event.remote(), timeout + NETWORK_SECONDS)
            ):
                if isinstance(event, MirrorError):
                    answer = event
                else:
                    yield event
            finished = answer is None or self.alive
            if answer is not None:
                raise answer
        finally:
            if not finished:
                self.kill()

    def kill(self) -> None:
        """End the process on the node, bring its log here, end the actor."""
        if self._ended:
            return
        self._ended = True
        if not self._ray.is_initialized():  # asking Ray for anything would start it again
            return
        with contextlib.suppress(ArmFailed, OSError):
            if self._started:
                self.log.write_bytes(self._get(self._actor.end.remote(), END_SECONDS))
        self._ray.kill(self._actor)

    def _start(self) -> None:
        """Wait for the actor; one that dies on the way (its node did) is made again."""
        for left in reversed(range(TRIES)):
            if self._started or self._ended:
                break
            try:
                self._get(self._actor.ready.remote(), self._start_seconds)
                self._started = True
            except _Ended:
                if not left or self._ended:
                    raise
                self._actor = self._make()
        if self._ended:
            raise ArmFailed(f"The evaluation process ended. See {self.log}.")

    def _get(self, reference: Any, timeout: float) -> Any:
        errors = self._ray.exceptions
        try:
            return self._ray.get(reference, timeout=timeout)
        except errors.GetTimeoutError:
            waited = f"{timeout:.0f} s"
            if self._started:
                raise ArmFailed(f"The cluster gave no answer for {waited}.") from None
            raise ArmFailed(
                f"The cluster had no room for {waited}; see `ray status` for what is free."
            ) from None
        except errors.RayError as error:
            with contextlib.suppress(OSError):
                self.log.write_text(str(error), "utf-8")
            raise _Ended(f"The evaluation actor ended ({_why(error)}). See {self.log}.") from error


class _Ended(ArmFailed):
    """Actor or node are gone."""


def _why(error: Exception) -> str:
    """The sentence of Ray's account that says what happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].split(". ")[0] if lines else type(error).__name__
