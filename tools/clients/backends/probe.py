"""The known-answer probe: is a back end's arithmetic right, before its first score counts?

lm-eval over ``llama_cpp.server`` once scored .20 where ``hf`` scored 1.00, because the echoed
log-probabilities were shifted by one token. Such a back end looks healthy; only questions
whose answers are known show it. The probe asks about the back end, not the model: a model
that is merely weak must pass, so every choice is one any trained English model makes.

- *finite*: every log-likelihood is a finite number not above zero.
- *known answers*: of two one-word answers, or of a sentence in order and shuffled, the right one
  is likelier. A score that ignores or shifts the continuation ties; length can't help.
- *chain rule*: log p(ab | c) = log p(a | c) + log p(b | ca), so a token lost, counted twice or
  normalised by length shows.
- *greedy flag*: what greedy generation says first is flagged greedy; a wrong answer is not.
- *generation*: it says something, and the same when asked again.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

from memory.errors import BackendUntrustworthy

if TYPE_CHECKING:
    from collections.abc import Sequence

# (context, right, wrong): equally many words, so that an even spread of probability ties.
KNOWN = (
    ("The capital of France is", " Paris", " because"),
    ("Once upon a", " time", " water"),
    ("The opposite of hot is", " cold", " which"),
    ("Monday, Tuesday, Wednesday,", " Thursday", " people"),
    ("Two plus two equals", " four", " under"),
    ("Thank you very", " much", " green"),
    ("The sun rises in the", " east", " although"),
    ("January, February,", " March", " should"),
    ("The dog", " chased the cat up a tree", " tree a up cat the chased"),
    ("She opened the door", " and walked into the room", " room the into walked and"),
)
ENOUGH = 9
CHAINS = (
    ("The quick brown fox", " jumps over", " the lazy dog"),
    ("Water boils at one", " hundred", " degrees"),
    ("In the beginning", " there was", " nothing but darkness"),
)
OPENINGS = ("The capital of France is", "Once upon a time, there was a", "One, two, three,")
TOKENS = 6


class LanguageModel(Protocol):
    """The part of ``lm_eval.api.model.LM`` that scores rest on."""

    def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
        """(log p(continuation | context), whether greedy decoding would say it) per request."""
        ...

    def generate_until(self, requests: list[Any]) -> list[str]:
        """The generated text per request."""
        ...


def probe(lm: LanguageModel) -> None:
    """Ask the known questions.

    Raises:
        BackendUntrustworthy: naming the check that failed and what was seen.
    """
    _known_answers(lm)
    _chain_rule(lm)
    _generation(lm)


def _known_answers(lm: LanguageModel) -> None:
    pairs = [(c, answer) for c, right, wrong in KNOWN for answer in (right, wrong)]
    scored = _loglikelihood(lm, pairs)
    right = sum(good > bad for (good, _), (bad, _) in zip(scored[::2], scored[1::2], strict=True))
    if right < ENOUGH:
        raise BackendUntrustworthy(
            f"known answers: {right} of {len(KNOWN)} right, at least {ENOUGH} expected; "
            "its log-probabilities do not belong to the answers."
        )
    flagged = [w for (_, _, w), (_, greedy) in zip(KNOWN, scored[1::2], strict=True) if greedy]
    if flagged:
        raise BackendUntrustworthy(f"greedy flag: {flagged[0]!r} is called the likeliest answer.")


def _chain_rule(lm: LanguageModel) -> None:
    # Three calls: in one, HFLM (0.4.13) takes (c, ab) and (ca, b) for the same request, because
    # its cache looks at the joined tokens. No benchmark asks both.
    whole = _loglikelihood(lm, [(c, a + b) for c, a, b in CHAINS])
    first = _loglikelihood(lm, [(c, a) for c, a, _ in CHAINS])
    second = _loglikelihood(lm, [(c + a, b) for c, a, b in CHAINS])
    for (c, a, b), (once, _), (one, _), (two, _) in zip(CHAINS, whole, first, second, strict=True):
        if not math.isclose(once, one + two, rel_tol=1e-3, abs_tol=0.02):
            raise BackendUntrustworthy(
                f"chain rule: log p({a + b!r} | {c!r}) is {once:.3f} at once "
                f"but {one + two:.3f} in two parts."
            )


def _generation(lm: LanguageModel) -> None:
    once, again = _generate(lm, TOKENS), _generate(lm, TOKENS)
    if not any(text.strip() for text in once):
        raise BackendUntrustworthy("generation: nothing but empty text came back.")
    if once != again:
        raise BackendUntrustworthy("generation: greedy text differs between two identical calls.")
    spoken = [(c, w) for c, w in zip(OPENINGS, _generate(lm, 1), strict=True) if w.strip()]
    # Some tokenizers drop the space before a decoded word, so it is tried with and without one.
    spaced = [(c, f" {w.strip()}") for c, w in spoken]
    flags = zip(_loglikelihood(lm, spoken), _loglikelihood(lm, spaced), strict=True)
    agreed = sum(plain[1] or space[1] for plain, space in flags)
    if 2 * agreed <= len(spoken):
        raise BackendUntrustworthy(
            f"greedy flag: only {agreed} of {len(spoken)} greedily generated words are flagged so."
        )


def _loglikelihood(lm: LanguageModel, pairs: Sequence[tuple[str, str]]) -> list[tuple[float, bool]]:
    from lm_eval.api.instance import Instance

    requests = [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(pairs)]
    answers = lm.loglikelihood(requests)
    for (context, answer), (score, _) in zip(pairs, answers, strict=True):
        if not math.isfinite(score) or score > 1e-6:
            raise BackendUntrustworthy(
                f"finite: log p({answer!r} | {context!r}) came back as {score}."
            )
    return answers


def _generate(lm: LanguageModel, tokens: int) -> list[str]:
    from lm_eval.api.instance import Instance

    how = {"until": [], "max_gen_toks": tokens, "do_sample": False}
    requests = [Instance("generate_until", {}, (c, dict(how)), i) for i, c in enumerate(OPENINGS)]
    return lm.generate_until(requests)
