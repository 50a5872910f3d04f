"""The texts about a model: its card, and the paper, repository and posts that the card links to.

A card lies in the model's own folder or on the Hub. Pages are fetched only where Mirror may go
online, by ``tools.clients.web``. Which pages a card links is its author's choice, so they are no
second opinion; and cards link what they use as well (a data set's paper, a trainer's repository),
so a page that never names the model is left out.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from memory.errors import BadRequest
from tools.characterizing.card_metadata import SOURCE as METADATA
from tools.characterizing.documents import from_html, from_markdown, front_matter, plain
from tools.characterizing.rules import CARD
from tools.clients.web import NotFetched, decoded
from tools.request.domains import words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tools.characterizing.documents import Document
    from tools.clients.web import Page, Web

CARD_BYTES = 2_000_000
PAGES_OF_A_KIND = 2
MODEL = re.compile(r"(?!.*\.\.)[\w.-]{1,96}/[\w.-]{1,96}", re.ASCII)

_ARXIV = re.compile(
    r"https?://(?:arxiv\.org/(?:abs|pdf|html)|huggingface\.co/papers)/(\d{4}\.\d{4,5})"
)
_GITHUB = re.compile(r"https?://(?:www\.)?github\.com/([\w.-]+)/([\w.-]+)")
_BLOG = re.compile(
    r"https?://[^/?#]*(?:blog|medium|substack)[^/?#]*/.+|https?://[^?#]+/(?:blog|posts?|news)/.+"
)
_MARKDOWN = re.compile(r"\.(?:md|markdown)$", re.IGNORECASE)
_SHORTEST_NAME = 4


@dataclass(frozen=True)
class Found:
    """A model's documents, card first; ``notes``: what could not be read, and why."""

    documents: tuple[Document, ...]
    notes: tuple[str, ...] = ()

    @property
    def content(self) -> str:
        """SHA-256 over the documents."""
        digest = hashlib.sha256()
        for document in self.documents:
            for part in (document.name, document.text):
                digest.update(len(part).to_bytes(8, "big"))
                digest.update(part.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


@dataclass(frozen=True)
class Sources:
    """Where texts about models are found.

    ``models_dir``: weights as ``<org>/<name>/`` with their README.md. ``web`` fetches linked pages,
    ``hub`` (its web, its address) cards; None: nothing is fetched.
    """

    models_dir: Path | None = None
    web: Web | None = None
    hub: tuple[Web, str] | None = None
    _seen: dict[str, Page | str] = field(default_factory=dict)

    def of(self, model: str, card: Path | None = None, *, linked: bool = True) -> Found:
        """The documents about ``model``, from the file ``card`` or from where its card lies.

        ``linked``: with the pages that the card links. Nothing found is no error.

        Raises:
            BadRequest: the file ``card`` can't be opened.
        """
        notes: list[str] = []
        text = self._card(model, card, notes)
        if text is None:
            return Found((), tuple(notes))
        front, body = front_matter(text)
        shown = from_markdown(CARD, body)
        stated = plain(METADATA, front)
        documents = [one for one in (stated, shown) if one.text.strip()]
        if linked and self.web is not None:
            documents += self._linked(model, shown, notes)
        notes += [
            f"{one.name}: its last {one.cut:,} letters were not read"
            for one in documents
            if one.cut
        ]
        return Found(tuple(documents), tuple(notes))

    def _card(self, model: str, card: Path | None, notes: list[str]) -> str | None:
        if card is not None:
            return _file(card, notes)
        if not MODEL.fullmatch(model):
            return None
        if self.models_dir is not None:
            path = self.models_dir / model / "README.md"
            if path.is_file():
                return _file(path, notes)
        if self.hub is None:
            return None
        web, address = self.hub
        page = self._page(web, f"{address}/{model}/resolve/main/README.md", notes)
        return page.text if page else None

    def _linked(self, model: str, card: Document, notes: list[str]) -> Iterator[Document]:
        assert self.web is not None
        for address in pages(card.links):
            page = self._page(self.web, address, notes)
            if page is None:
                continue
            markdown = page.kind == "text/markdown" or _MARKDOWN.search(page.url)
            read: Callable[[str, str], Document] = (
                from_html if "html" in page.kind else from_markdown if markdown else plain
            )
            document = read(address, page.text)
            if names(model, document.text):
                yield document
            else:
                notes.append(f"{address}: does not name the model")

    def _page(self, web: Web, address: str, notes: list[str]) -> Page | None:
        """A page, fetched once however many cards link it."""
        if address not in self._seen:
            try:
                self._seen[address] = web.page(address)
            except NotFetched as error:
                self._seen[address] = str(error)
        found = self._seen[address]
        if isinstance(found, str):
            notes.append(found)
            return None
        return found


def pages(links: Sequence[str]) -> list[str]:
    """The paper, repository and blog pages among a card's links, in a form that is text."""
    papers = (f"https://arxiv.org/abs/{match[1]}" for match in map(_ARXIV.match, links) if match)
    repositories = (
        f"https://raw.githubusercontent.com/{match[1]}/{match[2].removesuffix('.git')}/HEAD/README.md"
        for match in map(_GITHUB.match, links)
        if match
    )
    posts = (link for link in links if _BLOG.match(link))
    kinds = (papers, repositories, posts)
    return [link for kind in kinds for link in islice(dict.fromkeys(kind), PAGES_OF_A_KIND)]


def names(model: str, text: str) -> bool:
    """Whether a text speaks of the model: it holds the longest word of the model's name."""
    words = [
        w for w in words_of(model.split("/")[-1].replace("_", "-")) if len(w) >= _SHORTEST_NAME
    ]
    whole = re.sub(r"[^a-z0-9]+", "", model.split("/")[-1].lower())
    said = text.lower()
    return max(words, key=len, default=whole) in said or whole in re.sub(r"[^a-z0-9]+", "", said)


def _file(path: Path, notes: list[str]) -> str:
    """The first ``CARD_BYTES`` of a file, however large it is."""
    try:
        with path.open("rb") as file:
            raw = file.read(CARD_BYTES + 1)
    except OSError as error:
        raise BadRequest(f"{path} can't be read: {error.strerror}.") from None
    if len(raw) > CARD_BYTES:
        notes.append(f"{path.name}: only its first {CARD_BYTES:,} bytes were read")
    return decoded(raw[:CARD_BYTES])
