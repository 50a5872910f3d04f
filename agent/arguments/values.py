"""Values of arguments: read, bounded, and refused in words a person can act on."""

from __future__ import annotations

import argparse
import math
import re


def size(text: str) -> int:
    """'0.5B', '350M' or a plain number -> weights."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmbt]?)", text.strip().lower())
    scale = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}
    params = round(float(match[1]) * scale[match[2]]) if match else 0
    if not 0 < params <= 10**15:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write 0.5B, 350M or 7000000000")
    return params


def dollars(text: str) -> float:
    """A finite number of dollars, 0 or more."""
    return _number(text, 0.0, "dollars, 0 or more")


def memory(text: str) -> float:
    """A finite number of GB above 0."""
    return _number(text, 0.001, "GB, above 0")


def count(text: str) -> int:
    """A whole number from 1 to a billion."""
    if not re.fullmatch(r"\d{1,9}", text.strip()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def _number(text: str, least: float, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and least <= value <= 1e9):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of {what}")
    return value


def tick(text: str) -> str:
    """'org/name@revision': a model whose own code may run, and only at that revision."""
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?@[\w.-]+", text.strip()):
        raise argparse.ArgumentTypeError(f"{text!r} names no revision; write org/name@revision")
    return text.strip()
