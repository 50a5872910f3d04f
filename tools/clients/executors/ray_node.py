"""A cluster node's side of an evaluation worker: the class that Ray makes an actor of.

The actor computes nothing itself. It starts the same subprocess as one machine does and passes
requests on: a candidate that crashes, hangs or runs out of memory takes its subprocess with it,
and what the node's own environment holds stays out of it.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from memory.errors import MirrorError
from tools.clients.backends.lm_eval_process import ArmFailed, WorkerProcess
from tools.clients.weights import weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tools.clients.backends.lm_eval_process import Event

LOG_BYTES = 64_000
"""Of the end of the log, which goes to whoever asked for the worker."""


class NodeWorker:
    """One evaluation process on this node. Events are pulled one by one, so none pile up."""

    def __init__(
        self,
        python: str | None,
        arguments: Sequence[str],
        environment: Callable[[], Mapping[str, str]],
        log: Path,
    ) -> None:
        """Start it. ``python`` None: this node's interpreter.

        ``environment`` is called here, on the node. ``log`` is where its reader finds the log in
        the end, and what errors name; until then it is a temporary file of this node.
        """
        handle, name = tempfile.mkstemp(prefix="mirror-", suffix=f"-{log.name}")
        os.close(handle)
        self._log = Path(name)
        command = (python or sys.executable, *arguments)
        self._process = WorkerProcess(command, environment(), self._log)
        self._process.log = log
        self._events: Iterator[Event] = iter(())

    def ready(self) -> str:
        """This node's name."""
        return platform.node()

    def alive(self) -> bool:
        """Whether the process can be asked something."""
        return self._process.alive

    def begin(self, request: Event, timeout: float) -> MirrorError | None:
        """Take a request whose events ``event`` then gives; an error when it can't be done here."""
        try:
            self._events = self._process.ask(on_this_node(request), timeout)
        except MirrorError as error:
            return error
        return None

    def event(self) -> Event | MirrorError | None:
        """The next event of the request, None after the last; an error is given, not raised."""
        try:
            return next(self._events, None)
        except MirrorError as error:
            return error

    def end(self) -> bytes:
        """End the process and all that it started; returns the end of its log."""
        self._process.kill()
        with contextlib.suppress(OSError):
            with self._log.open("rb") as stream:
                stream.seek(max(self._log.stat().st_size - LOG_BYTES, 0))
                text = stream.read()
            self._log.unlink()
            return text
        return b""


def on_this_node(request: Event) -> Event:
    """The request with the paths it names as they are here.

    A folder of weights is inspected again: what a node has under the same name may be another,
    and it is this node's memory that it must fit.

    Raises:
        ArmFailed: this node has no such folder or file, or code in it that may not run.
        WeightsUnavailable, DamagedStore: it has, but not of readable safetensors that fit it.
    """
    if request.get("op") == "unpack":
        return request | {"gguf": here(request["gguf"])}
    if request.get("op") != "load":
        return request
    arguments = dict(request["arguments"])
    for name in ("path", "tokenizer"):
        if arguments.get(name) is not None:
            arguments[name] = here(arguments[name])
    if "path" in arguments:
        held = weights.inspect_folder("", Path(arguments["path"]), None, "")
        weights.require_memory(held.bytes_in_memory)
        if held.code:
            _require_pinned(Path(arguments["path"]), bool(arguments.get("trust_remote_code")))
    return request | {"arguments": arguments}


def _require_pinned(folder: Path, ticked: bool) -> None:
    """Code runs on a node only where it was ticked and a commit says that it is the same there."""
    if not ticked or folder.parent.name != "snapshots":
        raise ArmFailed(
            f"Node {platform.node()} has code of its own in {folder}: on a cluster it runs only"
            " when ticked, and from a commit in the Hugging Face cache."
        )


def here(path: str) -> str:
    """``path`` on this node, or the same snapshot in this node's own Hugging Face cache.

    Raises:
        ArmFailed: it has neither.
    """
    from huggingface_hub.constants import HF_HUB_CACHE

    if Path(path).exists():
        return path
    parts = Path(path).parts  # .../models--org--name/snapshots/<commit>
    if "snapshots" in parts[-2:-1]:
        own = Path(HF_HUB_CACHE, *parts[-3:])
        if own.exists():
            return str(own)
    raise ArmFailed(
        f"Node {platform.node()} has no {path}: share that folder with all nodes, or download the"
        " same revision into the node's own Hugging Face cache."
    )
