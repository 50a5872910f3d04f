"""Examples made from the request, for a user who has none of their own.

A language model writes them; what can't be read, is empty, unfinished or nearly the same as one
before is left out and counted. They are marked synthetic wherever they go: they show whether a
model can do such a job, not how it does on the user's data, and their references were written by
a model.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from memory.errors import BadRequest, MirrorError
from memory.records import Example, ExampleSet
from prompts import library
from tools.deps import Message
from tools.envelope import enclose, fence
from tools.real_task.examples import FIELD_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from tools.deps import Embedder

BATCH = 10
NEAR = 0.95  # cosine from which two inputs count as one
MOST = 200
_SHOWN = 120  # letters of an earlier example that are shown again
_PLACEHOLDER = re.compile(
    r"\[(?:insert|your|patient|customer|company|name|date|number|address|todo)\b[^\]]*\]"
    r"|\{\{.*?\}\}|<(?:insert|your|name|date)\b[^>]*>|lorem ipsum",
    re.IGNORECASE,
)


class _Written(BaseModel):
    """One example as a model wrote it; other fields than these are ignored."""

    model_config = ConfigDict(strict=True)

    input: str
    reference: str | None = None


def synthesize(
    request: str,
    n: int,
    chat: Callable[[list[Message]], str],
    embedder: Embedder,
    author: str,
) -> ExampleSet:
    """``n`` examples of the job in ``request``, fewer where the model ``author`` makes no more.

    ``chat`` takes messages and gives the answer's text; what it raises as ``MirrorError`` (the cap
    is reached, the server is down) ends the work and what was made until then is kept.

    Raises:
        BadRequest: ``n`` is not in 1 to 200, or no usable example came.
        MirrorError: what ``chat`` raised before there was any.
    """
    if not 0 < n <= MOST:
        raise BadRequest(f"{n} examples can't be made; ask for 1 to {MOST}.")
    prompt = library.load("examples/synthesize")
    drafts = _Drafts(embedder)
    notes = []
    # Twice the rounds that a perfect author needs, then its ideas have run out.
    for _ in range(2 * rounds(n)):
        wanted = min(BATCH, n - len(drafts.kept))
        if not wanted:
            break
        try:
            answer = chat(_messages(prompt, request, wanted, drafts.kept))
        except MirrorError as error:
            if not drafts.kept:
                raise
            notes.append(f"stopped early: {error}")
            break
        drafts.add(parse(answer), wanted)
    if not drafts.kept:
        raise BadRequest(f"{author} wrote no usable example; name a file with --examples.")
    if len(drafts.kept) < n:
        notes.append(f"{len(drafts.kept)} of {n} examples, {author} made no more that differ")
    if any(example.reference is not None for example in drafts.kept):
        notes.append(f"references were written by {author}, not by a person")
    return _labelled(drafts, f"synthetic: {prompt.id} by {author}", tuple(notes))


def rounds(n: int) -> int:
    """How often an author that makes no mistake is asked for ``n`` examples."""
    return -(-n // BATCH)


def typical(request: str) -> list[Message]:
    """What an author is asked when it has written for a while, to price it."""
    earlier = [Example(id="", input="x" * _SHOWN)] * 3 * BATCH
    return _messages(library.load("examples/synthesize"), request, BATCH, earlier)


def parse(answer: str) -> list[_Written | str]:
    """The examples in a model's answer; for each that can't be used, why.

    Looks for the first JSON object with an "examples" list, whatever stands around it.
    """
    decoder = json.JSONDecoder()
    for start in re.finditer(r"\{", answer):
        try:
            found, _ = decoder.raw_decode(answer, start.start())
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict) and isinstance(found.get("examples"), list):
            return [_read(one) for one in found["examples"]]
    return ["no JSON object with examples"]


def _read(value: object) -> _Written | str:
    try:
        written = _Written.model_validate(value)
    except ValidationError:
        return "not an input with a reference"
    if not re.search(r"\w", written.input):
        return "input is empty"
    try:
        size = len(json.dumps([written.input, written.reference], ensure_ascii=False).encode())
    except UnicodeEncodeError:
        return "holds half a character (a lone surrogate)"
    if size > FIELD_BYTES:
        return f"has more than {FIELD_BYTES:,} bytes"
    return "has a placeholder" if _PLACEHOLDER.search(written.input) else written


class _Drafts:
    """What was kept so far, and why the rest was not."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._vectors: list[NDArray[np.float32]] = []
        self.kept: list[Example] = []
        self.left_out: dict[str, list[int]] = defaultdict(list)
        self.read = 0

    def add(self, written: Sequence[_Written | str], wanted: int) -> None:
        """Keep at most ``wanted`` of ``written`` that are unlike everything before them."""
        taken = 0
        for one in written:
            self.read += 1
            if isinstance(one, str):
                self.left_out[one].append(self.read)
            elif taken == wanted:
                self.left_out["more than asked for"].append(self.read)
            elif self._is_near(one.input):
                self.left_out["nearly the same as another"].append(self.read)
            else:
                taken += 1
                self.kept.append(_example(one))

    def _is_near(self, text: str) -> bool:
        """Whether an earlier input is nearly this one; if not, it is remembered."""
        vector = self._embedder.encode([text])[0]
        if self._vectors and float(np.max(np.stack(self._vectors) @ vector)) >= NEAR:
            return True
        self._vectors.append(vector)
        return False


def _example(written: _Written) -> Example:
    given, answer = written.input.strip(), (written.reference or "").strip()
    digest = hashlib.sha256(json.dumps([given, answer]).encode()).hexdigest()[:12]
    return Example(id=f"synthetic:{digest}", input=given, reference=answer or None, synthetic=True)


def _messages(
    prompt: library.Prompt, request: str, n: int, made: Sequence[Example]
) -> list[Message]:
    """The one message; the request, and what the author wrote before, go in as data."""
    earlier = [f"{example.input[:_SHOWN]!r}" for example in made[-3 * BATCH :]]
    mark = fence(request, *earlier)
    text = prompt.render(
        n=str(n),
        fence=mark,
        request=enclose("job", request, mark),
        made=enclose("examples", "\n".join(earlier) or "none yet", mark),
    )
    return [Message("user", text)]


def _labelled(drafts: _Drafts, source: str, notes: tuple[str, ...]) -> ExampleSet:
    content = json.dumps([source, [e.model_dump() for e in drafts.kept]], sort_keys=True)
    references = any(example.reference is not None for example in drafts.kept)
    return ExampleSet(
        source=source,
        sha256=hashlib.sha256(content.encode()).hexdigest(),
        input_field="input",
        reference_field="reference" if references else None,
        examples=tuple(drafts.kept),
        read=drafts.read,
        quarantined={reason: tuple(rows) for reason, rows in drafts.left_out.items()},
        missing_references=sum(example.reference is None for example in drafts.kept),
        notes=notes,
        synthetic=True,
    )
