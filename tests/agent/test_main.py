"""The command line answers fast and refuses in one line."""

import subprocess
import sys

import pytest

from agent.__main__ import main, parser
from agent.arguments.choosing import given
from agent.arguments.values import size

HEAVY = ("langgraph", "langchain_core", "torch", "numpy", "pydantic", "rich", "sqlalchemy", "faiss")


def test_help_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from agent.__main__ import parser\n"
        "parser().format_help()\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("text", "params"), [("0.5B", 500_000_000), ("350M", 350_000_000), ("7000000000", 7 * 10**9)]
)
def test_sizes(text, params):
    assert size(text) == params


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["select"],
        ["select", "x", "--max-params", "big"],
        ["select", "x", "--commercial", "--research"],
        ["select", "x", "--approve-up-to", "1", "--refuse"],
        ["--nonsense"],
        ["select", "x", "--approve-up-to", "nan"],
        ["select", "x", "--approve-up-to", "-1"],
        ["select", "x", "--approve-up-to", "inf"],
        ["select", "x", "--budget", "nan"],
        ["select", "x", "--gpu-gb", "-5"],
        ["select", "x", "--gpu-gb", "0"],
        ["select", "x", "--gpus", "0"],
        ["select", "x", "--context", "99999999999999999999"],
        ["select", "x", "--max-params", "999999999999999999999t"],
        ["chat", "--approve-up-to", "1"],
        ["select", "\udcff"],
    ],
)
def test_bad_arguments_are_one_line_and_code_2(words, capsys):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("mirror: ")
    assert error.count("\n") == 1


def test_flags_state_only_what_was_said():
    args = parser().parse_args(
        ["select", "x", "--max-params", "1B", "--research", "--language", "fr"]
    )
    assert given(args) == {"max_params": 10**9, "languages": ("fr",), "licence_use": ()}
    assert given(parser().parse_args(["select", "x"])) == {}
