"""A Hub on loopback: answers ``/api/models/<id>`` as the Hugging Face Hub would, or as it fails.

Records are made up here, in the Hub's format (``ModelInfo`` with ``blobs=true`` or ``expand``, a
data set's leaderboard), so nothing of the Hub is copied into the project. A model's replies are
played in order, the last one for ever. Files of a model that it ``holds`` are served as the Hub
serves them: small ones by itself, weights by a redirect to a store beside it. A commit is taken
as the Hub takes one, and kept in ``posted``, unless a reply to its path is played.
"""

from __future__ import annotations

import hashlib
import json
import re
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


def eval_result(
    dataset: str, task: str, value: object, verified: bool | None = None, **more: object
) -> dict[str, Any]:
    """One entry of ``evalResults``: a file of ``.eval_results`` as the Hub indexed it."""
    held = {"dataset": {"id": dataset, "task_id": task}, "value": value, **more}
    wrapped = {"filename": f".eval_results/{task}.yaml", "data": held}
    return wrapped if verified is None else wrapped | {"verified": verified}


def ranked(rank: int, model_id: str, value: object, **changes: object) -> dict[str, Any]:
    """One entry of a data set's leaderboard."""
    author = {"_id": "0", "name": model_id.split("/")[0], "fullname": "A", "type": "org"}
    return {
        "rank": rank,
        "modelId": model_id,
        "value": value,
        "filename": ".eval_results/test.yaml",
        "verified": False,
        "author": author | {"avatarUrl": "/a.svg"},
        **changes,
    }


def found(body: object) -> Reply:
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
        self.posted: list[tuple[str, bytes]] = []
        self.files: dict[tuple[str, str], bytes] = {}
        self.sent: list[tuple[str, int]] = []

    def holds(self, model_id: str, files: Mapping[str, bytes], **changes: object) -> None:
        """Serve a whole repository at the commit of ``record``; ``sent`` has what left it."""
        sizes = {name: len(content) for name, content in files.items()}
        told = found(record(model_id, sizes, **changes))
        sha = json.loads(told.body)["sha"]
        self.plays(model_id, told)
        self.plays(f"{model_id}/revision/{sha}", told)
        for name, content in files.items():
            self.files[f"{model_id}/resolve/{sha}", name] = content

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
        place = self._place()
        if place in self.server.replies or not (served := self._file(place)):
            self._reply(self.server.next_reply(place))
        else:
            self.server.sent.append((place, len(served.body)))
            self._reply(served)

    def do_HEAD(self) -> None:
        place = self._place()
        played = place in self.server.replies
        reply = None if played else self._file(place)
        reply = reply or self.server.next_reply(place)
        self._reply(Reply(reply.status, b"", reply.headers, len(reply.body)))

    def _file(self, place: str) -> Reply | None:
        """A file of a repository, or the redirect to the store that has it."""
        stored = place.startswith("/store/")
        at, _, name = place.removeprefix("/store/").lstrip("/").rpartition("/")
        content = self.server.files.get((at, name))
        if content is None:
            return None
        etag = hashlib.sha256(content).hexdigest()
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": at.rpartition("/")[2]}
        if name.endswith(".safetensors") and not stored:
            linked = {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(len(content))}
            to = {"Location": f"{self.server.url}/store/{at}/{name}"}
            return Reply(302, b"", headers | linked | to)
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked is None:
            return Reply(200, content, headers)
        start = int(asked[1])
        span = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        return Reply(206, content[start:], headers | span)

    def do_POST(self) -> None:
        place, body = self._place(), self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.append((self.path, body))
        if place in self.server.replies:
            self._reply(self.server.next_reply(place))
        elif place.endswith("/preupload/main"):
            self._reply(found({"files": [_taken(one) for one in json.loads(body)["files"]]}))
        else:
            repository = place.removesuffix("/commit/main")
            at = f"{self.server.url}/{repository}"
            told = {"commitOid": "c" * 40, "commitUrl": f"{at}/commit/{'c' * 40}"}
            self._reply(found({"success": True, "pullRequestUrl": f"{at}/discussions/7", **told}))

    def _place(self) -> str:
        self.server.seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        path = unquote(urlsplit(self.path).path)
        return path.removeprefix("/api/").removeprefix("models/")

    def _reply(self, reply: Reply) -> None:
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


def _taken(file: dict[str, Any]) -> dict[str, Any]:
    """What the Hub answers before a commit about one small text file."""
    return {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False, "oid": None}
