from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.methods.footprint import largest_params, needed_bytes


def test_llama_3_8b_at_its_full_context() -> None:
    # 8e9 weights of 2 bytes and 8192 tokens of 131,072 bytes, with 15 % on top
    assert needed_bytes(8e9, bits=16, context=8192) == pytest.approx(1.15 * (16e9 + 8192 * 131_072))


@given(
    params=st.floats(1e7, 1e12),
    bits=st.sampled_from([4, 8, 16]),
    context=st.integers(0, 1_000_000),
)
def test_the_largest_that_fits_inverts_the_need(params: float, bits: int, context: int) -> None:
    assert largest_params(needed_bytes(params, bits, context), bits, context) == pytest.approx(
        params, rel=1e-6
    )


def test_fewer_bits_and_less_context_leave_room_for_more() -> None:
    sizes = [largest_params(24e9, bits) for bits in (16, 8, 4)]
    assert sizes == sorted(sizes)
    assert largest_params(24e9, context=100_000) < largest_params(24e9, context=1000)
    assert largest_params(0.0) == 0
