"""An OpenAI-compatible chat server on loopback that answers, or fails in one of the real ways.

Replies are played in order, the last one for ever; one that is a function of the request's body
answers by it. ``python tests/support/stub_chat.py PORT`` serves the obedient judge of
``scripted_judges`` until it is killed, to try a run by hand.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DATE = "Sun, 01 Nov 2026 12:00:00 GMT"


@dataclass(frozen=True)
class Reply:
    """One HTTP answer. ``length`` overrides Content-Length, to promise more than is sent.

    ``before``: seconds of silence first. ``drip``: the body is sent over and over, a piece each
    so many seconds, without an end.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    before: float = 0.0
    drip: float | None = None


def completion(text: str | None, **changes: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "judge-1",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14},
    } | changes


def says(text: str | None, **changes: Any) -> Reply:
    return Reply(body=json.dumps(completion(text, **changes)).encode())


def fails(status: int, message: str = "no", **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps({"error": {"message": message}}).encode(), named)


class StubChat(ThreadingHTTPServer):
    """Use as a context manager; ``url`` is its base URL, ``seen`` what it was sent."""

    daemon_threads = True

    def __init__(self, *replies: Reply | Callable[[Any], Reply], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"
        self.replies = list(replies)
        self.seen: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.closing = threading.Event()

    def next_reply(self, body: Any) -> Reply:
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return reply if isinstance(reply, Reply) else reply(body)

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: StubChat

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {k.lower(): v for k, v in self.headers.items()}
        asked = json.loads(body)
        self.server.seen.append((self.path, headers, asked))
        reply = self.server.next_reply(asked)
        self.server.closing.wait(reply.before)
        try:
            self._send(reply)
        except OSError:  # the client has given up, which is what is tested
            return

    def _send(self, reply: Reply) -> None:
        self.send_response_only(reply.status)
        standard = {"Content-Type": "application/json", "Date": DATE}
        for name, value in (standard | dict(reply.headers)).items():
            self.send_header(name, value)
        if reply.drip is None:
            length = len(reply.body) if reply.length is None else reply.length
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(reply.body)
        while reply.drip is not None and not self.server.closing.is_set():
            time.sleep(reply.drip)
            self.wfile.write(reply.body)

    def log_message(self, *_: object) -> None:
        """Say nothing: tests look at ``seen``."""


def judge(answer: Callable[[Any], str], **changes: Any) -> Callable[[Any], Reply]:
    """A reply made by a scripted judge from the messages it is sent."""
    from tools.deps import Message

    return lambda body: says(answer([Message(**one) for one in body["messages"]]), **changes)


if __name__ == "__main__":
    import sys

    from scripted_judges import obedient

    with StubChat(judge(obedient), port=int(sys.argv[1])) as server:
        server.closing.wait()
