"""Code that comes with weights: which Python files loading them would run.

A repository may name classes of its own in ``auto_map``; transformers imports them only under
``trust_remote_code``, and then they can do whatever this user can. Where transformers has the
architecture itself, its own classes are used and nothing of the repository runs.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from memory.errors import DamagedStore
from tools.clients.benchmarks import installed
from tools.clients.weights.unpack import WeightsUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

NAMING = ("config.json", "tokenizer_config.json")
"""Files in which ``auto_map`` is read."""


def of_folder(folder: Path) -> tuple[str, ...]:
    """The Python files that loading the weights in ``folder`` would run; empty: none.

    Raises:
        WeightsUnavailable: a file is missing, or in another repository, which no revision pins.
        DamagedStore: a configuration can't be read.
    """
    named = of_configs(_read(folder / name) for name in NAMING if (folder / name).is_file())
    if missing := [name for name in named if not (folder / name).is_file()]:
        raise WeightsUnavailable(f"{folder} lacks {', '.join(missing)}, its own code")
    return named


def of_configs(configs: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The same from the configurations alone.

    Raises:
        WeightsUnavailable: a file is in another repository.
    """
    held = list(configs)
    if any(known(config.get("model_type")) for config in held):
        return ()
    references = [name for config in held for name in _references(config.get("auto_map"))]
    if away := [name for name in references if "--" in name]:
        raise WeightsUnavailable(f"its own code is in another repository ({away[0]}), unpinned")
    return tuple(dict.fromkeys(name.rsplit(".", 1)[0] + ".py" for name in references))


def _references(found: Any) -> Iterator[str]:
    """Every ``module.Class`` in an ``auto_map``, however it is nested."""
    if isinstance(found, str):
        yield found
    elif isinstance(found, dict):
        for value in found.values():
            yield from _references(value)
    elif isinstance(found, list | tuple):
        for value in found:
            yield from _references(value)


def known(model_type: object) -> bool:
    """Whether the installed transformers has this architecture, looked up without importing it."""
    package = installed.folder("transformers")
    if package is None or not isinstance(model_type, str) or not model_type.isprintable():
        return False
    name = model_type.replace("-", "_")
    return name.isidentifier() and (package / "models" / name).is_dir()


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DamagedStore(f"{file} can't be read ({error}).") from error
    if not isinstance(found, dict):
        raise DamagedStore(f"{file} can't be read (not an object).")
    return found
