"""How long rented 80 GB GPUs take to measure a model that first has to be fetched.

    seconds = 2 P / fetch rate + 2 P / load rate + 2 A · items · tokens / (GPUs · FLOP/s)

for P weights published at 2 bytes each, of which A are active on a token: one multiplication
and one addition a weight. Every rate below is an assumption, stated as low, expected and high;
their extremes are combined, so the range is wide. Compute assumes items in batches; answers
written token by token for one item at a time would take longer.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from tools.methods.footprint import needed_bytes


class Range(NamedTuple):
    """Low, expected and high value of one quantity."""

    low: float
    expected: float
    high: float


GPU_BYTES = 80e9
PUBLISHED_BITS = 16
REDUCED_BITS = 8

# Assumptions, all of them.
FETCH_BYTES_PER_SECOND = Range(0.05e9, 0.2e9, 0.5e9)
LOAD_BYTES_PER_SECOND = 2e9
FLOPS_PER_SECOND = Range(30e12, 100e12, 200e12)  # effective, of one GPU
TOKENS_PER_ITEM = Range(200, 600, 2000)


def published_bytes(params: float) -> float:
    """Bytes to fetch: the weights as models are mostly published, at 16 bits."""
    return params * PUBLISHED_BITS / 8


def placement(params: float, bits: int = PUBLISHED_BITS) -> tuple[int, int]:
    """How many GPUs, and at how many bits a weight.

    ``bits`` where one GPU holds that, else at most 8 on as many GPUs as they take.
    """
    if needed_bytes(params, bits) > GPU_BYTES:
        bits = min(bits, REDUCED_BITS)
    return math.ceil(needed_bytes(params, bits) / GPU_BYTES), bits


def ready_seconds(params: float) -> Range:
    """Seconds to fetch and load ``params`` weights; they fall as the rates rise."""
    size = published_bytes(params)
    slow, usual, fast = (size / rate for rate in FETCH_BYTES_PER_SECOND)
    load = size / LOAD_BYTES_PER_SECOND
    return Range(fast + load, usual + load, slow + load)


def compute_seconds(active: float, items: int, gpus: int = 1) -> Range:
    """Seconds to read ``items`` items with ``active`` weights a token, spread over ``gpus``."""
    least, usual, most = (2 * active * items * tokens / gpus for tokens in TOKENS_PER_ITEM)
    return Range(
        least / FLOPS_PER_SECOND.high,
        usual / FLOPS_PER_SECOND.expected,
        most / FLOPS_PER_SECOND.low,
    )


if __name__ == "__main__":
    for billions in (8, 70, 405):
        gpus, bits = placement(billions * 1e9)
        ready, work = ready_seconds(billions * 1e9), compute_seconds(billions * 1e9, 100, gpus)
        low, expected, high = ((a + b) / 60 for a, b in zip(ready, work, strict=True))
        print(  # noqa: T201
            f"{billions}B, 100 items, {gpus} x 80 GB at {bits} bits:"
            f" {expected:.1f} minutes ({low:.1f}-{high:.1f})"
        )
