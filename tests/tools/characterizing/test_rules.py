"""What the rules read of the usual cards, and what they leave alone."""

import time

import pytest

from prompts.questions import edition, number_in, questions
from tools.characterizing import card_metadata, label_similarity, rules, wording
from tools.characterizing.documents import from_markdown, plain
from tools.characterizing.passages import Library
from tools.clients.embedder import OnnxEmbedder


def read(text):
    return {(one.question, one.value) for one in wording.read(plain("card", text))}


def test_there_are_the_papers_twenty_questions_in_its_order_and_one_more():
    numbers = [one.number for one in questions().values()]
    assert numbers == [*range(1, 21), None]
    assert all(one.text.endswith((".", "?")) for one in questions().values())
    assert all(len(one.choices) > 1 for one in questions().values() if one.answer == "choices")
    assert len(edition()) == 8


@pytest.mark.parametrize(
    ("asks", "answer", "text"),
    [
        ("context length", "128K tokens", "131,072 tokens"),
        ("context length", 4096, "4,096 tokens"),
        ("context length", "8,192", "8,192 tokens"),
        ("context length", "long", None),
        ("context length", float("inf"), None),
        ("context length", 0, None),
        ("follows instructions", True, "yes"),
        ("domain", "Medical", "medical"),
        ("domain", "everything", None),
        ("tasks", "text-generation", "text generation"),
        ("base model", "", None),
        ("base model", "x" * 500, None),
        ("base model", ["a"], None),
        ("safety", "a  filter\n", "a filter"),
    ],
)
def test_an_answer_has_its_questions_type_or_is_none(asks, answer, text):
    value = questions()[asks].read(answer)
    assert (value.text if value else None) == text


def test_numbers_are_read_as_context_lengths_are_written():
    assert [number_in(s) for s in ("1m", "32k", "2 048", "1.5k", "none", "9" * 30)] == [
        1024**2, 32 * 1024, 2048, 1536, None, None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("License: apache-2.0", ("licence", "apache-2.0")),
        ("It is released under the Apache License, Version 2.0.", ("licence", "apache-2.0")),
        ("Licensed under CC BY-NC 4.0.", ("licence", "cc-by-nc-4.0")),
        ("License: Llama 3.1 Community License", ("licence", "llama3.1")),
        ("This is a fine-tuned version of ab/c-7b on the c/d dataset.", ("base model", "ab/c-7b")),
        ("It is fine-tuned on the c/d dataset.", ("training data", "c/d")),
        ("* Finetuned from model: unsloth/x-1b", ("base model", "unsloth/x-1b")),
        ("These are LoRA adaption weights for ab/sd-2.", ("base model", "ab/sd-2")),
        ("Language(s) (NLP): English, French", ("languages", "French")),
        ("Languages: en, de", ("languages", "German")),
        ("It supports a 128k context window.", ("context length", "131,072 tokens")),
        ("context length  4,096 tokens", ("context length", "4,096 tokens")),
        ("Trained on 8 A100 80GB GPUs.", ("training hardware", "Trained on 8 A100 80GB GPUs.")),
        ("It needs 16 GB of VRAM.", ("inference hardware", "It needs 16 GB of VRAM.")),
        ("An instruction-tuned chat model.", ("follows instructions", "yes")),
        ("It was not instruction-tuned for instruct use.", ("follows instructions", "no")),
        ("Do not enter personal data.", ("sensitive information", "no")),
        ("It supports batch inference.", ("batch processing", "yes")),
    ],
)
def test_usual_wordings_are_read(line, expected):
    assert expected in read(line)


@pytest.mark.parametrize(
    "line",
    [
        "License: [More Information Needed]",
        "* Finetuned from model [optional]: [More Information Needed]",
        "fine-tuned on an unknown dataset.",
        "fine-tuned on the None dataset.",
        "It was evaluated in the context of 3 studies.",
        "Permitted uses are limited.",
        "train_batch_size: 8",
        "Language: [More Information Needed]",
        "",
    ],
)
def test_what_says_nothing_is_read_as_nothing(line):
    assert read(line) == set()


def test_metadata_is_read_whatever_its_shape():
    front = (
        "license: other\nlicense_name: my-licence\nlanguage:\n- en\n- no\n- xx\n"
        "base_model: [a/b]\ndatasets: {x: 1}\npipeline_tag: text-generation\ntags: [medical, 3]\n"
    )
    found = {(one.question, one.value) for one in card_metadata.read(plain("m", front))}
    assert found == {
        ("licence", "my-licence"),
        ("languages", "English"),
        ("languages", "Norwegian"),
        ("base model", "a/b"),
        ("tasks", "text generation"),
        ("domain", "medical"),
    }


@pytest.mark.parametrize(
    "front",
    ["a: [", "- 1\n- 2", "just text", "[" * 5000, "a: &a [*a]", "a: !!python/object:os.system x",
     "x: " + "&a [" + "*b," * 10, "\t", "license: [[[x]]]", "language: 1e999", "license: 7"],
)  # fmt: skip
def test_metadata_that_cannot_be_read_states_nothing(front):
    assert [one.value for one in card_metadata.read(plain("m", front))] == []


def test_choices_are_named_and_near_and_not_denied():
    card = (
        "The model answers medical questions of doctors about diseases.\n\n"
        "It must not be used for legal or financial advice.\n\n"
        "It summarizes long clinical documents.\n"
    )
    passages = Library.of([from_markdown("card", card)], OnnxEmbedder()).passages
    found = {(one.question, one.value) for one in label_similarity.read(passages, OnnxEmbedder())}
    assert ("domain", "medical") in found
    assert ("tasks", "summarization") in found
    assert not {("domain", "law"), ("domain", "finance")} & found


def test_a_line_made_to_be_slow_is_read_in_time():
    begin = time.process_time()
    for piece in ("fine-tuned from ", "a/b ", "license ", "GPU memory ", "context 1", "on the x "):
        read(piece * (3000 // len(piece)))
        read((piece * 200 + "\n") * 20)
    assert time.process_time() - begin < 10


def test_each_value_is_kept_once_from_its_surest_source_and_lists_are_bounded():
    many = "\n".join(f"fine-tuned version of ab/m{n}" for n in range(50)) + "\nBase model: ab/m3"
    document = plain(rules.CARD, many)
    found = rules.surest(rules.quoted(wording.read(document), [document]))
    assert len(found) == rules.MOST_VALUES
    assert len({one.value for one in found}) == len(found)
