"""--examples: the file is read before anything else happens; what is unclear is asked or said."""

import argparse
import json

import judged_world
import pytest
import world

from agent.session import Asked
from agent.surfaces.terminal import Terminal
from memory.errors import BadRequest
from tools.clients.fakes import ScriptedRunner
from tools.real_task.own_task_runner import OwnTaskRunner


class Writer(ScriptedRunner):
    def generate(self, arm, prompts, most_tokens):
        for prompt in prompts:
            number = int(prompt.split("question ")[1].split()[0])
            yield "yes" if (number % 3 == 0) == (arm.model == world.GOOD) else "no"

    def generation_seconds(self, arm, items, tokens, new_tokens):
        return (0.0, 0.0, 1.0) if arm.backend == "constant" else (0.0, 0.5 * items, 1.0 * items)


def terminal(session, **more):
    words = {"examples": None, "input": None, "reference": None, "instruction": None}
    words |= {"judge": None, "domain": None}
    fixed = words | {"may_leave": False, "request": world.REQUEST, "json": False, "quiet": True}
    return Terminal(session, argparse.Namespace(**(fixed | more)), "ada")


def file_of(tmp_path, rows):
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


ROWS = [
    {"question": f"question {n} ?", "answer": "yes" if n % 3 == 0 else "no", "remark": "x"}
    for n in range(40)
]


def test_a_request_with_examples_ends_in_a_decision_on_them(tmp_path):
    made = world.session(tmp_path)
    runner = OwnTaskRunner(Writer({world.GOOD: 1.0, world.POOR: 0.0}), made.deps.examples)
    object.__setattr__(made.deps, "runner", runner)
    name = terminal(made, examples=file_of(tmp_path, ROWS)).keep_examples()
    asked = list(made.say("t", world.REQUEST, {"examples": name}))[-1]
    assert isinstance(asked, Asked)
    assert asked.about.steps[0].benchmark == name
    assert "own examples" not in asked.about.not_measured
    ended = list(made.answer("t", asked.interrupt, world.approval(asked.about)))[-1]
    own = [one for one in ended.decision.measurements if one.benchmark == name]
    values = {one.model: one.value for one in own}
    assert values[world.GOOD] == 1.0
    assert values[world.POOR] == 0.0
    assert ended.decision.winner.startswith(world.GOOD)
    page = (tmp_path / "runs" / ended.decision.run / "report.html").read_text("utf-8")
    assert "On your own examples" in page
    assert "question" in page
    assert made.deps.scores.known([world.GOOD], [name])[0].value == 1.0


@pytest.mark.parametrize(
    ("rows", "more", "message"),
    [
        ([{"a": "x", "b": "y"}], {}, "Name it with --input"),
        ([{"question": "x", "a": "y", "b": "z"}], {}, "Name it with --reference"),
        (ROWS, {"input": "nonsense"}, "no column 'nonsense'"),
        ([], {}, "mine.jsonl"),
    ],
)
def test_what_is_unclear_is_said_in_one_line(tmp_path, rows, more, message):
    made = world.session(tmp_path)
    with pytest.raises(BadRequest, match=message) as caught:
        terminal(made, examples=file_of(tmp_path, rows), **more).keep_examples()
    assert "\n" not in str(caught.value)


def test_at_a_terminal_the_columns_are_asked_for(tmp_path):
    made = world.session(tmp_path)
    rows = [{"a": "x?", "b": "yes"}, {"a": "y?", "b": "no"}, {"a": "z?", "b": "no"}]
    person = terminal(made, examples=file_of(tmp_path, rows))
    person.interactive = True
    answers = iter(["a", "b"])
    person._read = lambda prompt: next(answers)
    task = made.deps.examples.get(person.keep_examples())
    assert (task.examples.input_field, task.examples.reference_field) == ("a", "b")
    assert task.instruction == world.REQUEST


NO_ANSWERS = [{"question": f"question {n} ?"} for n in range(5)]


def test_without_references_the_deployments_judge_grades_and_with_them_only_one_named(tmp_path):
    made = judged_world.session(tmp_path, {"judge-1": "http://127.0.0.1:9/v1"})
    kept = made.deps.examples.get
    name = terminal(made, examples=file_of(tmp_path, NO_ANSWERS)).keep_examples()
    assert kept(name).judges == ("judge-1",)
    assert kept(name).domain == "medical, biology"
    assert kept(terminal(made, examples=file_of(tmp_path, ROWS)).keep_examples()).judges == ()
    named = {"judge": ["other=http://127.0.0.1:9/v1"] * 2, "domain": ["law"]}
    both = kept(terminal(made, examples=file_of(tmp_path, ROWS), **named).keep_examples())
    assert (both.judges, both.domain) == (("other=http://127.0.0.1:9/v1",), "law")


def test_nobody_to_judge_is_one_question_or_one_line(tmp_path):
    made = judged_world.session(tmp_path, {})
    with pytest.raises(BadRequest, match="--judge MODEL or MIRROR_JUDGE_MODEL"):
        terminal(made, examples=file_of(tmp_path, NO_ANSWERS)).keep_examples()
    person = terminal(made, examples=file_of(tmp_path, NO_ANSWERS))
    person.interactive, person._read = True, lambda prompt: "j=http://127.0.0.1:9/v1"
    assert made.deps.examples.get(person.keep_examples()).judges == ("j=http://127.0.0.1:9/v1",)


def test_secrets_are_not_for_a_judge_elsewhere_and_the_line_says_what_to_do(tmp_path):
    made = judged_world.session(tmp_path, {"far": "https://judge.example/v1"})
    rows = [*NO_ANSWERS, {"question": "may I write to ann@example.org ?"}]
    with pytest.raises(BadRequest, match="e-mail address.*--may-leave.*judge on this machine"):
        terminal(made, examples=file_of(tmp_path, rows)).keep_examples()
    told = terminal(made, examples=file_of(tmp_path, rows), may_leave=True)
    assert made.deps.examples.get(told.keep_examples()).judges == ("far",)
    near = terminal(made, examples=file_of(tmp_path, rows), judge=["n=http://127.0.0.1:9/v1"])
    assert near.keep_examples()
