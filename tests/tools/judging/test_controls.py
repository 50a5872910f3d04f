from scripted_judges import TASK, hire, ratings, split

from memory.records import JudgedItem
from tools.judging.controls import (
    ITEMS,
    NULL_ANSWER,
    compare_controlled,
    control_answers,
    grade_controlled,
    verdict,
)

SOURCES = [JudgedItem(id=str(n), source=f"Patient: symptom{n} hurts") for n in range(22)]
ANSWERS = {
    "a/m": {item.id: f"The patient reports symptom{item.id}." for item in SOURCES},
    "b/m": {item.id: f"symptom{item.id}" for item in SOURCES} | {"3": None, "7": "symptom7 " * 40},
}


def run(folder, says=None):
    judge, chat, ledger = hire(folder, says) if says else hire(folder)
    judged = grade_controlled(TASK, SOURCES, ANSWERS, [judge], registry=None)
    assert judged.stopped is None
    assert len(judged.grades) == 2 * len(SOURCES)
    real = 2 * len(SOURCES) - 1  # one answer is missing
    controls = {one.name: one for one in judged.controls[judge.name]}
    return controls, chat.asked[real:], ledger


def always_the_first(_):
    return '{"better": 1}'


def by_length(messages):
    answer = split(messages[0].content)[1][1]
    return ratings(min(5, 1 + len(answer) // 8))


def test_a_fair_judge_passes_both_controls(tmp_path):
    controls, asked, ledger = run(tmp_path)
    assert all(one.passed for one in controls.values())
    assert controls["null"].answer == NULL_ANSWER
    assert controls["null"].mean == 0
    assert controls["longest"].answer == ANSWERS["b/m"]["7"]
    assert controls["longest"].n == ITEMS - 1  # not for the item it belongs to
    assert len(asked) == 2 * ITEMS - 1
    assert ledger.spent("r") < 1


def test_a_judge_of_length_fails_the_longest_and_one_that_likes_all_fails_both(tmp_path):
    controls, _, _ = run(tmp_path / "a", by_length)
    assert not controls["longest"].passed
    assert "not to be trusted" in controls["longest"].reason
    controls, _, _ = run(tmp_path / "b", lambda _: ratings(5))
    assert not controls["null"].passed
    assert not controls["longest"].passed


def test_being_harmless_and_clear_is_not_held_against_a_control(tmp_path):
    """A constant answer is ethical and clear: a fair judge may say so."""

    def says(messages):
        fits = "symptom" in split(messages[0].content)[1][1]
        return ratings(5 if fits else 1, ethics=5, clarity=5, consistency=5)

    controls, _, _ = run(tmp_path, says)
    assert controls["null"].passed


def test_a_control_that_was_not_graded_has_not_passed(tmp_path):
    judge, _, _ = hire(tmp_path, cap=0.0)
    judged = grade_controlled(TASK, SOURCES, ANSWERS, [judge], registry=None)
    assert "approve a plan" in judged.stopped
    for one in judged.controls[judge.name]:
        assert not one.passed
        assert one.mean is None
        assert "not graded" in one.reason


def test_pairs_have_controls_too(tmp_path):
    a, b = (("a/m", ANSWERS["a/m"]), ("b/m", ANSWERS["b/m"]))
    some = SOURCES[:8]
    for folder, says, passed in (("fair", None, True), ("first", always_the_first, False)):
        judge, _, _ = hire(tmp_path / folder, says) if says else hire(tmp_path / folder)
        judged = compare_controlled(TASK, some, a, b, [judge], registry=None)
        assert len(judged.preferences) == 8
        assert [one.passed for one in judged.controls[judge.name]] == [passed, passed]


def test_four_items_are_too_few_to_pass():
    assert not verdict("null", "", [(1.0, 0.0)] * 4).passed
    assert verdict("null", "", [(1.0, 0.0)] * 5).passed
    assert not verdict("null", "", [(1.0, 0.6)] * 20).passed


def test_the_longest_answer_is_the_same_whatever_the_order():
    turned = dict(reversed(ANSWERS.items()))
    assert control_answers("longest", ANSWERS, SOURCES) == control_answers(
        "longest", turned, SOURCES
    )
    assert control_answers("longest", {"a": {"1": None}}, SOURCES) == {}
