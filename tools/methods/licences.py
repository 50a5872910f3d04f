"""What a model's licence, and those of the models it was made from, allow.

Restrictions travel down a lineage in full; permissions never do: a fine-tune tagged
apache-2.0 over a non-commercial base is non-commercial. Unknown is unknown, not permissive.

What each licence says stands in ``tools.methods.licence_terms``.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from tools.methods.licence_terms import ALIASES, LINKS, PATTERNS, TERMS
from tools.methods.licence_terms import CLAUSES as CLAUSES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Category = Literal["permissive", "restricted", "unknown"]
Use = Literal["commercial", "derivative", "network"]

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
    """Lower case, aliases resolved, ``other:x`` read as ``x``, a known link as what it names."""
    name = name.strip().lower().removeprefix("other:")
    if name.startswith(("http://", "https://")):
        linked = ((pattern.search(name), meant) for pattern, meant in LINKS)
        name = next((found.expand(meant) for found, meant in linked if found), name)
        name = name.replace("_", ".") if name.startswith("llama") else name
    return ALIASES.get(name, name)


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
    if name in TERMS:
        return frozenset(TERMS[name].split())
    if matched := frozenset(clause for pattern, clause in PATTERNS if pattern.search(name)):
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
        "network": ("hosting",),
    }
)
_WARNS: Mapping[Use, tuple[str, ...]] = MappingProxyType(
    {
        "commercial": ("user-limit", "revenue-limit", "territory", "acceptable-use", "naming",
                       "registration", "output-limit", "hosting"),
        "derivative": ("share-alike", "naming", "acceptable-use", "output-limit"),
        "network": ("network-copyleft", "acceptable-use", "territory"),
    }
)  # fmt: skip


def allows(verdict: Verdict, use: Use) -> Permission:
    """Whether ``use`` is allowed. A clause that forbids it decides even beside an unknown."""
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
    names = dict.fromkeys((*TERMS, *creative, *ALIASES, *categories))
    return tuple(difflib.get_close_matches(name.strip().lower(), names, n=3, cutoff=0.6))


if __name__ == "__main__":
    shown = verdict("apache-2.0", [("lab/base", "llama3"), ("lab/root", "cc-by-nc-4.0")])
    print(*shown.chain, sep=" <- ")  # noqa: T201
    for use in _FORBIDS:
        print(use, allows(shown, use))  # noqa: T201
