"""The check of a run: priced, paid once, within time and money, and never an accusation by luck."""

from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pytest

from memory.ledger import Ledger
from memory.records import CONSTANT, Approval, BenchmarkChoice, Model, Plan
from memory.scores import Scores
from tools import herd_runner
from tools.clients.backends.log_probs import TextLogProb, TokenLogProbs
from tools.clients.benchmarks.item_sources import Lettered
from tools.clients.fakes import ScriptedRunner
from tools.deps import silent
from tools.herd import contamination_check
from tools.plans import local_plan
from tools.plans.already_measured import AlreadyMeasured
from tools.plans.estimating import Estimator

NAME, TASK = "o/model", "pubmedqa"
FILES = {TASK: [[f"text {run} number {n}" for n in range(4)] for run in range(4)]}
SEED = 3


def reading(**more):
    return ScriptedRunner({NAME: 0.9}, files=FILES, **more)


def deps_of(runner, folder):
    def clock():
        return datetime(2026, 1, 2, tzinfo=UTC)

    return SimpleNamespace(
        clock=clock,
        ledger=Ledger(folder / "ledger.sqlite", clock),
        scores=Scores(folder / "scores.sqlite", bundled=None),
        runner=runner,
        usd_per_hour=3.6,
        progress=silent,
    )


@pytest.fixture
def make(tmp_path):
    """Deps and an approved plan of eight items; ``cap`` in dollars, None for the plan's price."""
    made = []

    def make(runner, cap=None, run="r"):
        deps = made[0] if made else deps_of(runner, tmp_path)
        made.append(deps)
        deps.runner = runner
        arm, constant = runner.arms([Model(id=NAME)])[0]
        design = local_plan.Design(
            (arm,), (BenchmarkChoice(task=TASK, weight=1.0, reason="", items_source="here"),), 8
        )
        steps = local_plan.steps(
            Estimator.of(deps), AlreadyMeasured(deps, SEED), design, constant, deps
        )
        high = sum(step.usd_high for step in steps)
        cap = high if cap is None else cap
        plan = Plan(thread="t", run=run, steps=steps, seed=SEED, cap_usd=cap)
        approval = Approval(plan=plan.hash, decision="approve", by="me", surface="test", at="now")
        deps.ledger.record_approval(approval)
        return deps, plan, approval

    yield make
    for deps in made:
        deps.ledger.close()
        deps.scores.close()


def test_the_price_has_the_check_in_it(make):
    _, plain, _ = make(ScriptedRunner({NAME: 0.9}))
    _, checked, _ = make(reading())
    texts = 4 * (1 + contamination_check.SHUFFLES)
    step, other = checked.steps[0], plain.steps[0]
    assert 60 * (step.minutes - other.minutes) == pytest.approx(0.01 * texts)
    assert step.usd_high - other.usd_high == pytest.approx(0.02 * texts * 0.001)
    assert step.usd_low == other.usd_low  # it may be known from an earlier run
    assert checked.steps[-1] == plain.steps[-1]  # the constant answer was never trained


def test_a_memorized_order_halves_the_weight(make):
    deps, plan, approval = make(reading(memorized=frozenset({NAME})))
    result = herd_runner.run(plan, approval, deps)
    (found,) = result.contamination
    assert found.weight == 0.5
    assert found.flags[0].flagged
    assert found.flags[0].p == pytest.approx((1 + contamination_check.SHUFFLES) ** -4)
    (score,) = deps.scores.known([NAME], [TASK])
    assert score.source.endswith("; may have been trained on, counts x0.5")
    assert deps.ledger.checks() == [found]


def test_an_innocent_keeps_its_weight_and_its_score_is_as_ever(make):
    deps, plan, approval = make(reading())
    result = herd_runner.run(plan, approval, deps)
    (found,) = result.contamination
    assert (found.weight, found.reason) == (1.0, "no sign of contamination (order): full weight")
    assert [one.arm for one in result.measurements][-1] == CONSTANT
    (score,) = deps.scores.known([NAME], [TASK])
    assert "trained" not in score.source


def test_innocents_are_flagged_no_more_often_than_the_level():
    runner = reading()
    check = contamination_check.prepare(runner, runner.arms([Model(id=NAME)])[0][0], TASK)
    rng = np.random.default_rng(0)
    flagged = [
        check.conclude([TextLogProb(x) for x in rng.normal(size=len(check.texts))]).weight < 1
        for _ in range(400)
    ]
    assert sum(flagged) / 400 < 0.05 + 2 * (0.05 * 0.95 / 400) ** 0.5


def test_it_is_paid_once_whatever_runs_follow(make):
    runner = reading()
    deps, plan, approval = make(runner)
    first = herd_runner.run(plan, approval, deps)
    asked = len(runner.read)
    assert asked == 4 * (1 + contamination_check.SHUFFLES)
    assert herd_runner.run(plan, approval, deps) == first
    _, later, yes = make(runner, run="r2")
    assert herd_runner.run(later, yes, deps).contamination == first.contamination
    assert len(runner.read) == asked


