"""lm-eval's own result files: a recorded one, and every way one can be odd."""

import json
from pathlib import Path

import pytest

from memory.errors import BadRequest
from memory.records import Origin, Score
from tools.clients.backends.lm_eval_runner import LmEvalRunner
from tools.clients.executors.executor import LocalExecutor
from tools.methods.intervals import wilson
from tools.scores.sources import lm_eval_results
from tools.scores.sources.entry import Refused, Skipped

RECORDED = Path(__file__).parents[3] / "cassettes" / "lm_eval_results.json"
SHA = "a" * 40


@pytest.fixture
def result(tmp_path):
    """Writes the recorded file with changes to its top level, and reads it."""

    def write(model=None, **changes):
        held = json.loads(RECORDED.read_text("utf-8")) | changes
        path = tmp_path / "results_2026-11-25T15-03-39.json"
        path.write_text(json.dumps(held), "utf-8")
        return list(lm_eval_results.read(path, model))

    return write


def test_a_recorded_file(result):
    acc, norm, *rest = result()
    assert acc == Score(
        model="acme/m",
        benchmark="made_choice",
        protocol="lm-eval 0.4.13 · 0-shot · no chat template · made_choice template v1.0"
        " · acc · items json test, first 16 of 20",
        value=0.75,
        low=0.75 - 1.6448536269514722 * 0.11180339887498948,
        high=0.75 + 1.6448536269514722 * 0.11180339887498948,
        n=16,
        origin=Origin.ELSEWHERE,
        source="lm-eval results_2026-11-25T15-03-39.json through dummy",
        date="2026-11-25",
    )
    assert (norm.metric, norm.value) == ("acc_norm", 0.625)
    assert [(type(one), one.reason) for one in rest] == [(Skipped, "lower is better")] * 2


def test_the_protocol_is_spelled_as_for_what_is_measured_here(result, tmp_path):
    ours = LmEvalRunner((), LocalExecutor("python", {}), tmp_path / "log").protocol("pubmedqa")
    (read,) = result(
        results={"pubmedqa": {"acc,none": 0.5}},
        versions={"pubmedqa": 1.0},
        model_source="hf",
        **{"n-shot": {"pubmedqa": 0}, "n-samples": {}},
    )
    assert read.protocol.split(" · ")[:5] == ours.split(" · ")[:5]
    assert read.protocol != ours  # other items


def test_shots_filters_chat_and_generation_are_part_of_the_protocol(result):
    (one,) = result(
        results={
            "gsm8k": {"exact_match,strict-match": 0.5, "exact_match_stderr,strict-match": 0.1}
        },
        versions={"gsm8k": None},
        chat_template="{{x}}",
        chat_template_sha="0123456789abcdef",
        system_instruction="Be brief.",
        system_instruction_sha="fedcba9876543210",
        config={"model_args": {"pretrained": "acme/m"}, "gen_kwargs": {"temperature": 0.7}},
        **{"n-shot": {"gsm8k": 5}, "n-samples": {"gsm8k": {"original": 9, "effective": 9}}},
    )
    for part in (
        "5-shot",
        "chat template 01234567, multi-turn, system fedcba98, gen_kwargs",
        "gsm8k template unversioned",
        "exact_match,strict-match",
    ):
        assert part in one.protocol
    assert "first" not in one.protocol
    assert (one.n, one.metric) == (9, "exact_match,strict-match")


@pytest.mark.parametrize(
    "arguments", ["pretrained=acme/m,load_in_4bit=True", {"load_in_4bit": True}]
)
def test_revision_and_precision_are_read(result, arguments):
    config = {"model_args": arguments, "model_sha": SHA, "model_revision": "main"}
    one = result(config=config)[0]
    assert (one.revision, one.precision) == (SHA, "load_in_4bit=True")
    assert result(config={"model_revision": "main"})[0].revision is None
    assert result(config={"model_args": "load_in_4bit=False"})[0].precision is None


def test_a_certain_score_keeps_a_wide_interval(result):
    (one,) = result(results={"made_choice": {"acc,none": 1.0, "acc_stderr,none": 0.0}})
    assert (one.low, one.high) == wilson(16, 16)


def test_a_model_that_is_a_path_must_be_named(result):
    with pytest.raises(BadRequest, match="--model"):
        result(model_name="/home/me/weights")
    assert result("acme/n", model_name="/home/me/weights")[0].model == "acme/n"


def test_odd_metrics_are_refused_or_skipped_alone(result):
    table = {
        "a": {"acc,none": float("nan"), "bleu,none": 23.5, "f1,none": "N/A", "acc_norm,none": 0.5},
        "b": "nothing",
        "c": {"acc,none": -1, "wer,none": 0.1, "alias": "c"},
    }
    found = result(results=table)
    kinds = [type(one) for one in found]
    assert kinds == [Refused, Skipped, Refused, Score, Refused, Refused, Skipped]
    assert "a acc,none" in found[0].where


@pytest.mark.parametrize("part", ["configs", "versions", "n-shot", "n-samples", "config", "date"])
@pytest.mark.parametrize("odd", [None, 7, "x", [1], {"made_choice": None}])
def test_odd_surroundings_never_stop_a_file(result, part, odd):
    assert result(**{part: odd})[0].value == 0.75


@pytest.mark.parametrize("text", ["", "{", '{"results": [1]}', "[]", "[" * 100_000, '{"a": 1}'])
def test_what_is_no_result_file_is_named(tmp_path, text):
    path = tmp_path / "results_x.json"
    path.write_text(text, "utf-8")
    with pytest.raises(BadRequest, match=r"results_x\.json"):
        list(lm_eval_results.read(path))


def test_a_folder_gives_its_result_files_alone(tmp_path):
    with pytest.raises(BadRequest, match="holds no results_"):
        lm_eval_results.files(tmp_path)
    (tmp_path / "acme__m").mkdir()
    for name in ("results_2.json", "results_1.json", "samples_t_1.jsonl", "other.json"):
        (tmp_path / "acme__m" / name).write_text("{}", "utf-8")
    assert [path.name for path in lm_eval_results.files(tmp_path)] == [
        "results_1.json",
        "results_2.json",
    ]
