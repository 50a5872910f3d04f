"""Exact metrics: answers graded against references, where there are any.

The metric is chosen from the references: few short labels -> accuracy and F1; short answers ->
token F1; long texts -> ROUGE and BLEU; none -> a judge. ROUGE is rouge-score's, BLEU sacrebleu's,
BERTScore bert-score's (extra ``bertscore``). Each grade lies in [0, 1]; None is missing.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from functools import cache
from statistics import median
from typing import TYPE_CHECKING, Any

from memory.errors import MirrorError
from memory.records import MetricChoice, MetricScore
from tools.clients.benchmarks import installed
from tools.methods.label_scores import label_scores, mean_interval, token_f1
from tools.real_task.answer_labels import find_label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

MOST_LABELS = 20
LABEL_WORDS = 5
SHORT_WORDS = 8
# Scripts written without spaces between words: each character counts as a token.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"


def choose_metric(references: Sequence[str | None]) -> MetricChoice:
    """The metric that fits, with the reason in one line.

    Labels: at most 20 different ones, at most five words each, and each seen twice on average.
    """
    known = [reference for reference in references if reference is not None]
    if not known:
        return MetricChoice(metric="judge", reason="no example has a reference answer")
    counts = Counter(" ".join(reference.split()).casefold() for reference in known)
    words = [len(_words(reference)) for reference in known]
    if len(counts) <= MOST_LABELS and max(words) <= LABEL_WORDS and len(known) >= 2 * len(counts):
        first: dict[str, str] = {}
        for reference in known:
            first.setdefault(" ".join(reference.split()).casefold(), " ".join(reference.split()))
        labels = tuple(sorted(first.values()))
        return MetricChoice(
            metric="accuracy",
            reason=f"the references are {len(labels)} short labels, {', '.join(labels)}",
            labels=labels,
            also=("macro F1", "micro F1"),
        )
    if median(words) <= SHORT_WORDS:
        reason = f"the references are short answers, {median(words):g} words at the median"
        return MetricChoice(metric="token F1", reason=reason, also=("exact match",))
    reason = f"the references are texts, {median(words):g} words at the median"
    return MetricChoice(metric="ROUGE-L", reason=reason, also=("ROUGE-1", "ROUGE-2", "BLEU"))


def grade(choice: MetricChoice, answer: str | None, reference: str | None) -> float | None:
    """One answer's grade by the chosen metric.

    None where nothing can be graded: no answer, no reference, no label in the answer, or a judge
    has to. An empty answer is an answer, and a wrong one, but holds no label.
    """
    if answer is None or reference is None or choice.metric == "judge":
        return None
    if choice.metric == "accuracy":
        found = find_label(answer, choice.labels)
        return None if found is None else float(_same(found, reference))
    if choice.metric == "token F1":
        return token_f1(normalized(answer), normalized(reference))
    return rouge(answer, reference)["ROUGE-L"]


def score(
    choice: MetricChoice, answers: Sequence[str | None], references: Sequence[str | None]
) -> list[MetricScore]:
    """The chosen metric over all items, then those ``also`` computed; [] when nothing is graded.

    Items without a reference are left out, those without a gradable answer counted as missing.
    """
    pairs = [(a, r) for a, r in zip(answers, references, strict=True) if r is not None]
    if choice.metric == "judge":
        return []
    if choice.metric == "accuracy":
        return _label_metrics(choice, pairs)
    answered = [(a, r) for a, r in pairs if a is not None]
    graded: dict[str, list[float | None]] = {}
    if choice.metric == "token F1":
        graded["token F1"] = [token_f1(normalized(a), normalized(r)) for a, r in answered]
        graded["exact match"] = [float(exact_match(a, r)) for a, r in answered]
    else:
        found = [rouge(a, r) for a, r in answered]
        for name in ("ROUGE-L", "ROUGE-1", "ROUGE-2"):
            graded[name] = [one[name] for one in found]
        graded["BLEU"] = [bleu(a, r) for a, r in answered]
    scores = (_score(name, grades, len(pairs)) for name, grades in graded.items())
    return [one for one in scores if one is not None]


def exact_match(answer: str, reference: str) -> bool:
    """Whether both are the same after SQuAD's normalization."""
    return normalized(answer) == normalized(reference)


def normalized(text: str) -> list[str]:
    """Tokens after SQuAD's normalization: lower case, no punctuation, no English articles.

    Scripts without spaces are cut into characters, which SQuAD's own would leave as one token.
    """
    plain = "".join(c for c in text.lower() if c not in string.punctuation)
    kept = re.sub(r"\b(a|an|the)\b", " ", plain)
    return [token for word in kept.split() for token in _words(word) or [word]]


