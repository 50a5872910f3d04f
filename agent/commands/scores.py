"""``mirror scores``: look at the score matrix, fill it from elsewhere, give back what was measured.

Rows of different protocols stand under different headings and are never ranked against each
other. Nothing leaves this machine before a typed ``yes`` or ``--yes``. All names and texts come
from outside: what can't be printed is shown as ``?``.
"""

from __future__ import annotations

import json
import sys
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from agent import wiring
from memory.errors import BadRequest, DamagedStore, UnknownThread
from memory.records import Origin
from memory.registry import Registry
from memory.scores import cells
from tools import score_lookup
from tools.clients.hub.commit import open_pull_request
from tools.scores import importing, prediction, publishing
from tools.scores.sources import table_file

if TYPE_CHECKING:
    import argparse

    from agent.settings import Settings
    from memory.records import Prediction, Score
    from memory.scores import Cell, Scores
    from tools.score_lookup import Known
    from tools.scores.importing import Imported
    from tools.scores.publishing import Publication

SHOWN = 20  # reasons of an import; --json gives them all


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Run one verb; raises ``MirrorError`` with the line and exit code for the person."""
    verbs = {
        "show": _show,
        "import": _import,
        "export": _export,
        "missing": _missing,
        "publish": _publish,
    }
    with closing(wiring.scores(settings)) as scores:
        verbs[args.verb](args, settings, scores)
    return 0


# --- show -------------------------------------------------------------------------------


def _show(args: argparse.Namespace, settings: Settings, scores: Scores) -> None:
    found = _listed(args, scores)
    if args.json:
        _json({"cells": [_facts(cell) for cell in found]})
        return
    heading = None
    for cell in found:
        if heading != (cell.score.benchmark, cell.score.protocol):
            heading = cell.score.benchmark, cell.score.protocol
            _line(f"{heading[0]}  [{heading[1]}]")
        _line("  " + _row(cell.score) + _conflict(cell))
        if cell.conflict:
            for other in cell.observations:
                if other is not cell.score:
                    _line("    but " + _row(other))
    _line(f"{len(found):,} cells" if found else "No score is known of that.")


def _listed(args: argparse.Namespace, scores: Scores) -> list[Cell]:
    """The cells to show; two or more named models on named benchmarks mean a comparison."""
    models = list(dict.fromkeys(name.partition("@")[0] for name in args.model or ()))
    benchmarks = list(dict.fromkeys(args.benchmark or ()))
    known = scores.observations(models or None, benchmarks or None)
    if len(models) > 1 and benchmarks and not args.mix:
        chosen = scores.compare(models, benchmarks, args.protocol).protocols
        known = [one for one in known if one.protocol in chosen.get(one.benchmark, ())]
    revisions = [name.split("@") for name in args.model or () if "@" in name]
    exact = {name for name, _ in revisions}
    return cells(
        one
        for one in known
        if args.protocol in (None, one.protocol)
        and (one.model not in exact or [one.model, one.revision] in revisions)
    )


def _row(score: Score) -> str:
    name = score.model + (f"@{score.revision[:12]}" if score.revision else "")
    interval = (
        f" ({score.low:.3f}-{score.high:.3f})"
        if score.low is not None and score.high is not None
        else ""
    )
    parts = (
        f"{name:<48} {score.value:.3f}{interval}",
        f"n {score.n:,}" if score.n is not None else None,
        score.precision,
        str(score.origin),
        score.date,
        score.source,
    )
    return "  ".join(part for part in parts if part)


def _conflict(cell: Cell) -> str:
    if not cell.conflict:
        return ""
    return f"  ! {len(cell.observations)} observations {cell.conflict:.3f} apart"


def _facts(cell: Cell) -> dict[str, Any]:
    others = [one for one in cell.observations if one is not cell.score]
    return cell.score.model_dump(mode="json") | {
        "conflict": cell.conflict,
        "others": [one.model_dump(mode="json") for one in others],
    }


# --- import and export ------------------------------------------------------------------


def _import(args: argparse.Namespace, settings: Settings, scores: Scores) -> None:
    hub = wiring.hub(settings)
    ledger = wiring.ledger(settings)
    with closing(ledger), hub or nullcontext():
        done = importing.keep(
            importing.read(
                args.source,
                hub=hub,
                model=args.model,
                scale=args.scale,
                origin=Origin.MEASURED if args.measured_here else Origin.ELSEWHERE,
            ),
            scores,
            lambda one: args.measured_here or (one.run is not None and ledger.knows(one.run)),
            dry_run=args.dry_run,
        )
    if args.json:
        _json(_counts(done, dry_run=args.dry_run))
    else:
        _tell(done, dry_run=args.dry_run)
    if done.refused:
        first = done.refused[0]
        kept = "nothing was written" if args.dry_run else "the others were kept"
        raise BadRequest(
            _plain(
                f"{len(done.refused)} of the entries can't be used, {kept}; the first, "
                f"{first.where}: {first.reason}. Mend them and import again."
            )
        )


def _counts(done: Imported, *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "added": [one.model_dump(mode="json") for one in done.added],
        "known": done.known,
        "skipped": [vars(one) for one in done.skipped],
        "refused": [vars(one) for one in done.refused],
    }


def _tell(done: Imported, *, dry_run: bool) -> None:
    _line(
        f"{'would add' if dry_run else 'added'} {len(done.added):,}, already here {done.known:,},"
        f" skipped {len(done.skipped):,}, refused {len(done.refused):,}"
    )
    for word, entries in (("skipped", done.skipped), ("refused", done.refused)):
        for one in entries[:SHOWN]:
            _line(f"  {word}  {one.where}: {one.reason}")
        if len(entries) > SHOWN:
            _line(f"  {word}  and {len(entries) - SHOWN:,} more (--json lists them)")


def _export(args: argparse.Namespace, settings: Settings, scores: Scores) -> None:
    count = table_file.write(Path(args.file), scores.own())
    _line(f"{count:,} scores in {args.file}")


# --- missing ----------------------------------------------------------------------------


def _missing(args: argparse.Namespace, settings: Settings, scores: Scores) -> None:
    models, benchmarks = _shortlist(args, settings)
    known = score_lookup.look_up(models, benchmarks, scores)
    gaps = score_lookup.gaps(known)
    likely = _predicted(known, scores, settings) if args.predict and gaps else {}
    if args.json:
        found = {"cells": known.cells, "missing": [vars(gap) for gap in gaps]}
        predicted = [one.model_dump(mode="json") for one in likely.values()]
        _json(found | ({"predicted": predicted} if args.predict else {}))
        return
    for gap in gaps:
        others = f"  only under: {'; '.join(gap.others)}" if gap.others else ""
        _line(f"{gap.model:<48} {gap.benchmark}{others}")
        if one := likely.get((gap.model, gap.benchmark)):
            _line(f"    {_likely(one)}")
    _line(f"{len(gaps):,} of {known.cells:,} cells are missing")


def _predicted(
    known: Known, scores: Scores, settings: Settings
) -> dict[tuple[str, str], Prediction]:
    columns = {name: next(iter(known.matrix.protocols.get(name, ())), None)
               for name in known.matrix.benchmarks}  # fmt: skip
    with closing(wiring.ledger(settings)) as ledger:
        suspected = ledger.checks()
    found = prediction.predict(
        known.matrix.models,
        columns,
        scores.observations(),
        Registry.at_home(settings.home, settings.cache),
        suspected=suspected,
    )
    return {(one.model, one.benchmark): one for one in found}


def _likely(one: Prediction) -> str:
    """What may be said of a missing cell: a number only where it can be relied on."""
    if not one.trusted:
        return f"can't be predicted reliably: {one.basis}"
    return f"{one.origin}  {one.value:.3f} ({one.low:.3f}-{one.high:.3f})  from {one.basis}"


def _shortlist(args: argparse.Namespace, settings: Settings) -> tuple[list[str], list[str]]:
    if args.run:
        path = settings.runs / Path(args.run).name / "report.json"
        if not path.is_file():
            raise UnknownThread(f"There is no report of run {args.run!r} in {settings.runs}.")
        try:
            return score_lookup.shortlist(json.loads(path.read_text("utf-8")))
        except (ValueError, ValidationError, AttributeError) as error:
            raise DamagedStore(f"{path} can't be read ({type(error).__name__}).") from None
    if args.thread:
        state = wiring.connect(settings).state(args.thread)
        return score_lookup.shortlist(dict(state))
    if not args.model or not args.benchmark:
        raise BadRequest("Name --run or --thread, or at least one --model and one --benchmark.")
    return args.model, args.benchmark


# --- publish ----------------------------------------------------------------------------


def _publish(args: argparse.Namespace, settings: Settings, scores: Scores) -> None:
    mine = scores.own([args.model])
    made = publishing.prepare(args.model, mine, args.run, dict(args.places))
    folder = settings.runs / "published"
    hub = wiring.hub(settings)
    _preview(made, settings)
    if earlier := publishing.proposed(made, folder):
        _line(f"Proposed already, nothing was sent: {earlier}")
        return
    ready = hub is not None and settings.hub_token is not None
    if hub is not None and ready and (args.yes or _said_yes(made)):
        with hub:
            address = open_pull_request(
                hub, made.model, made.files, publishing.TITLE, made.description
            )
        if address is None:
            _line("The repository holds these results already; nothing was sent.")
            return
        publishing.note_proposed(made, folder, address)
        _line(f"Pull request: {address}")
        return
    home = publishing.write(made, folder)
    how = "run this again with --yes" if ready else "set MIRROR_OFFLINE=0 and MIRROR_HUB_TOKEN"
    _line(f"Nothing was sent. The files are in {home}; to open the pull request, {how}.")


def _preview(made: Publication, settings: Settings) -> None:
    """Exactly what would be published, and where."""
    from tools.clients.hub.api import ENDPOINT

    _line(f"A pull request to {settings.hub_url or ENDPOINT}/{made.model} would add:")
    for path, text in made.files.items():
        _line(f"\n{path}")
        for line in text.splitlines():
            _line(f"  {line}")
    _line("\nA leaderboard shows a result only where its data set defines that task_id (see --as).")
    for reason in made.left_out:
        _line(f"stays here  {reason}")


def _said_yes(made: Publication) -> bool:
    """Whether the person typed ``yes``; anything else, or nobody to ask, is no."""
    if sys.stdin is None or not sys.stdin.isatty():
        return False
    sys.stdout.write(f"Open this pull request to {made.model}? Type yes: ")
    sys.stdout.flush()
    return sys.stdin.readline().strip() == "yes"


# --- printing ---------------------------------------------------------------------------


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _line(text: str) -> None:
    sys.stdout.write("\n".join(map(_plain, text.split("\n"))) + "\n")


def _json(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
