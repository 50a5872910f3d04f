"""How long to wait before asking a server again, and what its status codes mean."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tenacity import RetryCallState


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds the server asks to wait, by Retry-After (RFC 9110 § 10.2.3); None if it does not."""
    after = headers.get("retry-after", "").strip()
    if after.isdigit():
        return float(after)
    try:  # a date, measured by the server's own clock
        wait = parsedate_to_datetime(after) - parsedate_to_datetime(headers.get("date", ""))
    except (TypeError, ValueError):
        return None
    return max(0.0, wait.total_seconds())


def pause(state: RetryCallState, asked: float | None) -> float:
    """Seconds to wait: what was asked for, else doubling from a half with jitter."""
    import tenacity

    doubling = tenacity.wait_exponential(multiplier=0.5, max=8) + tenacity.wait_random(0, 0.5)
    return doubling(state) if asked is None else asked


def answered(status: int, asked: float | None) -> str:
    """What an HTTP error that may pass means to a person."""
    later = "" if asked is None else f" and asks to wait {asked:.0f} s"
    return f"answers with {status}{later}"
