"""The tree as a whole: its names resolve to it, its graph loads, prompts declare their inputs."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import world
from langgraph.checkpoint.memory import InMemorySaver

from agent.graph import build
from prompts import library

ROOT = Path(__file__).parents[1]
PACKAGES = ("agent", "tools", "memory", "prompts", "evals")


def test_generic_names_resolve_here_whoever_else_ships_them(tmp_path):
    for name in PACKAGES:
        (tmp_path / "site" / name).mkdir(parents=True)
        (tmp_path / "site" / name / "__init__.py").write_text("raise ImportError('not ours')\n")
    probe = tmp_path / "test_probe.py"
    probe.write_text(
        "from importlib import import_module\n"
        "def test_ours():\n"
        f"    for name in {PACKAGES!r}:\n"
        f"        assert import_module(name).__file__.startswith({str(ROOT)!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", str(ROOT / "pyproject.toml"), str(probe)],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]


def test_langgraph_json_names_a_factory():
    stated = json.loads((ROOT / "langgraph.json").read_text("utf-8"))["graphs"]["mirror"]
    path, function = stated.split(":")
    module = path.removeprefix("./").removesuffix(".py").replace("/", ".")
    assert callable(getattr(import_module(module), function))


def test_a_host_without_context_can_run_the_graph(tmp_path):
    graph = build(InMemorySaver(), deps=world.deps(tmp_path))
    start = {"thread": "t", "run": "r", "request": world.REQUEST, "messages": [("user", "x")]}
    config = {"configurable": {"thread_id": "t"}, "recursion_limit": 50}
    graph.invoke(start, config)
    assert graph.get_state(config).interrupts[0].value.steps


def test_a_prompt_takes_exactly_what_it_declares():
    prompt = library.load("planner")
    assert prompt.id == f"planner@{prompt.version}"
    text = prompt.render(stage="critical requirements", tools="filter_registry")
    assert "filter_registry" in text
    with pytest.raises(ValueError, match="takes"):
        prompt.render(stage="x")


@pytest.mark.parametrize(
    "name",
    sorted(
        path.relative_to(library.HERE).with_suffix("").as_posix()
        for path in library.HERE.rglob("*.md")
    ),
)
def test_every_prompt_uses_the_inputs_it_declares_and_no_others(name):
    prompt = library.load(name)
    text = prompt.render(**{one: f"<{one}>" for one in prompt.inputs})
    assert all(f"<{one}>" in text for one in prompt.inputs)
    assert prompt.version >= 1
