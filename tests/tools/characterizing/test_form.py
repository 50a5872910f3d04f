"""A language model's answers about a card: checked, typed, quoted, repaired once, paid once."""

import json

import pytest
from scripted_judges import hire

from memory.characterizations import Characterizations
from memory.errors import NotApproved
from prompts.questions import questions
from tools.characterizing import form
from tools.characterizing.documents import from_markdown, plain
from tools.characterizing.passages import Library
from tools.characterizing.reading import Reading
from tools.characterizing.sources import Found
from tools.clients.chat import ChatBusy, ChatRefused
from tools.clients.embedder import OnnxEmbedder
from tools.clients.fakes import HashEmbedder
from tools.envelope import marks, opened

UNHELD = "quote does not hold the value"
CARD = """# ClinNote
ClinNote is a medical model that writes SOAP notes. It has a context length of 8,192 tokens.
It is released under the MIT licence and was trained on MTS-Dialog. It speaks French.
Outputs are filtered for harmful content before they are shown.
"""
DOCUMENT = from_markdown("card", CARD)


def says(*answers):
    return json.dumps(
        {"answers": [dict(zip(("question", "value", "quote"), a, strict=True)) for a in answers]}
    )


def read(tmp_path, reply, cap=1.0):
    judge, chat, ledger = hire(tmp_path, reply if callable(reply) else lambda _: reply, cap)
    calls = form.calls(Library.of([DOCUMENT], HashEmbedder()))
    return form.read("a/b", calls, [DOCUMENT], judge, OnnxEmbedder()), chat, ledger


def test_every_question_is_asked_once_with_its_type_and_the_card_in_an_envelope(tmp_path):
    _, chat, _ = read(tmp_path, says())
    ((message,),) = chat.asked
    own, passages = opened(message.content, marks(message.content)[0])
    for question in questions().values():
        assert question.text in own
        assert question.form in own
    assert "SOAP" not in own
    assert "SOAP" in passages[0]


def test_answers_are_kept_with_the_sources_own_words(tmp_path):
    found, _, _ = read(
        tmp_path,
        says(
            ("domain", "medical", "is a  medical\nmodel"),
            ("context length", 8192, "context length of 8,192 tokens"),
            ("licence", "mit", "under the MIT licence"),
            ("training data", "MTS-Dialog", "trained on MTS-Dialog"),
            ("languages", "French", "It speaks French."),
            ("safety", "Outputs are filtered for harm.", "Outputs are filtered for harmful"),
        ),
    )  # fmt: skip
    assert not found.dropped
    assert {(one.question, one.value) for one in found.kept} == {
        ("domain", "medical"), ("context length", "8,192 tokens"), ("licence", "mit"),
        ("training data", "MTS-Dialog"), ("languages", "French"),
        ("safety", "Outputs are filtered for harm."),
    }  # fmt: skip
    assert {one.origin for one in found.kept} == {"read"}
    assert found.kept[0].quote == "is a medical model"
    assert found.kept[1].number == 8192


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (("domain", "medical", "is a finance model"), "quote not in the sources"),
        (("domain", "medical", ""), "quote not in the sources"),
        (("domain", "chemistry", "It speaks French."), UNHELD),
        (("domain", "everything", "is a medical model"), "not of the question's type"),
        (("context length", 128000, "context length of 8,192 tokens"), UNHELD),
        (("licence", "apache-2.0", "under the MIT licence"), UNHELD),
        (("base model", "meta/llama", "is a medical model"), UNHELD),
        (("languages", "German", "It speaks French."), UNHELD),
        (("languages", "Klingon", "It speaks French."), UNHELD),
        (("safety", "Certified by nobody whatsoever", "It speaks French."), UNHELD),
        (("sigma", 1.0, "is a medical model"), "no such question was asked"),
        (("domain", ["medical"], "is a medical model"), "not of the form"),
    ],
)  # fmt: skip
def test_what_the_sources_do_not_bear_out_is_dropped_with_its_reason(tmp_path, answer, why):
    found, chat, _ = read(tmp_path, says(answer))
    assert found.kept == []
    assert dict(found.dropped) == {why: 1}
    assert len(chat.asked) == 1  # a wrong answer is not asked for again, only an unreadable reply


