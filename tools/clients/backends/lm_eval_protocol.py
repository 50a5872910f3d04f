"""The protocol of an lm-eval score, in one line: two scores compare only when it is the same.

Written in one place, so that what is measured here and what is imported read alike.
"""

from __future__ import annotations

HARNESS = "lm-eval"
NO_CHAT = "no chat template"


def harness(version: str) -> str:
    """The harness and its version. A back end is told by the score's source, not here."""
    return f"{HARNESS} {version}"


def describe(
    name: str, *, shots: int, task: str, template: str, metric: str, items: str, chat: str = NO_CHAT
) -> str:
    """``name``: as ``harness`` gives it; ``template``: its version; ``items``: which were asked."""
    return f"{name} · {shots}-shot · {chat} · {task} template {template} · {metric} · items {items}"
