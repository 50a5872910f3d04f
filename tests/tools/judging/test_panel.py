"""Who may grade, and how several judges make one score."""

import pytest
from scripted_judges import TASK, hire, ratings

from memory.records import Grade, JudgedItem
from memory.registry import Registry
from tools.judging.panel import Panel, appoint, score
from tools.methods.gpu_time import Range

NOBODY_KNOWN = Registry({}, "none")
ARMS = ["qwen-lab/qwen-1b", "acme/x", "meta-llama/llama-1b"]


@pytest.mark.parametrize(
    ("judges", "chosen", "unjudged"),
    [
        (["neutral"], (0,), set()),
        (["neutral", "other"], (0, 1), set()),
        (["qwen3", "neutral"], (1,), set()),
        (["qwen3"], (0,), {"qwen-lab/qwen-1b"}),
        (["qwen3", "llama3"], (0,), {"qwen-lab/qwen-1b"}),  # as good as the other, and named first
        (["qwen3", "qwq"], (0, 1), {"qwen-lab/qwen-1b"}),
    ],
)
def test_all_arms_have_the_same_judges_those_who_may_grade_most(judges, chosen, unjudged):
    found = appoint(judges, ARMS, NOBODY_KNOWN)
    assert found.judges == chosen
    assert set(found.unjudged) == unjudged
    assert all("--judge" in why for why in found.unjudged.values())
    assert set(found.excused) == {one for i, one in enumerate(judges) if i not in chosen}


def grade(n):
    told = None if n is None else dict.fromkeys(("accuracy", "clarity"), n)
    return Grade(judge="j", model="m", item="1", prompt="p", ratings=told)


def test_a_score_is_the_mean_of_all_judges_or_missing():
    assert score([grade(5), grade(3)]) == 0.75
    assert score([grade(5), grade(None)]) is None
    assert score([]) is None


def test_a_panel_asks_each_judge_and_says_how_in_its_protocol(tmp_path):
    one, _, _ = hire(tmp_path / "a", lambda _: ratings(5), model="kind")
    two, _, _ = hire(tmp_path / "b", lambda _: ratings(1), model="harsh")
    panel = Panel((one, two), TASK)
    grades = panel.grade("a/m", JudgedItem(id="1", source="A dialogue."), "A note.")
    assert [found.judge for found in grades] == ["kind", "harsh"]
    assert score(grades) == 0.5
    assert panel.protocol.startswith("judge/rubric@1 #")
    assert "medicine, by kind and harsh, mean rating" in panel.protocol
    low, usd, high = panel.usd(["A dialogue."] * 3, Range(10, 100, 1000))
    assert 0 < low < usd < high
    assert panel.usd([], Range(10, 100, 1000)) == (0, 0, 0)


def test_time_is_learnt_from_what_replies_took(tmp_path):
    judge, _, ledger = hire(tmp_path)
    assert Panel((judge,), TASK).seconds(10).expected == 50
    panel = Panel((judge,), TASK)
    for n in range(6):
        panel.grade("a/m", JudgedItem(id=str(n), source=f"Dialogue {n}."), "A note.")
    ledger.close()
    again, _, _ = hire(tmp_path, run="r2")
    assert Panel((again,), TASK).seconds(10) == (5.0, 5.0, 5.0)  # the script takes half a second
