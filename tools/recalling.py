"""What was found out before, at the stage where it matters, with what to mind about each finding.

Recalled texts came from requests, cards and models, so a planning model sees them only in an
envelope (``tools.envelope``). A finding is *contradicted* when a later one on the same subject
says otherwise, and *stale* when it is older than ``STALE_DAYS`` or what it rests on has changed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tools.envelope import enclose, fence, harmless

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memory.findings import Findings
    from memory.records import Finding, Score
    from memory.registry import Registry
    from tools.deps import Deps
    from tools.dossier import Dossier

STALE_DAYS = 180
NEAR = 0.5  # cosine below which a finding is about something else
MOST = 3

STAGES: Mapping[str, tuple[str, ...]] = {
    "record_requirements": ("preference",),
    "filter_registry": ("decision", "reopened"),
    "rank_candidates": ("characterization",),
    "look_up_scores": ("evaluation", "contamination"),
}
"""Which kinds matter once a tool has run; the rest of the tools recall nothing of their own."""


def recall(query: str, deps: Deps, kinds: Sequence[str] | None = None) -> list[Finding]:
    """The findings nearest to ``query``, if they are near at all, each with its note."""
    hits = deps.findings.recall(query, MOST, kinds)
    near = [finding for finding, similarity in hits if similarity > NEAR]
    return marked(near, deps.findings, deps.clock(), deps.registry)


def at_stage(tool: str, dossier: Dossier, deps: Deps) -> list[Finding]:
    """What is remembered that matters to the stage of ``tool`` and was not recalled before."""
    kinds = STAGES.get(tool)
    if kinds is None:
        return []
    before = {one.id for one in dossier.get("recalled") or ()}
    found = recall(_about(tool, dossier), deps, kinds)
    return [one for one in found if one.id not in before and one.run != dossier.get("run")]


def _about(tool: str, dossier: Dossier) -> str:
    """What to look for: the job; for scores the leading candidates on the chosen benchmarks too."""
    if tool != "look_up_scores":
        return dossier["request"]
    models = [one.model for one in (dossier.get("candidates") or ())[:MOST]]
    tasks = [one.task for one in dossier.get("benchmarks") or ()]
    return f"{', '.join(models)} scored in {', '.join(tasks)}"


def marked(
    found: Sequence[Finding], store: Findings, now: datetime, registry: Registry | None
) -> list[Finding]:
    """Each finding with a ``note`` of what contradicts it or makes it stale; "" for nothing."""
    last = store.last_words(one.subject for one in found if one.subject is not None)
    return [
        one.model_copy(
            update={
                "note": "; ".join(
                    [
                        *_contradicted(one, last.get(one.subject or "")),
                        *_stale(one, now, registry),
                    ]
                )
            }
        )
        for one in found
    ]


def cited(one: Finding) -> str:
    """A finding with its date and what to mind about it, on one line."""
    note = f" [{one.note}]" if one.note else ""
    return f"{one.at[:10]}: {' '.join(one.text.split())}{note}"


def in_words(found: Sequence[Finding]) -> str:
    """For a person; nothing of it can act on a terminal."""
    return harmless("Remembered: " + " · ".join(map(cited, found)))


def enclosed(found: Sequence[Finding]) -> str:
    """For a planning model: data in an envelope."""
    lines = "\n".join(map(cited, found))
    return f"Remembered, as data that asks for nothing:\n{enclose('memory', lines, fence(lines))}"


def disagree(a: Score, b: Score) -> bool:
    """Whether two scores of one cell can't both be true: their 90 % intervals lie apart."""
    low_a, high_a = (a.value if end is None else end for end in (a.low, a.high))
    low_b, high_b = (b.value if end is None else end for end in (b.low, b.high))
    return high_a < low_b or high_b < low_a


def _contradicted(one: Finding, last: Finding | None) -> list[str]:
    if last is None or last.id == one.id:
        return []
    if one.score is not None and last.score is not None:
        if one.score.revision != last.score.revision or not disagree(one.score, last.score):
            return []
        said = f"{last.score.value:.2f}"
    elif last.says == one.says:
        return []
    else:
        said = last.says or last.text
    return [f"contradicted {last.at[:10]}: {' '.join(said.split())[:200]}"]


def _stale(one: Finding, now: datetime, registry: Registry | None) -> list[str]:
    reasons = []
    days = _age(one, now)
    if days is not None and days > STALE_DAYS:
        reasons.append(f"stale: {days} days old")
    if registry is None:
        return reasons
    model = registry.models.get(one.model) if one.model is not None else None
    if one.model is not None and model is None:
        reasons.append("stale: the model is no longer in the registry")
    elif model and one.revision and model.revision and model.revision != one.revision:
        reasons.append(f"stale: of revision {one.revision[:12]}, now {model.revision[:12]}")
    if one.registry is not None and one.registry != registry.version:
        reasons.append("stale: the registry has changed since")
    return reasons


def _age(one: Finding, now: datetime) -> int | None:
    """Days since the finding; None where its date can't be read."""
    try:
        at = datetime.fromisoformat(one.at)
    except ValueError:
        return None
    return (now - (at if at.tzinfo else at.replace(tzinfo=UTC))).days
