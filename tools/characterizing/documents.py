"""A text about a model as a reader sees it: markup rendered, hidden parts gone, headings known.

A card is Markdown with HTML in it, a web page is HTML. Both go one way: to HTML (markdown-it-py),
without what is hidden from readers, to text (inscriptis, which lays out tables and lists). So a
quote can be checked against exactly what was shown, and comments, invisible elements and
zero-width letters have no say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from tools.envelope import visible

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

MOST_LETTERS = 100_000
"""Of one document; Markdown made to be slow takes seconds at this size, real cards have 70,000."""

_UNSHOWN = frozenset({"script", "style", "template", "noscript"})
_HIDDEN_STYLE = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d])|opacity\s*:\s*0(?![.\d])",
    re.IGNORECASE,
)
_HEADINGS = {f"h{level}": ["heading"] for level in range(1, 7)}


@dataclass(frozen=True)
class Document:
    """``name``: what it is, such as "card" or a URL. ``headings``: (start, end) spans of ``text``.

    ``links``: where it points to, each once, in its order. ``cut``: letters that were left out.
    """

    name: str
    text: str
    headings: tuple[tuple[int, int], ...] = ()
    links: tuple[str, ...] = ()
    cut: int = 0


def plain(name: str, text: str) -> Document:
    """A text that has no markup."""
    kept = visible(text[:MOST_LETTERS])
    return Document(name, kept, cut=max(0, len(text) - MOST_LETTERS))


def from_markdown(name: str, text: str) -> Document:
    """A card or README, without its front matter."""
    kept = text[:MOST_LETTERS]
    return _rendered(name, _markdown().render(kept), len(text) - len(kept))


def from_html(name: str, text: str) -> Document:
    """A web page."""
    kept = text[: 10 * MOST_LETTERS]  # of which most is markup
    found = _rendered(name, kept, len(text) - len(kept))
    return found if len(found.text) <= MOST_LETTERS else plain(name, found.text)


def front_matter(text: str) -> tuple[str, str]:
    """(the YAML between the first two lines of ``---``, the text after it); "" where there is none.

    A card that opens its front matter and never ends it is all text.
    """
    text = text.lstrip("\ufeff \n\r\t")
    lines = text.splitlines(keepends=True)
    if not lines or lines[0].strip() != "---":
        return "", text
    for number, line in enumerate(lines[1:], start=1):
        if line.strip() == "---":
            return "".join(lines[1:number]), "".join(lines[number + 1 :])
    return "", text


@cache
def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": True}).enable("table")


def _rendered(name: str, markup: str, cut: int) -> Document:
    from inscriptis.css_profiles import CSS_PROFILES
    from inscriptis.html_engine import Inscriptis
    from inscriptis.model.config import ParserConfig

    tree = _tree(markup)
    if tree is None:
        return Document(name, "", cut=cut)
    links = dict.fromkeys(str(link).strip() for link in tree.xpath("//a/@href"))
    for element in [one for one in tree.iter() if _hidden(one)]:
        if element.getparent() is not None:
            element.drop_tree()
    laid_out = Inscriptis(
        tree, ParserConfig(css=CSS_PROFILES["strict"], annotation_rules=_HEADINGS)
    )
    text, spans = visible_with_spans(
        laid_out.get_text(), [(one.start, one.end) for one in laid_out.get_annotations()]
    )
    return Document(name, text, tuple(spans), tuple(links), cut)


def visible_with_spans(
    text: str, spans: list[tuple[int, int]]
) -> tuple[str, list[tuple[int, int]]]:
    """``visible(text)``, and spans of ``text`` as spans of that."""
    kept = visible(text)
    if len(kept) == len(text):
        return text, spans
    return kept, [(len(visible(text[:start])), len(visible(text[:end]))) for start, end in spans]


def _hidden(element: Any) -> bool:
    """Whether readers don't see an element of the tree (comments are elements there)."""
    return (
        not isinstance(element.tag, str)
        or element.tag in _UNSHOWN
        or "hidden" in element.attrib
        or element.get("aria-hidden") == "true"
        or _HIDDEN_STYLE.search(element.get("style", "")) is not None
    )


def _tree(markup: str) -> Any:
    """The parsed markup; None where there is nothing in it."""
    from lxml import etree, html

    shown = markup.replace("\0", "")
    if not shown.strip():
        return None
    try:
        return html.document_fromstring(shown, parser=html.HTMLParser(encoding="utf-8"))
    except ValueError:  # an encoding declaration: given as text it is refused
        return html.document_fromstring(
            shown.encode("utf-8", "replace"), parser=html.HTMLParser(encoding="utf-8")
        )
    except etree.ParserError:  # nothing but comments
        return None
