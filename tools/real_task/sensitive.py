"""Secrets and personal identifiers in the user's examples, before they leave this machine.

Keys and tokens are recognized by detect-secrets' own patterns (and a few newer issuers'), phone
numbers by libphonenumber, card, bank and social security numbers by their check digits or rules.
A finding names rows, never the value. It is a net with holes: names, addresses and records'
identifiers look like any other text, so "nothing found" does not mean "nothing personal".
"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING

from memory.records import SensitiveFinding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from memory.records import ExampleSet

REGION = "US"  # how a phone number without a country code is read

_EMAIL = re.compile(r"[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b")
_CARD = re.compile(r"(?<![\d.])[2-6]\d{3}(?:[ -]?\d){8,15}(?![\d.]*\d)")
_SSN = re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b")
# Issuers that detect-secrets 1.5 does not know, by the prefix they publish for such scans.
_TOKEN = re.compile(
    r"\b(?:sk-(?:ant-|proj-)?[\w-]{20,}|hf_[A-Za-z0-9]{30,}|AIza[\w-]{35}|github_pat_\w{22,}"
    r"|glpat-[\w-]{20,}|xox[abprs]-[\w-]{10,})"
)
_ASSIGNED = re.compile(
    r"\b(?:api[_ -]?key|secret(?:[_ -]?key)?|access[_ -]?token|auth[_ -]?token|password|passwd)"
    r"[\"']?\s*[:=]\s*[\"']?(?=\S{0,64}\d)(?=\S{0,64}[A-Za-z])[^\s\"',;]{8}",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\bBearer\s+[\w.~+/-]{20,}")

_PLUGINS = {
    "artifactory": "ArtifactoryDetector",
    "aws": "AWSKeyDetector",
    "azure_storage_key": "AzureStorageKeyDetector",
    "basic_auth": "BasicAuthDetector",
    "discord": "DiscordBotTokenDetector",
    "github_token": "GitHubTokenDetector",
    "gitlab_token": "GitLabTokenDetector",
    "jwt": "JwtTokenDetector",
    "mailchimp": "MailchimpDetector",
    "npm": "NpmDetector",
    "openai": "OpenAIDetector",
    "private_key": "PrivateKeyDetector",
    "pypi_token": "PypiTokenDetector",
    "sendgrid": "SendGridDetector",
    "slack": "SlackDetector",
    "square_oauth": "SquareOAuthDetector",
    "stripe": "StripeDetector",
    "telegram_token": "TelegramBotTokenDetector",
    "twilio": "TwilioKeyDetector",
}


def scan(rows: Iterable[tuple[int, Mapping[str, str]]]) -> tuple[SensitiveFinding, ...]:
    """What the texts of each (row number, column -> text) seem to hold, in order of appearance."""
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, texts in rows:
        for column, text in texts.items():
            for kind in kinds(text):
                found[kind, column].append(number)
    return tuple(
        SensitiveFinding(kind=kind, column=column, rows=tuple(numbers))
        for (kind, column), numbers in found.items()
    )


def kinds(text: str) -> list[str]:
    """The kinds of sensitive content in one text, each once."""
    return [kind for kind, holds in _detectors() if holds(text)]


def needs_consent(examples: ExampleSet, *, local: bool) -> str | None:
    """The question to put before these examples go to a server; None when they may go.

    ``local``: the server is on this machine, so nothing leaves it.
    """
    if local or not examples.sensitive:
        return None
    parts = [
        f"{finding.kind} in {finding.column} ({_rows(finding.rows)})"
        for finding in examples.sensitive
    ]
    return (
        f"{examples.source} seems to hold {'; '.join(parts)}. "
        "Send it to a server that is not on this machine?"
    )


def _rows(rows: tuple[int, ...], shown: int = 5) -> str:
    listed = ", ".join(str(row) for row in rows[:shown])
    more = f" and {len(rows) - shown:,} more" if len(rows) > shown else ""
    return f"row{'s' if len(rows) > 1 else ''} {listed}{more}"


@cache
def _detectors() -> tuple[tuple[str, Callable[[str], bool]], ...]:
    return (
        ("API key or token", _has_key),
        ("private key", _plugin("private_key")),
        ("password", lambda text: bool(_ASSIGNED.search(text))),
        ("e-mail address", lambda text: bool(_EMAIL.search(text))),
        ("phone number", _has_phone),
        ("payment card number", _has_card),
        ("social security number", _has_ssn),
        ("bank account number", _has_iban),
    )


@cache
def _plugin(module: str) -> Callable[[str], bool]:
    """One of detect-secrets' detectors, asked directly.

    Its scanner would heed a ``pragma: allowlist`` inside the text, which is a stranger's.
    """
    from importlib import import_module

    detector = getattr(import_module(f"detect_secrets.plugins.{module}"), _PLUGINS[module])()
    return lambda text: any(True for _ in detector.analyze_string(text))


def _has_key(text: str) -> bool:
    if _TOKEN.search(text) or _BEARER.search(text):
        return True
    return any(_plugin(module)(text) for module in _PLUGINS if module != "private_key")


def _has_phone(text: str) -> bool:
    from phonenumbers import PhoneNumberMatcher

    return any(True for _ in PhoneNumberMatcher(text, REGION))


def _has_card(text: str) -> bool:
    from stdnum import luhn

    return any(luhn.is_valid(re.sub("[ -]", "", found)) for found in _matches(_CARD, text))


def _has_ssn(text: str) -> bool:
    from stdnum.us import ssn

    return any(ssn.is_valid(found) for found in _matches(_SSN, text))


def _has_iban(text: str) -> bool:
    from stdnum import iban

    return any(iban.is_valid(found) for found in _matches(_IBAN, text))


def _matches(pattern: re.Pattern[str], text: str) -> Iterator[str]:
    return (match.group() for match in pattern.finditer(text))
