"""The words in which people state what they need, read without a language model.

Each function takes the request text and returns the values it states; nothing stated gives
None or an empty tuple. Text is data: whatever else it says changes nothing.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from tools.request.languages import CODES

if TYPE_CHECKING:
    from collections.abc import Mapping

NUMBER = r"(\d+(?:[.,]\d+)*)"
WORDS = MappingProxyType(
    {"a": 1, "an": 1, "one": 1, "single": 1, "two": 2, "three": 3, "four": 4, "six": 6, "eight": 8}
)
COUNT = rf"(\d+|{'|'.join(WORDS)})"
# No part of a name ("gemma-3-270m", "Qwen2.5-7B") and no sum of money.
APART = r"(?<![$€£\w.,/-])(?<![$€£] )"
SIZE = rf"{NUMBER}\s*(b|bn|billion|m|mn|million|t|trillion)\b"
FACTORS = MappingProxyType({"b": 1e9, "m": 1e6, "t": 1e12})

AT_MOST = (
    r"(?:at most|up to|not? (?:more|larger|bigger) than|under|below|less than|"
    r"smaller than|fewer than|max(?:imum)?(?: of| size)?:?|within|<=|≤|<)\s*(?:about |around |~)?"
)
AT_LEAST = (
    r"(?:at least|over|(?<!no )(?<!not )(?:more|larger|bigger) than|no (?:less|smaller) than|"
    r"min(?:imum)?(?: of| size)?:?|>=|≥|>)\s*(?:about |around |~)?"
)
OR_LESS = r"\s*[- ]?(?:param\w*|weights|models?)?\s*(?:or|and)\s*(?:smaller|less|below|under|fewer)"
OR_MORE = r"\s*[- ]?(?:param\w*|weights|models?)?\s*(?:or|and)\s*(?:larger|bigger|more|above|up)"
NOT_WEIGHTS = (
    r"(?!\s*(?:tokens?|users?|documents?|rows?|records?|customers?|people|dollars?|usd|items?|"
    r"requests?|queries|context|ctx|samples?|examples?|words?|patients?))"
)

# Cards whose memory is the same on every variant; others must be given in GB.
GPUS: Mapping[str, float] = MappingProxyType(
    {"h200": 141, "h100": 80, "l40s": 48, "a6000": 48, "5090": 32, "4090": 24, "3090": 24,
     "a10g": 24, "a10": 24, "l4": 24, "t4": 16, "4080": 16}
)  # fmt: skip

ECOSYSTEM: Mapping[str, str] = MappingProxyType(
    {
        "safetensors": r"safetensors", "transformers": r"transformers", "vllm": r"vllm",
        "gguf": r"gguf|llama\.cpp|ollama|lm studio", "mlx": r"mlx", "awq": r"awq",
        "gptq": r"gptq", "onnx": r"onnx",
        "tools": r"tool[- ](?:calling|calls?|use)|function[- ]calling|with tools",
        "structured_output": r"structured outputs?|json (?:schema|mode)",
        "reasoning": r"reasoning models?|thinking (?:mode|models?)",
    }
)  # fmt: skip

# (task, modality, words), the first that matches wins; text generation when none does.
TASKS: tuple[tuple[str, str, str], ...] = (
    ("text-to-image", "image", r"text-to-image|(?:generate|create|draw) (?:\w+ )?images?"),
    ("automatic-speech-recognition", "audio",
     r"automatic-speech-recognition|transcrib\w+|speech[- ]recognition|speech[- ]to[- ]text|asr"),
    ("text-to-speech", "audio", r"text[- ]to[- ]speech|tts|read aloud|voice synthesis"),
    ("text-ranking", "text", r"text-ranking|re-?rank\w*"),
    ("sentence-similarity", "text", r"sentence[- ]similarity"),
    ("feature-extraction", "text",
     r"feature-extraction|embeddings?|embedding models?|semantic search|vector search"),
    ("image-text-to-text", "video", r"videos?"),
    ("image-text-to-text", "image",
     r"image-text-to-text|images?|photos?|pictures?|screenshots?|x-?rays?|ocr|scanned|"
     r"vision|visual"),
)  # fmt: skip

COMMERCIAL = r"(?<!non-)(?<!non)(?<!non )(?<!not )(?<!no )commercial(?:ly)?\b"
NOT_COMMERCIAL = (
    r"non[- ]?commercial|no commercial use|not commercial(?:ly)?|academic use|hobby|"
    r"research[- ](?:only|use|purposes?)|(?:only|just) for research|personal (?:use|projects?)"
)
ANY_LICENCE = r"any licen[cs]e|licen[cs]e does(?:n't| not) matter"
DERIVATIVE = r"fine-?tun(?:e|ing) it|modify|redistribut\w+|derivatives?"
NETWORK = r"saas|hosted service|as a service|over (?:a|the) network"
ANY_SIZE = r"any size|no size limit|size does(?:n't| not) matter|no limit on size"


def found(pattern: str, text: str) -> bool:
    """True when the pattern is in the text as whole words, whatever the case."""
    return re.search(rf"(?<!\w)(?:{pattern})(?!\w)", text, re.IGNORECASE) is not None


def number(digits: str) -> float:
    """1,000 and 1,000.5 and 0,5 as numbers."""
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", digits):
        return float(digits.replace(",", ""))
    return float(digits.replace(",", "."))


def _size(match: re.Match[str]) -> int:
    return round(number(match[1]) * FACTORS[match[2][0].lower()])


def sizes(text: str) -> tuple[int | None, int | None]:
    """(min, max) parameters stated: bounds, a range, or one size, which is then both."""
    if found(ANY_SIZE, text):
        return 0, None
    between = re.search(
        rf"{APART}{NUMBER}\s*(b|m|t)?\s*(?:-|–|to|and)\s*{SIZE}{NOT_WEIGHTS}", text, re.IGNORECASE
    )
    if between:
        unit = (between[2] or between[4])[0].lower()
        low = round(number(between[1]) * FACTORS[unit])
        return low, round(number(between[3]) * FACTORS[between[4][0].lower()])
    most = _first((AT_MOST + SIZE + NOT_WEIGHTS, SIZE + OR_LESS, SIZE + r"\s*max"), text)
    least = _first((AT_LEAST + SIZE + NOT_WEIGHTS, SIZE + OR_MORE), text)
    if most is None and least is None:
        named = SIZE + r"[- ]?(?:param\w*|models?|weights|llms?)"
        bare = rf"{APART}{NUMBER}(b)\b{NOT_WEIGHTS}"
        most = least = _first((named, bare), text)
    return least, most


def _first(patterns: tuple[str, ...], text: str) -> int | None:
    matches = (re.search(pattern, text, re.IGNORECASE) for pattern in patterns)
    return next((_size(match) for match in matches if match), None)


def hardware(text: str) -> tuple[float | None, int]:
    """(GB a device, devices): "one 24 GB GPU", "2x80GB", "16 GB RAM", "two H100s"."""
    memory = re.search(
        rf"(?:(?<!\w){COUNT}\s*(?:x|×|of)?\s*)?(?<![\w.,]){NUMBER}\s*-?g(?:i?b)\b"
        rf"|{COUNT}\s*[x×]\s*{NUMBER}\s*g(?:i?b)\b",
        text,
        re.IGNORECASE,
    )
    if memory:
        count, size = memory[1] or memory[3], memory[2] or memory[4]
        return number(size), _count(count)
    card = re.search(
        rf"(?:(?<!\w){COUNT}\s*[x×]?\s*)?(?:nvidia |rtx |geforce |gpu )*\b({'|'.join(GPUS)})s?\b",
        text,
        re.IGNORECASE,
    )
    return (GPUS[card[2].lower()], _count(card[1])) if card else (None, 1)


def _count(word: str | None) -> int:
    if word is None:
        return 1
    return int(word) if word.isdigit() else WORDS[word.lower()]


def precision(text: str) -> int | None:
    """Bits a weight, when stated: "4-bit", "int8", "fp16"."""
    match = re.search(r"\b(?:(4|8|16)[- ]?bits?|int(4|8)|(?:fp|bf)(8|16))\b", text, re.IGNORECASE)
    return int(match[1] or match[2] or match[3]) if match else None


def context(text: str) -> int | None:
    """Tokens of context: "32k context", "context length of 8192", "128k tokens"."""
    unit = rf"{NUMBER}\s*(k|m)?"
    match = re.search(
        rf"{unit}[- ]*(?:tokens?(?: of)?[- ]*)?(?:context|ctx)"
        rf"|(?:context|ctx)(?: length| window| size)?(?: of)?(?: at least)?[ :=]*{unit}\b"
        rf"|{unit}[- ]*tokens",
        text,
        re.IGNORECASE,
    )
    if not match:
        return None
    digits = match[1] or match[3] or match[5]
    scale = (match[2] or match[4] or match[6] or "").lower()
    return round(number(digits) * {"k": 1e3, "m": 1e6, "": 1}[scale])


def budget(text: str) -> float | None:
    """US dollars that may be spent: "budget 10 dollars", "at most $5", a bare "$5"."""
    if found(r"no budget|zero budget|spend nothing|without spending", text):
        return 0.0
    amount = rf"(-?)\s*\$?\s*(-?){NUMBER}"
    cue = r"(?:budget|spend|cap|cost)[^\d$.;-]{0,20}"
    match = re.search(
        rf"{cue}{amount}"
        rf"|(?:^|[,;]\s*)(?:at most |up to |under )?(-?)\$\s*(-?){NUMBER}\s*(?:$|[,;.])"
        rf"|(-?)()\$?{NUMBER}\s*(?:dollars|usd|\$)(?=\W|$)"
        rf"|(-?)\$\s*(-?){NUMBER}\s+(?:budget|cap)",
        text,
        re.IGNORECASE,
    )
    if not match:
        return None
    *signs, digits = (group for group in match.groups() if group is not None)
    return -number(digits) if "-" in signs else number(digits)


def languages(text: str) -> tuple[str, ...]:
    """ISO codes of languages named, or listed as codes after "languages:"."""
    words = (word for word in re.findall(r"[^\W\d_]+", text) if word != "polish")  # the verb
    found = [CODES[word.lower()] for word in words if word.lower() in CODES]
    for listed in re.findall(r"\blang(?:uage)?s?\s*[:=]\s*([a-z]{2}(?:[\s,/+]+[a-z]{2}\b)*)", text):
        found += re.findall(r"[a-z]{2}", listed)
    return tuple(dict.fromkeys(found))


def ecosystem(text: str) -> tuple[str, ...]:
    """Formats, runtimes and abilities named."""
    return tuple(name for name, words in ECOSYSTEM.items() if found(words, text))


def task(text: str) -> tuple[str, str]:
    """(Hub task, modality); text generation covers chat, answers, summaries, classification."""
    for name, modality, words in TASKS:
        if found(words, text):
            return name, modality
    return "text-generation", "text"
