"""A Ray cluster of one node on this machine, started as people start one, for as long as asked."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.settings import worker_environment

SECRET = "a-secret-of-the-node"
OPEN = {"RAY_AUTH_MODE": "disabled"}  # a token that lies in somebody's home is not for this cluster


@contextmanager
def cluster(root, cpus=2, gpus=2):
    """``ray start --head`` with ``gpus`` that only Ray's accounts know of; yields its address.

    Its environment holds ``SECRET``. ``root`` is where the node finds this tree's packages.
    """
    folder = tempfile.mkdtemp(prefix="ray")  # socket paths are short, or refused
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"]
    command += ["--node-ip-address=127.0.0.1", f"--port={address.rpartition(':')[2]}"]
    command += ["--include-dashboard=false", "--disable-usage-stats", f"--temp-dir={folder}"]
    command += [f"--num-cpus={cpus}", f"--num-gpus={gpus}", "--object-store-memory=100000000"]
    env = worker_environment() | {
        "PYTHONPATH": str(root),
        "MIRROR_API_KEY": SECRET,
        "HF_TOKEN": SECRET,
        **OPEN,
    }
    log = Path(folder, "start.log")
    with log.open("wb") as output:
        head = subprocess.Popen(
            command, env=env, cwd=root, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _wait(head, log)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in OPEN.items():
                patch.setenv(name, value)
            yield address
    finally:
        # SIGTERM lets Ray wait half a minute for each of its parts.
        os.killpg(head.pid, signal.SIGKILL)
        head.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait(head, log):
    deadline = time.monotonic() + 60
    while b"Ray runtime started" not in log.read_bytes():
        if head.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"no Ray cluster: {log.read_text('utf-8')[-2000:]}")
        time.sleep(0.1)