@pytest.mark.parametrize(
    "bad", ["", "I can't.", '{"answers": "none"}', '{"answers": [', "[" * 9999]
)
def test_an_unreadable_reply_is_asked_for_again_once(tmp_path, bad):
    replies = iter([bad, says(("domain", "medical", "is a medical model"))])
    found, chat, _ = read(tmp_path, lambda _: next(replies))
    assert [one.value for one in found.kept] == ["medical"]
    assert len(chat.asked) == 2
    found, chat, _ = read(tmp_path / "twice", bad)
    assert found.kept == []
    assert dict(found.dropped) == {"a reply that can't be read": 1}
    assert len(chat.asked) == 2


def test_a_flood_of_answers_is_bounded(tmp_path):
    found, _, _ = read(tmp_path, '{"answers": [' + ",".join(["1"] * 500) + "]}")
    assert sum(found.dropped.values()) == form.MOST_ENTRIES


def test_nothing_is_asked_without_money_and_nothing_is_paid_twice(tmp_path):
    with pytest.raises(NotApproved):
        read(tmp_path / "poor", says(), cap=0.0)
    reply = says(("domain", "medical", "is a medical model"))
    first, chat, ledger = read(tmp_path / "rich", reply)
    assert first.usd > 0
    assert ledger.spent("r") == pytest.approx(first.usd)
    calls = form.calls(Library.of([DOCUMENT], HashEmbedder()))
    judge, again, _ = hire(tmp_path / "rich", lambda _: "never asked", run="r2", cap=2.0)
    second = form.read("a/b", calls, [DOCUMENT], judge, OnnxEmbedder())
    assert second.kept == first.kept
    assert second.usd == 0.0
    assert again.asked == []
    assert len(chat.asked) == 1


def test_a_reading_is_kept_unless_the_server_failed(tmp_path):
    kept = Characterizations(tmp_path / "c.sqlite")
    reading = Reading("a/b", Found((DOCUMENT,)), OnnxEmbedder(), "2026")
    busy, _, _ = hire(tmp_path / "busy", lambda _: ChatBusy("busy"))
    assert reading.by_model(busy, kept).notes == ("busy",)
    assert kept.latest(["a/b"]) == {}
    gone, _, _ = hire(tmp_path / "gone", lambda _: ChatRefused("gone"))
    with pytest.raises(ChatRefused):
        reading.by_model(gone, kept)
    well, chat, _ = hire(
        tmp_path / "well", lambda _: says(("domain", "medical", "a medical model"))
    )
    made = reading.by_model(well, kept)
    assert made.usd > 0
    assert reading.by_model(well, kept) == made.model_copy(update={"usd": 0.0})
    assert len(chat.asked) == 1
    changed = Reading("a/b", Found((plain("card", CARD + "More."),)), OnnxEmbedder(), "2026")
    changed.by_model(well, kept)
    assert len(chat.asked) == 2
    kept.close()


def test_a_long_source_is_asked_about_in_parts_with_the_nearest_passages():
    long = "\n\n".join(
        f"# Part {n}\n" + f"Sentence {n} of the long paper. " * 20 for n in range(60)
    )
    library = Library.of([DOCUMENT, from_markdown("paper", long)], HashEmbedder())
    calls = form.calls(library)
    assert [q for call in calls for q in call.questions] == list(questions().values())
    assert all(sum(len(p.text) for p in call.passages) <= form.LETTERS for call in calls)
    context = next(c for c in calls if any(q.asks == "context length" for q in c.questions))
    assert any("context length" in passage.text for passage in context.passages)
    assert form.calls(Library.of([], HashEmbedder())) == []
