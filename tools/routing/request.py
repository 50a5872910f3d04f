"""What a chat request asks, and how it is refused: in OpenAI's shapes, in one clear line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.requests import Request

MOST_BYTES = 8_000_000  # of a request; above it is refused
MOST_LETTERS = 8_000  # of a prompt that are embedded, far more than the 256 tokens that are read


class Refused(Exception):
    """A request that can't be answered, with its HTTP status."""

    def __init__(self, status: int, message: str, code: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    def body(self) -> dict[str, Any]:
        """OpenAI's error object."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        return {"error": {"message": str(self), "type": kind, "param": None, "code": self.code}}


async def read(request: Request) -> dict[str, Any]:
    """The body of a chat completion.

    Raises:
        Refused: it is too long, no JSON object, or holds no messages.
    """
    # A page in a browser can send plain text across origins unasked, but not this.
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Refused(415, "Send application/json.", "unsupported_media_type")
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > MOST_BYTES:
            raise Refused(413, f"A request may have {MOST_BYTES:,} bytes.", "request_too_large")
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise Refused(400, "The request is no JSON.", "invalid_json") from None
    if not isinstance(body, dict):
        raise Refused(400, "The request is no JSON object.", "invalid_json")
    messages = body.get("messages")
    whole = isinstance(messages, list) and all(isinstance(one, dict) for one in messages)
    if not whole or not messages:
        raise Refused(400, "messages must be a list with a message in it.", "invalid_messages")
    return body


def prompt(body: dict[str, Any], instruction: str) -> str:
    """What the user asks last, without the instruction the examples were measured under.

    The router was fitted to inputs alone, so what stands before all of them would only blur them.
    """
    said = [one.get("content") for one in body["messages"] if one.get("role") == "user"]
    content = said[-1] if said else body["messages"][-1].get("content")
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "\n".join(part for part in parts if isinstance(part, str))
    text = content if isinstance(content, str) else ""
    # Half a surrogate pair is valid JSON and no text.
    whole = text[: MOST_LETTERS + len(instruction)].encode("utf-8", "replace").decode()
    return whole.removeprefix(instruction).strip()[:MOST_LETTERS]
