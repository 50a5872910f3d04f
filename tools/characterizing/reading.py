"""Characterizing models: their sources read by rules, for nothing, or by a language model.

Each reading is kept under the content of the sources and the reader's version, so nothing is read
or paid for twice; a changed card is read anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from memory.records import Characterization
from prompts import library
from prompts.questions import edition
from tools.characterizing import form, rules
from tools.characterizing.passages import Library

if TYPE_CHECKING:
    from memory.characterizations import Characterizations
    from memory.records import Characteristic
    from tools.characterizing.form import Call
    from tools.characterizing.sources import Found
    from tools.deps import Embedder
    from tools.judging.chat import Judge


@dataclass(frozen=True)
class Reading:
    """One model's sources, ready to be read. ``at``: now, ISO 8601."""

    model: str
    found: Found
    embedder: Embedder
    at: str

    @cached_property
    def passages(self) -> Library:
        """Its sources in passages."""
        return Library.of(self.found.documents, self.embedder)

    @cached_property
    def calls(self) -> list[Call]:
        """What a language model would be asked."""
        return form.calls(self.passages)

    def by_rules(self, kept: Characterizations) -> Characterization:
        """What the rules find, from ``kept`` where they read these sources before."""
        reader = rules.name()
        known = kept.get(self.model, self.found.content, reader)
        if known is None:
            characteristics = rules.read(
                self.found.documents, self.passages.passages, self.embedder
            )
            known = self._made(reader, tuple(characteristics))
            kept.keep(known)
        return known

    def by_model(self, judge: Judge, kept: Characterizations) -> Characterization:
        """What a language model finds, from ``kept`` where it read these sources before.

        Raises:
            NotApproved, ChatRefused: as ``form.read``; nothing is kept but paid replies.
        """
        reader = f"{judge.name} {library.load('characterize/ask').id} {edition()}"
        known = kept.get(self.model, self.found.content, reader)
        if known is not None:
            return known.model_copy(update={"usd": 0.0})
        answers = form.read(self.model, self.calls, self.found.documents, judge, self.embedder)
        made = self._made(reader, tuple(rules.surest(answers.kept)))
        made = made.model_copy(
            update={
                "dropped": dict(answers.dropped),
                "notes": made.notes + tuple(answers.notes),
                "usd": answers.usd,
            }
        )
        if not answers.notes:  # a server that failed half-way is asked again the next time
            kept.keep(made)
        return made

    def _made(self, reader: str, characteristics: tuple[Characteristic, ...]) -> Characterization:
        return Characterization(
            model=self.model,
            content=self.found.content,
            reader=reader,
            at=self.at,
            sources=tuple(document.name for document in self.found.documents),
            characteristics=characteristics,
            notes=self.found.notes,
        )
