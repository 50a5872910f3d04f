"""The parent's side of the evaluation subprocess: start, ask, time out, end.

Requests are pulled: the worker computes only while someone waits for it, so between two
requests there is nothing to interrupt. A request that is broken off midway (Ctrl-C, a closed
generator, a timeout) takes the whole process group with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memory.errors import BackendUntrustworthy, MirrorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import IO

Event = dict[str, Any]
ALLOWED = ("PATH", "HOME", "LANG", "LC_ALL", "CUDA_VISIBLE_DEVICES")
FIXED = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    # Threads that wait by spinning made 16 items take 75 s beside two busy processes, not 7 s.
    "OMP_WAIT_POLICY": "PASSIVE",
}
ROOT = Path(__file__).resolve().parents[3]


class ArmFailed(MirrorError):
    """One arm could not be measured: its process crashed, hung or answered garbage."""


class WorkerProcess:
    """A running worker. Lines are read by a thread, so that waiting for one can time out."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        """Start ``command`` with only the allowed names of ``env``; stderr goes to ``log``."""
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        kept = {name: value for name, value in env.items() if name in ALLOWED}
        scratch = tempfile.mkdtemp(prefix="mirror-lm-eval-")
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=kept | FIXED | {"TMPDIR": scratch},
                cwd=ROOT,  # `python -m tools...` finds this tree, wherever Mirror was started
                start_new_session=True,
            )
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=_pump, args=(self._process, self._lines), daemon=True).start()
        self._finalizer = weakref.finalize(self, _end, self._process, scratch)

    @property
    def alive(self) -> bool:
        """Whether it can be asked something."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End the process group now; harmless when it has ended."""
        self._finalizer()

    def ask(self, request: Event, timeout: float) -> Iterator[Event]:
        """Send one request and yield its events up to, not including, ``done``.

        Raises:
            BackendUntrustworthy: the probe refused the back end.
            ArmFailed: no event for ``timeout`` seconds, a crash, a line that isn't an event, or
                an error the worker reports; the line names the log.
        """
        finished = False
        try:
            self._send(request)
            while (event := self._event(timeout))["event"] != "done":
                if event["event"] == "error":
                    finished = True
                    raise self._reported(event)
                yield event
            finished = True
        finally:
            if not finished:
                self.kill()

    def _send(self, request: Event) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(json.dumps(request).encode() + b"\n")
            stdin.flush()
        except (OSError, ValueError):  # a broken pipe, or one that kill() closed
            raise self._crashed() from None

    def _event(self, timeout: float) -> Event:
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            raise ArmFailed(f"No answer for {timeout:.0f} s. See {self.log}.") from None
        if not line:
            raise self._crashed()
        try:
            event = json.loads(line)
            if isinstance(event["event"], str):
                return dict(event)
        except (ValueError, KeyError, TypeError):
            pass
        raise ArmFailed(f"Not an event: {line[:60]!r}. See {self.log}.")

    def _crashed(self) -> ArmFailed:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        code = self._process.returncode
        how = f"exit code {code}"
        if code is not None and code < 0:
            how = signal.Signals(-code).name
            how += ", most likely out of memory" if how == "SIGKILL" else ""
        return ArmFailed(f"The evaluation process ended ({how}). See {self.log}.")

    def _reported(self, event: Event) -> MirrorError:
        text = str(event.get("text", "no reason given"))
        if event.get("kind") == "untrustworthy":
            return BackendUntrustworthy(text)
        return ArmFailed(f"{text} See {self.log}.")


def _pump(process: subprocess.Popen[bytes], lines: queue.SimpleQueue[bytes]) -> None:
    stdout: IO[bytes] | None = process.stdout
    assert stdout is not None
    for line in stdout:
        lines.put(line)
    lines.put(b"")


def _end(process: subprocess.Popen[bytes], scratch: str) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    shutil.rmtree(scratch, ignore_errors=True)
