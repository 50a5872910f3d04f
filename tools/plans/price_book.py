"""What asking a language model costs: hosted ones by the token, one's own by the second.

Hosted prices are those the genai-prices package was released with (no network). What has no
price there and is not on this machine can't be spent on until the user states one: an unknown
price is not a price of zero.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from memory.errors import NotApproved

if TYPE_CHECKING:
    from datetime import datetime


class Price(Protocol):
    """Turns usage into dollars."""

    def usd(self, prompt_tokens: int, completion_tokens: int, seconds: float) -> float:
        """Dollars of one call; never less for more of anything."""
        ...

    def __str__(self) -> str:
        """The rate and where it comes from, for the person who approves."""
        ...


@dataclass(frozen=True)
class TokenPrice:
    """A price the user stated, in dollars per million tokens in and out."""

    per_million_in: float
    per_million_out: float

    def usd(self, prompt_tokens: int, completion_tokens: int, seconds: float) -> float:
        """By tokens alone."""
        spent = prompt_tokens * self.per_million_in + completion_tokens * self.per_million_out
        return spent / 1e6

    def __str__(self) -> str:
        return (
            f"${self.per_million_in:g} in, ${self.per_million_out:g} out per 1M tokens, by setting"
        )


@dataclass(frozen=True)
class HostedPrice:
    """A hosted model's list price at ``at``. Discounts for cached input are not counted on."""

    model: str
    server: str
    at: datetime

    def usd(self, prompt_tokens: int, completion_tokens: int, seconds: float) -> float:
        """By tokens alone; some models have steps for long prompts, some a fee per request.

        Raises:
            LookupError: the price book has no price of this model's tokens at this server.
        """
        from genai_prices import Usage, calc_price

        usage = Usage(input_tokens=prompt_tokens, output_tokens=completion_tokens)
        priced = calc_price(
            usage, self.model, provider_api_url=self.server, genai_request_timestamp=self.at
        )
        rates = priced.model_price
        if rates.input_mtok is None or rates.output_mtok is None:
            raise LookupError(f"{self.model} is not priced by tokens in and out")
        return float(priced.total_price)

    def __str__(self) -> str:
        rate_in, rate_out = self.usd(1000, 0, 0.0) * 1000, self.usd(0, 1000, 0.0) * 1000
        return f"${rate_in:g} in, ${rate_out:g} out per 1M tokens, by genai-prices"


@dataclass(frozen=True)
class TimePrice:
    """A model on a machine that costs ``per_hour`` dollars whether it works or waits."""

    per_hour: float

    def usd(self, prompt_tokens: int, completion_tokens: int, seconds: float) -> float:
        """By time alone."""
        return self.per_hour * seconds / 3600

    def __str__(self) -> str:
        return f"${self.per_hour:g} per hour of this machine"


def price_of(
    model: str,
    server: str,
    at: datetime,
    *,
    stated: tuple[float, float] | None = None,
    usd_per_hour: float = 0.0,
) -> Price:
    """The price of ``model`` at ``server`` (its base URL): as stated, else hosted, else by time.

    ``stated``: the user's own, dollars per million tokens in and out. Only a server on this
    machine is priced by time; state a price where it passes requests on to a paid one.

    Raises:
        NotApproved: nobody knows the price, so nothing can be spent.
    """
    if stated is not None:
        return TokenPrice(*stated)
    if is_here(server):
        return TimePrice(usd_per_hour)
    hosted = HostedPrice(model, server, at)
    try:
        hosted.usd(1, 1, 0.0)
    except LookupError:
        raise NotApproved(
            f"The price of {model} at {server} is unknown, so nothing is spent on it; state it in"
            " MIRROR_JUDGE_USD_IN and MIRROR_JUDGE_USD_OUT (dollars per million tokens)."
        ) from None
    return hosted


def dollars(usd: float) -> str:
    """To the cent; small sums, which a cent would hide or double, to a hundredth of one."""
    if 0 < usd < 0.00005:
        return "less than $0.0001"
    return f"${usd:.4f}" if 0 < usd < 0.1 else f"${usd:.2f}"


def is_here(server: str) -> bool:
    """Whether the URL is of this very machine."""
    host = urlsplit(server).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
