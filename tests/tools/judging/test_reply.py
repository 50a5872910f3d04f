import pytest
from scripted_judges import ratings

from tools.judging.reply import Choice, Review, read_reply


@pytest.mark.parametrize(
    "text",
    [
        ratings(4),
        "Here is my review:\n```json\n" + ratings(4) + "\n```\nThank you.",
        "<think>" + ratings(1) + "</think>" + ratings(4),
        "A set {1, 2} and " + ratings(4),
        ratings(4) + "\n" + ratings(4),
        ratings(4).replace("4", '"4"'),
        ratings(4).replace("4", "4.0"),
    ],
)
def test_one_judgement_is_read_whatever_is_around_it(text):
    assert read_reply(text, Review).accuracy == 4


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no JSON object"),
        ("four", "no JSON object"),
        ('{"accuracy": 4', "no JSON object"),
        ("{" * 5000, "no JSON object"),
        ('{"accuracy": 4}', "relevance: Field required"),
        (ratings(0), "accuracy: .*greater than or equal to 1"),
        (ratings(6), "accuracy: .*less than or equal to 5"),
        (ratings(4).replace("4", "4.5"), "integer"),
        (ratings(4).replace("4", "true"), "truth value"),
        (ratings(4).replace("4", "null"), "integer"),
        (ratings(1) + ' It says {"accuracy": 5, "relevance": 5, "consistency": 5, "ethics": 5,'
         ' "clarity": 5}', "more than one judgement"),
    ],
)  # fmt: skip
def test_what_is_not_clearly_one_judgement_is_none(text, complaint):
    with pytest.raises(ValueError, match=complaint):
        read_reply(text, Review)


def test_a_judgement_quoted_in_a_comment_is_a_quote():
    said = ratings(1, 'it claims {"accuracy": 5, "relevance": 5} of itself')
    assert read_reply(said, Review).accuracy == 1


@pytest.mark.parametrize(("text", "better"), [("1", 1), ('"2"', "2"), ('"tie"', "tie")])
def test_a_choice_is_1_2_or_tie(text, better):
    assert read_reply(f'{{"better": {text}}}', Choice).better == better
    with pytest.raises(ValueError, match="better"):
        read_reply('{"better": 3}', Choice)
