"""Token log-probabilities from a real (tiny, untrained) transformers model, against its logits."""

import numpy as np
import pytest

from tools.clients.backends.log_probs import token_log_probs
from tools.methods.contamination import moments


class Letters:
    """A tokenizer of lower-case letters: a is 1, b is 2, ..."""

    bos_token_id = 0

    def __call__(self, text, add_special_tokens):
        assert not add_special_tokens
        return {"input_ids": [ord(letter) - 96 for letter in text]}


@pytest.fixture(scope="module")
def model():
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=27,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
    )
    return transformers.LlamaForCausalLM(config).eval()


@pytest.mark.weights
def test_each_token_is_scored_after_what_stands_before_it(model):
    import torch

    texts = ["cab", "abcdefghij", "z", ""] * 3  # of unlike length, so batches are padded
    found = token_log_probs(model, Letters(), texts)
    for text, scored in zip(texts, found, strict=True):
        ids = [0, *Letters()(text, add_special_tokens=False)["input_ids"]]
        with torch.inference_mode():
            logits = model(torch.tensor([ids])).logits[0, :-1]
        full = torch.log_softmax(logits, -1).numpy()
        expected = [full[i, token] for i, token in enumerate(ids[1:])]
        assert scored.log_probs == pytest.approx(np.array(expected), abs=1e-5)
        means, deviations = moments(full)
        assert scored.means == pytest.approx(means, abs=1e-5)
        assert scored.deviations == pytest.approx(deviations, abs=1e-4)
        assert scored.total == pytest.approx(sum(expected), abs=1e-4)


@pytest.mark.weights
def test_without_a_start_token_the_first_token_is_left_out(model):
    tokenizer = Letters()
    tokenizer.bos_token_id = None
    one, none = token_log_probs(model, tokenizer, ["ab", "a"])
    assert (len(one.log_probs), len(none.log_probs)) == (1, 0)