def test_other_texts_are_another_question(make):
    runner = reading()
    deps, plan, approval = make(runner)
    herd_runner.run(plan, approval, deps)
    runner.files = {TASK: [[f"new {line}" for line in run] for run in FILES[TASK]]}
    asked = len(runner.read)
    herd_runner.run(plan, approval, deps)
    assert len(runner.read) == 2 * asked


def test_a_crash_in_the_check_loses_no_item_and_the_check_is_made_again(make):
    runner = reading()
    deps, plan, approval = make(runner)
    honest = runner.log_probs

    def killed(arm, texts):
        yield next(iter(honest(arm, texts)))
        raise KeyboardInterrupt

    runner.log_probs = killed
    with pytest.raises(KeyboardInterrupt):
        herd_runner.run(plan, approval, deps)
    runner.log_probs = honest
    items = list(runner.asked)
    assert herd_runner.run(plan, approval, deps).contamination[0].flags
    assert runner.asked == items


def test_short_of_money_it_is_left_out_and_said_so(make):
    runner = reading()
    runner.log_prob_seconds = lambda arm, texts: (0.0, 5.0, 10.0)  # a cent at most
    # Items take 0.8 cents and reserve 0.2 more at a time.
    deps, plan, approval = make(runner, cap=0.012)
    result = herd_runner.run(plan, approval, deps)
    assert result.measurements[0].n == 8
    assert result.failed == {}
    (found,) = result.contamination
    assert found.weight == 1.0
    assert found.reason.startswith("not checked for contamination: ")
    assert "left" in found.reason
    assert deps.runner.read == []


@pytest.mark.parametrize("allowed", [0, 5])
def test_short_of_time_it_is_left_out_or_broken_off(make, allowed):
    runner = reading(memorized=frozenset({NAME}))
    deps, plan, approval = make(runner)

    def stop():  # once the items and the baseline's are through, and some texts of the check
        return "time was up" if len(runner.asked) == 16 and len(runner.read) >= allowed else None

    result = herd_runner.run(plan, approval, deps, stop)
    (found,) = result.contamination
    assert (found.flags, found.weight) == ((), 1.0)
    assert found.reason == "not checked for contamination: time was up"
    assert len(runner.read) == allowed
    assert result.measurements[0].n == 8
    assert deps.ledger.checks() == []


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (RuntimeError("no memory"), "no memory"),
        (NotImplementedError(), "NotImplementedError"),
        (None, "no shard has all of its log-probabilities"),
    ],
)
def test_a_back_end_that_can_not_is_a_reason_and_not_a_failed_arm(make, trouble, reason):
    runner = reading()

    def log_probs(arm, texts):
        if trouble is not None:
            raise trouble
        yield from (TextLogProb(float("nan")) for _ in texts)

    runner.log_probs = log_probs
    deps, plan, approval = make(runner)
    result = herd_runner.run(plan, approval, deps)
    (found,) = result.contamination
    assert found.reason == f"not checked for contamination: {reason}"
    assert result.failed == {}
    assert result.measurements[0].n == 8
    assert deps.ledger.spent("r") <= plan.cap_usd


def test_an_arm_that_failed_is_not_asked_again(make):
    runner = reading(crash_at={NAME: 4})
    deps, plan, approval = make(runner)
    result = herd_runner.run(plan, approval, deps)
    (found,) = result.contamination
    assert found.reason == f"not checked for contamination: {result.failed[f'{NAME} @ scripted']}"
    assert runner.read == []


def test_without_a_published_order_or_log_probabilities_there_is_no_check(make):
    deps, plan, approval = make(ScriptedRunner({NAME: 0.9}))
    (found,) = herd_runner.run(plan, approval, deps).contamination
    assert found.reason == f"not checked for contamination: {contamination_check.NO_ORDER}"
    silent_runner = SimpleNamespace()
    assert contamination_check.prepare(silent_runner, None, TASK) == contamination_check.NO_READER


QUESTIONS = {TASK: [Lettered(f"What is {n}?", (f"one {n}", f"two {n}", f"six {n}"), 0)
                    for n in range(contamination_check.REORDERED)]}  # fmt: skip


def asking(**more):
    return reading(questions=QUESTIONS, **more)


def check_of(runner):
    return contamination_check.prepare(runner, runner.arms([Model(id=NAME)])[0][0], TASK)


def test_where_tokens_are_told_two_signals_share_the_level(make):
    deps, plan, approval = make(asking(memorized=frozenset({NAME})))
    (found,) = herd_runner.run(plan, approval, deps).contamination
    assert [flag.method for flag in found.flags] == ["order", "min-k%++"]
    assert [flag.threshold for flag in found.flags] == [0.025, 0.025]
    assert found.weight == 0.25
    assert "a question with its options as published surprises the model less" in found.reason
    asked = 4 * (1 + contamination_check.SHUFFLES)
    asked += contamination_check.REORDERED * (1 + contamination_check.REORDERINGS)
    assert len(deps.runner.read) == asked


