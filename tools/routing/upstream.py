"""One member asked over HTTP: an answer that has begun, or why there is none.

The request goes on as it came but for the model's name. An answer counts as begun with its first
bytes, so what breaks before can still go to another member and what breaks after can't. A refusal
that would be the same everywhere (400, 413, 422) is the caller's and is passed on.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tools.clients.waiting import retry_after

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx2

    from tools.routing.members import Member

OTHERS_MAY = frozenset({401, 402, 403, 404, 408, 409, 425, 429})
LONGEST_WAIT = 300.0
LONGEST = 600.0  # seconds of an answer that is not streamed
SILENCE = 120.0  # seconds between two pieces of an answer that has begun
MOST_BYTES = 50_000_000


class NoAnswer(Exception):
    """A member gave none; ``rest``: seconds it asked to be left alone, if it said so."""

    def __init__(self, why: str, rest: float | None = None) -> None:
        super().__init__(why)
        self.rest = rest


@dataclass(frozen=True)
class Begun:
    """An answer whose first piece is here; ``rest`` gives the others."""

    status: int
    content_type: str
    first: bytes
    response: httpx2.Response
    pieces: AsyncIterator[bytes]

    async def rest(self) -> AsyncIterator[bytes]:
        """The first piece and the others. Raises ``NoAnswer`` where it breaks off."""
        import httpx2

        size, piece = 0, self.first
        while piece:
            size += len(piece)
            if size > MOST_BYTES:
                raise NoAnswer(f"sent more than {MOST_BYTES:,} bytes")
            yield piece
            try:
                async with asyncio.timeout(SILENCE):
                    piece = await anext(self.pieces, b"")
            except (httpx2.HTTPError, httpx2.StreamError, TimeoutError) as error:
                raise NoAnswer(f"broke off its answer ({type(error).__name__})") from None

    async def whole(self) -> bytes:
        """All of it. Raises ``NoAnswer`` where it breaks off or goes on for too long."""
        try:
            async with asyncio.timeout(LONGEST):
                return b"".join([piece async for piece in self.rest()])
        except TimeoutError:
            raise NoAnswer(f"was not done after {LONGEST:g} s") from None
        finally:
            await self.close()

    async def close(self) -> None:
        """Let go of the connection, whole or not."""
        await self.response.aclose()


def client() -> httpx2.AsyncClient:
    """One pool of connections for all members."""
    import httpx2

    limits = httpx2.Limits(max_connections=500, max_keepalive_connections=100)
    return httpx2.AsyncClient(limits=limits, timeout=httpx2.Timeout(None, connect=5.0))


async def ask(
    http: httpx2.AsyncClient, member: Member, body: dict[str, Any], patience: float
) -> Begun:
    """The beginning of ``member``'s answer, within ``patience`` seconds.

    Raises:
        NoAnswer: it can't be reached, took too long, failed, or can't take requests now.
    """
    import httpx2

    headers = {"content-type": "application/json", "accept-encoding": "identity"}
    if member.key is not None:
        headers["authorization"] = f"Bearer {member.key.get_secret_value()}"
    content = json.dumps({**body, "model": member.model}).encode()
    url = f"{member.base_url}/chat/completions"
    request = http.build_request("POST", url, headers=headers, content=content)
    try:
        async with asyncio.timeout(patience):
            return await _begin(http, request)
    except TimeoutError:
        raise NoAnswer(f"did not begin to answer within {patience:g} s") from None
    except httpx2.ConnectError:
        raise NoAnswer("can't be reached") from None
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise NoAnswer(f"broke off ({type(error).__name__})") from None


async def _begin(http: httpx2.AsyncClient, request: httpx2.Request) -> Begun:
    response = await http.send(request, stream=True)
    try:
        status = response.status_code
        if status >= 500 or status in OTHERS_MAY or status in range(300, 400):
            wait = retry_after(response.headers)
            raise NoAnswer(f"answered {status}", None if wait is None else min(wait, LONGEST_WAIT))
        pieces = response.aiter_raw()
        first = await anext(pieces, b"")
        if not first:
            raise NoAnswer("answered nothing")
    except BaseException:
        await response.aclose()
        raise
    content_type = response.headers.get("content-type", "application/json")
    return Begun(status, content_type, first, response, pieces)
