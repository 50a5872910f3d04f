import csv
import json

import pytest

from memory.errors import BadRequest
from tools.judging.labelled import MOST_BYTES, read


def written(tmp_path, text, name="labels.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_pairs_in_both_orders(tmp_path):
    text = "label,verdict,verdict_swapped,judge\n1,1,2,GPT-4\n2,tie,,GPT-4\n"
    found = read(written(tmp_path, text))
    assert found.kind == "pairs"
    assert found.judged
    assert found.swapped
    assert found.judges == ("GPT-4",)
    assert [(p.label, p.first, p.second) for p in found.pairs] == [(1, 1, -1), (-1, 0, None)]
    assert found.pairs[0].texts is None


def test_csv_and_json_lines_say_the_same(tmp_path):
    rows = [
        {"label": "1", "input": "Say, “hi”\nnow", "answer_1": "hi", "answer_2": "", "verdict": "1"},
        {"label": "2", "input": "Add 1, 2", "answer_1": "4", "answer_2": "3", "verdict": ""},
    ]
    table = tmp_path / "a.csv"
    with table.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    numbers = [
        row | {"label": int(row["label"]), "verdict": row["verdict"] or None} for row in rows
    ]
    lines = written(tmp_path, "\n\n".join(map(json.dumps, numbers)), "a.jsonl")
    assert read(table) == read(lines)
    assert read(table).pairs[0].texts == ("Say, “hi”\nnow", "hi", "")
    assert not read(table).swapped


def test_ratings(tmp_path):
    found = read(written(tmp_path, '{"human": 5, "verdict": 4.0, "answer": "x"}\n{"human": 1}'))
    assert found.kind == "ratings"
    assert [(r.human, r.verdict) for r in found.ratings] == [(5, 4), (1, None)]
    assert found.ratings[0].texts == ("", "x")
    assert found.ratings[1].texts is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "holds no labels"),
        ("label,verdict\n", "holds no labels"),
        ("a,b\n1,2\n", "lacks the column 'label'.*a, b"),
        ("label\n3\n", "line 2: label is '3'; write 1 or 2"),
        ("label\n1\nA\n", "line 3: label is 'A'"),
        ("label,verdict\n1,yes\n", "line 2: verdict is 'yes'"),
        ("label,verdict,verdict_swapped\n1,1,3\n", "verdict_swapped is '3'"),
        ("human,verdict\n6,1\n", "line 2: human is '6'; write 1 to 5"),
        ("human,verdict\n5,0\n", "verdict is '0'"),
        ("human,verdict\n,1\n", "human is ''"),
        (b"label,input\n1,ok\n2,caf\xe9\n", r"not UTF-8 \(line 3\)"),
        ("label,input\n1," + "x" * 200_000 + "\n", "no CSV.*field"),
        ('{"label": 1}\n{"label": \n', "line 2: no JSON object"),
        ('{"label": 1}\n[1, 2]\n', "line 2: no JSON object"),
        ('{"label": [1]}\n', "label is"),
        ('{"label": true}\n', "label is 'true'"),
    ],
)
def test_bad_input_is_one_line_that_says_where(tmp_path, text, complaint):
    with pytest.raises(BadRequest, match=complaint) as caught:
        read(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_absent_or_huge_is_refused_unread(tmp_path):
    with pytest.raises(BadRequest, match="can't be read: No such file"):
        read(tmp_path / "none.csv")
    with pytest.raises(BadRequest, match="can't be read"):
        read(tmp_path)
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(BadRequest, match="larger than 64 MB"):
        read(path)
