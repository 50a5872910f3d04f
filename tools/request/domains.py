"""The domains Mirror tells apart, and the words that name them.

One vocabulary for models (their names), benchmarks (their descriptions) and labels, so that the
same request finds both. Words are matched whole and lower-case; abbreviations such as ``chem``
are common in model names.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True)
class Domain:
    """``gloss`` says in plain words what the domain is about; ``words`` betray it in a text."""

    gloss: str
    words: frozenset[str]


def _domain(gloss: str, words: str) -> Domain:
    return Domain(gloss, frozenset(words.split()))


DOMAINS: dict[str, Domain] = {
    "medical": _domain(
        "medicine and healthcare: patients, doctors, clinical text, diseases, treatment",
        "med medical medicine medicines clinical clinic clinician doctor doctors patient patients "
        "health healthcare hospital nurse nursing disease diseases diagnosis radiology "
        "biomedical biomed pubmed medqa mimic anatomy pharmacology pharmacy dental dentist "
        "surgery mental psychiatry virology nutrition pathology medi",
    ),
    "biology": _domain(
        "biology and life science: genes, proteins, cells, organisms",
        "bio biology biological biomedical biomed genomics genetics gene genes dna rna protein "
        "proteins molecular cell cells bioinformatics virology",
    ),
    "chemistry": _domain(
        "chemistry: molecules, reactions, compounds, materials, drug discovery",
        "chem chemistry chemical molecule molecules molecular mol smiles reaction compounds "
        "compound drug toxicity materials",
    ),
    "finance": _domain(
        "finance and banking: money, credit, loans, markets, accounting, investment",
        "fin finance financial bank banking loan loans mortgage credit fintech fiqa stock "
        "stocks trading invest investment accounting insurance econometrics economics "
        "economic macroeconomics microeconomics tax",
    ),
    "law": _domain(
        "law: contracts, statutes, courts, legal reasoning",
        "law laws legal legalbench lawyer lawyers court contract contracts jurisprudence statute "
        "jurisdiction saul lawma",
    ),
    "code": _domain(
        "programming: writing, completing and repairing source code",
        "code coder codes coding codegen programming program programs software python java "
        "javascript sql humaneval mbpp codellama codegemma starcoder codestral devstral",
    ),
    "math": _domain(
        "mathematics: arithmetic, algebra, word problems, proofs",
        "math maths mathematics mathematical arithmetic algebra geometry calculus gsm8k "
        "prover theorem equations trigonometry",
    ),
    "science": _domain(
        "natural science and research papers: physics, astronomy, engineering",
        "science sciences scientific physics astronomy engineering galactica sciq",
    ),
}

_BETRAYED = {
    word: tuple(name for name in DOMAINS if word in DOMAINS[name].words)
    for word in frozenset().union(*(domain.words for domain in DOMAINS.values()))
}
_WORD = re.compile(r"[a-z]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def words_of(text: str) -> list[str]:
    """Lower-case words of a text or name; ``ChemDFM-v1`` gives chem, dfm, v and chemdfm."""
    return list(dict.fromkeys(_WORD.findall(f"{_CAMEL.sub(' ', text)} {text}".lower())))


def domains_of(text: str) -> tuple[str, ...]:
    """The domains whose words occur in ``text``, most words first; empty when none does."""
    hits = Counter(name for word in words_of(text) for name in _BETRAYED.get(word, ()))
    return tuple(name for name, _ in hits.most_common())
