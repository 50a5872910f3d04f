"""Cards and pages as readers see them, however they are made."""

import time

import pytest

from tools.characterizing.documents import (
    MOST_LETTERS,
    from_html,
    from_markdown,
    front_matter,
    plain,
)
from tools.characterizing.passages import LETTERS_PER_TOKEN, TOKENS, Library, cut, split
from tools.characterizing.quotes import LONGEST, Quotable
from tools.clients.fakes import HashEmbedder

CARD = """# Title
Some *text* with a [link](https://arxiv.org/abs/2401.00001).

## Sub <script>alert(1)</script>

| a | b |
|---|---|
| context | 8k |

<!-- a comment --><span style="display: none">hidden</span>shown
<details><summary>More</summary>inside</details>
"""


def test_a_card_is_rendered_with_its_headings_and_links():
    found = from_markdown("card", CARD)
    assert [found.text[a:b].strip() for a, b in found.headings] == ["Title", "Sub"]
    assert found.links == ("https://arxiv.org/abs/2401.00001",)
    assert "Some text with a link." in found.text
    assert "inside" in found.text


@pytest.mark.parametrize(
    "hidden",
    [
        "<!-- words -->", "<script>words</script>", "<style>words</style>", "<p hidden>words</p>",
        "<p aria-hidden='true'>words</p>", "<p style='DISPLAY : none'>words</p>",
        "<p style='visibility:hidden'>words</p>", "<p style='font-size:0px'>words</p>",
        "<p style='opacity: 0'>words</p>", "<template>words</template>",
        "<div style='display:none'><b>x</b> words</div>",
    ],
)  # fmt: skip
def test_what_readers_do_not_see_is_not_there(hidden):
    assert "words" not in from_markdown("card", f"shown\n\n{hidden}\n\nshown").text
    assert from_markdown("card", f"one\n\n{hidden}\n\ntwo").text.split() == ["one", "two"]


def test_letters_that_are_not_seen_are_taken_out_and_headings_stay_in_place():
    found = from_markdown("card", "# A\u200bB\n\nzero\u200bwidth \U000e0041\n\n## C")
    assert "zerowidth" in found.text
    assert [found.text[a:b].strip() for a, b in found.headings] == ["AB", "C"]


@pytest.mark.parametrize(
    ("card", "front", "body"),
    [
        ("---\na: 1\n---\ntext", "a: 1\n", "text"),
        ("\ufeff\n---\na: 1\n---\ntext", "a: 1\n", "text"),
        ("---\r\na: 1\r\n---\r\ntext", "a: 1\r\n", "text"),
        ("---\na: 1\ntext", "", "---\na: 1\ntext"),
        ("text\n---\na: 1\n---", "", "text\n---\na: 1\n---"),
        ("", "", ""),
        ("---", "", "---"),
    ],
)
def test_front_matter_is_what_stands_between_the_first_two_rules(card, front, body):
    assert front_matter(card) == (front, body)


@pytest.mark.parametrize(
    "markup",
    [
        "", "<!-- only -->", "<", "<<<<>>>>", "<html><body", "\0\0", "<?xml version='1.0'"
        " encoding='utf-16'?><p>x</p>", "<table><tr><td>", "&#0;&#xffffff;", "<p>" * 5000,
        "<a href='" * 100, "]]>", "<!DOCTYPE html [<!ENTITY a 'b'>]><p>&a;</p>",
    ],
)  # fmt: skip
def test_junk_is_text_or_nothing_but_never_an_error(markup):
    assert isinstance(from_html("page", markup).text, str)
    assert isinstance(from_markdown("card", markup).text, str)


@pytest.mark.parametrize("piece", ["![[", "*a ", "> ", "<div>"])
def test_a_card_made_to_be_slow_is_bounded(piece):
    begin = time.process_time()
    found = from_markdown("card", piece * (3 * MOST_LETTERS // len(piece)))
    assert time.process_time() - begin < 15
    assert found.cut > 0


def test_a_long_page_is_cut_and_says_so():
    assert plain("x", "a" * (MOST_LETTERS + 7)).cut == 7
    assert len(from_html("x", "<p>word</p>" * 60_000).text) <= MOST_LETTERS


def test_passages_hold_the_whole_text_under_its_headings():
    found = list(cut(from_markdown("card", CARD)))
    assert [one.heading for one in found] == ["Title", "Sub"]
    long = plain("x", "A sentence of seven words stands here. " * 200)
    pieces = list(cut(long))
    assert len(pieces) > 5
    assert all(len(one.text) <= TOKENS * LETTERS_PER_TOKEN for one in pieces)
    assert "".join("".join(p.text.split()) for p in pieces) == "".join(long.text.split())
    assert all(one.text.endswith(".") for one in pieces)
    endless = list(cut(plain("x", "x" * 5000)))
    assert sum(len(one.text) for one in endless) == 5000
    assert list(cut(plain("x", " \n .. \n"))) == []


def test_the_passage_that_shares_the_questions_words_comes_first():
    text = "# Size\nIt has many weights.\n# Context\nThe context length is long.\n# Other\nNothing."
    library = Library.of([from_markdown("card", text)], HashEmbedder())
    ((first, *_),) = library.nearest(["What is the context length?"], 2)
    assert first.heading == "Context"
    assert Library.of([], HashEmbedder()).nearest(["x"], 3) == [[]]


def test_sentences_are_cut_at_ends_and_lines():
    assert list(split("One here. Two v1.5 here!\n- three\n...\n")) == [
        "One here.",
        "Two v1.5 here!",
        "- three",
    ]


@pytest.mark.parametrize(
    ("quote", "said"),
    [
        ("context 8k", "context 8k"),
        ("context\n  8k", "context 8k"),
        ("“It’s fine” – really", '"It\'s fine" - really'),
        ("cafe\u0301", "café"),
        ("ﬁne", "fine"),
    ],
)
def test_a_quote_is_found_whatever_its_spacing_and_forms(quote, said):
    source = Quotable('The table: context   8k, "It\'s fine" - really, café, fine.')
    assert source.says(quote) == said


@pytest.mark.parametrize("quote", ["Context 8k", "8k context", "", "ab", "x" * (LONGEST + 1)])
def test_what_the_source_does_not_say_is_no_quote(quote):
    assert Quotable("context 8k ab " + "x" * 1000).says(quote) is None