def rouge(answer: str, reference: str) -> dict[str, float | None]:
    """ROUGE-1, -2 and -L F-measures; all None when the reference has no word to match.

    English is stemmed as in the reference implementation; other scripts, which that would drop
    without a word, are cut by Unicode words.
    """
    english = _is_latin(reference)
    if not (re.search("[a-z0-9]", reference.lower()) if english else _words(reference)):
        return {"ROUGE-1": None, "ROUGE-2": None, "ROUGE-L": None}
    found = _rouge(english=english).score(reference, answer)
    return {
        "ROUGE-1": float(found["rouge1"].fmeasure),
        "ROUGE-2": float(found["rouge2"].fmeasure),
        "ROUGE-L": float(found["rougeL"].fmeasure),
    }


def bleu(answer: str, reference: str) -> float:
    """Sentence BLEU in [0, 1] with effective order and sacrebleu's smoothing."""
    import sacrebleu

    tokenize = "char" if re.search(f"[{_UNSPACED}]", reference) else "13a"
    found = sacrebleu.sentence_bleu(
        answer, [reference], tokenize=tokenize, use_effective_order=True
    )
    return min(float(found.score) / 100, 1.0)


def bert_score(
    answers: Sequence[str], references: Sequence[str], model: Path | str, layer: int | None = None
) -> list[float]:
    """BERTScore F1 (Zhang et al. 2020) under ``model``: a local folder, or a name on the Hub.

    ``layer`` is needed where bert-score has not chosen one for the model. Not rescaled to a
    baseline, so values compare within one model and are not cut to [0, 1]; an empty answer is 0.

    Raises:
        MirrorError: the extra is not installed, or the model can't be loaded.
    """
    if installed.folder("bert_score") is None:
        raise MirrorError("BERTScore is not installed; run `pip install 'mirror-llm[bertscore]'`.")
    if len(answers) != len(references):
        raise ValueError(f"{len(answers)} answers for {len(references)} references")
    import bert_score as library

    pairs = enumerate(zip(answers, references, strict=True))
    written = [i for i, (a, r) in pairs if a.strip() and r.strip()]
    grades = [0.0] * len(answers)
    if not written:
        return grades
    try:
        _, _, f1 = library.score(
            [answers[i] for i in written],
            [references[i] for i in written],
            model_type=str(model),
            num_layers=layer,
        )
    except (OSError, KeyError, ValueError) as error:
        raise MirrorError(f"BERTScore can't use {model}: {error}") from error
    for i, value in zip(written, f1.tolist(), strict=True):
        grades[i] = value
    return grades


def _label_metrics(
    choice: MetricChoice, pairs: Sequence[tuple[str | None, str]]
) -> list[MetricScore]:
    predicted = [None if a is None else find_label(a, choice.labels) for a, _ in pairs]
    if not any(predicted):
        return []
    by_key: Mapping[str, str] = {label.casefold(): label for label in choice.labels}
    references = [" ".join(r.split()) for _, r in pairs]
    found = label_scores(predicted, [by_key.get(r.casefold(), r) for r in references])
    named = {
        "accuracy": found.accuracy,
        "macro F1": found.macro_f1,
        "micro F1": found.micro_f1,
    }
    return [
        MetricScore(
            metric=name, value=i.value, low=i.low, high=i.high, n=i.n, missing=found.missing
        )
        for name, i in named.items()
    ]


def _score(name: str, grades: Sequence[float | None], items: int) -> MetricScore | None:
    known = [one for one in grades if one is not None]
    if not known:
        return None
    found = mean_interval(known)
    return MetricScore(
        metric=name,
        value=found.value,
        low=found.low,
        high=found.high,
        n=found.n,
        missing=items - found.n,
    )


def _same(label: str, reference: str) -> bool:
    return label.casefold() == " ".join(reference.split()).casefold()


def _words(text: str) -> list[str]:
    return re.findall(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+", text)


def _is_latin(text: str) -> bool:
    letters = [character for character in text if character.isalpha()]
    return sum(character.isascii() for character in letters) >= 0.95 * len(letters)


class _UnicodeWords:
    """rouge-score's tokenizer protocol for text that is not plain English."""

    def tokenize(self, text: str) -> list[str]:
        return _words(text.lower())


@cache
def _rouge(*, english: bool) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    kinds = ["rouge1", "rouge2", "rougeL"]
    if english:
        return RougeScorer(kinds, use_stemmer=True)
    return RougeScorer(kinds, tokenizer=_UnicodeWords())