def test_options_are_asked_where_no_order_is_known(make):
    deps, plan, approval = make(ScriptedRunner({NAME: 0.9}, questions=QUESTIONS))
    (found,) = herd_runner.run(plan, approval, deps).contamination
    assert [flag.method for flag in found.flags] == ["min-k%++"]
    assert found.weight == 1.0


def test_innocents_of_both_signals_are_flagged_no_more_often_than_the_level():
    check, rng = check_of(asking()), np.random.default_rng(0)

    def told():
        for _ in check.texts:
            row = rng.normal(size=9)
            yield TextLogProb(rng.normal(), TokenLogProbs(row, 0 * row, 1 + 0 * row))

    flagged = [check.conclude(list(told())).weight < 1 for _ in range(400)]
    assert sum(flagged) / 400 < 0.05 + 2 * (0.05 * 0.95 / 400) ** 0.5


def test_every_form_of_a_question_has_the_same_options():
    check = check_of(asking())
    forms = 1 + contamination_check.REORDERINGS
    for start in range(0, len(check.options), forms):
        lines = [text.split("\n") for text in check.options[start : start + forms]]
        told = {(question, *sorted(line[3:] for line in options)) for question, *options in lines}
        assert len(told) == 1


def test_a_back_end_that_tells_no_tokens_is_not_asked_for_them():
    runner = asking()
    runner.tells_tokens = lambda arm: False
    assert check_of(runner).options == ()
    assert check_of(runner).key == check_of(reading()).key  # what was paid for stays paid for


def test_tokens_that_do_not_come_after_all_are_an_error_and_not_a_verdict():
    check = check_of(asking())
    with pytest.raises(ValueError, match="no shard has all of its log-probabilities"):
        check.conclude([TextLogProb(-1.0) for _ in check.texts])


def test_a_check_is_made_once_for_all_prices_and_reserves(make):
    runner, asked = asking(), []
    honest = runner.published
    runner.published = lambda benchmark: asked.append(benchmark) or honest(benchmark)
    deps, plan, approval = make(runner)
    assert len(asked) == 1
    herd_runner.run(plan, approval, deps)
    assert len(asked) == 2  # once for the plan, once for the run


FORMS = {TASK: [Lettered(f"What is {n}?", (f"one {n}", f"two {n}", f"six {n}"), n % 3)
                for n in range(contamination_check.REWORDED)]}  # fmt: skip


class Speaking(ScriptedRunner):
    """A served model: totals only, and answers as ``says`` makes them."""

    def tells_tokens(self, arm):
        return False

    def generation_seconds(self, arm, items, tokens, new_tokens):
        return 0.1 * items, 0.2 * items, 0.4 * items

    def generate(self, arm, prompts, most_tokens):
        letters = dict(contamination_check.prepare(self, arm, TASK).forms)
        for prompt in prompts:
            asked = prompt.removeprefix(contamination_check.INSTRUCTION)
            yield self.says(asked, letters[asked])


def spoken(make, says, **more):
    runner = Speaking({NAME: 0.9}, files=FILES, questions=FORMS, **more)
    runner.says = says
    deps, plan, approval = make(runner)
    (found,) = herd_runner.run(plan, approval, deps).contamination
    return found


def parrot(asked, letter):
    return letter if asked.endswith("Answer:") else "(D)"


def test_where_no_tokens_are_told_letters_known_by_heart_show(make):
    found = spoken(make, parrot)
    assert [flag.method for flag in found.flags] == ["order", "paraphrase gap"]
    assert [flag.flagged for flag in found.flags] == [False, True]
    assert found.weight == 0.5
    assert "accuracy on the published wording against others, 16 items" in found.reason


@pytest.mark.parametrize(
    "says",
    [
        lambda asked, letter: f"The answer is {letter}.",
        lambda asked, letter: "A",
        lambda asked, letter: "C",
        lambda asked, letter: letter if " 1" in asked.split("?")[0] else "B",
    ],
    ids=["knows", "always A", "always C", "knows some"],
)
def test_who_knows_the_answer_or_prefers_a_letter_is_not_accused(make, says):
    assert spoken(make, says).weight == 1.0


def test_answers_without_a_letter_leave_the_other_signal(make):
    found = spoken(make, lambda asked, letter: "", memorized=frozenset({NAME}))
    assert [flag.method for flag in found.flags] == ["order"]
    assert found.weight == 0.5


def test_the_forms_are_priced_and_asked_once(make):
    runner = Speaking({NAME: 0.9}, files=FILES, questions=FORMS)
    check = contamination_check.prepare(runner, runner.arms([Model(id=NAME)])[0][0], TASK)
    assert check.asked == len(check.texts) + 2 * contamination_check.REWORDED
    texts = 0.01 * len(check.texts)
    assert check.seconds[1] == pytest.approx(texts + 0.2 * 2 * contamination_check.REWORDED)
    assert len({prompt for prompt, _ in check.forms}) == 2 * contamination_check.REWORDED
