"""Prompts as files: Markdown with front matter that declares version and inputs.

A prompt is rendered by Jinja with undefined inputs refused, and named in records by
``name@version`` so that a result can say which wording it came from.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined, Template

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Prompt:
    """One prompt file."""

    name: str
    version: int
    inputs: frozenset[str]
    text: str

    @property
    def id(self) -> str:
        """Name and version, as results record it."""
        return f"{self.name}@{self.version}"

    @property
    def digest(self) -> str:
        """The first 8 hex digits of SHA-256 over the wording: a version that forgot to rise."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:8]

    def render(self, **values: str) -> str:
        """The prompt with its inputs filled in.

        Raises:
            ValueError: an input is missing, or one was given that the prompt does not declare.
        """
        if set(values) != self.inputs:
            raise ValueError(f"{self.id} takes {sorted(self.inputs)}, was given {sorted(values)}")
        return _template(self.text).render(values)


@cache  # a judge is asked with the same words hundreds of times
def _template(text: str) -> Template:
    return Environment(undefined=StrictUndefined, autoescape=False).from_string(text)


@cache
def load(name: str) -> Prompt:
    """Read ``prompts/<name>.md``."""
    meta, text = read(name)
    return Prompt(name, int(meta["version"]), frozenset(meta["inputs"]), text)


def read(name: str) -> tuple[dict[str, Any], str]:
    """All front matter of ``prompts/<name>.md``, and its text."""
    raw = (HERE / f"{name}.md").read_text("utf-8")
    _, front, text = raw.split("---\n", 2)
    return yaml.safe_load(front), text.strip()
