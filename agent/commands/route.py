"""``mirror route fit|explain|serve``: which model for which prompt, and a server that does so."""

from __future__ import annotations

import ipaddress
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from agent import settings as environment
from memory.errors import BadRequest, MirrorError
from memory.routers import Routers
from tools import router
from tools.clients.benchmarks import installed
from tools.routing import members

if TYPE_CHECKING:
    import argparse

    from agent.settings import Settings
    from memory.routers import FittedRouter

DONE = 0
DRAIN = 5  # seconds that answers under way have to end


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Fit, explain or serve; returns the exit code."""
    store = Routers(settings.home / "routers")
    if args.verb == "fit":
        return _fit(args, settings, store)
    fitted = store.get(args.run) if store.has(args.run) else _made(args.run, settings, store)
    _check_embedder(fitted, settings)
    if args.verb == "explain":
        return _explain(args, settings, fitted)
    return _serve(args, settings, fitted, store)


def _fit(args: argparse.Namespace, settings: Settings, store: Routers) -> int:
    from agent import wiring

    fitted = _made(args.run, settings, store)
    if args.json:
        sys.stdout.write(fitted.about.model_dump_json() + "\n")
    else:
        _say(router.explain(fitted, wiring.embedder(settings.embedder)))
    return DONE


def _made(run: str, settings: Settings, store: Routers) -> FittedRouter:
    """Fitted anew to what the ledger holds, and kept."""
    from agent import wiring
    from tools.routing import runs

    fitted = runs.fit(run, wiring.deps(settings, planner="rules"))
    store.keep(fitted)
    return fitted


def _explain(args: argparse.Namespace, settings: Settings, fitted: FittedRouter) -> int:
    from agent import wiring

    _say(router.explain(fitted, wiring.embedder(settings.embedder), args.prompt))
    return DONE


def _serve(
    args: argparse.Namespace, settings: Settings, fitted: FittedRouter, store: Routers
) -> int:
    _require_extra()
    import uvicorn

    from agent import wiring
    from tools.routing.choices import Choices
    from tools.routing.chooser import Chooser
    from tools.routing.server import RouteServer

    asked, left_out = members.read(Path(args.members), fitted.about, environment.secret)
    key = environment.secret(args.key_env) if args.key_env else None
    if args.key_env and key is None:
        raise BadRequest(f"{args.key_env} is not set; callers could not send its key.")
    local = _is_local(args.host)
    if not local and key is None:
        raise BadRequest(
            f"{args.host} can be reached from elsewhere, where anybody could spend your money: "
            "name the variable with a key for callers by --key-env."
        )
    embedder = wiring.embedder(settings.embedder)
    embedder.encode(["loads the model before the first request waits for it"])
    chooser = Chooser(fitted, asked, cost_weight=args.cost_weight, max_seconds=args.max_seconds)
    choices = Choices(store.folder / f"{args.run}.choices.jsonl")
    hosts = ("127.0.0.1", "localhost", args.host) if local else ("*",)
    server = RouteServer(chooser, embedder, choices, wiring.clock, hosts=hosts, key=key)
    _say(
        [
            fitted.about.reason,
            *(f"Not a member: {line}" for line in left_out),
            f"Members: {', '.join(one.name for one in asked)}",
            f"Choices are recorded in {choices.path}",
            f"Serving http://{args.host}:{args.port}/v1 (model 'mirror'); Ctrl-C ends it",
        ],
        sys.stderr,
    )
    config = uvicorn.Config(
        server.app,
        host=args.host,
        port=args.port,
        log_level="error",
        access_log=False,
        ws="none",
        timeout_graceful_shutdown=DRAIN,
    )
    try:
        uvicorn.Server(config).run()
    except SystemExit as error:  # uvicorn's way to say that the port is taken
        raise MirrorError(f"Can't serve on {args.host}:{args.port}; is the port taken?") from error
    return DONE


def _check_embedder(fitted: FittedRouter, settings: Settings) -> None:
    from agent import wiring

    name = wiring.embedder(settings.embedder).name
    if fitted.about.embedder != name:
        raise BadRequest(
            f"This router was fitted with {fitted.about.embedder} and MIRROR_EMBEDDER is {name}; "
            f"set it back or fit again: mirror route fit {fitted.about.run}"
        )


def _require_extra() -> None:
    missing = [name for name in ("starlette", "uvicorn") if installed.folder(name) is None]
    if missing:
        raise MirrorError(
            f"Serving needs {' and '.join(missing)}: pip install 'mirror-llm[serve]'."
        )


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _say(lines: list[str], to: TextIO | None = None) -> None:
    out = to or sys.stdout
    out.write("\n".join(lines) + "\n")
    out.flush()
