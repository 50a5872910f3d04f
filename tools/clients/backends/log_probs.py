"""Log-probabilities of texts, for contamination signals: the records, and transformers' own.

``token_log_probs`` needs torch and transformers (extra ``hf``), which are imported only when a
text is scored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BATCH = 8


@dataclass(frozen=True)
class TokenLogProbs:
    """Per scored token (T,): its log-probability and, over the vocabulary, mean and deviation.

    ``means`` and ``deviations`` are of log p(z) for z drawn from the model, in nats. The first
    token of a text has no context and is scored after the tokenizer's start token, when there is
    one, else left out.
    """

    log_probs: NDArray[np.float64]
    means: NDArray[np.float64]
    deviations: NDArray[np.float64]

    @property
    def total(self) -> float:
        """Log-probability of the text in nats."""
        return float(self.log_probs.sum())


@dataclass(frozen=True)
class TextLogProb:
    """A text's log-probability in nats; ``tokens`` where the back end tells them apart."""

    total: float
    tokens: TokenLogProbs | None = None


def token_log_probs(model: Any, tokenizer: Any, texts: Sequence[str]) -> list[TokenLogProbs]:
    """Score each text under a transformers causal model, in batches of texts of like length."""
    start = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    rows = [start + tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    found: dict[int, TokenLogProbs] = {}
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    for begin in range(0, len(order), BATCH):
        batch = order[begin : begin + BATCH]
        found.update(zip(batch, _forward(model, [rows[i] for i in batch]), strict=True))
    return [found[i] for i in range(len(rows))]


def _forward(model: Any, rows: list[list[int]]) -> list[TokenLogProbs]:
    """Rows are padded on the right, where causal attention never looks."""
    import torch

    longest = max(2, *(len(row) for row in rows))
    ids = torch.zeros((len(rows), longest), dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row, dtype=torch.long)
    with torch.inference_mode():
        logits = model(ids.to(model.device)).logits[:, :-1].float()
        log_p = torch.log_softmax(logits, dim=-1)
        p = log_p.exp()
        means = (p * log_p).sum(-1)
        deviations = ((p * log_p**2).sum(-1) - means**2).clamp_min(0).sqrt()
        chosen = log_p.gather(-1, ids[:, 1:, None].to(model.device))[..., 0]
    arrays = [a.cpu().numpy().astype(np.float64) for a in (chosen, means, deviations)]
    return [
        TokenLogProbs(*(a[i, : max(len(row) - 1, 0)] for a in arrays)) for i, row in enumerate(rows)
    ]
