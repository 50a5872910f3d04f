"""What every Runner promises, asked of the scripted one and of real weights alike."""

import sys

import pytest

from agent.settings import worker_environment
from memory.errors import BadRequest
from memory.records import CONSTANT, Model
from tools.clients.backends.hf_backend import HfBackend
from tools.clients.backends.lm_eval_runner import LmEvalRunner
from tools.clients.executors.executor import LocalExecutor
from tools.clients.fakes import ScriptedRunner

SMOL = Model(id="HuggingFaceTB/SmolLM2-135M-Instruct")
ABSENT = Model(id="nobody/has-this")
BENCHMARK = "medmcqa"


@pytest.fixture(
    scope="module", params=["scripted", pytest.param("real", marks=pytest.mark.weights)]
)
def runner(request):
    if request.param == "scripted":
        yield ScriptedRunner({SMOL.id: 0.7, CONSTANT: 0.4})
        return
    cache = request.config.cache.mkdir("mirror")  # unpacking costs 40 s, so it is kept
    backend = HfBackend(cache, hf_cache=cache / "none")
    real = LmEvalRunner(
        [backend], LocalExecutor(sys.executable, worker_environment()), cache / "logs"
    )
    yield real
    real.close()


@pytest.fixture(scope="module")
def arm(runner):
    return runner.arms([SMOL])[0][0]


@pytest.fixture(scope="module")
def baseline(runner):
    return runner.arms([SMOL])[0][-1]


def test_every_model_has_an_arm_or_a_reason_and_the_baseline_is_last(runner):
    arms, reasons = runner.arms([SMOL, ABSENT])
    assert {arm.model for arm in arms[:-1]} == {SMOL.id}
    assert arms[-1].model == CONSTANT
    assert len({arm.name for arm in arms}) == len(arms)
    assert reasons == {ABSENT.id: "weights not on this machine"}
    assert [arm.model for arm in runner.arms([])[0]] == [CONSTANT]


def test_items_are_distinct_repeatable_and_grow(runner):
    drawn = runner.items(BENCHMARK, 30, seed=3)
    assert len(set(drawn)) == 30
    assert runner.items(BENCHMARK, 12, seed=3) == drawn[:12]
    assert runner.items(BENCHMARK, 30, seed=4) != drawn
    assert runner.items(BENCHMARK, 0, seed=3) == []


@pytest.mark.parametrize(("benchmark", "n"), [(BENCHMARK, 10**6), ("no-such-task", 1)])
def test_what_cannot_be_drawn_is_refused(runner, benchmark, n):
    with pytest.raises(BadRequest):
        runner.items(benchmark, n, seed=0)


def test_the_protocol_tells_benchmarks_and_runners_apart(runner):
    protocol = runner.protocol(BENCHMARK)
    assert protocol.startswith(runner.name)
    assert BENCHMARK in protocol
    assert "0-shot" in protocol
    assert protocol != runner.protocol("pubmedqa")


def test_seconds_are_ordered_and_grow_with_the_items(runner, arm, baseline):
    few, many = runner.seconds(arm, BENCHMARK, 4), runner.seconds(arm, BENCHMARK, 40)
    assert 0 <= few[0] <= few[1] <= few[2]
    assert all(more > less for less, more in zip(few, many, strict=True))
    assert runner.seconds(baseline, BENCHMARK, 40)[1] < 1


def test_a_sound_back_end_passes_the_probe(runner, arm, baseline):
    runner.probe(arm)
    runner.probe(baseline)


def test_one_result_an_item_and_the_same_again(runner, arm):
    ids = runner.items(BENCHMARK, 6, seed=0)
    results = list(runner.run(arm, BENCHMARK, ids))
    assert [result.item for result in results] == ids
    assert {result.arm for result in results} == {arm.name}
    assert {result.correct for result in results} <= {0.0, 1.0}
    assert all((r.answer == r.target) == (r.correct == 1.0) for r in results)
    again = list(runner.run(arm, BENCHMARK, ids[3:]))  # other neighbours, same outcome
    assert [r.answer for r in again] == [r.answer for r in results[3:]]


def test_the_baseline_gives_one_answer_to_all(runner, baseline):
    ids = runner.items(BENCHMARK, 40, seed=0)
    results = list(runner.run(baseline, BENCHMARK, ids))
    assert [result.item for result in results] == ids
    assert 0 < sum(result.correct for result in results) < 40


def test_a_closed_run_can_be_followed_by_another(runner, arm):
    ids = runner.items(BENCHMARK, 4, seed=1)
    broken_off = runner.run(arm, BENCHMARK, ids)
    first = next(broken_off)
    broken_off.close()
    assert next(iter(runner.run(arm, BENCHMARK, ids))).answer == first.answer


def test_texts_have_a_log_probability_and_the_same_again(runner, arm):
    texts = [f"The capital of France is {name}." for name in ("Paris", "because")] * 5
    low, expected, high = runner.log_prob_seconds(arm, texts)
    assert 0 < low <= expected <= high
    totals = [one.total for one in runner.log_probs(arm, texts)]
    assert len(totals) == 10
    assert all(total < 0 for total in totals)
    again = [one.total for one in runner.log_probs(arm, texts[:1])]  # other neighbours
    assert again == pytest.approx(totals[:1], abs=1e-3)


def test_a_closed_reading_can_be_followed_by_another(runner, arm):
    broken_off = runner.log_probs(arm, ["One.", "Two."])
    first = next(broken_off)
    broken_off.close()
    assert next(iter(runner.log_probs(arm, ["One.", "Two."]))).total == first.total


def test_an_unknown_item_is_refused(runner, baseline):
    with pytest.raises(BadRequest, match="has no item"):
        list(runner.run(baseline, BENCHMARK, ["other:1"]))
