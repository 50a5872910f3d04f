"""Lists of the Hub, above all its models, page by page, from wherever an earlier reading stopped.

``HfApi.list_models`` follows the same ``Link`` headers, but inside a generator that starts at the
first page and keeps each page's address to itself; after two thousand pages and a killed
process, that address is what one needs. It also makes a ``ModelInfo`` of every record, so that
one odd entry ends the listing. So pages are asked for here, through ``tools.clients.hub.api``, and
records stay as they came for ``tools.registry.hub_record`` to judge one at a time.

A reading of everything is ordered by creation, oldest first: nothing moves in that order while
it is read, where the default (by trend) would skip models. What changed is ordered by last
change, newest first.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from tools.clients.hub.api import HubUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.clients.hub.api import Hub

# What ``tools.registry`` reads; each is work for the Hub, so nothing more.
PROMISED = (  # by the description of ``list_models``
    "cardData",
    "config",
    "createdAt",
    "disabled",
    "downloads",
    "downloadsAllTime",
    "evalResults",
    "gated",
    "gguf",
    "lastModified",
    "library_name",
    "likes",
    "model-index",
    "pipeline_tag",
    "private",
    "safetensors",
    "sha",
    "tags",
    "trendingScore",
)
EXPAND = (*PROMISED, "baseModels", "childrenModelCount")
PAGE, SMALLEST_PAGE = 1_000, 50
OVERWORKED = (500, 502, 503, 504)


class AddressRefused(HubUnavailable):
    """The Hub takes no such address: its cursor is too old, or a field is not listed there."""


@dataclass(frozen=True)
class Page:
    """Records as the Hub sent them, and the address of the page after; None: it was the last."""

    records: list[Any]
    next: str | None


def first_pages(hub: Hub, *, changed: bool, size: int = PAGE) -> list[str]:
    """Addresses of the first page, best first: of all models, or of those that ``changed`` last.

    The second asks for no more than ``list_models`` promises, should the first be refused.
    """
    order = [("sort", "lastModified"), ("direction", "-1")]
    if not changed:
        order = [("sort", "createdAt"), ("direction", "1")]
    whole = [*order, ("limit", str(min(size, PAGE)))]
    return [
        f"{hub.endpoint}/api/models?{urlencode([*whole, *(('expand', name) for name in fields)])}"
        for fields in (EXPAND, PROMISED)
    ]


def benchmarks(hub: Hub) -> Iterator[str]:
    """The data sets that the Hub itself ranks models by.

    Raises ``HubUnavailable`` when there is no usable answer.
    """
    query = urlencode([("filter", "benchmark:official"), ("limit", str(PAGE))])
    for page in pages(hub, f"{hub.endpoint}/api/datasets?{query}"):
        for one in page.records:
            if isinstance(one, dict) and isinstance(one.get("id"), str):
                yield one["id"]


def pages(hub: Hub, start: str) -> Iterator[Page]:
    """Every page from the address ``start``; a page too heavy for the Hub is asked for in parts.

    Raises:
        AddressRefused: the Hub does not take an address.
        HubUnavailable: no usable answer; what was yielded stays good.
    """
    where: str | None = start
    while where is not None:
        page = _page(hub, where)
        yield page
        if page.next == where:
            raise _odd(hub, "sends the same page again and again")
        where = page.next


def resized(url: str, size: int) -> str:
    """The same page's address with ``size`` records."""
    parts = urlsplit(url)
    query = [(k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if k != "limit"]
    return urlunsplit(parts._replace(query=urlencode([*query, ("limit", str(size))])))


def _page(hub: Hub, url: str) -> Page:
    size = int(dict(parse_qsl(urlsplit(url).query)).get("limit", PAGE))
    while True:
        try:
            return _asked(hub, url)
        except HubUnavailable as error:
            if error.status == 400:
                raise AddressRefused(str(error), 400) from None
            if error.status not in OVERWORKED or size <= SMALLEST_PAGE:
                raise
        size = max(SMALLEST_PAGE, size // 4)
        url = resized(url, size)


def _asked(hub: Hub, url: str) -> Page:
    kind = urlsplit(url).path.rpartition("/")[2]
    answer = hub.answer(url, f"the list of {kind}")
    records = json.loads(answer.content)
    if not isinstance(records, list):
        raise _odd(hub, f"sent no list of {kind}")
    following = answer.links.get("next", {}).get("url")
    if following is None:
        return Page(records, None)
    # Only its query: the token goes to the Hub that was named and nowhere else.
    return Page(records, urlunsplit(urlsplit(url)._replace(query=urlsplit(following).query)))


def _odd(hub: Hub, what: str) -> HubUnavailable:
    return HubUnavailable(f"The Hub at {hub.endpoint} {what}.")
