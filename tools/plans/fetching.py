"""Shortlisted models that could be downloaded and measured here: asked of the Hub, never fetched.

The download itself is part of the plan, with its size and time, and happens after the approval.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memory.errors import MirrorError
from tools.clients.hub import download
from tools.clients.hub.api import HubUnavailable
from tools.deps import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.records import Arm, Model
    from tools.deps import Deps


def offers(models: Sequence[Model], deps: Deps) -> tuple[list[Arm], dict[str, str]]:
    """An arm for each of ``models`` that can be fetched in time, and why each other can't.

    Both are empty where this deployment asks no Hub. One that can't be asked is asked no further.
    """
    if deps.downloads is None:
        return [], {}
    arms: list[Arm] = []
    reasons: dict[str, str] = {}
    for done, model in enumerate(models):
        deps.progress(Progress("asking the Hub", done, len(models)))
        try:
            arm = deps.downloads.offer(model)
        except HubUnavailable as error:
            rest = models[done:]
            return arms, reasons | {one.id: str(error) for one in rest}
        except MirrorError as error:
            reasons[model.id] = str(error)
            continue
        minutes = download.seconds(arm.download).expected / 60
        if minutes > deps.minutes:
            size = f"{arm.download / 1e9:.1f} GB"
            reasons[model.id] = (
                f"downloading {size} takes about {minutes:.0f} minutes; MIRROR_MINUTES allows"
                f" {deps.minutes:g}"
            )
        else:
            arms.append(arm)
    deps.progress(Progress("asking the Hub", len(models), len(models)))
    return arms, reasons
