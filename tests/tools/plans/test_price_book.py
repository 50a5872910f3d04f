from datetime import UTC, datetime

import pytest

from memory.errors import NotApproved
from tools.plans.price_book import TimePrice, TokenPrice, is_here, price_of

AT = datetime(2026, 11, 1, tzinfo=UTC)
OPENAI = "https://api.openai.com/v1"


def test_a_hosted_model_has_its_list_price():
    price = price_of("gpt-4o-mini", OPENAI, AT)
    assert price.usd(1_000_000, 0, 99.0) == pytest.approx(0.15)
    assert price.usd(0, 1_000_000, 99.0) == pytest.approx(0.60)
    assert "$0.15 in, $0.6 out per 1M tokens" in str(price)


def test_a_longer_prompt_never_costs_less():
    price = price_of("gemini-2.5-pro", "https://generativelanguage.googleapis.com/v1beta", AT)
    costs = [price.usd(n, 100, 0.0) for n in (0, 10, 199_999, 200_001, 400_000)]
    assert costs == sorted(costs)


@pytest.mark.parametrize(
    ("model", "server"),
    [
        ("no-such-model", OPENAI),
        ("gpt-4o-mini", "https://llm.example.com/v1"),
        ("qwen3:8b", "http://10.0.0.7:8000/v1"),
        ("whisper-1", OPENAI),
    ],
    ids=["model", "server", "a machine of one's own elsewhere", "not priced by tokens"],
)
def test_an_unknown_price_is_not_zero(model, server):
    with pytest.raises(NotApproved, match="MIRROR_JUDGE_USD_IN"):
        price_of(model, server, AT)
    assert price_of(model, server, AT, stated=(1.0, 2.0)) == TokenPrice(1.0, 2.0)


def test_a_model_on_this_machine_costs_its_time():
    price = price_of("anything", "http://localhost:8000/v1", AT, usd_per_hour=3.6)
    assert price == TimePrice(3.6)
    assert price.usd(10**9, 10**9, 10.0) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:1/v1", True),
        ("http://[::1]:1/v1", True),
        ("http://localhost/v1", True),
        ("http://localhost.example.com/v1", False),
        ("http://192.168.0.2/v1", False),
        ("https://api.openai.com/v1", False),
    ],
)
def test_only_this_machine_is_here(url, here):
    assert is_here(url) is here
