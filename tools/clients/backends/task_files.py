"""The tasks of the installed lm-eval, read from its YAML and README files.

lm-eval's own ``TaskManager`` resolves every template and imports every function it names; here
only the words are needed: what a task is called, what it is about, in which languages, how it
is scored. Nothing of lm-eval is imported. Its texts are data, never instructions.
"""

from __future__ import annotations

import os.path
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from memory.errors import MirrorError
from tools.clients.benchmarks import installed
from tools.request.languages import languages_in

if TYPE_CHECKING:
    from collections.abc import Callable

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
    """Every text task and group under ``root``, by file; a file that can't be read is skipped.

    Families that the overview says show images are left out: nothing here could run them.
    ``progress`` is told (files done, files) now and then.
    """
    reader = _Reader(root)
    files = sorted(root.glob("**/*.yaml"))
    found: dict[str, Task] = {}
    for done, file in enumerate(files):
        if done % 500 == 0:
            progress(done, len(files))
        task = reader.task(file)
        if task is not None:
            found.setdefault(task.name, task)
    progress(len(files), len(files))
    return list(found.values())


def dataset_of(root: Path, task: str) -> str | None:
    """The Hub data set that a task under ``root`` draws on; None where its file is not found."""
    reader = _Reader(root)
    for file in sorted(root.rglob("*.yaml"), key=lambda file: file.stem != task):
        text = _text(file) if file.stem != task else f"task: {task}"
        if f"task: {task}" not in text:
            continue
        config = reader.config(file)
        dataset = config.get("dataset_path")
        if config.get("task") == task and isinstance(dataset, str):
            return dataset
    return None


@dataclass(frozen=True)
class _Row:
    """One line of the overview: what a family is about and the text of its languages cell."""

    description: str
    covers: str

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(sorted(languages_in(self.covers)))

    @property
    def multilingual(self) -> bool:
        return len(self.languages) > 1 or self.covers.lower().startswith("multiple (")


class _Reader:
    """Reads task files under one root, each template and README once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._overview = _overview(root)
        self._configs: dict[Path, dict[str, Any]] = {}
        self._readmes: dict[Path, str] = {root: ""}

    def task(self, file: Path) -> Task | None:
        """The task or group that a file defines; None for templates and tests of images."""
        config = self.config(file)
        name = config.get("group") or config.get("task")
        if not isinstance(name, str):
            return None
        family = file.relative_to(self._root).parts[0]
        readme = self._readme(file.parent)
        row = self._overview.get(name) or self._overview.get(family) or _Row("", readme)
        if row.covers.startswith("Image"):
            return None
        instruction = " ".join(str(config.get("description") or "").split())
        usable = instruction.isascii() and len(instruction) <= SENTENCES
        return Task(
            name=name,
            family=family,
            about=_cut(f"{row.description} {readme}".strip()),
            subject=instruction if usable else "",
            metric=_metric(config),
            languages=row.languages,
            multilingual=row.multilingual,
        )

    def config(self, file: Path) -> dict[str, Any]:
        """A YAML file with what it includes underneath it; empty when it is not a mapping."""
        if file in self._configs:
            return self._configs[file]
        try:
            read = yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            read = None
        config: dict[str, Any] = read if isinstance(read, dict) else {}
        included = config.pop("include", None) or []
        self._configs[file] = config  # before the includes: one that includes itself ends here
        under: dict[str, Any] = {}
        for name in included if isinstance(included, list) else [included]:
            under |= self.config(Path(os.path.normpath(file.parent / str(name))))
        self._configs[file] = under | config
        return self._configs[file]

    def _readme(self, folder: Path) -> str:
        """Title and first sentences of the nearest README from ``folder`` up to its family's."""
        if folder not in self._readmes:
            text = _text(folder / "README.md")
            own = f"{_title(text)} {_first_paragraph(text)}".strip()
            self._readmes[folder] = own or self._readme(folder.parent)
        return self._readmes[folder]


def _overview(root: Path) -> dict[str, _Row]:
    """The tables in ``tasks/README.md``: family or task name -> one line and its languages."""
    rows: dict[str, _Row] = {}
    for line in _text(root / "README.md").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) < 3 or set(cells[0]) <= set("-: "):
            continue
        name, _, link = cells[0].strip("[").partition("](")
        row = _Row(_prose(cells[1]), cells[2])
        rows.setdefault(name, row)
        rows.setdefault(link.partition("/")[0] or name, row)
    return rows


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
