"""Where texts about a model come from, and what becomes of bad ones."""

import os

import pytest
from stub_web import Answer, StubWeb

from memory.errors import BadRequest
from tools.characterizing.sources import CARD_BYTES, Sources, names, pages
from tools.clients.web import Web

MODEL = "acme/clinnote-7b"


def put(folder, content, model=MODEL):
    path = folder / model / "README.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_card_lies_in_its_models_folder_and_is_two_documents(tmp_path):
    put(tmp_path, "---\nlicense: mit\n---\n# ClinNote\nText.")
    found = Sources(tmp_path).of(MODEL)
    assert [one.name for one in found.documents] == ["card metadata", "card"]
    assert found.content == Sources(tmp_path).of(MODEL).content
    put(tmp_path, "---\nlicense: mit\n---\n# ClinNote\nText!")
    assert Sources(tmp_path).of(MODEL).content != found.content


@pytest.mark.parametrize(
    "model", ["../../etc/passwd", "acme/..", "/etc/passwd", "acme", "a/b/c", "acme/\u202ex", ""]
)
def test_an_id_that_is_none_opens_nothing(tmp_path, model):
    (tmp_path / "README.md").write_text("secret")
    assert Sources(tmp_path / "models").of(model).documents == ()


def test_five_gigabytes_are_read_no_further_than_the_limit(tmp_path):
    path = put(tmp_path, b"# ClinNote\n" + b"word " * 1000)
    os.truncate(path, 5 * 2**30)  # sparse: it takes no room
    found = Sources(tmp_path).of(MODEL)
    assert found.documents[0].text.startswith("ClinNote") or "ClinNote" in found.documents[0].text
    assert any(f"{CARD_BYTES:,} bytes" in note for note in found.notes)


@pytest.mark.parametrize(
    "content",
    [b"", b"---\n", b"\xff\xfe\x00", b"\x00" * 5000, "caf\xe9 \xe0 l'\xe9t\xe9".encode("latin-1"),
     b"<html><body><<<>>", b"---\nlicense: [mit\n---\ntext", b"\xf0\x9f\x98"],
)  # fmt: skip
def test_a_card_that_is_damaged_or_junk_is_no_error(tmp_path, content):
    put(tmp_path, content)
    assert Sources(tmp_path).of(MODEL).notes == ()


def test_a_named_file_must_be_there(tmp_path):
    with pytest.raises(BadRequest, match="can't be read"):
        Sources().of(MODEL, tmp_path / "nothing.md")
    with pytest.raises(BadRequest, match="can't be read"):
        Sources().of(MODEL, tmp_path)


def test_papers_repositories_and_posts_are_told_from_other_links():
    links = [
        "https://arxiv.org/pdf/2401.00001v2", "https://huggingface.co/papers/2401.00002",
        "https://arxiv.org/abs/2401.00003", "https://github.com/acme/clinnote.git",
        "https://github.com/acme/clinnote/tree/main/x", "https://acme.com/blog/clinnote",
        "https://medium.com/@x/y", "https://acme.com/login", "mailto:x@y", "https://arxiv.org@evil",
        "javascript:alert(1)", "/relative", "https://github.com/acme",
    ]  # fmt: skip
    assert pages(links) == [
        "https://arxiv.org/abs/2401.00001",
        "https://arxiv.org/abs/2401.00002",
        "https://raw.githubusercontent.com/acme/clinnote/HEAD/README.md",
        "https://acme.com/blog/clinnote",
        "https://medium.com/@x/y",
    ]


@pytest.mark.parametrize(
    ("model", "text", "named"),
    [
        ("acme/clinnote-7b", "We present ClinNote.", True),
        ("acme/clinnote-7b", "LoRA is a method.", False),
        ("meta/Llama-2-7b", "Llama 2 is open.", True),
        ("a/x1", "the X1 model", True),
        ("a/x1", "nothing", False),
    ],
)
def test_a_page_that_never_names_the_model_is_about_something_else(model, text, named):
    assert names(model, text) is named


def test_the_hub_and_linked_pages_are_fetched_and_each_failure_is_a_note():
    card = "# ClinNote\n[post]({0}/blog/good) [other]({0}/blog/other)\n[inside](http://10.0.0.1/blog/x)"
    with StubWeb({}) as server:
        server.pages |= {
            f"/{MODEL}/resolve/main/README.md": Answer(
                card.format(server.url).encode(), kind="text/plain; charset=utf-8"
            ),
            "/blog/good": Answer(b"<h1>Post</h1><p>ClinNote writes notes.</p>"),
            "/blog/other": Answer(b"<p>About a trainer.</p>"),
        }
        web = Web(lambda address, _: address == "127.0.0.1")
        sources = Sources(None, web, (web, server.url))
        found = sources.of(MODEL)
        assert [one.name for one in found.documents] == ["card", f"{server.url}/blog/good"]
        assert any("does not name the model" in note for note in found.notes)
        asked = len(server.seen)
        assert sources.of(MODEL).documents == found.documents
        assert len(server.seen) == asked  # a page is fetched once, however many cards link it
        assert sources.of("acme/gone").documents == ()
        assert "404" in sources.of("acme/gone").notes[0]
        only = Sources(None, web, (web, server.url)).of(MODEL, linked=False)
        assert [one.name for one in only.documents] == ["card"]
