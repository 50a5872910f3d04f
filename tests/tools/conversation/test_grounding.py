"""Numbers in answers: found again in the sources, or named."""

from __future__ import annotations

import pytest

from tools.conversation.grounding import unsupported

SOURCE = "Qwen/Qwen2.5-7B-Instruct: 0.823 (0.79-0.86) on 1,200 items; 2,113 left; $3.10; 7.6B"


@pytest.mark.parametrize(
    "text",
    [
        "It scores 0.82.",
        "It scores 82 %.",
        "It scores 82.3 percent, between 79% and 86%.",
        "Out of 2113 models, 1,200 items were asked for $3.10.",
        "It has 7.6 billion parameters.",
        "Two models lead; the first 2 are close.",
        "1. Qwen leads.\n2. Others follow.\n14) and so on",
        "Qwen2.5 is a name.",
        "No number at all.",
    ],
)
def test_numbers_of_the_sources_pass(text):
    assert unsupported(text, [SOURCE]) == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("It scores 0.84.", ["0.84"]),
        ("It scores 84 %.", ["84 %"]),
        ("It costs $4.", ["$4"]),
        ("It costs $3.", ["$3"]),
        ("It has 13B parameters.", ["13B"]),
        ("2,114 models are left, 0.823 of 0.9", ["2,114", "0.9"]),
        ("About 40 models", ["40"]),
    ],
)
def test_numbers_from_nowhere_are_named(text, wrong):
    assert unsupported(text, [SOURCE]) == wrong


def test_a_name_may_hold_digits_that_no_source_has():
    assert unsupported("Llama-3.1-405B is out.", ["nothing"]) != []
    assert unsupported("Llama-3.1-405B is out.", ["nothing"], ["Llama-3.1-405B"]) == []


def test_no_sources_support_nothing():
    assert unsupported("It scores .5", []) == [".5"]
