"""A Hub on loopback that lists models as the Hugging Face Hub does, and fails as it can.

``GET /api/models`` with ``sort`` (createdAt, lastModified), ``direction``, ``limit``, ``expand``
and an opaque ``cursor`` that names the last record before the page: models that come, go or
change between two pages behave as they do there. The next page's address is in a ``Link`` header.
``plays(n, reply...)`` answers request number ``n`` (from 1) and those after it otherwise, one
reply a request; ``Drip`` sends its bytes slowly.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from stub_hub import DATE, Reply

if TYPE_CHECKING:
    from collections.abc import Iterable

ALWAYS = ("_id", "id", "modelId")


@dataclass(frozen=True)
class Drip:
    """The right answer, ``pause`` seconds before every byte."""

    pause: float


def listed(n: int, id: str | None = None, **changes: object) -> dict[str, Any]:
    """Record number ``n`` in the Hub's format; made, not copied. Changed a day after creation."""
    name = id or f"org-{n % 7}/model-{n}"
    day = f"{2023 + n // 336 % 3}-{1 + n // 28 % 12:02d}-{1 + n % 28:02d}"
    return {
        "_id": f"{n:024x}",
        "id": name,
        "modelId": name,
        "sha": f"{n:040x}",
        "createdAt": f"{day}T10:00:00.000Z",
        "lastModified": f"{day}T12:00:00.000Z",
        "private": False,
        "gated": False,
        "disabled": False,
        "downloads": n * 3,
        "downloadsAllTime": n * 30,
        "likes": n % 11,
        "trendingScore": 0,
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["transformers", "safetensors", "llama", "text-generation", "conversational"]
        + ["en", "license:apache-2.0", "region:us"],
        "cardData": {"license": "apache-2.0", "language": ["en"]},
        "config": {"architectures": ["LlamaForCausalLM"], "model_type": "llama"},
        "safetensors": {"parameters": {"BF16": 10**9 + n}, "total": 10**9 + n},
        "childrenModelCount": {"adapter": n % 3, "finetune": 1},
        **changes,
    }


class PagingHub(ThreadingHTTPServer):
    """Use as a context manager; ``url`` is its endpoint, ``asked`` the requests it got."""

    daemon_threads = True

    def __init__(self, records: Iterable[dict[str, Any]] = (), pause: float = 0.0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.records = list(records)
        self.pause = pause  # seconds before each answer
        self.most = 1_000  # records of a page, whatever is asked for
        self.too_heavy: int | None = None  # pages above this size end in 504
        self.played: dict[int, Reply | Drip] = {}
        self.asked: list[dict[str, list[str]]] = []
        self.headers: list[dict[str, str]] = []

    def plays(self, first: int, *replies: Reply | Drip) -> None:
        self.played.update(enumerate(replies, start=first))

    def page(self, query: dict[str, list[str]]) -> tuple[list[dict[str, Any]], str | None]:
        """The records of a page and the query of the one after it."""
        name, sign = query.get("sort", ["trendingScore"])[0], int(query.get("direction", ["-1"])[0])
        size = min(int(query.get("limit", ["1000"])[0]), self.most)

        def place(one: dict[str, Any]) -> tuple[str, str]:
            return str(one.get(name, "")), str(one.get("_id", ""))

        ordered = sorted(self.records, key=place, reverse=sign < 0)
        if "cursor" in query:
            last = tuple(json.loads(base64.b64decode(query["cursor"][0])))
            ordered = [
                one for one in ordered if (place(one) > last if sign > 0 else place(one) < last)
            ]
        some = ordered[:size]
        fields = (*ALWAYS, *query.get("expand", ()))
        sent = [{k: v for k, v in one.items() if k in fields} for one in some]
        if len(ordered) <= size:
            return sent, None
        cursor = base64.b64encode(json.dumps(place(some[-1])).encode()).decode()
        return sent, urlencode(query | {"cursor": [cursor]}, doseq=True)

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """A client that was killed is no error here."""


class _Handler(BaseHTTPRequestHandler):
    server: PagingHub

    def do_GET(self) -> None:
        hub, query = self.server, parse_qs(urlsplit(self.path).query)
        hub.asked.append(query)
        hub.headers.append({k.lower(): v for k, v in self.headers.items()})
        number = len(hub.asked)
        time.sleep(hub.pause)
        played = hub.played.get(number)
        if isinstance(played, Reply):
            self._send(played)
            return
        if hub.too_heavy is not None and int(query["limit"][0]) > hub.too_heavy:
            self._send(Reply(504, b"<html>504 Gateway Time-out</html>"))
            return
        records, following = hub.page(query)
        link = {"Link": f'<{hub.url}/api/models?{following}>; rel="next"'} if following else {}
        body = json.dumps(records).encode()
        self._send(Reply(200, body, link), played.pause if played else 0.0)

    def _send(self, reply: Reply, pause: float = 0.0) -> None:
        self.send_response_only(reply.status)
        length = len(reply.body) if reply.length is None else reply.length
        standard = {"Content-Type": "application/json", "Date": DATE}
        for name, value in (standard | dict(reply.headers)).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if not pause:
            self.wfile.write(reply.body)
            return
        for byte in reply.body:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(pause)

    def log_message(self, *_: object) -> None:
        """Say nothing: tests look at ``asked``."""
