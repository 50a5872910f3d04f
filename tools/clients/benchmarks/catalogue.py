"""The benchmarks that could be run: every task of the installed lm-eval, searchable by meaning.

lm-eval has some 14,000 tasks, most of them one test in many languages or prompts. They are
folded into tests that differ in what they ask; each is found by two texts, its own (name and
instruction) and its family's (README), and by its domain. Built once per lm-eval version and
embedding, then read from the cache.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from memory.records import BenchmarkChoice
from memory.vectors import cache_file, cached_vectors, write_atomically
from tools.clients.backends.task_files import Task, read_tasks, tasks_folder
from tools.clients.benchmarks import installed
from tools.deps import Progress, silent
from tools.request.domains import domains_of
from tools.request.languages import CODES, LANGUAGES, languages_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tools.deps import Embedder

PER_FAMILY = 2
"""At most so many tests of one family are recommended together."""

SAME_DOMAIN = 0.15
"""What sharing the request's domain adds to the cosine."""

WORTH = 0.5
"""A test below this share of the best one's score is not worth running."""

NEUTRAL, OTHER = "", "?"

PLAIN = 0.01
"""What each further word of a test's name takes off its score: of two alike, the plain one."""

MANY = 6
"""A family whose task names hold so many language codes is the same test in many languages."""

NEUTRAL, OTHER = "", "?"

# Words of task names that say how a test is put, not what it asks.
_FORM = frozenset(
    word
    for words in (
        "prompt shot few zero fewshot zeroshot cot full light direct task tasks group perplexity",
        "continuation generative generate until loglikelihood multiple choice variant flan only",
    )
    for word in words.split()
)
_SCRIPTS = frozenset(
    {"latn", "arab", "cyrl", "deva", "beng", "ethi", "grek", "hans", "hant", "hebr"}
)


@dataclass(frozen=True)
class Benchmark:
    """One test in its variants.

    ``asks``: the words of its name and its instruction. ``about``: its family. ``variants``:
    language code (``NEUTRAL``: unsaid, ``OTHER``: unknown) -> (task name, metric).
    """

    family: str
    words: str
    asks: str
    about: str
    domains: tuple[str, ...]
    variants: dict[str, tuple[str, str]]

    def in_languages(self, wanted: Iterable[str]) -> tuple[str, str] | None:
        """The (task, metric) in a wanted language, or in none in particular."""
        for language in (*wanted, NEUTRAL):
            if language in self.variants:
                name, metric = self.variants[language]
                return name, metric
        return None


def fold(tasks: Sequence[Task]) -> list[Benchmark]:
    """Tasks of a family that ask the same in other languages, prompts or forms become one test.

    Of several, the one with the shortest name speaks for all, and for its language.
    """
    multilingual = _multilingual(tasks)
    folded: dict[tuple[str, str], list[Task]] = {}
    for task in sorted(tasks, key=lambda task: (len(task.name), task.name)):
        key = (task.family, _words(task, task.family in multilingual))
        folded.setdefault(key, []).append(task)
    return [
        _benchmark(words, alike, family in multilingual)
        for (family, words), alike in folded.items()
    ]


def _benchmark(words: str, alike: list[Task], many: bool) -> Benchmark:
    plain = alike[0]
    variants: dict[str, tuple[str, str]] = {}
    for task in alike:
        variants.setdefault(language_of(task, many), (task.name, task.metric))
    own = f"{words} {plain.subject}".strip()
    return Benchmark(
        family=plain.family,
        words=words,
        asks=own or plain.about or plain.family,
        about=plain.about or plain.family,
        domains=domains_of(own if words else f"{plain.family} {own} {plain.about}"),
        variants=variants,
    )


def _multilingual(tasks: Sequence[Task]) -> frozenset[str]:
    """Families that say they cover several languages or whose task names show it."""
    seen: dict[str, set[str]] = {}
    for task in tasks:
        seen.setdefault(task.family, set()).update(LANGUAGES.keys() & set(_tokens(task.name)))
    shown = {family for family, codes in seen.items() if len(codes) >= MANY}
    return frozenset(shown.union(task.family for task in tasks if task.multilingual))


def language_of(task: Task, many: bool) -> str:
    """The language of one task, from its name and its family's; ``many``: it is multilingual."""
    if len(task.languages) == 1 and not many:
        return task.languages[0]
    for token in _tokens(task.name):
        if token in CODES or token == "eng":
            return CODES.get(token, "en")
        if many and token in LANGUAGES:
            return token
    return OTHER if many else NEUTRAL


def _words(task: Task, many: bool) -> str:
    """The words of a task's name that say what it asks; in many languages, no short codes."""
    family = set(_tokens(task.family))
    dropped = family | CODES.keys() | LANGUAGES.keys() | _FORM | _SCRIPTS
    return " ".join(
        token
        for token in _tokens(task.name)
        if token.isalpha()
        and token not in dropped
        and not (many and len(token) <= 3 and not domains_of(token))
    )


