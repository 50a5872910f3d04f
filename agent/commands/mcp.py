"""``mirror mcp``: start the server of ``agent.surfaces.mcp``, where its package is installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from memory.errors import BadRequest

if TYPE_CHECKING:
    import argparse

    from agent.settings import Settings


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Serve on standard input and output.

    Raises:
        BadRequest: the extra is not installed.
    """
    if find_spec("mcp") is None:
        raise BadRequest("This needs the package mcp: pip install 'mirror-llm[mcp]'.")
    from agent.surfaces import mcp

    return mcp.serve(settings, args.planner)
