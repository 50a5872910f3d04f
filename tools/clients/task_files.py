"""The tasks of the installed lm-eval, read from its YAML and README files.

lm-eval's own ``TaskManager`` resolves every template and imports every function it names; here
only the words are needed: what a task is called, what it is about, in which languages, how it
is scored. Nothing of lm-eval is imported. Its texts are data, never instructions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from memory.errors import MirrorError
from tools.clients import installed
from tools.languages import languages_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SENTENCES = 350
"""A description is cut after so many characters, at a word."""
LEAST_PROSE = 80
"""A paragraph shorter than this is a heading or a link, not a description."""

# Headings, tables, quotations, citations, and lines that only name or link the paper.
_ASIDE = re.compile(
    r"\s*(#|\||>|@|\W*(title|homepage|paper|link)\b|\W*abstract\W*http)", re.IGNORECASE
)
_DEFAULT_METRIC = {
    "multiple_choice": "acc",
    "loglikelihood": "perplexity",
    "loglikelihood_rolling": "word_perplexity",
    "generate_until": "exact_match",
}


@dataclass(frozen=True)
class Task:
    """One lm-eval task or group.

    ``family``: its top folder. ``about``: what the family's README says. ``subject``: the task's
    own instruction line. ``languages``: codes the family covers, empty when it doesn't say;
    ``multilingual`` when it covers several.
    """

    name: str
    family: str
    about: str
    subject: str
    metric: str
    languages: tuple[str, ...]
    multilingual: bool


class _Loader(yaml.CSafeLoader):
    """Plain YAML; ``!function`` stays the text it is."""


_Loader.add_constructor("!function", lambda _, node: str(node.value))


def tasks_folder() -> Path:
    """``lm_eval/tasks`` of the installed package; raises ``MirrorError`` when there is none."""
    package = installed.folder("lm_eval")
    if package is not None and (package / "tasks").is_dir():
        return package / "tasks"
    raise MirrorError("lm-eval is not installed; run `make setup` or `pip install lm-eval`.")


def read_tasks(root: Path, progress: Callable[[int, int], None]) -> list[Task]:
    """Every task and group under ``root``, sorted by file; a file that can't be read is skipped.

    ``progress`` is told (files done, files) now and then.
    """
    overview = _overview(root)
    files = sorted(root.glob("**/*.yaml"))
    templates: dict[Path, dict[str, Any]] = {}
    found: dict[str, Task] = {}
    for done, file in enumerate(files):
        if done % 500 == 0:
            progress(done, len(files))
        for task in _tasks_in(file, root, overview, templates):
            found.setdefault(task.name, task)
    progress(len(files), len(files))
    return list(found.values())


def _tasks_in(
    file: Path, root: Path, overview: dict[str, _Row], templates: dict[Path, dict[str, Any]]
) -> Iterator[Task]:
    config = _read_config(file, templates)
    name = config.get("group") or config.get("task")
    if not isinstance(name, str):
        return
    parts = file.relative_to(root).parts
    row = overview.get(name) or overview.get(parts[0]) or _Row("", (), False)
    words = " ".join(str(config.get("description") or "").split())
    yield Task(
        name=name,
        family=parts[0],
        about=_cut(
            " ".join(filter(None, (row.description, _readme(file.parent, root, templates))))
        ),
        subject=words if words.isascii() and len(words) <= SENTENCES else "",
        metric=_metric(config),
        languages=row.languages,
        multilingual=row.multilingual,
    )


def _read_config(file: Path, templates: dict[Path, dict[str, Any]]) -> dict[str, Any]:
    """A YAML file with what it includes underneath it; empty when it is not a mapping."""
    if file in templates:
        return templates[file]
    try:
        read = yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        read = None
    config: dict[str, Any] = read if isinstance(read, dict) else {}
    included = config.pop("include", None) or []
    under: dict[str, Any] = {}
    templates[file] = config  # before the includes: a file that includes itself ends here
    for name in included if isinstance(included, list) else [included]:
        under |= _read_config((file.parent / str(name)).resolve(), templates)
    templates[file] = under | config
    return templates[file]


def _metric(config: dict[str, Any]) -> str:
    """The metric a score is quoted in: accuracy where there is one, else the first listed."""
    listed = config.get("metric_list") or config.get("aggregate_metric_list") or []
    names = [
        str(entry.get("metric", "")).rpartition(".")[2] if isinstance(entry, dict) else str(entry)
        for entry in (listed if isinstance(listed, list) else [listed])
    ]
    if not names:
        return _DEFAULT_METRIC.get(str(config.get("output_type")), "score")
    return "acc" if "acc" in names else names[0]


@dataclass(frozen=True)
class _Row:
    description: str
    languages: tuple[str, ...]
    multilingual: bool


def _overview(root: Path) -> dict[str, _Row]:
    """The table in ``tasks/README.md``: family or task name -> one line and its languages."""
    rows: dict[str, _Row] = {}
    for line in _text(root / "README.md").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) < 3 or set(cells[0]) <= set("-: "):
            continue
        name, _, link = cells[0].strip("[").partition("](")
        folder = link.partition("/")[0]
        languages = tuple(sorted(languages_in(cells[2])))
        row = _Row(_prose(cells[1]), languages, len(languages) > 1 or "multi" in cells[2].lower())
        rows.setdefault(name, row)
        if folder:
            rows.setdefault(folder, row)
    return rows


def _readme(folder: Path, root: Path, templates: dict[Path, dict[str, Any]]) -> str:
    """Title and first sentences of the nearest README from ``folder`` up to its family's."""
    while folder != root:
        file = folder / "README.md"
        if file not in templates:
            text = _text(file)
            templates[file] = {"about": f"{_title(text)} {_first_paragraph(text)}".strip()}
        if about := str(templates[file]["about"]):
            return about
        folder = folder.parent
    return ""


def _title(text: str) -> str:
    stated = re.search(r"^\**Title:?\**:?\s*(.+)$", text, re.MULTILINE | re.IGNORECASE)
    heading = re.search(r"^#+\s*(.+)$", text, re.MULTILINE)
    found = stated or heading
    return _prose(found.group(1)).rstrip(".") + "." if found else ""


def _first_paragraph(text: str) -> str:
    """The first paragraph of running text: no heading, list, link, table or citation."""
    for paragraph in re.split(r"\n\s*\n", re.sub(r"```.*?(```|\Z)", "", text, flags=re.DOTALL)):
        lines = [line for line in paragraph.splitlines() if not _ASIDE.match(line)]
        prose = _prose(" ".join(lines))
        if len(prose) > LEAST_PROSE:
            return prose
    return ""


def _prose(markdown: str) -> str:
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)|https?://\S+", r"\1", markdown)
    return " ".join(re.sub(r"[`*_]{1,3}", " ", plain).split())


def _cut(text: str) -> str:
    return text if len(text) <= SENTENCES else text[:SENTENCES].rsplit(" ", 1)[0]


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
