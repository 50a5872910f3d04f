"""Time on rented GPUs: worked by hand, and monotone in everything that should make it longer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.methods.footprint import needed_bytes
from tools.methods.gpu_time import (
    GPU_BYTES,
    compute_seconds,
    placement,
    published_bytes,
    ready_seconds,
)

PARAMS = st.integers(min_value=1, max_value=10**13)
ITEMS = st.integers(min_value=1, max_value=10**6)


def gpu_seconds(params, items, bits=16):
    """Expected seconds of all GPUs together: what is paid."""
    gpus, _ = placement(params, bits)
    return gpus * (ready_seconds(params).expected + compute_seconds(params, items, gpus).expected)


def test_eight_billion_weights_by_hand():
    assert published_bytes(8e9) == 16e9
    assert placement(8e9) == (1, 16)
    # 16 GB at 0.5, 0.2 and 0.05 GB/s, and at 2 GB/s from disk.
    assert ready_seconds(8e9) == pytest.approx((32 + 8, 80 + 8, 320 + 8))
    # 2 x 8e9 x 100 items: 200 tokens at 200e12, 600 at 100e12, 2000 at 30e12.
    assert compute_seconds(8e9, 100) == pytest.approx((1.6, 9.6, 320 / 3))
    assert compute_seconds(8e9, 100, gpus=4) == pytest.approx((0.4, 2.4, 80 / 3))


@pytest.mark.parametrize(
    ("billions", "bits", "expected"),
    [
        (30, 16, (1, 16)),
        (40, 16, (1, 8)),
        (70, 16, (2, 8)),
        (405, 16, (6, 8)),
        (70, 4, (1, 4)),
        (405, 4, (3, 4)),
        (8, 32, (1, 32)),
    ],
)
def test_one_gpu_if_it_can_be_else_fewer_bits(billions, bits, expected):
    assert placement(billions * 1e9, bits) == expected


@given(params=PARAMS, bits=st.sampled_from([4, 8, 16, 32]))
def test_the_gpus_hold_the_weights_and_one_less_would_not(params, bits):
    gpus, used = placement(params, bits)
    assert gpus * GPU_BYTES >= needed_bytes(params, used) > (gpus - 1) * GPU_BYTES
    assert used <= bits
    assert gpus == 1 or used <= 8


@given(params=PARAMS, items=ITEMS, gpus=st.integers(1, 64))
def test_low_expected_and_high_are_in_order(params, items, gpus):
    for seconds in (ready_seconds(params), compute_seconds(params, items, gpus)):
        assert 0 < seconds.low < seconds.expected < seconds.high


@given(params=PARAMS, more=PARAMS, items=ITEMS)
def test_what_is_paid_grows_with_size_and_items(params, more, items):
    assert gpu_seconds(params + more, items) > gpu_seconds(params, items)
    assert gpu_seconds(params, 2 * items) > gpu_seconds(params, items)
