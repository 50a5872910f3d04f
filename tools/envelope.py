"""Outside text as data: an envelope that what is inside can't close.

Two things keep it shut, each by itself enough. Every line inside begins with "| ", whatever kind
of line break made it, and no line of ours does; and the lines around it carry a mark that is no
part of any enclosed text. What chat templates and terminals act on is made harmless first.
"""

from __future__ import annotations

import hashlib
import re
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PREFIX = "| "
MOST_LETTERS = 24_000
# What tokenizers read as the start or end of a turn when it stands in a text:
# <|im_start|>, <start_of_turn>, </s>, [INST], <<SYS>>, and full-width forms of the bars.
_TURN = re.compile(
    r"<(?=[|｜]|/?(?:s|bos|eos|pad|unk|think|start_of_turn|end_of_turn|tool_call|system|user|"
    r"assistant)>|<SYS|</SYS|\|)|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_)\w*)",
    re.IGNORECASE,
)
# Control characters but tab and line breaks; zero-width, direction and tag characters.
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff]"
)


def fence(*texts: str) -> str:
    """A mark of 16 hex digits that is in none of the texts, the same for the same texts."""
    for attempt in count():
        said = "\0".join((str(attempt), *texts)).encode("utf-8", "surrogatepass")
        mark = hashlib.sha256(said).hexdigest()[:16]
        if not any(mark in text for text in texts):
            return mark
    raise AssertionError  # count() does not end


def enclose(name: str, text: str, mark: str, most: int = MOST_LETTERS) -> str:
    """``text`` between two lines that carry ``mark``; beyond ``most`` letters it is cut.

    Line breaks of any kind become new lines, which ``opened`` can't tell apart again.
    """
    left_out = len(text) - most
    lines = harmless(text[:most]).splitlines() or [""]
    closing = f"end of {name} {mark}"
    if left_out > 0:
        closing += f", cut: {left_out:,} more letters were left out"
    return "\n".join([f"[begin {name} {mark}]", *(PREFIX + line for line in lines), f"[{closing}]"])


def harmless(text: str) -> str:
    """``text`` without what is not seen, and with turn markers broken up by a space."""
    return _TURN.sub(lambda found: found[0] + " ", _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text))


def visible(text: str) -> str:
    """``text`` without the characters that a reader can't see, which may carry hidden words."""
    return _UNSEEN.sub("", text)


def opened(prompt: str, mark: str) -> tuple[str, list[str]]:
    """What a prompt says itself, and the texts enclosed in it under ``mark``, in order.

    The counterpart of ``enclose``: tests and fakes read a prompt as a careful reader would.
    """
    own: list[str] = []
    enclosed: list[list[str]] = []
    inside = False
    for line in prompt.splitlines():
        if inside and line.startswith(PREFIX):
            enclosed[-1].append(line.removeprefix(PREFIX))
        elif _is(line, "begin ", mark):
            inside = True
            enclosed.append([])
        elif _is(line, "end of ", mark):
            inside = False
        else:
            own.append(line)
    return "\n".join(own), ["\n".join(lines) for lines in enclosed]


def marks(prompt: str) -> Sequence[str]:
    """The marks of the envelopes that begin in ``prompt``, each once."""
    return list(dict.fromkeys(re.findall(r"^\[begin .* ([0-9a-f]{16})\]$", prompt, re.MULTILINE)))


def _is(line: str, kind: str, mark: str) -> bool:
    return line.startswith(f"[{kind}") and mark in line
