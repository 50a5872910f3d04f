"""The probe against a language model that is right, and against seven that are not."""

import math
import random
import re
from collections import Counter, defaultdict

import pytest

from memory.errors import BackendUntrustworthy
from tools.clients.backends import probe as probing

TEXTS = [c + right for c, right, _ in probing.KNOWN]
TEXTS += [c + a + b for c, a, b in probing.CHAINS]
TEXTS += [
    "Once upon a time, there was a small house",
    "One, two, three, four, five",
    "Paris is old",
]


def words(text):
    return re.findall(r"\s*\S+", text)


class Trigrams:
    """A real, small language model: smoothed trigrams of words over the probe's own sentences."""

    def __init__(self):
        self.counts = defaultdict(Counter)
        for text in TEXTS:
            spoken = ["", "", *words(text)]
            for i in range(2, len(spoken)):
                self.counts[tuple(spoken[i - 2 : i])][spoken[i]] += 1
        wrong = [w for _, _, answer in probing.KNOWN for w in words(answer)]
        self.vocabulary = sorted({w for t in TEXTS for w in words(t)} | set(wrong))

    def log_p(self, history, word):
        seen = self.counts[tuple((["", "", *history])[-2:])]
        return math.log((seen[word] + 0.01) / (seen.total() + 0.01 * len(self.vocabulary)))

    def likeliest(self, history):
        return max(self.vocabulary, key=lambda word: self.log_p(history, word))

    def token_scores(self, context, continuation):
        history, scores = words(context), []
        for word in words(continuation):
            scores.append((self.log_p(history, word), word == self.likeliest(history)))
            history.append(word)
        return scores

    def score(self, context, continuation):
        scores = self.token_scores(context, continuation)
        return sum(s for s, _ in scores), all(greedy for _, greedy in scores)

    def loglikelihood(self, requests):
        return [self.score(*request.args) for request in requests]

    def speak(self, context, tokens):
        history = words(context)
        for _ in range(tokens):
            history.append(self.likeliest(history))
        return "".join(history[len(words(context)) :])

    def generate_until(self, requests):
        return [self.speak(r.args[0], r.args[1]["max_gen_toks"]) for r in requests]


class Shifted(Trigrams):
    """What llama_cpp.server echoes: each token carries the score of the one before it."""

    def score(self, context, continuation):
        n = len(words(continuation))
        scores = self.token_scores("", context + continuation)[-n - 1 : -1]
        return sum(s for s, _ in scores), all(greedy for _, greedy in scores)


class ShiftedAhead(Trigrams):
    """The other way: the first token's score is lost."""

    def score(self, context, continuation):
        total, greedy = super().score(context, continuation)
        return total - self.token_scores(context, continuation)[0][0], greedy


class Uniform(Trigrams):
    def score(self, context, continuation):
        return len(words(continuation)) * -math.log(len(self.vocabulary)), False


class Constant(Trigrams):
    def score(self, context, continuation):
        return -1.0, True


class PerToken(Trigrams):
    """Normalised by length where a sum is asked for."""

    def score(self, context, continuation):
        total, greedy = super().score(context, continuation)
        return total / len(words(continuation)), greedy


class AlwaysGreedy(Trigrams):
    def score(self, context, continuation):
        return super().score(context, continuation)[0], True


class NeverGreedy(Trigrams):
    def score(self, context, continuation):
        return super().score(context, continuation)[0], False


class NotANumber(Trigrams):
    def score(self, context, continuation):
        return float("nan"), False


class Mute(Trigrams):
    def speak(self, context, tokens):
        return ""


class Sampling(Trigrams):
    def __init__(self):
        super().__init__()
        self.random = random.Random(0)

    def likeliest(self, history):
        return self.random.choice(self.vocabulary)


class OtherGenerator(Trigrams):
    """Generates with other weights than it scores with."""

    def speak(self, context, tokens):
        return " whatever" * tokens


def test_a_right_back_end_passes():
    probing.probe(Trigrams())


@pytest.mark.parametrize(
    ("model", "check"),
    [
        (Shifted, "known answers"),
        (ShiftedAhead, "known answers"),
        (Uniform, "known answers"),
        (Constant, "known answers"),
        (PerToken, "chain rule"),
        (AlwaysGreedy, "greedy flag"),
        (NeverGreedy, "greedy flag"),
        (NotANumber, "finite"),
        (Mute, "generation"),
        (Sampling, "generation"),
        (OtherGenerator, "greedy flag"),
    ],
)
def test_a_wrong_back_end_is_refused_and_the_check_named(model, check):
    with pytest.raises(BackendUntrustworthy, match=f"^{check}"):
        probing.probe(model())


def test_length_never_decides():
    for _, right, wrong in probing.KNOWN:
        assert len(words(right)) == len(words(wrong))
