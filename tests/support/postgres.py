"""A private PostgreSQL on loopback: made by initdb in a folder, gone at the end of the tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator

USER, PASSWORD = "mirror", "loopback-only/§"
QUOTED = "loopback-only%2F%C2%A7"


def programs() -> Path | None:
    """The folder of initdb and pg_ctl; None where PostgreSQL's server is not installed."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((f for f in folders if (f / "initdb").exists() and (f / "pg_ctl").exists()), None)


class Server:
    """A running server; ``url`` makes an empty database and returns its address."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.made = 0

    def url(self) -> str:
        self.made += 1
        name = f"scores_{self.made}"
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.address(name)

    def address(self, database: str) -> str:
        return f"postgresql://{USER}:{QUOTED}@127.0.0.1:{self.port}/{database}"


@contextmanager
def running() -> Iterator[Server | None]:
    """A server for as long as the block lasts; None where its programs are not installed."""
    folder = programs()
    if folder is None:
        yield None
        return
    # Not pytest's folder: initdb refuses root, and another user may not enter that one.
    home = Path(tempfile.mkdtemp(prefix="mirror-pg-"))
    as_user: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(home, "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    secret = home / "password"
    secret.write_text(PASSWORD, "utf-8")
    secret.chmod(0o644)
    data = home / "data"

    def run(program: str, *words: str) -> None:
        subprocess.run(
            [*as_user, str(folder / program), "-D", str(data), *words],
            cwd=home,
            env={"PATH": "/usr/bin:/bin:/usr/sbin", "LC_ALL": "C.UTF-8"},
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=60,
        )

    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    try:
        run("initdb", "-U", USER, "-A", "scram-sha-256", f"--pwfile={secret}", "-N", "-E", "UTF8")
        run("pg_ctl", "-w", "-l", str(home / "log"), "-o", options, "start")
        try:
            yield Server(port)
        finally:
            run("pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(home, ignore_errors=True)
