import pytest
from scripted_judges import hire, ratings

from memory.records import Calibration, Grade
from tools.deps import silent
from tools.judging import calibrating
from tools.judging.calibrating import ask, corrected, good_rate, measure, messages, plain_task
from tools.judging.labelled import Labelled, LabelledPair, LabelledRating

TASK = plain_task("arithmetic")


def pairs(*rows, swapped=True, texts=None):
    made = tuple(LabelledPair(*row, texts) for row in rows)
    return Labelled("pairs", made, (), judged=True, swapped=swapped, judges=())


def rated(*rows):
    made = tuple(LabelledRating(human, verdict, None) for human, verdict in rows)
    return Labelled("ratings", (), made, judged=True, swapped=False, judges=())


def measured(labelled) -> Calibration:
    return measure(labelled, judge="j", prompt="p", at="now", source="s")


def test_pairs_are_merged_before_they_are_counted():
    found = measured(
        pairs((1, 1, 1), (1, 1, -1), (-1, -1, -1), (-1, 1, 1), (1, None, 1), (-1, -1, 0))
    )
    assert (found.n, found.missing, found.ties) == (6, 1, 2)
    assert (found.hits, found.positives, found.rejections, found.negatives) == (1, 1, 1, 2)
    assert found.accuracy.value == pytest.approx((1 + 0.5 + 1 + 0 + 0.5) / 5)
    assert found.positional_agreement == pytest.approx(3 / 5)
    assert found.length is None


def test_one_order_says_nothing_of_position():
    found = measured(pairs((1, 1, None), (-1, -1, None), swapped=False))
    assert found.accuracy.value == 1
    assert found.kappa == 1
    assert found.position is None
    assert found.positional_agreement is None


def test_length_bias_needs_texts():
    found = measured(pairs(*[(-1, 1, 1)] * 30, texts=("q", "a long answer", "short")))
    assert found.length is not None
    assert found.length.value == 1
    assert found.length.low > 0.8


def test_ratings_from_four_on_are_good():
    found = measured(rated((5, 4), (4, 3), (1, 2), (2, None)))
    assert (found.hits, found.positives, found.rejections, found.negatives) == (1, 2, 1, 1)
    assert (found.n, found.missing, found.ties) == (4, 1, 0)
    assert found.accuracy.value == pytest.approx(2 / 3)
    assert 0 < found.kappa < 1


def test_a_rate_is_corrected_by_the_counts():
    counts = {"hits": 45, "positives": 50, "rejections": 35, "negatives": 50}
    found = measured(rated((5, 5), (1, 1))).model_copy(update=counts)
    assert corrected(found, 62, 100).value == pytest.approx((0.62 + 0.7 - 1) / 0.6)


def test_the_share_of_good_answers_is_corrected_by_its_own_judges_calibration():
    def graded(n, **changes):
        given = {"judge": "j", "model": "m", "item": "1", "prompt": "p", "ratings": None}
        made = Grade(**given) if n is None else Grade(**(given | {"ratings": {"accuracy": n}}))
        return made.model_copy(update=changes)

    counts = {"hits": 45, "positives": 50, "rejections": 35, "negatives": 50}
    found = measured(rated((5, 5), (1, 1))).model_copy(update=counts)
    grades = [graded(4)] * 62 + [graded(2)] * 38 + [graded(None)] * 5
    assert good_rate(grades, found) == corrected(found, 62, 100)
    for other in (graded(4, judge="x"), graded(4, prompt="q")):
        with pytest.raises(ValueError, match="calibrated"):
            good_rate([other], found)
    with pytest.raises(ValueError, match="calibrated"):
        good_rate(grades, measured(pairs((1, 1, 1))))


def test_no_verdict_at_all_is_all_missing():
    found = measured(pairs((1, None, None)))
    assert found.missing == found.n == 1
    assert found.accuracy.value is None
    assert found.kappa is None


def test_a_judge_is_asked_in_both_orders_and_every_request_was_priced(tmp_path):
    given = Labelled(
        "pairs",
        (
            LabelledPair(1.0, None, None, ("count apples", "seven apples", "no")),
            LabelledPair(-1.0, None, None, ("name colours", "no", "some colours")),
        ),
        (),
        judged=False,
        swapped=False,
        judges=(),
    )
    judge, chat, _ = hire(tmp_path)
    found, usd, stopped = ask(given, judge, TASK, silent)
    assert [(p.first, p.second) for p in found.pairs] == [(1, 1), (-1, -1)]
    assert found.judged
    assert found.swapped
    assert usd > 0
    assert stopped is None
    assert sorted(chat.asked) == sorted(messages(given, TASK))


def test_ratings_are_asked_for_and_stop_at_the_cap(tmp_path):
    rows = tuple(LabelledRating(5, None, (f"task {n}", f"task {n} done")) for n in range(9))
    given = Labelled("ratings", (), rows, judged=False, swapped=False, judges=())
    judge, chat, _ = hire(tmp_path, lambda _: ratings(4), cap=0.0042)
    found, _, stopped = ask(given, judge, TASK, silent)
    known = [r.verdict for r in found.ratings if r.verdict is not None]
    assert 0 < len(known) < 9
    assert set(known) == {4}
    assert "approved" in stopped
    assert chat.asked[0] == messages(given, TASK)[0]
    assert calibrating.measure(found, judge="j", prompt="p", at="n", source="s").missing > 0
