"""The form is what the references share; a fault is named."""

import json

import pytest

from tools.real_task.answer_format import Form, fault, form_of
from tools.real_task.grading import choose_metric

NOTES = [
    f"SUBJECTIVE:\nCough {i}.\n\nOBJECTIVE: clear\n\nASSESSMENT AND PLAN\nrest and fluids {i}"
    for i in range(4)
]


def form(references):
    return form_of(references, choose_metric(references))


def test_form_follows_the_references():
    assert form(["yes", "no", "yes", "no"]) == Form(labels=("no", "yes"))
    objects = [json.dumps({"code": i, "text": "t" * 30, **({"x": 1} if i else {})}) for i in (0, 1)]
    assert form(objects) == Form(keys=("code", "text"))
    assert form(NOTES) == Form(sections=("subjective", "objective", "assessment and plan"))
    assert form([f"A plain text number {i} with many words in it" for i in range(9)]) == Form()
    assert form([None]) == Form()
    assert form(NOTES[:1]) == Form()  # one reference shares nothing with others


SECTIONS = Form(sections=("subjective", "assessment and plan"))
KEYS = Form(keys=("code", "text"))
LABELS = Form(labels=("yes", "no"))


@pytest.mark.parametrize(
    ("answer", "wanted", "expected"),
    [
        (" \n", Form(), "empty"),
        ("anything", Form(), None),
        ("It depends", LABELS, "no label"),
        ("Yes.", LABELS, None),
        ("code: 1", KEYS, "no JSON object"),
        ('{"code": 1}', KEYS, "no text"),
        ('{"code": 1, "text": ""}', KEYS, None),
        ('```json\n{"code": 1, "text": ""}\n```', KEYS, None),
        ("[" * 100_000, KEYS, "no JSON object"),
        ("**Subjective:** cough\n2. Assessment and Plan: rest", SECTIONS, None),
        ("The subjective part\nAssessment and plan", SECTIONS, "no section subjective"),
        ("Subjective: x", SECTIONS, "no section assessment and plan"),
    ],
)
def test_fault_is_named(answer, wanted, expected):
    assert fault(answer, wanted) == expected
