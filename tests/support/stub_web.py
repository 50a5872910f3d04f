"""A web server on loopback that answers as strangers' servers do, well and badly."""

from __future__ import annotations

import gzip
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Answer:
    """``length`` overrides Content-Length; ``endless``: the body over and over, with a pause."""

    body: bytes = b""
    kind: str = "text/html; charset=utf-8"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    endless: float | None = None


def bomb(megabytes: int) -> bytes:
    """So many megabytes of nothing, packed to a thousandth."""
    return gzip.compress(b"\0" * (megabytes << 20))


class StubWeb(ThreadingHTTPServer):
    """Use as a context manager; ``pages``: path -> answer; ``seen``: what was asked for."""

    def __init__(self, pages: Mapping[str, Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages = dict(pages)
        self.seen: list[str] = []
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: StubWeb

    def do_GET(self) -> None:
        self.server.seen.append(self.path)
        answer = self.server.pages.get(self.path, Answer(status=404))
        self.send_response(answer.status)
        if answer.kind:
            self.send_header("Content-Type", answer.kind)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.endless is None:
            length = len(answer.body) if answer.length is None else answer.length
            self.send_header("Content-Length", str(length))
        self.end_headers()
        try:
            self.wfile.write(answer.body)
            while answer.endless is not None and not self.server.stopping.is_set():
                time.sleep(answer.endless)
                self.wfile.write(answer.body)
        except OSError:
            pass  # cut off, as it should be

    def log_message(self, *_: object) -> None:
        pass
