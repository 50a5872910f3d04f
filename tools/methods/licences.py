"""What a model's licence, and those of the models it was made from, allow.

Restrictions travel down a lineage in full; permissions never do: a fine-tune tagged
apache-2.0 over a non-commercial base is non-commercial. Unknown is unknown, not permissive.

The table summarizes published licence terms as the authors know them. It was not checked clause by
clause against the texts; it is a reading aid, not legal advice, and the texts decide.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

Category = Literal["permissive", "restricted", "unknown"]
Use = Literal["commercial", "derivative", "network"]

CLAUSES: Mapping[str, str] = MappingProxyType(
    {
        "non-commercial": "no commercial use",
        "research-only": "research use only",
        "no-derivatives": "no changed versions may be shared",
        "share-alike": "changed versions must carry the same licence",
        "network-copyleft": "offering it over a network obliges you to offer its source",
        "user-limit": "above a number of monthly users a separate licence is needed",
        "revenue-limit": "above a yearly revenue a separate licence is needed",
        "territory": "not licensed in some countries",
        "acceptable-use": "an acceptable-use policy binds you and your users",
        "naming": "the original name must be shown",
        "registration": "commercial users must register",
    }
)

# Exact names, as the Hub and the catalogues spell them. No clause: permissive.
_LLAMA = "user-limit acceptable-use naming"
_TABLE: Mapping[str, str] = MappingProxyType(
    {
        # permissive
        "apache-2.0": "", "mit": "", "mit-0": "", "bsd": "", "bsd-2-clause": "", "bsd-3-clause": "",
        "bsd-3-clause-clear": "", "isc": "", "unlicense": "", "wtfpl": "", "cc0-1.0": "",
        "public-domain": "", "cc-by-2.0": "", "cc-by-2.5": "", "cc-by-3.0": "", "cc-by-4.0": "",
        "afl-3.0": "", "artistic-2.0": "", "bsl-1.0": "", "zlib": "", "ncsa": "", "ecl-2.0": "",
        "ms-pl": "", "postgresql": "", "cdla-permissive-1.0": "", "cdla-permissive-2.0": "",
        "odc-by": "", "pddl": "", "openmdw-1.0": "", "openmdw-1.1": "", "openmdw": "",
        # copyleft
        "gpl": "share-alike", "gpl-2.0": "share-alike", "gpl-3.0": "share-alike",
        "lgpl": "share-alike", "lgpl-2.1": "share-alike", "lgpl-3.0": "share-alike",
        "mpl-2.0": "share-alike", "epl-2.0": "share-alike",
        "eupl-1.1": "share-alike network-copyleft",
        "eupl-1.2": "share-alike network-copyleft", "odbl": "share-alike",
        "agpl-3.0": "share-alike network-copyleft", "osl-3.0": "share-alike network-copyleft",
        "cdla-sharing-1.0": "share-alike",
        # vendors
        "llama2": _LLAMA, "llama3": _LLAMA, "llama3.1": _LLAMA, "llama3.2": _LLAMA,
        "llama3.3": _LLAMA, "llama4": _LLAMA,
        "gemma": "acceptable-use",
        "health-ai-developer-foundations": "acceptable-use",
        "qwen": "user-limit naming", "tongyi-qianwen": "user-limit naming",
        "qwen-research": "non-commercial research-only naming",
        "tongyi-qianwen-research": "non-commercial research-only naming",
        "mrl": "non-commercial research-only", "mnpl": "non-commercial",
        "modified-mit": "user-limit revenue-limit naming",
        "modified-mit-mistral-ai-2025": "revenue-limit",
        "deepseek": "acceptable-use", "deepseek-license": "acceptable-use",
        "nvidia-open-model-license": "acceptable-use",
        "nvidia-nemotron-open-model-license": "acceptable-use",
        "nsclv1": "non-commercial", "customized-nscl-v1": "non-commercial",
        "falcon-llm-license": "acceptable-use", "falcon-mamba-7b-license": "acceptable-use",
        "exaone": "non-commercial research-only acceptable-use",
        "apple-amlr": "research-only",
        "apple-ascl": "",
        "msrla": "non-commercial research-only",
        "lfm1.0": "revenue-limit", "lfm-1.0": "revenue-limit",
        "jamba-open-model-license": "revenue-limit acceptable-use",
        "stabilityai-ai-community": "revenue-limit acceptable-use naming",
        "polyform-small-business-1.0.0": "revenue-limit",
        "polyform-strict-1-0-0": "non-commercial no-derivatives",
        "glm-4": "registration acceptable-use naming",
        "chatglm3": "registration acceptable-use",
        "codegeex4": "registration acceptable-use naming",
        "minimax": "user-limit acceptable-use naming",
        "tencent-hunyuan-community": "user-limit territory acceptable-use",
        "tencent-hunyuan-a13b": "user-limit territory acceptable-use",
        "hyperclovax-seed": "user-limit acceptable-use naming",
        "fair": "non-commercial research-only acceptable-use",
        # responsible-AI licences
        "openrail": "acceptable-use", "openrail++": "acceptable-use",
        "bigscience-openrail-m": "acceptable-use", "bigscience-bloom-rail-1.0": "acceptable-use",
        "creativeml-openrail-m": "acceptable-use", "bigcode-openrail-m": "acceptable-use",
    }
)  # fmt: skip

_ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "apache-license-2.0": "apache-2.0", "apache2": "apache-2.0", "apache": "apache-2.0",
        "apache 2.0": "apache-2.0", "apache2.0": "apache-2.0", "llama-2": "llama2",
        "llama-3": "llama3", "meta-llama-3-community": "llama3", "llama-3.1": "llama3.1",
        "llama-3.1-community-license": "llama3.1", "llama-3.2": "llama3.2", "llama-3.3": "llama3.3",
        "llama-4": "llama4", "tongyi-qianwen-license-agreement": "tongyi-qianwen",
        "gpl-3": "gpl-3.0", "gplv3": "gpl-3.0", "agpl": "agpl-3.0", "agplv3": "agpl-3.0",
        "https://huggingface.co/spaces/bigscience/license": "bigscience-bloom-rail-1.0",
        "hai-def": "health-ai-developer-foundations", "cc0": "cc0-1.0",
    }
)  # fmt: skip

# Names that state their own restriction. Tried in order, all that match add up.
_PATTERNS = (
    (re.compile(r"^cc-by(-[a-z]+)*-nc\b"), "non-commercial"),
    (re.compile(r"^cc-by(-[a-z]+)*-nd\b"), "no-derivatives"),
    (re.compile(r"^cc-by(-[a-z]+)*-sa\b"), "share-alike"),
    (re.compile(r"non-?commercial|[-_]nc$"), "non-commercial"),
    (re.compile(r"research"), "research-only"),
)

# The scancode categories of the package license-expression.
_CATEGORY_CLAUSES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Permissive": (),
        "Public Domain": (),
        "Copyleft Limited": ("share-alike",),
        "Copyleft": ("share-alike",),
    }
)


@dataclass(frozen=True)
class Verdict:
    """What the strictest of a model's own and its ancestors' licences says.

    ``chain`` lists (model id or "this model", licence or None), nearest first; ``causes`` maps
    each clause, and "unknown" if any licence is, to the first model of the chain it came from.
    """

    category: Category
    clauses: tuple[str, ...]
    chain: tuple[tuple[str, str | None], ...]
    causes: Mapping[str, str]


@dataclass(frozen=True)
class Permission:
    """Whether a use is allowed (None: can't be known), why, and what to mind if it is."""

    allowed: bool | None
    reason: str
    warnings: tuple[str, ...] = ()


def normalize(name: str) -> str:
    """Lower case, aliases resolved, ``other:x`` read as ``x``."""
    name = name.strip().lower().removeprefix("other:")
    return _ALIASES.get(name, name)


def clauses(
    licence: str | None, categories: Mapping[str, str] = MappingProxyType({})
) -> frozenset[str] | None:
    """The restrictive clauses of one licence tag; empty if permissive, None if unknown.

    A comma joins licences that all apply. ``categories`` maps further lower-case names to
    scancode categories (``Permissive``, ``Copyleft``...), for licences the table lacks.
    """
    if licence is None or not licence.strip():
        return None
    found: set[str] = set()
    for name in licence.split(","):
        one = _clauses_of(normalize(name), categories)
        if one is None:
            return None
        found |= one
    return frozenset(found)


def _clauses_of(name: str, categories: Mapping[str, str]) -> frozenset[str] | None:
    if name in _TABLE:
        return frozenset(_TABLE[name].split())
    if matched := frozenset(clause for pattern, clause in _PATTERNS if pattern.search(name)):
        return matched
    category = _CATEGORY_CLAUSES.get(categories.get(name, ""))
    return None if category is None else frozenset(category)


def verdict(
    licence: str | None,
    chain: Sequence[tuple[str, str | None]] = (),
    categories: Mapping[str, str] = MappingProxyType({}),
) -> Verdict:
    """The strictest reading of a licence and of its ancestors' (id, licence) ``chain``."""
    whole = (("this model", licence), *chain)
    causes: dict[str, str] = {}
    for id, tag in whole:
        for clause in sorted(
            found if (found := clauses(tag, categories)) is not None else {"unknown"}
        ):
            causes.setdefault(clause, id)
    named = tuple(clause for clause in CLAUSES if clause in causes)
    category: Category = (
        "unknown" if "unknown" in causes else "restricted" if named else "permissive"
    )
    return Verdict(category, named, whole, MappingProxyType(causes))


_FORBIDS: Mapping[Use, tuple[str, ...]] = MappingProxyType(
    {
        "commercial": ("non-commercial", "research-only"),
        "derivative": ("no-derivatives",),
        "network": (),
    }
)
_WARNS: Mapping[Use, tuple[str, ...]] = MappingProxyType(
    {
        "commercial": ("user-limit", "revenue-limit", "territory", "acceptable-use", "naming",
                       "registration"),
        "derivative": ("share-alike", "naming", "acceptable-use"),
        "network": ("network-copyleft", "acceptable-use", "territory"),
    }
)  # fmt: skip


def permits(clauses: Collection[str], use: Use) -> bool | None:
    """Whether ``use`` is allowed under these clauses, "unknown" among them; None: can't be known.

    A clause that forbids it decides even beside an unknown.
    """
    if any(clause in clauses for clause in _FORBIDS[use]):
        return False
    return None if "unknown" in clauses else True


def allows(verdict: Verdict, use: Use) -> Permission:
    """``permits``, with the reason and the model it comes from."""
    for clause in _FORBIDS[use]:
        if clause in verdict.causes:
            return Permission(False, f"{CLAUSES[clause]} ({_source(verdict, clause)})")
    if "unknown" in verdict.causes:
        return Permission(None, f"licence unknown ({_source(verdict, 'unknown')})")
    warnings = tuple(
        f"{CLAUSES[c]} ({_source(verdict, c)})" for c in _WARNS[use] if c in verdict.causes
    )
    return Permission(True, f"{verdict.category} licence", warnings)


def _source(verdict: Verdict, clause: str) -> str:
    cause = verdict.causes[clause]
    tag = dict(reversed(verdict.chain))[cause] or "no licence stated"
    return tag if cause == "this model" else f"{tag} of {cause}"


def known(name: str, categories: Mapping[str, str] = MappingProxyType({})) -> bool:
    """True when the licence name is one whose terms are known."""
    return clauses(name, categories) is not None


def suggestions(name: str, categories: Mapping[str, str] = MappingProxyType({})) -> tuple[str, ...]:
    """Up to three known licence names that look like ``name``."""
    creative = (
        "cc-by-sa-4.0",
        "cc-by-nc-4.0",
        "cc-by-nc-sa-4.0",
        "cc-by-nd-4.0",
        "cc-by-nc-nd-4.0",
    )
    names = dict.fromkeys((*_TABLE, *creative, *_ALIASES, *categories))
    return tuple(difflib.get_close_matches(name.strip().lower(), names, n=3, cutoff=0.6))


if __name__ == "__main__":
    shown = verdict("apache-2.0", [("lab/base", "llama3"), ("lab/root", "cc-by-nc-4.0")])
    print(*shown.chain, sep=" <- ")  # noqa: T201
    for use in _FORBIDS:
        print(use, allows(shown, use))  # noqa: T201
