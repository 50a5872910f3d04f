"""Reading files that someone else wrote: never more at once than a limit, UTF-8 or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memory.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINE = 1_000_000  # bytes
DOCUMENT = 64_000_000  # bytes


def lines(path: Path) -> Iterator[str]:
    """The lines of a file, with their ends; a byte-order mark is dropped.

    Raises:
        BadRequest: a line is longer than ``LINE`` bytes or not UTF-8; the file can't be opened.
    """
    number = 0
    try:
        with path.open("rb") as file:
            while raw := file.readline(LINE + 1):
                number += 1
                if len(raw) > LINE:
                    raise BadRequest(f"{path}, line {number} is longer than {LINE:,} bytes.")
                yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError:
        raise BadRequest(f"{path}, line {number} is not UTF-8; save it as UTF-8.") from None
    except OSError as error:
        raise BadRequest(f"{path} can't be read: {error.strerror}.") from None


def document(path: Path, most: int = DOCUMENT) -> str:
    """The text of a whole file.

    Raises:
        BadRequest: it is longer than ``most`` bytes or not UTF-8, or can't be opened.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(most + 1)
    except OSError as error:
        raise BadRequest(f"{path} can't be read: {error.strerror}.") from None
    if len(raw) > most:
        raise BadRequest(f"{path} is longer than {most:,} bytes.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadRequest(f"{path} is not UTF-8; save it as UTF-8.") from None
