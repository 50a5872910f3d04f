"""Files from users: refused in one clear line, or read exactly as they are."""

import csv
import io
import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.errors import BadRequest
from tools.clients import example_files

PLAIN = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
ROWS = st.lists(st.fixed_dictionaries({"input": PLAIN, "note": PLAIN}), min_size=1, max_size=8)


def written(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


@settings(max_examples=30, deadline=None)
@given(ROWS)
def test_json_lines_and_lists_come_back_as_written(folder, rows):
    lines = "\r\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    for path in (
        written(folder, "a.jsonl", lines),
        written(folder, "a.json", json.dumps(rows)),
    ):
        table = example_files.read(path)
        assert list(table.rows.values()) == rows
        assert set(table.columns) == {"input", "note"}
        assert not table.unusable


@settings(max_examples=30, deadline=None)
@given(ROWS)
def test_tables_come_back_as_written(folder, rows):
    for name, delimiter in (("a.csv", ","), ("a.tsv", "\t"), ("b.csv", ";")):
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, ["input", "note"], delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
        table = example_files.read(written(folder, name, buffer.getvalue()))
        assert list(table.rows.values()) == rows


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["a.jsonl", "a.json", "a.csv", "a.tsv"]))
def test_noise_is_refused_in_one_line_or_read(folder, content, name):
    refusal, table = "", None
    try:
        table = example_files.read(written(folder, name, content))
    except BadRequest as error:
        refusal = str(error)
    assert (table is None) == bool(refusal)
    assert "\n" not in refusal


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xlsx", b"PK", "convert it"),
        ("a.jsonl", b"", "no usable row"),
        ("a.csv", b"", "first line must name"),
        ("a.csv", b"x,x\n1,2\n", "name of its own"),
        ("a.csv", b'x,y\n"1,2\n', "check its quotes"),
        ("a.csv", b"x,y\n", "no usable row"),
        ("a.json", b'{"x": 1}', "must hold a list"),
        ("a.json", b"[1,", "not JSON (line 1)"),
        ("a.json", b"[" * 100_000, "not JSON"),
        ("a.jsonl", b'{"x": "ok"}\n{"x": "\xe9"}\n', "line 2 is not UTF-8 (byte 8)"),
        ("a.json", b'[\n{"x": "\xff"}]', "line 2 is not UTF-8"),
        ("a.jsonl", '{"x": "é"}'.encode("utf-16"), "line 1 is not UTF-8"),
        ("a.jsonl", b"nonsense\n" * 3, "no usable row: not JSON (row 1)"),
        ("a.jsonl", b'{"x": "' + b"y" * 2_000_000 + b'"}', "line 1 has 2,000,009 bytes"),
        ("a.csv", b"x\n" + b"y" * 200_000, "line 2: field larger"),
    ],
)
def test_refusals_say_what_is_wrong(tmp_path, name, content, message):
    with pytest.raises(BadRequest) as refused:
        example_files.read(written(tmp_path, name, content))
    assert message in str(refused.value)


def test_bad_rows_are_kept_out_with_their_numbers(tmp_path):
    lines = b'{"x": 1}\nnonsense\n\n[1]\n' + b"[" * 10_000 + b'\n{"\\ud800": 1}'
    table = example_files.read(written(tmp_path, "a.jsonl", lines))
    assert table.rows == {1: {"x": 1}}
    assert table.unusable == {
        2: "not JSON",
        3: "not an object with named fields",
        4: "not JSON",
        5: "a field's name can't be shown",
    }
    table = example_files.read(written(tmp_path, "a.csv", b"x,y\n1,2\n\n3\n4,5\n"))
    assert table.rows == {1: {"x": "1", "y": "2"}, 3: {"x": "4", "y": "5"}}
    assert table.unusable == {2: "not 2 columns, as the header has"}


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    table = example_files.read(written(tmp_path, "a.csv", b"\xef\xbb\xbfinput\nx\n"))
    assert table.columns == ("input",)


def test_a_huge_line_is_refused_without_being_read(tmp_path):
    path = tmp_path / "huge.jsonl"
    with path.open("wb") as stream:
        stream.truncate(200_000_000)  # a hole: reading it would cost 200 MB of memory
    tracemalloc.start()
    with pytest.raises(BadRequest, match="200 MB, more than 64"):
        example_files.read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_too_many_rows_or_columns(tmp_path, monkeypatch):
    monkeypatch.setattr(example_files, "ROWS", 3)
    monkeypatch.setattr(example_files, "COLUMNS", 2)
    with pytest.raises(BadRequest, match="more than 3 rows"):
        example_files.read(written(tmp_path, "a.csv", "x\n" + "1\n" * 4))
    with pytest.raises(BadRequest, match="3 columns"):
        example_files.read(written(tmp_path, "b.csv", "x,y,z\n1,2,3\n"))


def test_places_that_are_no_files(tmp_path):
    for path in (tmp_path / "missing.csv", tmp_path.with_suffix(".csv"), tmp_path / "a\0b.csv"):
        with pytest.raises(BadRequest):
            example_files.read(path)
