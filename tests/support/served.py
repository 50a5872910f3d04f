"""An ASGI application served by uvicorn on loopback, in a thread: what a client really meets."""

from __future__ import annotations

import threading
import time
from typing import Self

import uvicorn


class Served:
    """Use as a context manager; ``url`` is its address."""

    def __init__(self, app) -> None:
        config = uvicorn.Config(app, port=0, log_level="error", access_log=False, ws="none")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
            time.sleep(0.005)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
