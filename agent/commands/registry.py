"""``mirror registry``: bring the models Mirror knows up to date, load more, see what there is.

Reasons and names come from outside and are printed as text; the ids of quarantined records are
shown as JSON writes them, so that what deceives the eye is seen.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import wiring
from memory.errors import BadRequest, MirrorError
from memory.registry_store import HUB, QUARANTINE, existing
from tools.registry import loading, syncing

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from agent.settings import Settings
    from memory.registry_store import RegistryStore, State
    from tools.deps import Progress
    from tools.registry.hub_scores import Kept

DONE, INTERRUPTED = 0, 130
TIMEOUT, PATIENCE, TRIES = 60.0, 900.0, 10  # seconds, seconds of waiting for a page, tries
EXAMPLES = 5  # quarantined ids shown for each reason


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Run one verb; raises ``MirrorError`` with the line and exit code for the person."""
    verbs = {"sync": _sync, "load": _load, "status": _status}
    return verbs[args.verb](args, settings, wiring.registry_store(settings))


# --- sync -------------------------------------------------------------------------------


def _sync(args: argparse.Namespace, settings: Settings, store: RegistryStore) -> int:
    with _bar() as (progress, note):
        hub = wiring.hub(
            settings, timeout=TIMEOUT, patience=PATIENCE, tries=TRIES, sleep=_waiting(note)
        )
        if hub is None:
            raise BadRequest("Mirror asks nothing of the Hub: set MIRROR_OFFLINE=0 to sync.")
        started = time.monotonic()
        try:
            with hub, closing(wiring.scores(settings)) as scores:
                done = syncing.sync(
                    hub,
                    store,
                    scores,
                    wiring.clock,
                    full=args.full,
                    limit=args.limit,
                    progress=progress,
                )
        except KeyboardInterrupt:
            sys.stderr.write(
                "mirror: Stopped; what was read is kept. Go on with: mirror registry sync\n"
            )
            return INTERRUPTED
    seconds = time.monotonic() - started
    if args.json:
        _json({**vars(done), "scores": vars(done.scores), "seconds": round(seconds, 3)})
    else:
        what = "models" if done.full else "models that changed"
        rest = "" if done.done else "; there are more: mirror registry sync goes on from here"
        _line(
            f"read {done.read:,} {what} in {seconds:,.0f} s"
            f" ({done.read / max(seconds, 1e-3):,.0f}/s), {done.quarantined:,} set aside{rest}"
        )
        _tell_scores(done.scores)
        _line(f"the registry holds {done.models:,} models")
    if done.trouble:
        raise MirrorError(
            f"{done.trouble} The {done.read:,} records read are kept; mirror registry sync goes on"
            " from there."
        )
    return DONE


def _waiting(note: Callable[[str], None]) -> Callable[[float], None]:
    def sleep(seconds: float) -> None:
        note(f"waiting {seconds:.0f} s for the Hub")
        time.sleep(seconds)

    return sleep


# --- load -------------------------------------------------------------------------------


def _load(args: argparse.Namespace, settings: Settings, store: RegistryStore) -> int:
    started = time.monotonic()
    with _bar() as (progress, _), closing(wiring.scores(settings)) as scores:
        done = loading.load(
            Path(args.file), store, scores, wiring.clock, as_of=args.as_of, progress=progress
        )
    seconds = time.monotonic() - started
    if args.json:
        _json({**vars(done), "scores": vars(done.scores), "seconds": round(seconds, 3)})
        return DONE
    _line(
        f"read {done.read:,} records in {seconds:,.0f} s, {done.quarantined:,} set aside:"
        f" {done.models:,} models in layer {done.layer}"
    )
    _tell_scores(done.scores)
    _line(f"the registry holds {store.state.models:,} models")
    return DONE


def _tell_scores(kept: Kept) -> None:
    if kept.added or kept.known or kept.refused:
        _line(
            f"scores: added {kept.added:,}, already here {kept.known:,}, skipped"
            f" {kept.skipped:,}, refused {kept.refused:,}"
        )


# --- status -----------------------------------------------------------------------------


def _status(args: argparse.Namespace, settings: Settings, store: RegistryStore) -> int:
    state = store.state
    if args.json:
        _json(state.model_dump(mode="json"))
        return DONE
    if not state.layers:
        _line("Only the bundled snapshot. Read the Hub with: MIRROR_OFFLINE=0 mirror registry sync")
    for line in _layers(state):
        _line(line)
    _quarantined(state, store)
    for reason, n in state.removed.items():
        _line(f"removed     {n:,} {reason}")
    return DONE


def _layers(state: State) -> Iterator[str]:
    if state.made:
        yield f"models      {state.models:,}, put together {state.made[:16]}"
    for name, layer in state.layers.items():
        read = f"read {layer.date[:16]}"
        if name == HUB:
            read += f", all of it {layer.full[:16]}" if layer.full else ", never all of it"
            read += f"; changes known up to {layer.until[:16]}" if layer.until else ""
        again = f"; {layer.repeated:,} came more than once" if layer.repeated else ""
        yield f"{name:<11} {layer.models:,} from {layer.source}, {read}{again}"
        for reason, n in sorted(layer.dropped.items(), key=lambda one: -one[1]):
            yield f"  left out  {n:,} × {reason}"
    if state.reading:
        what = "all models" if state.reading.full else "changes"
        yield f"unfinished  {state.reading.read:,} of {what} read; mirror registry sync goes on"


def _quarantined(state: State, store: RegistryStore) -> None:
    for layer, reasons in state.quarantined.items():
        rows = existing([store.quarantine], QUARANTINE).collect()
        for reason, n in reasons.items():
            ids = [
                id
                for where, id, why, *_ in rows.iter_rows()
                if (where, why) == (layer, reason) and id
            ]
            shown = f": {', '.join(ids[:EXAMPLES])}" if ids else ""
            _line(f"set aside   {n:,} from {layer}, {reason}{shown}{', …' if n > EXAMPLES else ''}")


# --- printing ---------------------------------------------------------------------------


@contextmanager
def _bar() -> Iterator[tuple[Callable[[Progress], None], Callable[[str], None]]]:
    """A progress bar with the rate on a terminal, nothing elsewhere; and a place for a note."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task("", total=None, rate="", start=True)
        started = time.monotonic()

        def progress(now: Progress) -> None:
            speed = now.done / max(time.monotonic() - started, 1e-3)
            bars.update(
                task,
                description=now.what,
                completed=now.done,
                total=now.total and max(now.total, now.done),
                rate=f"{speed:,.0f}/s",
            )

        yield progress, lambda text: bars.update(task, rate=text)


def _line(text: str) -> None:
    shown = "".join(letter if letter.isprintable() else "?" for letter in text)
    sys.stdout.write(shown + "\n")


def _json(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
