"""How much memory a model needs to run, from its parameter count.

    bytes = 1.15 · (P · bits/8 + T · 131,072 · sqrt(P / 8e9))

The first term is the weights. The second is the key-value cache of one sequence of T tokens
at 16 bits: Llama-3-8B keeps 2 · 32 layers · 8 heads · 128 · 2 bytes = 131,072 bytes a token,
and with grouped-query attention the cache grows about as the square root of P (Qwen2.5-32B
262,144; Llama-3-70B 327,680). 1.15 allows for activations and the runtime. An estimate: models
without grouped-query attention need up to four times the cache. Mixtures of experts count all
their weights, since all must be loaded.
"""

from __future__ import annotations

import math

OVERHEAD = 1.15
CACHE_BYTES_PER_TOKEN = 131_072
CACHE_REFERENCE_PARAMS = 8e9
DEFAULT_CONTEXT = 4096  # tokens assumed when the request names none


def needed_bytes(params: float, bits: int = 16, context: int = DEFAULT_CONTEXT) -> float:
    """Bytes to serve one sequence of ``context`` tokens at ``bits`` per weight."""
    cache = context * CACHE_BYTES_PER_TOKEN * math.sqrt(params / CACHE_REFERENCE_PARAMS)
    return OVERHEAD * (params * bits / 8 + cache)


def largest_params(memory: float, bits: int = 16, context: int = DEFAULT_CONTEXT) -> int:
    """The most parameters whose ``needed_bytes`` fit in ``memory`` bytes.

    Solves a x² + b x = memory / 1.15 for x = sqrt(P).
    """
    a = bits / 8
    b = context * CACHE_BYTES_PER_TOKEN / math.sqrt(CACHE_REFERENCE_PARAMS)
    x = (math.sqrt(b * b + 4 * a * memory / OVERHEAD) - b) / (2 * a)
    return int(x * x)


if __name__ == "__main__":
    for gb in (8, 24, 80):
        fits = {bits: largest_params(gb * 1e9, bits) / 1e9 for bits in (16, 8, 4)}
        shown = ", ".join(f"{bits}-bit {size:.1f}B" for bits, size in fits.items())
        print(f"{gb} GB at {DEFAULT_CONTEXT} tokens: {shown}")  # noqa: T201
