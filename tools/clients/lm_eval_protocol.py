"""The protocol of an lm-eval score, in one line: two scores compare only when it is the same.

Written in one place, so that what is measured here and what is imported read alike.
"""

from __future__ import annotations

HARNESS = "lm-eval"
NO_CHAT = "no chat template"


def harness(version: str, backend: str) -> str:
    """The harness, its version and the back end it measured through, such as ``hf``."""
    return f"{HARNESS} {version} {backend}"


def describe(
    name: str, *, shots: int, task: str, template: str, metric: str, items: str, chat: str = NO_CHAT
) -> str:
    """``name``: as ``harness`` gives it; ``template``: its version; ``items``: which were asked."""
    return f"{name} · {shots}-shot · {chat} · {task} template {template} · {metric} · items {items}"
