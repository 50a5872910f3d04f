"""The user's own example sets, kept by content, so that a run goes on after the file has moved.

A set's name, ``examples:<12 hex digits>``, says what it holds: the file's bytes, the columns used,
the instruction, and the judges where there are any. It stands where a benchmark's name does.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pydantic import ValidationError

from memory.errors import BadRequest
from memory.records import ExampleSet, OwnTask
from memory.sqlite import StoreUnavailable, damaged

if TYPE_CHECKING:
    from pathlib import Path

PREFIX = "examples:"


class ExampleSets:
    """The sets kept in ``folder``, a file each; nothing is made before something is kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(
        self,
        examples: ExampleSet,
        instruction: str,
        *,
        may_leave: bool = False,
        judges: tuple[str, ...] = (),
        domain: str = "",
    ) -> str:
        """Keep a set and return its name; the same set again is the same name.

        ``instruction`` goes before each input; ``may_leave``: whether the examples may be sent
        to a server that is not on this machine; ``judges`` grade, in matters of ``domain``.

        Raises:
            StoreUnavailable: the folder can't be written.
        """
        told = [examples.sha256, examples.input_field, examples.reference_field or "", instruction]
        told += [domain, *judges] if judges else []
        name = PREFIX + hashlib.sha256("\0".join(told).encode()).hexdigest()[:12]
        task = OwnTask(
            name=name,
            instruction=instruction,
            may_leave=may_leave,
            judges=judges,
            domain=domain if judges else "",
            examples=examples,
        )
        path = self._path(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_suffix(".writing")
            fresh.write_text(task.model_dump_json(), "utf-8")
            fresh.replace(path)
        except OSError as error:
            raise StoreUnavailable(f"The examples can't be kept in {path}: {error}.") from error
        return name

    def get(self, name: str) -> OwnTask:
        """The set of that name.

        Raises:
            BadRequest: there is none.
            DamagedStore: its file can't be read; it is left as it is.
        """
        path = self._path(name)
        try:
            return OwnTask.model_validate_json(path.read_text("utf-8"))
        except FileNotFoundError:
            raise BadRequest(
                f"The example set {name} is not kept here; give the file again."
            ) from None
        except (OSError, UnicodeDecodeError, ValidationError) as error:
            raise damaged(path, type(error).__name__) from error

    def _path(self, name: str) -> Path:
        return self.folder / f"{name.removeprefix(PREFIX)}.json"
