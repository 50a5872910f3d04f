"""The user's own examples as a benchmark: drawn, answered, graded, and kept at home."""

from dataclasses import dataclass, field

import pytest

from memory.errors import BadRequest
from memory.example_sets import ExampleSets
from memory.records import (
    CONSTANT,
    Arm,
    BenchmarkChoice,
    Example,
    ExampleSet,
    OwnTask,
    SensitiveFinding,
)
from tools.clients.backends.lm_eval_process import ArmFailed
from tools.clients.fakes import ScriptedRunner
from tools.real_task.own_task import MOST_TOKENS, as_benchmarks, graded
from tools.real_task.own_task_runner import OwnTaskRunner

GOOD = Arm(name="good", model="o/good", backend="scripted")
FAR = Arm(name="far", model="o/far", backend="served", weights="https://elsewhere.org/v1 far")
NEAR = Arm(name="near", model="o/near", backend="served", weights="http://127.0.0.1:8000/v1 near")
NULL = Arm(name=CONSTANT, model=CONSTANT, backend="constant")


def example_set(references, **more):
    examples = tuple(
        Example(id=f"example:{i}", input=f"question {i}?", reference=reference, row=i + 1)
        for i, reference in enumerate(references)
    )
    fixed = {"source": "f.csv", "sha256": "ab" * 32, "input_field": "q", "reference_field": "a"}
    return ExampleSet(**(fixed | more), examples=examples, read=len(examples))


LABELS = example_set(["yes", "no", "yes", "yes", "no", "yes", None, "yes"])
TEXTS = example_set([f"the patient number {i} has had a cough for {i} days and no fever at all"
                     for i in range(6)])  # fmt: skip


@dataclass
class Writer(ScriptedRunner):
    """Answers every prompt with the same words, and remembers what it was given."""

    says: str = "Yes."
    given: list[tuple[str, str, int]] = field(default_factory=list)

    def generate(self, arm, prompts, most_tokens):
        for prompt in prompts:
            self.given.append((arm.name, prompt, most_tokens))
            yield self.says

    def generation_seconds(self, arm, items, tokens, new_tokens):
        return 0.0, items * new_tokens, 2.0 * items * new_tokens


@pytest.fixture
def runner(tmp_path):
    return OwnTaskRunner(Writer({"o/good": 0.9}), ExampleSets(tmp_path))


def kept(runner, tmp_path, examples=LABELS, **more):
    return ExampleSets(tmp_path).keep(examples, "Say whether it is so.", **more)


def test_answers_are_graded_on_the_drawn_examples(runner, tmp_path):
    name = kept(runner, tmp_path)
    ids = runner.items(name, 5, seed=1)
    results = list(runner.run(GOOD, name, ids))
    assert [one.item for one in results] == ids
    truth = {one.id: one.reference for one in LABELS.examples}
    assert [one.correct for one in results] == [float(truth[i] == "yes") for i in ids]
    _, prompt, most = runner.inner.given[0]
    assert prompt.startswith("Say whether it is so.\n\nquestion ")
    assert prompt.endswith("Answer with exactly one of: no, yes.")
    assert most == 16


def test_an_answer_without_a_label_is_missing_not_wrong(runner, tmp_path):
    runner.inner.says = "Hard to tell."
    name = kept(runner, tmp_path)
    assert {r.correct for r in runner.run(GOOD, name, runner.items(name, 3, seed=1))} == {None}


def test_examples_without_a_reference_are_not_drawn(runner, tmp_path):
    name = kept(runner, tmp_path)
    assert "example:6" not in runner.items(name, 7, seed=0)
    with pytest.raises(BadRequest, match="7 usable examples"):
        runner.items(name, 8, seed=0)


def test_the_constant_answer_is_the_commonest_of_those_not_drawn(runner, tmp_path):
    name = kept(runner, tmp_path)
    drawn = ["example:0", "example:2", "example:3"]  # all yes; left: no no yes yes
    results = list(runner.run(NULL, name, drawn))
    assert {one.answer for one in results} == {"no"}
    assert {one.correct for one in results} == {0.0}


def test_texts_are_graded_by_overlap_and_bounded_by_the_references(runner, tmp_path):
    runner.inner.says = "the patient number 3 has had a cough for 3 days and no fever at all"
    name = kept(runner, tmp_path, TEXTS)
    results = {one.item: one for one in runner.run(GOOD, name, runner.items(name, 6, 0))}
    assert results["example:3"].correct == 1.0
    assert 0 < results["example:1"].correct < 1
    task = graded(OwnTask(name=name, instruction="x", examples=TEXTS))
    assert task.metric.metric == "ROUGE-L"
    assert 16 < task.most_tokens <= MOST_TOKENS


def test_the_protocol_names_set_prompt_length_and_metric(runner, tmp_path):
    name = kept(runner, tmp_path)
    protocol = runner.protocol(name)
    assert name in protocol
    assert "examples/answer@1" in protocol
    assert "at most 16 tokens" in protocol
    assert protocol.endswith("accuracy")


def test_benchmarks_are_the_inner_runners_business(runner):
    assert runner.items("pubmedqa", 3, 0) == runner.inner.items("pubmedqa", 3, 0)
    assert runner.protocol("pubmedqa") == runner.inner.protocol("pubmedqa")
    assert len(list(runner.run(GOOD, "pubmedqa", runner.items("pubmedqa", 3, 0)))) == 3


@pytest.mark.parametrize(("arm", "may_leave", "goes"), [
    (FAR, False, False), (FAR, True, True), (NEAR, False, True), (GOOD, False, True),
])  # fmt: skip
def test_what_looks_like_a_secret_leaves_this_machine_only_when_told(
    runner, tmp_path, arm, may_leave, goes
):
    found = SensitiveFinding(kind="e-mail address", column="q", rows=(3,))
    name = kept(runner, tmp_path, LABELS.model_copy(update={"sensitive": (found,)}),
                may_leave=may_leave)  # fmt: skip
    ids = runner.items(name, 2, 0)
    if goes:
        assert len(list(runner.run(arm, name, ids))) == 2
        return
    with pytest.raises(ArmFailed, match="e-mail address in q .row 3.*--may-leave"):
        list(runner.run(arm, name, ids))
    assert runner.inner.given == []


def test_to_a_cluster_is_away_too(runner, tmp_path):
    found = SensitiveFinding(kind="e-mail address", column="q", rows=(3,))
    name = kept(runner, tmp_path, LABELS.model_copy(update={"sensitive": (found,)}))
    runner.inner.elsewhere = True
    with pytest.raises(ArmFailed, match="--may-leave"):
        list(runner.run(GOOD, name, runner.items(name, 2, 0)))
    assert runner.inner.given == []


def test_the_real_task_has_half_of_the_weight():
    others = [BenchmarkChoice(task=t, weight=w, reason="") for t, w in (("a", 0.6), ("b", 0.4))]
    task = OwnTask(name="examples:x", instruction="Do it.", examples=LABELS)
    own, *rest = as_benchmarks(task, others)
    assert (own.task, own.weight, own.available) == ("examples:x", 0.5, 7)
    assert [one.weight for one in rest] == pytest.approx([0.3, 0.2])
    assert "2 short labels" in own.reason
    assert own.items_source == "f.csv, 7 examples"


def test_examples_without_any_reference_can_not_be_measured_and_say_so():
    task = OwnTask(name="examples:x", instruction="Do it.", examples=example_set([None, None]))
    (own,) = as_benchmarks(task, [])
    assert own.items_source is None
    assert "no example has a reference answer" in own.reason
