"""What is worth remembering across conversations, as findings: each kind from its own record.

A subject is a kind and what names the thing, in a form that the next finding about the same thing
gives too: so a later one is known to replace what an earlier one says.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from memory.records import Finding
from tools.request.requirements import describe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memory.records import Contamination, Decision, Model, Requirements, Score

BETWEEN = " · "


def preferences(
    needed: Requirements, user: str, at: str, thread: str | None, run: str | None
) -> list[Finding]:
    """What the user stated that holds beyond this job: licence use, size, languages, formats."""
    uses = needed.licence_use
    stated = {
        "licence use": None if uses is None else ", ".join(uses) or "any licence will do",
        "size": f"at most {needed.max_params / 1e9:g}B parameters" if needed.max_params else None,
        "hardware": f"{needed.gpu_count} GPU of {needed.gpu_memory_gb:g} GB"
        if needed.gpu_memory_gb
        else None,
        "languages": ", ".join(needed.languages) or None,
        "ecosystem": ", ".join(needed.ecosystem) or None,
        "licences": ", ".join(needed.licences) or None,
    }
    return [
        _finding(
            "preference",
            (user, what),
            f"{user} asked for {what}: {says}",
            at,
            says=says,
            thread=thread,
            run=run,
        )
        for what, says in stated.items()
        if says is not None
    ]


def characterization(model: Model, registry: str, at: str, run: str | None = None) -> Finding:
    """What the registry's facts say a model is."""
    size = f"{model.params / 1e9:.3g}B parameters" if model.params else "size unknown"
    context = f"context {model.context_length:,}" if model.context_length else ""
    facts = (model.task, size, model.licence or "licence unknown", ", ".join(model.languages))
    more = (*model.domains, *model.abilities, context)
    says = BETWEEN.join(one for one in (*facts, *more) if one)
    return _finding(
        "characterization",
        (model.id,),
        f"{model.id}: {says}",
        at,
        says=says,
        run=run,
        model=model.id,
        revision=model.revision,
        registry=registry,
    )


def evaluation(score: Score, at: str) -> Finding:
    """One cell measured here: value, interval, items, protocol and date are the score's."""
    weights = f" @ {score.precision}" if score.precision else ""
    interval = "" if score.low is None else f" ({score.low:.2f} to {score.high:.2f})"
    items = f" on {score.n} items" if score.n else ""
    return _finding(
        "evaluation",
        (score.model, score.precision or "", score.benchmark, score.protocol),
        f"{score.model}{weights} scored {score.value:.2f}{interval} in {score.benchmark}{items},"
        f" {score.origin}, under {score.protocol}",
        at,
        run=score.run,
        model=score.model,
        revision=score.revision,
        score=score,
    )


def contamination(found: Contamination, at: str, run: str | None = None) -> Finding:
    """What a contamination check found of one cell."""
    return _finding(
        "contamination",
        (found.model, found.precision or "", found.benchmark),
        f"{found.arm} in {found.benchmark} {found.reason}",
        at,
        says=f"x{found.weight:g}",
        run=run,
        model=found.model,
        revision=found.revision,
    )


def decision(
    concluded: Decision, needed: Requirements | None, request: str, registry: str
) -> Finding:
    """What was concluded for a request; another run for the same requirements replaces it."""
    return _finding(
        "decision",
        (asked(needed, request),),
        f"{needed.text if needed else request} -> {concluded.summary}",
        concluded.at,
        id=f"decision-{concluded.run}",
        says=concluded.winner or "nothing earns a recommendation",
        thread=concluded.thread,
        run=concluded.run,
        registry=registry,
    )


def reopened(decided: Finding, reasons: Iterable[str], at: str) -> Finding:
    """That a decision was overtaken, on the same subject: so the decision is seen as contradicted.

    The same reasons are the same finding, however often one looks.
    """
    why = "; ".join(reasons)
    return Finding(
        id=f"reopened-{decided.run}-{_digest(why)}",
        kind="reopened",
        text=f"To be decided again: {decided.text} Because {why}",
        at=at,
        thread=decided.thread,
        run=decided.run,
        subject=decided.subject,
        says=f"reopened: {why}",
    )


def asked(needed: Requirements | None, request: str) -> str:
    """What two requests for the same have in common: the requirements, else the words."""
    if needed is None:
        return " ".join(request.lower().split())
    return f"{' '.join(needed.text.lower().split())} [{describe(needed)}]"


def _finding(kind: str, named: tuple[str, ...], text: str, at: str, **more: object) -> Finding:
    """A finding whose id follows from subject and content, unless one is given."""
    subject = f"{kind}: {BETWEEN.join(named)}"
    content = {"kind": kind, "text": text, "at": at, "subject": subject, **more}
    score = content.get("score")
    told = score.model_dump_json(exclude={"date", "run", "cost_usd"}) if score else text  # type: ignore[attr-defined]
    content.setdefault("id", f"{kind}-{_digest(subject + told)}")
    return Finding.model_validate(content)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
