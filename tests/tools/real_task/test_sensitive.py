"""Secrets and identifiers are found in prose; ordinary clinical prose is left alone."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.records import Example, ExampleSet, SensitiveFinding
from tools.real_task import sensitive

# Put together here so that no scanner takes this file for a leak.
AWS = "AKIA" + "IOSFODNN7EXAMPLE"
PEM = "-----BEGIN " + "RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f"use {AWS} there", "API key or token"),
        (f"{AWS}  # pragma: allowlist secret", "API key or token"),
        ("token ghp_" + "a1B2" * 9, "API key or token"),
        ("my key is sk-proj-" + "a1B2" * 8, "API key or token"),
        ("hf_" + "aB" * 17, "API key or token"),
        ("Authorization: Bearer " + "a1B2" * 8, "API key or token"),
        (f"{PEM}\nMIIEow", "private key"),
        ("password: hunter2abc", "password"),
        ("api_key = 'abcd1234efgh5678'", "password"),
        ("mail Bob.Smith+x@mail.example.org.", "e-mail address"),
        ("call (212) 736-5000 after six", "phone number"),
        ("call +44 20 7946 0958", "phone number"),
        ("card 4111 1111 1111 1111", "payment card number"),
        ("card 4111-1111-1111-1111.", "payment card number"),
        ("SSN 536-90-4399", "social security number"),
        ("pay to GB82 WEST 1234 5698 7654 32", "bank account number"),
    ],
)
def test_found(text, kind):
    assert kind in sensitive.kinds(text)


@pytest.mark.parametrize(
    "text",
    [
        "BP 120/80, HR 72, seen 2021-03-04, 500 mg twice daily, ICD J45.909",
        "card 4111 1111 1111 1112",  # fails Luhn
        "number 000-12-3456 and 666-12-3456",  # never issued
        "CC(=O)Oc1ccccc1C(=O)O and C1=CC=C(C=C1)C2=CC=CC=C2",
        "The password policy was discussed; no password was given.",
        "ratio 3.14159265358979 and 1234567890123456789012345",
        "@username wrote to us",
        "",
    ],
)
def test_left_alone(text):
    assert sensitive.kinds(text) == []


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=200))
def test_any_text_can_be_scanned(text):
    assert isinstance(sensitive.kinds(text), list)


@pytest.mark.parametrize("unit", ["a", "1", "1 ", "a.", "a@", "password:", "GB82 ", "-", "sk-"])
def test_long_texts_do_not_hang(unit):
    begin = time.process_time()
    sensitive.kinds((unit * 100_000)[:100_000])
    assert time.process_time() - begin < 5


def holding(*findings):
    return ExampleSet(
        source="a.csv",
        sha256="0",
        input_field="input",
        reference_field=None,
        examples=(Example(id="e", input="x"),),
        read=1,
        sensitive=findings,
    )


def test_consent_is_asked_only_when_something_would_leave():
    finding = SensitiveFinding(kind="e-mail address", column="input", rows=tuple(range(1, 9)))
    asked = sensitive.needs_consent(holding(finding), local=False)
    assert asked is not None
    assert "e-mail address in input (rows 1, 2, 3, 4, 5 and 3 more)" in asked
    assert sensitive.needs_consent(holding(finding), local=True) is None
    assert sensitive.needs_consent(holding(), local=False) is None
