"""A Hub on loopback: answers ``/api/models/<id>`` as the Hugging Face Hub would, or as it fails.

Records are made up here, in the Hub's format (``ModelInfo`` with ``blobs=true``), so nothing of
the Hub is copied into the project. A model's replies are played in order, the last one for ever.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

DATE = "Sun, 01 Nov 2026 12:00:00 GMT"


@dataclass(frozen=True)
class Reply:
    """One HTTP answer; ``length`` overrides Content-Length, to promise more than is sent."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None


def record(model_id: str, files: Mapping[str, int | None], **changes: object) -> dict[str, Any]:
    """A model's record: ``files`` maps a path to its bytes, ``changes`` replace fields."""
    return {
        "_id": "0123456789abcdef01234567",
        "id": model_id,
        "modelId": model_id,
        "author": model_id.split("/")[0],
        "sha": "4f0c3a2b1d9e8f7a6b5c4d3e2f1a0b9c8d7e6f5a",
        "lastModified": "2026-09-30T08:15:00.000Z",
        "createdAt": "2026-03-01T10:00:00.000Z",
        "private": False,
        "gated": False,
        "disabled": False,
        "downloads": 1200,
        "likes": 34,
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["transformers", "safetensors", "text-generation", "license:apache-2.0"],
        "cardData": {"license": "apache-2.0", "language": ["en"]},
        "config": {"architectures": ["LlamaForCausalLM"], "model_type": "llama"},
        "siblings": [
            {"rfilename": name, "blobId": f"{place:040x}"}
            | ({} if size is None else {"size": size})
            for place, (name, size) in enumerate(files.items())
        ],
        **changes,
    }


def found(body: dict[str, Any]) -> Reply:
    return Reply(200, json.dumps(body).encode())


def missing() -> Reply:
    headers = {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}
    return Reply(404, b'{"error":"Repository not found"}', headers)


def refused(message: str, status: int = 401) -> Reply:
    return Reply(status, json.dumps({"error": message}).encode(), {"X-Error-Message": message})


def busy(**headers: str) -> Reply:
    """Too many requests; ``Retry_After="1"`` and the like become headers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(429, b'{"error":"Too many requests"}', named)


def down() -> Reply:
    return Reply(503, b"<html>503 Service Unavailable</html>", {"Content-Type": "text/html"})


def moved(to: str, host: str = "") -> Reply:
    return Reply(307, b"", {"Location": f"{host}/api/models/{to}?blobs=true"})


class StubHub(ThreadingHTTPServer):
    """Use as a context manager; ``url`` is its endpoint, ``seen`` what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.replies: dict[str, list[Reply]] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []

    def plays(self, model_id: str, *replies: Reply) -> None:
        self.replies[model_id] = list(replies)

    def next_reply(self, model_id: str) -> Reply:
        queue = self.replies.get(model_id) or [missing()]
        return queue.pop(0) if len(queue) > 1 else queue[0]

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: StubHub

    def do_GET(self) -> None:
        self.server.seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        path = unquote(urlsplit(self.path).path)
        reply = self.server.next_reply(path.removeprefix("/api/models/"))
        self.send_response_only(reply.status)
        length = len(reply.body) if reply.length is None else reply.length
        standard = {"Content-Type": "application/json", "Date": DATE}
        for name, value in (standard | dict(reply.headers)).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, *_: object) -> None:
        """Say nothing: tests look at ``seen``."""
