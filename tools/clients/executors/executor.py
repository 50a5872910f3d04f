"""Where evaluation processes run: the seam between one machine and a cluster.

An executor starts workers that speak ``lm_eval_worker``'s protocol. ``LocalExecutor`` starts them
on this machine; ``ray_executor`` beside it on the nodes of a Ray cluster. Whatever the
executor, a crash, a hang or a lack of memory of one candidate ends that candidate's worker only.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from tools.clients.backends.lm_eval_process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tools.clients.backends.lm_eval_process import Event

WORKER = ("-m", "tools.clients.backends.lm_eval_worker")

SHARE = 0.6
"""Of a machine's memory, for all evaluation processes together."""

PROCESS_BYTES = 1_200_000_000
"""What a process needs beside its weights: the interpreter, torch and lm-eval."""


class EvaluationWorker(Protocol):
    """A running evaluation process, wherever it is."""

    log: Path
    """Here, with what the process wrote to stderr; at the latest once the worker has ended."""

    @property
    def alive(self) -> bool:
        """Whether it can be asked something."""
        ...

    def ask(self, request: Event, timeout: float) -> Iterator[Event]:
        """Send one request and yield its events; as ``WorkerProcess.ask``."""
        ...

    def kill(self) -> None:
        """End it now, from whatever thread; harmless when it has ended."""
        ...


class Executor(Protocol):
    """Starts workers, and says how many have room."""

    @property
    def at_once(self) -> int:
        """How many arms may be measured side by side."""
        ...

    @property
    def room(self) -> float:
        """What all workers together may take up, in the unit of ``size``."""
        ...

    @property
    def elsewhere(self) -> bool:
        """Whether what a worker is asked leaves this machine."""
        ...

    def size(self, weights: int) -> float:
        """What one worker takes up that holds ``weights`` bytes."""
        ...

    def start(self, log: Path, weights: int) -> EvaluationWorker:
        """A new worker, to hold ``weights`` bytes; it may still be starting when it is returned."""
        ...


class LocalExecutor:
    """One process an arm on this machine, one arm at a time: they would share its processor."""

    at_once = 1
    elsewhere = False

    def __init__(
        self,
        python: str,
        env: Mapping[str, str],
        *,
        arguments: Sequence[str] = WORKER,
        room: int | None = None,
    ) -> None:
        """``python`` is the interpreter that has lm-eval and what the back ends need.

        ``env`` is what the processes may see, cut to a few names. ``room`` in bytes; None:
        ``SHARE`` of this machine's memory.
        """
        self._command = (python, *arguments)
        self._env = env
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        self.room = float(SHARE * memory if room is None else room)

    def size(self, weights: int) -> float:
        """Bytes of the process and its weights."""
        return weights + PROCESS_BYTES

    def start(self, log: Path, weights: int) -> WorkerProcess:
        """A process; its stderr goes to ``log``."""
        return WorkerProcess(self._command, self._env, log)
