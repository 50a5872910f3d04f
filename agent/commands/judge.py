"""``mirror judge calibrate FILE``: how far a judge can be believed, from people's labels.

Verdicts in the file cost nothing. Without any, the judge is asked, at a price that is shown first
and approved by a person or by ``--yes-up-to``; the default is no.
"""

from __future__ import annotations

import hashlib
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from agent.approving import approved, says_yes
from memory.calibrations import Calibrations
from memory.errors import BadRequest, MirrorError
from memory.records import Arm, Plan, Step
from prompts import library
from tools.judging import calibrating, labelled

if TYPE_CHECKING:
    import argparse

    from agent.settings import Settings
    from memory.records import Calibration, Interval
    from tools.deps import Chat, Progress
    from tools.judging.chat import Judge
    from tools.judging.labelled import Labelled

DONE, WAITING = 0, 3
WORDING = {"pairs": "judge/pairwise", "ratings": "judge/rubric"}


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Calibrate, store and print; returns the exit code."""
    from agent import wiring

    path = Path(args.file)
    found = labelled.read(path)
    now = wiring.clock().isoformat(timespec="seconds")
    if found.judged:
        name, prompt, usd, stopped = _whose(found, args.judge, path), "as given", 0.0, None
    else:
        judge = _approved(args, settings, found, path, now)
        if judge is None:
            return WAITING
        name, prompt = judge.name, library.load(WORDING[found.kind]).id
        task = calibrating.plain_task(args.domain)
        found, usd, stopped = calibrating.ask(found, judge, task, _show)
    source = f"{path.name} sha256:{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
    made = calibrating.measure(found, judge=name, prompt=prompt, at=now, source=source, usd=usd)
    if made.missing == made.n:
        raise MirrorError(f"Not one verdict of {name} is known{_because(stopped)}")
    stored = Calibrations(settings.home / "calibrations").add(made)
    if args.json:
        sys.stdout.write(made.model_dump_json() + "\n")
    else:
        sys.stdout.write("\n".join(_lines(made)) + f"\nStored      {stored}\n")
    if stopped:
        sys.stderr.write(f"mirror: stopped early{_because(stopped)}\n")
    return DONE


def _because(stopped: str | None) -> str:
    return f": {stopped}" if stopped else "; nothing was stored."


def _whose(found: Labelled, name: str | None, path: Path) -> str:
    if name:
        return name
    if len(found.judges) == 1:
        return found.judges[0]
    several = f"; its column judge holds {', '.join(found.judges[:5])}" if found.judges else ""
    raise BadRequest(f"Whose verdicts are those in {path}? Say it with --judge NAME{several}.")


# --- asking a judge ---------------------------------------------------------------------


def _approved(
    args: argparse.Namespace, settings: Settings, found: Labelled, path: Path, now: str
) -> Judge | None:
    """The judge with a budget somebody approved; None when nobody did."""
    from agent import wiring
    from memory.ledger import Ledger
    from tools.judging.chat import Judge

    texts = [pair.texts for pair in found.pairs] + [rating.texts for rating in found.ratings]
    if None in texts:
        columns = "input, answer_1, answer_2" if found.kind == "pairs" else "input, answer"
        raise BadRequest(
            f"{path} holds no verdicts; to ask a judge it needs the columns {columns}."
        )
    asked = wiring.judging(settings, args.judge)
    chat, price = asked.chat, asked.price
    ledger = Ledger(settings.home / "ledger.sqlite", wiring.clock)
    messages = calibrating.messages(found, calibrating.plain_task(args.domain))
    low, usd, high = Judge(chat, None, price, ledger).quote(messages)
    sys.stderr.write(
        f"Ask {chat.model} {len(messages)} times about {path.name}: ${usd:.4f} expected, at most"
        f" ${high:.4f} ({price})\n"
    )
    cap = high if args.yes_up_to is None else min(args.yes_up_to, high)
    plan = _plan(chat, found, len(messages), (low, usd, high), cap, now)
    if args.yes_up_to is None and not says_yes():
        sys.stderr.write("mirror: Nothing was asked. To approve it: --yes-up-to USD\n")
        return None
    return Judge(chat, approved(ledger, plan, settings.user, now), price, ledger)


def _plan(
    chat: Chat, found: Labelled, calls: int, usd: tuple[float, float, float], cap: float, now: str
) -> Plan:
    minutes = calls * chat.timeout / 60
    step = Step(
        arm=Arm(name=chat.model, model=chat.model, backend="chat"),
        benchmark=f"calibration on labelled {found.kind}",
        protocol=library.load(WORDING[found.kind]).id,
        items=calls,
        usd_low=usd[0],
        usd=usd[1],
        usd_high=usd[2],
        minutes_low=0.0,
        minutes=minutes / 10,
        minutes_high=minutes,
        could_change="how far this judge's grades are believed",
    )
    run = f"calibrate-{now[:10]}-{uuid.uuid4().hex[:8]}"
    return Plan(thread="judge-calibrate", run=run, steps=(step,), seed=0, cap_usd=cap)


def _show(progress: Progress) -> None:
    if sys.stderr.isatty():
        end = "\n" if progress.done == progress.total else " "
        sys.stderr.write(f"\r{progress.what} {progress.done} of {progress.total}{end}")
        sys.stderr.flush()


# --- what it says -----------------------------------------------------------------------


def _lines(made: Calibration) -> list[str]:
    what = "pairs" if made.kind == "pairs" else "rated answers"
    lines = [
        f"Judge       {made.judge} ({made.prompt}), {made.n} {what},"
        f" {made.missing} without a verdict, {made.ties} ties",
        f"Accuracy    {_said(made.accuracy)} (a tie counts half)",
        f"Kappa       {'not defined' if made.kappa is None else f'{made.kappa:.2f}'}",
    ]
    if made.position is not None and made.positional_agreement is not None:
        lines.append(
            f"Position    the answer shown first wins {_said(made.position, '+')} more often than"
            f" half; both orders agree in {made.positional_agreement:.0%}"
        )
    if made.length is not None:
        lines.append(
            f"Length      prefers the longer answer {_said(made.length, '+')} more often"
            " than people do"
        )
    return lines + _rates(made)


def _rates(made: Calibration) -> list[str]:
    good = "prefer answer 1" if made.kind == "pairs" else f"are good ({calibrating.GOOD} or 5)"
    n = made.positives + made.negatives
    lines = []
    for share in (0.25, 0.5, 0.75):
        found = calibrating.corrected(made, share * 100, 100)
        if not found.informative:
            return [
                f"Corrected   no rate can be corrected: on {n} labels this judge can't be told from"
                " a coin; use another, or label more"
            ]
        clipped = ", outside 0 to 1 before it was cut" if found.clipped else ""
        lines.append(
            f"Corrected   if {share:.0%} of 100 verdicts {good}, then {found.value:.0%}"
            f" ({found.low:.0%} to {found.high:.0%}) do{clipped}"
        )
    return lines


def _said(found: Interval, sign: str = "") -> str:
    if found.value is None:
        return "unknown"
    return f"{found.value:{sign}.2f} ({found.low:{sign}.2f} to {found.high:{sign}.2f})"
