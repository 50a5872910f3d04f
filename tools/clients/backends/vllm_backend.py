"""Weights on this machine through vLLM in the evaluation process: lm-eval's ``vllm`` back end.

The same weights as ``hf``, faster where there is a GPU. vLLM pins its own transformers, so it
lives in an environment of its own, whose interpreter ``MIRROR_WORKER_PYTHON`` names; lm-eval
must be installed there too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tools.clients.backends.hf_backend import HfBackend

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from memory.records import Arm, Model
    from tools.clients.backends.backend import Pace
    from tools.clients.weights.weights import Weights

# Two cores and one H100 lie far apart, and Mirror can't see which it will be.
FASTER = 0.01
START_SECONDS = 45.0  # importing, profiling memory and warming up
ROUNDED = "vLLM computes weights as they are stored; rounding them is for the hf back end"


class VllmBackend(HfBackend):
    """As ``HfBackend``, but for simulated precisions."""

    name = "vllm"

    def arms(self, models: Sequence[Model]) -> tuple[list[Arm], dict[str, str]]:
        """An arm per stored precision of each model; else why not."""
        arms, missing = super().arms(models)
        stored = [arm for arm in arms if self._held(arm).round_bits is None]
        reached = {arm.model for arm in stored}
        return stored, missing | {a.model: ROUNDED for a in arms if a.model not in reached}

    def pace(self, arm: Arm) -> Pace:
        """As fast as ``hf`` on a processor, or up to a hundred times as fast on a GPU."""
        found = super().pace(arm)
        return replace(found, start=found.start + START_SECONDS, low=FASTER)

    def _request(self, held: Weights, folder: Path) -> dict[str, object]:
        arguments = {"path": str(folder), "trust_remote_code": bool(held.code)}
        return {"op": "load", "backend": self.name, "arguments": arguments}
