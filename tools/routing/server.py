"""An OpenAI-compatible server in front of a pool: each chat goes to the member that suits it.

``/v1/chat/completions`` (streamed or not), ``/v1/models`` and ``/health``. The model ``mirror`` is
routed by the prompt's embedding, and goes to the next member when one gives no answer; a member's
own name goes to that member alone. Which one answered is in the headers ``x-mirror-member``,
``x-mirror-region`` and ``x-mirror-tried`` and, where the answer is one JSON object, in its field
``mirror``. Asking a member may cost the money of whoever runs this: a time-out that is followed by
another member may be paid for twice. Nothing is asked but for a request.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from memory.sqlite import StoreUnavailable
from tools.routing import request as asking
from tools.routing import upstream
from tools.routing.request import Refused
from tools.routing.upstream import NoAnswer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from datetime import datetime

    import httpx2
    from numpy.typing import NDArray
    from pydantic import SecretStr
    from starlette.requests import Request

    from tools.deps import Embedder
    from tools.routing.choices import Choices
    from tools.routing.chooser import Chooser
    from tools.routing.members import Member
    from tools.routing.upstream import Begun

ROUTED = "mirror"


@dataclass
class _Course:
    """One request on its way: what was asked, who was tried, and how long each part took."""

    id: str
    begun: float
    embedding: float = 0.0
    waiting: float = 0.0
    region: int | None = None
    prompt: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    tried: dict[str, str] = field(default_factory=dict)

    def headers(self, member: Member) -> dict[str, str]:
        """Who answered, and what it took; milliseconds."""
        own = time.perf_counter() - self.begun - self.embedding - self.waiting
        return {
            "x-mirror-id": self.id,
            "x-mirror-member": _header(member.name),
            "x-mirror-region": "" if self.region is None else str(self.region),
            "x-mirror-tried": _header("; ".join(f"{n}: {why}" for n, why in self.tried.items())),
            "x-mirror-embedding-ms": f"{1000 * self.embedding:.2f}",
            "x-mirror-overhead-ms": f"{1000 * own:.2f}",
        }


class RouteServer:
    """Answers requests; ``app`` is the ASGI application."""

    def __init__(
        self,
        chooser: Chooser,
        embedder: Embedder,
        choices: Choices,
        clock: Callable[[], datetime],
        *,
        hosts: Sequence[str] = ("127.0.0.1", "localhost"),
        key: SecretStr | None = None,
    ) -> None:
        self.chooser = chooser
        self._embedder = embedder
        self._choices = choices
        self._clock = clock
        self._key = key
        self._http: httpx2.AsyncClient | None = None
        self._unrecorded: str | None = None
        # One thread: the model is not made for two calls at once, and the loop must go on.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedding")
        self.app = Starlette(
            routes=[
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
                Route("/v1/models", self._models),
                Route("/health", self._health),
            ],
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))],
            exception_handlers={Refused: _refused},
            lifespan=self._lifespan,
        )

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        async with upstream.client() as self._http:
            yield
        self._thread.shutdown(wait=False)

    async def _chat(self, request: Request) -> Response:
        self._check_key(request)
        body = await asking.read(request)
        course = _Course(f"route-{uuid.uuid4().hex}", time.perf_counter())
        for member in await self._members(body, course):
            try:
                return await self._asked(member, body, course)
            except NoAnswer as error:
                course.tried[member.name] = str(error)
                self.chooser.failed(member, *([error.rest] if error.rest else []))
        self._record(course, None, 503)
        raise _nobody(course, self.chooser)

    async def _members(self, body: dict[str, Any], course: _Course) -> list[Member]:
        """Whom to ask, first one first."""
        asked = body.get("model", ROUTED)
        named = [one for one in self.chooser.members if one.name == asked]
        if asked != ROUTED and not named:
            known = ", ".join([ROUTED, *(one.name for one in self.chooser.members)])
            message = f"There is no model {asked!r} here; there are: {known}."
            raise Refused(404, message, "model_not_found")
        instruction = self.chooser.fitted.about.instruction
        before = time.perf_counter()
        course.prompt = await self._embed(asking.prompt(body, instruction))
        course.embedding = time.perf_counter() - before
        course.region, ordered = self.chooser.order(course.prompt)
        return named or ordered

    async def _asked(self, member: Member, body: dict[str, Any], course: _Course) -> Response:
        """The answer, begun (streamed) or whole. Raises ``NoAnswer`` when there is none."""
        assert self._http is not None
        before = time.perf_counter()
        try:
            begun = await upstream.ask(self._http, member, body, self.chooser.patience(member))
            self.chooser.began(member, time.perf_counter() - before)
            content = None if body.get("stream") else await begun.whole()
        finally:
            course.waiting += time.perf_counter() - before
        if content is None:
            record = partial(self._record, course, member, begun.status, stream=True)
            kind, headers = begun.content_type, course.headers(member)
            return StreamingResponse(_streamed(begun, record), begun.status, headers, kind)
        answer = _parsed(content)
        told = {"id": course.id, "member": member.name, "region": course.region}
        self._record(course, member, begun.status, usage=answer.get("usage"))
        return JSONResponse(
            {**answer, "mirror": {**told, "tried": course.tried}},
            begun.status,
            course.headers(member),
        )

    async def _models(self, request: Request) -> Response:
        self._check_key(request)
        names = [ROUTED, *(one.name for one in self.chooser.members)]
        made = [{"id": n, "object": "model", "created": 0, "owned_by": ROUTED} for n in names]
        return JSONResponse({"object": "list", "data": made})

    async def _health(self, _: Request) -> Response:
        states = {
            one.name: f"failed; asked last for {rests:.0f} s" if rests else "well"
            for one in self.chooser.members
            for rests in [self.chooser.rests(one)]
        }
        well = "well" in states.values()
        status = "ok" if well else "no member is well"
        told = {"status": status, "members": states, "choices_not_recorded": self._unrecorded}
        return JSONResponse(told, 200 if well else 503)

    async def _embed(self, text: str) -> NDArray[np.float64]:
        loop = asyncio.get_running_loop()
        rows = await loop.run_in_executor(self._thread, self._embedder.encode, [text])
        return np.asarray(rows[0], dtype=np.float64)

    def _check_key(self, request: Request) -> None:
        if self._key is None:
            return
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {self._key.get_secret_value()}".encode()):
            raise Refused(401, "This server wants its key.", "invalid_api_key")

    def _record(
        self,
        course: _Course,
        member: Member | None,
        status: int,
        *,
        stream: bool = False,
        usage: object = None,
        broken: str | None = None,
    ) -> None:
        tokens = usage if isinstance(usage, dict) else {}
        used = [tokens.get(name) for name in ("prompt_tokens", "completion_tokens")]
        counted = [n if isinstance(n, int) else None for n in used]
        both = None not in counted and member is not None
        line = {
            "id": course.id,
            "at": self._clock().isoformat(timespec="milliseconds"),
            "run": self.chooser.fitted.about.run,
            "member": member.name if member else None,
            "region": course.region,
            "tried": course.tried,
            "status": status,
            "stream": stream,
            "seconds": round(time.perf_counter() - course.begun, 4),
            "prompt_tokens": counted[0],
            "completion_tokens": counted[1],
            "usd": member.usd(counted[0] or 0, counted[1] or 0) if both and member else None,
            "broken": broken,
        }
        try:
            self._choices.add(line, course.prompt)
        except StoreUnavailable as error:  # a full disk is no reason to answer nobody
            self._unrecorded = str(error)


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        raise NoAnswer("sent what is no JSON") from None
    if not isinstance(answer, dict):
        raise NoAnswer("sent what is no JSON object")
    return answer


async def _streamed(begun: Begun, record: Callable[..., None]) -> AsyncIterator[bytes]:
    """The pieces as they come; a break is told in the stream, for its status has gone out."""
    broken: str | None = "the caller left"
    try:
        async for piece in begun.rest():
            yield piece
        broken = None
    except NoAnswer as error:
        broken = str(error)
        told = Refused(502, f"The member {broken}.", "member_broke_off").body()
        yield f"data: {json.dumps(told)}\n\n".encode()
    finally:
        await begun.close()
        record(broken=broken)


def _nobody(course: _Course, chooser: Chooser) -> Refused:
    tried = "; ".join(f"{name} {why}" for name, why in course.tried.items())
    wait = min(chooser.rests(one) for one in chooser.members if one.name in course.tried)
    message = f"No member can answer now: {tried}. Try again in {wait:.0f} s."
    return Refused(503, message, "no_member_available")


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return JSONResponse(error.body(), error.status)


def _header(text: str) -> str:
    """Printable ASCII, which is all that a header may hold."""
    return text.encode("ascii", "replace").decode().replace("\n", " ").replace("\r", " ")[:500]
