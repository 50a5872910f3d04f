"""Labels in free text: found where the answer commits itself, missing where it does not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.real_task.answer_labels import find_label

VERDICTS = ("yes", "no", "maybe")
LETTERS = ("A", "B", "C", "D")
CLASSES = ("good", "bad")
PHRASES = ("Follow-up visit", "follow", "new patient")


@pytest.mark.parametrize(
    ("answer", "labels", "expected"),
    [
        ("yes", VERDICTS, "yes"),
        (" **Yes.** ", VERDICTS, "yes"),
        ("No, because the groups did not differ.", VERDICTS, "no"),
        ("The answer is: maybe", VERDICTS, "maybe"),
        ("Answer: Yes\n\nThere is no doubt, or maybe a little.", VERDICTS, "yes"),
        ("There is no evidence of harm.", VERDICTS, None),
        ("Yes or no? It depends.", VERDICTS, None),
        ("yes/no", VERDICTS, None),
        ("The answer is yes or no.", VERDICTS, None),
        ("At first the answer is no. On reflection, the answer is yes.", VERDICTS, "yes"),
        ("The trial was small.\nno", VERDICTS, "no"),
        ("Yesterday nothing happened", VERDICTS, None),
        ("", VERDICTS, None),
        ("B", LETTERS, "B"),
        ("(C)", LETTERS, "C"),
        ("B. Spherocytosis", LETTERS, "B"),
        ("b", LETTERS, None),
        ("The correct answer is **D**.", LETTERS, "D"),
        ("The correct option: (A) iron", LETTERS, "A"),
        ("A patient with anaemia should get iron.", LETTERS, None),
        ("Vitamin B and vitamin C both help.", LETTERS, None),
        ("A and B are wrong.", LETTERS, None),
        ("I would say this credit is good overall.", CLASSES, "good"),
        ("good or bad, hard to say", CLASSES, None),
        ("goodness knows", CLASSES, None),
        ("This is a follow-up  visit.", PHRASES, "Follow-up visit"),
        ("NEW PATIENT", PHRASES, "new patient"),
        ("是", ("是", "否"), "是"),
        ("anything", (), None),
    ],
)
def test_find_label(answer, labels, expected):
    assert find_label(answer, labels) == expected


def test_labels_that_look_alike_are_refused():
    with pytest.raises(ValueError, match="can't be told apart"):
        find_label("yes", ("Yes", "yes "))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80))
def test_any_answer_gives_a_label_or_none(answer):
    assert find_label(answer, VERDICTS) in (None, *VERDICTS)


@settings(deadline=None)
@given(st.sampled_from(VERDICTS + CLASSES), st.sampled_from(["{}", "{}.", "Answer: {}", "*{}*"]))
def test_plain_forms_are_always_read(label, form):
    assert find_label(form.format(label), VERDICTS + CLASSES) == label
