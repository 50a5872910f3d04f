"""Kept example sets: found again by content, never guessed, never overwritten when damaged."""

import pytest

from memory.errors import BadRequest, DamagedStore
from memory.example_sets import ExampleSets
from memory.records import Example, ExampleSet
from memory.sqlite import StoreUnavailable


def made(text="a?", **more):
    fixed = {"source": "f.csv", "sha256": "ab" * 32, "input_field": "q", "reference_field": "a"}
    example = Example(id="example:1", input=text, reference="yes", row=1)
    return ExampleSet(**(fixed | more), examples=(example,), read=1)


def test_what_was_kept_is_found_by_its_name(tmp_path):
    kept = ExampleSets(tmp_path / "examples")
    name = kept.keep(made(), "Answer.", may_leave=True)
    assert name.startswith("examples:")
    task = ExampleSets(tmp_path / "examples").get(name)
    assert (task.instruction, task.may_leave, task.examples) == ("Answer.", True, made())
    assert kept.keep(made(), "Answer.") == name


def test_another_file_column_or_instruction_is_another_name(tmp_path):
    kept = ExampleSets(tmp_path)
    names = {
        kept.keep(made(), "Answer."),
        kept.keep(made(), "Answer well."),
        kept.keep(made(sha256="cd" * 32), "Answer."),
        kept.keep(made(reference_field=None), "Answer."),
    }
    assert len(names) == 4


def test_what_is_not_kept_and_what_is_damaged_are_told_apart(tmp_path):
    kept = ExampleSets(tmp_path)
    with pytest.raises(BadRequest, match="not kept here"):
        kept.get("examples:000000000000")
    name = kept.keep(made(), "Answer.")
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"\xff{")
    with pytest.raises(DamagedStore, match="left untouched"):
        kept.get(name)
    assert file.read_bytes() == b"\xff{"


def test_a_folder_that_can_not_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreUnavailable, match="can't be kept"):
        ExampleSets(tmp_path / "file").keep(made(), "Answer.")
