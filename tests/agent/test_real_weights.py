"""The main job end to end: bundled registry, installed benchmarks and items, real weights."""

from pathlib import Path

import pytest
import world
from langchain_core.messages import HumanMessage

from agent import wiring
from agent.graph import build
from agent.session import Decided, Session
from agent.settings import Settings
from memory.conversations import Conversations
from memory.records import CONSTANT, Origin

REQUEST = (
    "Answer biomedical research questions with yes, no or maybe, from an abstract, in English, "
    "commercial use, on a laptop CPU, at most 0.5B parameters"
)


@pytest.mark.weights
def test_from_a_request_to_a_measured_decision(tmp_path, request):
    settings = Settings(
        home=tmp_path / "home",
        cache=Path(request.config.cache.mkdir("mirror")),  # unpacking costs 40 s, so it is kept
        runs=tmp_path / "runs",
        minutes=0.1,
        usd_per_hour=1.0,
        _env_file=None,
    )
    deps = wiring.deps(settings)
    conversations = Conversations(settings.home / "conversations.sqlite")
    made = Session(build(conversations.checkpointer()), deps, conversations)
    try:
        asked = list(made.say("t", REQUEST))[-1]
        ended = list(made.answer("t", asked.interrupt, world.approval(asked.about)))[-1]
    finally:
        deps.runner.close()

    assert isinstance(ended, Decided)
    measured = {one.model: one for one in ended.decision.measurements}
    small = measured["HuggingFaceTB/SmolLM2-135M-Instruct"]
    assert small.n == 8
    assert small.seconds > 0
    assert measured[CONSTANT].n == 8
    known = deps.scores.known([small.model], [small.benchmark])
    assert known[0].origin is Origin.MEASURED
    assert 0 < ended.decision.spent_usd <= asked.about.cap_usd
    assert "lm-eval" in known[0].protocol
    assert (Path(ended.report) / "report.html").stat().st_size > 10_000
    assert isinstance(made.state("t")["messages"][0], HumanMessage)
