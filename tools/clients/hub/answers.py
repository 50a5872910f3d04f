"""The Hub's answers: read whole within bounds, which may fare better when asked again, and when.

What its status codes and rate limits mean is left to huggingface_hub.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tools.clients.waiting import answered, pause, retry_after

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2
    from tenacity import RetryCallState

LONGEST = 256_000_000  # bytes of one answer


def whole(answer: httpx2.Response, seconds: float) -> httpx2.Response:
    """The answer with its body; one without end, in bytes or in time, is a read error."""
    import httpx2

    body, started = bytearray(), time.monotonic()
    for chunk in answer.iter_bytes():
        body += chunk
        if len(body) > LONGEST or time.monotonic() - started > seconds:
            raise httpx2.ReadTimeout("an answer without end", request=answer.request)
    about_coding = ("content-encoding", "content-length", "transfer-encoding")
    kept = [(k, v) for k, v in answer.headers.multi_items() if k.lower() not in about_coding]
    return httpx2.Response(
        answer.status_code, headers=kept, content=bytes(body), request=answer.request
    )


def may_pass(error: BaseException) -> bool:
    """Whether the same question may fare better: not if nothing listens, or it said no."""
    import json

    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, HfHubHTTPError):
        return error.response.status_code == 429 or error.response.status_code >= 500
    broken = (httpx2.RemoteProtocolError, httpx2.ReadError, json.JSONDecodeError)
    return isinstance(error, broken)


def pause_after(state: RetryCallState) -> float:
    """Seconds to wait after a try: as the Hub asks, else doubling."""
    error = state.outcome.exception() if state.outcome else None
    response = getattr(error, "response", None)
    return pause(state, _asked(response.headers) if response is not None else None)


def _asked(headers: Mapping[str, str]) -> float | None:
    """Seconds the Hub asks to wait: Retry-After or its own rate-limit header."""
    from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]

    wait = retry_after(headers)
    if wait is not None:
        return wait
    limit = parse_ratelimit_headers(headers)
    return float(limit.reset_in_seconds) if limit and limit.remaining == 0 else None


def complaint(response: httpx2.Response) -> str:
    """What an HTTP error means to a person."""
    if response.status_code in (401, 403):
        return f"refuses to answer ({response.status_code}): check the token"
    return answered(response.status_code, _asked(response.headers))
