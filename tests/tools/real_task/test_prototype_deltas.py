"""Answers side by side: what was measured, what was not, and differences on shared prompts."""

import pytest

from memory.records import Example, PrototypeAnswer, PrototypeDeltas
from tools.real_task.answer_format import Form
from tools.real_task.prototype_deltas import compare, rows, side_by_side

EXAMPLES = [
    Example(id="1", input="Patient coughs for two weeks", reference="Plan: codeine for 2 weeks"),
    Example(id="2", input="Patient vomits, 38.5 degrees", reference="Plan: fluids"),
    Example(id="3", input="Patient dizzy", reference=None),
]
FORM = Form(sections=("plan",))


def said(arm, example, answer, seconds=None, tokens=None):
    return PrototypeAnswer(arm=arm, example=example, answer=answer, seconds=seconds, tokens=tokens)


GOOD = [
    said("good", "1", "Plan: codeine for two weeks", 1.0, 10),
    said("good", "2", "Plan: fluids", 3.0, 10),
    said("good", "3", "Plan: patient dizzy", 2.0, 10),
]
POOR = [
    said("poor", "1", "Take 500 mg of something", 0.5, 20),
    said("poor", "2", "Plan: rest rest", 0.5, 5),
    said("poor", "3", None),
]


def test_each_measure_by_hand():
    found = compare(EXAMPLES, [*GOOD, *POOR], FORM)
    good, poor = found.arms
    assert (good.answered, poor.answered, poor.prompts) == (3, 2, 3)
    assert poor.format_failures == {"no section plan": 1}
    assert good.means["format failures"] == 0
    assert poor.means["format failures"] == 0.5
    assert good.means["numbers not given"] == 0
    assert poor.means["numbers not given"] == 0.5  # 500
    assert good.means["terms covered"] == 1
    assert poor.means["terms covered"] == 0
    assert good.means["length ratio"] == pytest.approx(1.0)  # only where there is a reference
    assert good.means["tokens per second"] == pytest.approx((10 + 10 / 3 + 5) / 3)


def test_differences_are_of_shared_prompts_only():
    found = compare(EXAMPLES, [*GOOD, *POOR], FORM)
    deltas = {one.measure: one for one in found.deltas}
    assert deltas["seconds"].n == 2
    assert deltas["seconds"].difference == pytest.approx(1.5)
    assert deltas["seconds"].low <= 1.5 <= deltas["seconds"].high
    assert deltas["tokens"].difference == pytest.approx(-2.5)


def test_what_was_not_measured_is_absent():
    found = compare(EXAMPLES, [said("a", "1", "Plan: x"), said("b", "2", "Plan: y")], Form())
    assert found.deltas == ()
    assert "seconds" not in found.arms[0].means
    nothing = compare(EXAMPLES, [said("a", "1", None)], Form()).arms[0]
    assert (nothing.answered, nothing.means) == (0, {})


def test_an_empty_answer_is_an_answer():
    found = compare(EXAMPLES, [said("a", "1", "")], Form()).arms[0]
    assert found.answered == 1
    assert found.format_failures == {"empty": 1}
    assert found.means["words"] == 0
    assert "word variety" not in found.means


def test_rows_are_ready_for_a_report():
    found = compare(EXAMPLES, [*GOOD, *POOR], FORM)
    table = rows(found)
    assert table[0] == ["measure", "good", "poor", "good - poor"]
    assert len({len(row) for row in table}) == 1
    by_name = {row[0]: row[1:] for row in table}
    assert by_name["answered"] == ["3 of 3", "2 of 3", ""]
    assert by_name["terms covered"] == ["100%", "0%", "+100% (+100% to +100%) *"]
    assert by_name["format: no section plan"] == ["0", "1", ""]
    one = rows(compare(EXAMPLES, [GOOD[0], POOR[0]], FORM))
    assert {row[0]: row[-1] for row in one}["seconds"] == "+0.50 (1 prompt)"
    shown = side_by_side(found, EXAMPLES, letters=10)
    assert shown[0] == ["input", "reference", "good", "poor"]
    assert shown[3] == ["Patient di… (13 letters)", "-", "Plan: pati… (19 letters)", "-"]
    assert PrototypeDeltas.model_validate_json(found.model_dump_json()) == found


def test_a_file_without_answers():
    assert rows(compare(EXAMPLES, [], FORM)) == [["measure"], ["answered"]]


def test_wrong_calls_are_named():
    with pytest.raises(ValueError, match="twice"):
        compare(EXAMPLES, [GOOD[0], GOOD[0]], FORM)
    with pytest.raises(ValueError, match=r"unknown examples \['9'\]"):
        compare(EXAMPLES, [said("a", "9", "x")], FORM)
    with pytest.raises(ValueError, match="4 arms"):
        compare(EXAMPLES, [said(arm, "1", "x") for arm in "abcd"], FORM)
