"""A completions server that answers with recorded traffic, and the proxy that recorded it.

``python tests/support/completions_server.py UPSTREAM FILE`` passes requests on to a real server
and writes each body with its answer, until it is killed. ``Replay(FILE)`` then answers the same
bodies on loopback; ``damage`` changes an answer on its way out.
"""

import gzip
import hashlib
import json
import sys
import threading
import urllib.request
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Answer = dict


def key(body: bytes) -> str:
    """What two requests must share to get one answer."""
    told = json.dumps(json.loads(body), sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


class Replay:
    """Serves recorded answers; an unknown request gets 500 and is kept in ``strangers``."""

    def __init__(self, file: Path, damage: Callable[[Answer], Answer] = lambda answer: answer):
        self.answers = json.loads(gzip.decompress(file.read_bytes()))
        self.damage = damage
        self.strangers: list[str] = []
        self.keys_seen: list[str | None] = []

    def __enter__(self) -> str:
        replay = self

        class Handler(_Handler):
            def reply(self, body: bytes) -> tuple[int, bytes]:
                replay.keys_seen.append(self.headers.get("Authorization"))
                found = replay.answers.get(key(body))
                if found is None:
                    replay.strangers.append(body.decode())
                    return 500, b'{"error": "not recorded"}'
                return 200, json.dumps(replay.damage(json.loads(json.dumps(found)))).encode()

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}/v1"

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


@contextmanager
def arithmetic():
    """Serves echoes in which a token's log-probability is minus a thousandth of its id."""

    class Handler(_Handler):
        def reply(self, body: bytes) -> tuple[int, bytes]:
            prompts = json.loads(body)["prompt"]
            choices = [
                {
                    "index": index,
                    "logprobs": {
                        "token_logprobs": [None, *(-token / 1000 for token in ids[1:]), -1.0],
                        "top_logprobs": [None, *({"x": 0.0} for _ in ids)],
                    },
                }
                for index, ids in enumerate(prompts)
            ]
            return 200, json.dumps({"choices": choices}).encode()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        status, answer = self.reply(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


def shifted(answer: Answer) -> Answer:
    """llama_cpp.server's fault: each echoed log-probability belongs to the token before."""
    for choice in answer["choices"]:
        found = choice.get("logprobs")
        if found:
            for name in ("token_logprobs", "top_logprobs"):
                found[name] = [*found[name][1:], found[name][-1]]
    return answer


def record(upstream: str, file: Path) -> None:
    """Pass everything on to ``upstream`` and keep what it said."""
    answers: dict[str, Answer] = {}

    class Handler(_Handler):
        def reply(self, body: bytes) -> tuple[int, bytes]:
            asked = urllib.request.Request(
                upstream + self.path, body, {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(asked) as found:
                answer = json.loads(found.read())
            answers[key(body)] = answer
            text = json.dumps(answers, sort_keys=True)  # whole each time: it may end at any time
            file.write_bytes(gzip.compress(text.encode(), mtime=0))
            return 200, json.dumps(answer).encode()

    ThreadingHTTPServer(("127.0.0.1", 8124), Handler).serve_forever()


if __name__ == "__main__":
    record(sys.argv[1], Path(sys.argv[2]))
