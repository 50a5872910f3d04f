"""``mirror memory``: search what was found out before, list it, forget some of it, export all.

Texts of findings come from requests, cards and models: what can't be printed is shown as ``?``.
"""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import wiring
from memory.errors import BadRequest
from memory.registry import Registry
from tools import recalling

if TYPE_CHECKING:
    import argparse

    from agent.settings import Settings
    from memory.findings import Findings
    from memory.records import Finding


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Run one verb; raises ``MirrorError`` with the line and exit code for the person."""
    verbs = {"search": _search, "list": _list, "forget": _forget, "export": _export}
    with closing(wiring.findings(settings)) as findings:
        verbs[args.verb](args, findings, settings)
    return 0


def _search(args: argparse.Namespace, findings: Findings, settings: Settings) -> None:
    if not args.query.strip():
        raise BadRequest("There is nothing to look for; write what it should be about.")
    hits = findings.recall(args.query, args.n, args.kind)
    found = _marked([one for one, _ in hits], findings, settings)
    cosines = [round(cosine, 3) for _, cosine in hits]
    if args.json:
        facts = [_facts(one) | {"similarity": c} for one, c in zip(found, cosines, strict=True)]
        _print(json.dumps({"findings": facts}, ensure_ascii=False))
        return
    for one, cosine in zip(found, cosines, strict=True):
        _show(one, f"{cosine:.2f}  ")
    _print(_ending(findings) if not found else f"{len(found):,} findings")


def _list(args: argparse.Namespace, findings: Findings, settings: Settings) -> None:
    kinds = args.kind or [None]
    latest = [one for kind in dict.fromkeys(kinds) for one in findings.latest(args.n, kind)]
    latest = sorted(latest, key=lambda one: one.at, reverse=True)[: args.n]
    found = _marked(latest, findings, settings)
    counts = findings.count()
    if args.json:
        facts = {"findings": [_facts(one) for one in found], "counts": counts}
        _print(json.dumps(facts, ensure_ascii=False))
        return
    for one in found:
        _show(one)
    _print(_ending(findings))


def _forget(args: argparse.Namespace, findings: Findings, _: Settings) -> None:
    """Drop findings after a yes; what is not there is an error, and then nothing is dropped.

    Raises:
        BadRequest: an unknown id, or nobody said yes.
    """
    ids = list(dict.fromkeys(args.ids))
    held = findings.get(ids)
    if unknown := set(ids) - {one.id for one in held}:
        raise BadRequest(
            f"There is no finding {min(unknown)!r}; nothing was forgotten. `mirror memory list`"
            " shows their ids."
        )
    if not args.yes:
        if not sys.stdin.isatty() or args.json:
            raise BadRequest("Nothing was forgotten: say so with --yes.")
        for one in held:
            _show(one)
        sys.stdout.write(f"Forget {'this' if len(held) == 1 else f'these {len(held)}'}? [y/N] ")
        sys.stdout.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise BadRequest("Nothing was forgotten.")
    gone = findings.forget(*ids)
    _print(json.dumps({"forgotten": gone}) if args.json else f"Forgot {len(gone):,}.")


def _export(args: argparse.Namespace, findings: Findings, _: Settings) -> None:
    """Write every finding, one JSON object a line, as it is kept.

    Raises:
        BadRequest: the file is there already, or can't be written.
    """
    path, written = Path(args.file), 0
    try:
        with path.open("x", encoding="utf-8") as file:
            for one in findings.all():
                file.write(one.model_dump_json(exclude_defaults=True) + "\n")
                written += 1
    except FileExistsError:
        raise BadRequest(f"{path} is there already; name a new file.") from None
    except OSError as error:
        raise BadRequest(f"{path} can't be written: {error.strerror}.") from error
    facts = {"file": str(path), "findings": written}
    _print(json.dumps(facts) if args.json else f"{written:,} findings in {path}")


def _marked(found: list[Finding], findings: Findings, settings: Settings) -> list[Finding]:
    """What to mind about each; the registry is read only where something rests on it."""
    rests = any(one.model or one.registry for one in found)
    registry = Registry.at_home(settings.home, settings.cache) if rests else None
    return recalling.marked(found, findings, wiring.clock(), registry)


def _ending(findings: Findings) -> str:
    counts = findings.count()
    if not counts:
        return "Nothing is remembered yet."
    return " · ".join(f"{n:,} {kind}" for kind, n in counts.items())


def _facts(one: Finding) -> dict[str, Any]:
    return one.model_dump(mode="json", exclude_none=True)


def _show(one: Finding, lead: str = "") -> None:
    _print(f"{lead}{recalling.cited(one)}")
    _print(f"    {one.id}  {one.kind}")


def _print(text: str) -> None:
    shown = "".join(c if c.isprintable() else " " for c in text)
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(shown.encode(encoding, "replace").decode(encoding) + "\n")
