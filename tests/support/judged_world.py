"""The deployment of ``world`` with examples without references, and judges on loopback.

Used in-process by tests and, as ``python judged_world.py HOME URL``, by the tests that kill it.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path

import world

from agent.session import Asked
from memory.calibrations import Calibrations
from memory.records import Example, ExampleSet
from tools import herd_runner
from tools.clients.chat import OpenAIChat
from tools.clients.fakes import ScriptedRunner
from tools.judging.chat import PricedChat
from tools.plans.price_book import TokenPrice
from tools.real_task.own_task_runner import OwnTaskRunner

# Each has one long word, and that of its own: by it a judge of ``scripted_judges`` goes.
COMPLAINTS = [f"Customer: my item{n:03} fell off." for n in range(14)]
PRICE = TokenPrice(1.0, 2.0)
POINTLESS = "Nothing of note."


@dataclass
class Writer(ScriptedRunner):
    """The good model repeats what it is told, the poor one says nothing; both can be overruled."""

    says: dict[str, str] = field(default_factory=dict)
    written: list[tuple[str, str]] = field(default_factory=list)

    def generate(self, arm, prompts, most_tokens):
        for prompt in prompts:
            self.written.append((arm.model, prompt))
            yield self.says.get(arm.model, prompt.rpartition("Customer:")[2].strip())

    def generation_seconds(self, arm, items, tokens, new_tokens):
        return (0.0, 0.0, 1.0) if arm.backend == "constant" else (0.0, 0.1 * items, 0.2 * items)


def example_set(inputs=COMPLAINTS, references=None, **more):
    known = references or [None] * len(inputs)
    examples = tuple(
        Example(id=f"example:{n}", input=given, reference=known[n], row=n + 1)
        for n, given in enumerate(inputs)
    )
    fixed = {"source": "mine.csv", "sha256": "ab" * 32, "input_field": "q", "reference_field": None}
    missing = sum(one is None for one in known)
    return ExampleSet(
        **(fixed | more), examples=examples, read=len(examples), missing_references=missing
    )


class NothingElse(world.TwoBenchmarks):
    """Benchmarks without items: the real task alone is measured."""

    def search(self, query, domains, k):
        found = super().search(query, domains, k)
        return [one.model_copy(update={"task": f"{one.task}_elsewhere"}) for one in found]


def session(home, servers, models=world.MODELS, price=PRICE, timeout=5.0):
    """``servers``: judge -> URL. The rate of the machine is 0, so all money is the judges'."""
    made = world.session(home, models=models)
    runner = Writer(
        {model.id: 1.0 for model in models}, says={world.POOR: POINTLESS}, seconds_per_item=0.1
    )

    def judge(named):
        name, _, url = named.partition("=")
        url = url or servers[name]
        return PricedChat(OpenAIChat(name, url, "sk-judge", timeout=timeout), price, url)

    for name, value in {
        "runner": OwnTaskRunner(runner, made.deps.examples),
        "judge": judge,
        "judges": tuple(servers),
        "catalogue": NothingElse(),
        "calibrations": Calibrations(home / "calibrations"),
        "usd_per_hour": 0.0,
        "minutes": 30.0,
    }.items():
        object.__setattr__(made.deps, name, value)
    return made


def say(made, judges, examples=None, **more):
    """Every event from the request to its plan; the examples are kept first."""
    name = made.deps.examples.keep(
        examples or example_set(), "Say what it is about.", judges=judges, domain="trade", **more
    )
    return list(made.say("t", world.REQUEST, {"examples": name}))


def approve(made, events, **more):
    """Every event after a yes to the plan the events end with."""
    asked = events[-1]
    assert isinstance(asked, Asked)
    return list(made.answer("t", asked.interrupt, world.approval(asked.about, **more)))


def measure(made, events, **more):
    """What a yes to that plan measures, without the decision and the report."""
    plan = events[-1].about
    yes = world.approval(plan, **more)
    made.deps.ledger.record_approval(yes)
    return herd_runner.run(plan, yes, made.deps)


if __name__ == "__main__":
    made = session(Path(sys.argv[1]), {"judge-1": sys.argv[2]})
    approve(made, say(made, ("judge-1",)))