def _tokens(name: str) -> list[str]:
    return re.findall(r"[a-z]+|\d+", name.lower())


class LmEvalCatalogue:
    """``tools.deps.Catalogue`` over the installed lm-eval; nothing is read before a search.

    Raises ``MirrorError`` when lm-eval or the embedding model is not installed.
    """

    def __init__(
        self,
        cache_dir: Path,
        embedder: Embedder,
        progress: Callable[[Progress], None] = silent,
    ) -> None:
        self._cache_dir = cache_dir
        self._embedder = embedder
        self._progress = progress

    @cached_property
    def tests(self) -> list[Benchmark]:
        """Every test, from the cache of this lm-eval version or read from its files."""
        file = self._cache_dir / f"benchmarks.lm-eval-{installed.version('lm_eval')}.json"
        cached = _read(file)
        if cached is not None:
            return cached
        tests = fold(read_tasks(tasks_folder(), self._tell("reading benchmarks")))
        try:
            write_atomically(file, json.dumps([asdict(test) for test in tests]).encode())
        except OSError:
            return tests  # a cache: the next run reads the files again
        return tests

    @cached_property
    def _vectors(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(T, d) of what each test asks and (T, d) of what its family is about."""
        texts = [test.asks for test in self.tests] + [test.about for test in self.tests]
        vectors = cached_vectors(
            texts,
            self._embedder.encode,
            cache_file(self._cache_dir, "benchmarks", self._embedder.name),
            self._tell("embedding benchmarks"),
        )
        return vectors[: len(self.tests)], vectors[len(self.tests) :]

    def search(self, query: str, domains: Sequence[str], k: int) -> list[BenchmarkChoice]:
        """The at most ``k`` nearest tests, best first, weights in proportion and summing to 1.

        Score: the mean cosine of the query with a test's two texts, plus ``SAME_DOMAIN`` where a
        domain (of the query's own words, when none is given) matches, less ``PLAIN`` a word. Only
        tests in a language
        that the query names (English when none), or in none in particular; at most ``PER_FAMILY``
        of a family, and one of those whose names differ only by further words.
        """
        asks, about = self._vectors
        vector = self._embedder.encode([query])[0]
        cosine = (asks @ vector + about @ vector) / 2
        wanted = set(domains) or set(domains_of(query))
        shared = [sorted(wanted.intersection(test.domains)) for test in self.tests]
        length = np.array([len(test.words.split()) for test in self.tests])
        score = cosine + SAME_DOMAIN * np.array([bool(common) for common in shared])
        score -= PLAIN * length
        chosen = self._pick(score, sorted(languages_in(query)) or ["en"], k)
        total = sum(float(score[i]) for i, _ in chosen)
        return [
            BenchmarkChoice(
                task=name,
                weight=float(score[i]) / total,
                reason=_reason(float(cosine[i]), shared[i]),
                description=self.tests[i].about,
                metric=metric,
            )
            for i, (name, metric) in chosen
        ]

    def _pick(
        self, score: NDArray[np.floating], languages: list[str], k: int
    ) -> list[tuple[int, tuple[str, str]]]:
        chosen: list[tuple[int, tuple[str, str]]] = []
        for i in np.argsort(-score, kind="stable").tolist():
            test = self.tests[i]
            variant = test.in_languages(languages)
            if len(chosen) >= k or score[i] <= 0:
                break
            if variant is None or self._crowded(test, [self.tests[j] for j, _ in chosen]):
                continue
            if chosen and score[i] < WORTH * score[chosen[0][0]]:
                break
            chosen.append((i, variant))
        return chosen

    @staticmethod
    def _crowded(test: Benchmark, chosen: list[Benchmark]) -> bool:
        words = set(test.words.split())
        of_family = sum(other.family == test.family for other in chosen)
        alike = (
            words <= set(other.words.split()) or words >= set(other.words.split())
            for other in chosen
            if words and other.words
        )
        return of_family >= PER_FAMILY or any(alike)

    def _tell(self, what: str) -> Callable[[int, int], None]:
        return lambda done, total: self._progress(Progress(what, done, total))


def _reason(cosine: float, shared: list[str]) -> str:
    meaning = f"close in meaning to the request (cosine {cosine:.2f})"
    return f"{meaning}; same domain: {', '.join(shared)}" if shared else meaning


def _read(file: Path) -> list[Benchmark] | None:
    """The cached tests, None when the file is missing or not what was written."""
    try:
        rows = json.loads(file.read_bytes())
        return [Benchmark(**(row | {"domains": tuple(row["domains"])})) for row in rows]
    except (OSError, ValueError, TypeError, KeyError):
        return None
