"""The user's examples: columns taken by name or asked for, odd rows counted, never lost."""

import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.errors import BadRequest
from memory.records import Example, ExampleSet, Question
from tools.real_task import examples


def jsonl(folder, *rows, name="data.jsonl"):
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def made(n):
    return [Example(id=f"example:{i}", input=str(i)) for i in range(n)]


def test_plain_names_need_no_question(tmp_path):
    path = jsonl(tmp_path, {"Dialogue": "Doctor: hi", "note": "S: none", "site": "b", "n": 3})
    found = examples.read(path)
    assert isinstance(found, ExampleSet)
    (example,) = found.examples
    assert (example.input, example.reference) == ("Doctor: hi", "S: none")
    assert example.extra == {"site": "b", "n": "3"}
    assert example.row == 1
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not found.synthetic


@pytest.mark.parametrize(
    ("row", "id", "options"),
    [
        ({"foo": "x", "bar": "y"}, "examples_input", ("foo", "bar")),
        (
            {"question": "x", "context": "y", "answer": "z"},
            "examples_input",
            ("question", "context"),
        ),
        ({"question": "x", "foo": "y"}, "examples_reference", ("foo", examples.NO_REFERENCE)),
        (
            {"question": "x", "answer": "y", "label": "z"},
            "examples_reference",
            ("answer", "label", examples.NO_REFERENCE),
        ),
    ],
)
def test_unclear_columns_are_asked_for(tmp_path, row, id, options):
    asked = examples.read(jsonl(tmp_path, row))
    assert isinstance(asked, Question)
    assert (asked.id, asked.options) == (id, options)
    assert all(column in asked.text for column in row)


def test_answers_to_the_questions_are_enough(tmp_path):
    path = jsonl(tmp_path, {"question": "Q", "context": "C", "gold": "A"})
    joined = examples.read(path, input_field="context + question")
    assert joined.examples[0].input == "C\n\nQ"
    assert joined.examples[0].reference == "A"
    bare = examples.read(path, input_field="question", reference_field=examples.NO_REFERENCE)
    assert bare.reference_field is None
    assert bare.missing_references == 1
    with pytest.raises(BadRequest, match="no column 'wrong' left"):
        examples.read(path, input_field="wrong")
    with pytest.raises(BadRequest, match="no column 'question' left"):
        examples.read(path, input_field="question", reference_field="question")


def test_odd_rows_are_quarantined_with_reasons(tmp_path):
    found = examples.read(
        jsonl(
            tmp_path,
            {"input": "a", "label": "yes"},
            {"input": " a ", "label": "yes"},
            {"input": "a", "label": "no"},
            {"input": "  ", "label": "yes"},
            {"label": "yes"},
            {"input": {"deep": 1}, "label": "yes"},
            {"input": "\ud800", "label": "yes"},
            {"input": "x" * 100_001, "label": "yes"},
            {"input": "b", "label": None},
            {"input": "c", "label": ""},
            {"input": ["Doctor: hi", "Patient: ho"], "label": 1},
            [1],
        )
    )
    assert [e.row for e in found.examples] == [1, 9, 10, 11]
    assert found.quarantined == {
        "not an object with named fields": (12,),
        "duplicate": (2,),
        "same input, another reference": (3,),
        "input is empty": (4, 5),
        "input is neither text nor a list of texts": (6,),
        "input holds half a character (a lone surrogate)": (7,),
        "input has more than 100,000 bytes": (8,),
    }
    assert found.read == 12
    assert found.missing_references == 2
    assert found.examples[3].input == "Doctor: hi\nPatient: ho"
    assert found.notes == ("label is text in 1 rows and a number or truth value in 1",)


def test_nothing_usable_is_said(tmp_path):
    with pytest.raises(BadRequest, match=r"no usable example: input is empty \(2\)"):
        examples.read(jsonl(tmp_path, {"input": ""}, {"input": None}))


def test_sensitive_rows_are_named(tmp_path):
    found = examples.read(
        jsonl(tmp_path, {"input": "hello"}, {"input": "write to bob@example.com"})
    )
    assert [(f.kind, f.column, f.rows) for f in found.sensitive] == [
        ("e-mail address", "input", (2,))
    ]
    assert "bob" not in found.sensitive[0].model_dump_json()


@settings(deadline=None)
@given(st.permutations(range(30)), st.integers(0, 30), st.integers(0, 5))
def test_sample_ignores_file_order_and_grows(order, n, seed):
    pool = made(30)
    drawn = examples.sample([pool[i] for i in order], n, seed)
    assert drawn == examples.sample(pool, 30, seed)[:n]
    assert len({e.id for e in drawn}) == n


def test_split_parts_are_disjoint_and_whole():
    calibration, report = examples.split(made(10), 4, seed=1)
    assert len(calibration) == 4
    assert sorted(e.id for e in calibration + report) == sorted(e.id for e in made(10))
    for wrong in (0, 10, -1):
        with pytest.raises(BadRequest):
            examples.split(made(10), wrong, seed=1)
    with pytest.raises(BadRequest, match="11 can't be drawn"):
        examples.sample(made(10), 11, seed=0)
