"""Weights small enough for a test: a safetensors file of one tensor, or a model that answers."""

import json
import struct

import numpy as np


def safetensors(path, shape=(4, 8)):
    path.write_bytes(safetensors_bytes(shape))


def safetensors_bytes(shape=(4, 8), dtype="F32"):
    size = int(np.prod(shape)) * {"F32": 4, "BF16": 2}[dtype]
    entry = {"dtype": dtype, "shape": list(shape), "data_offsets": [0, size]}
    header = json.dumps({"__metadata__": {"format": "pt"}, "w": entry}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(size)


def llama(folder, lessons=()):
    """A Llama of a few thousand weights, a token a character; it learns ``lessons`` by heart."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    letters = [chr(code) for code in range(32, 127)]
    vocabulary = {letter: i for i, letter in enumerate(["<s>", "</s>", "<unk>", *letters])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 4, "max_position_embeddings": 2048}
    ends = {"bos_token_id": 0, "eos_token_id": 1}
    config = LlamaConfig(vocab_size=len(vocabulary), **sizes, **heads, **ends)
    model = LlamaForCausalLM(config)
    if lessons:
        _learn(model, [[0, *(vocabulary[letter] for letter in text)] for text in lessons])
    model.save_pretrained(folder)
    return folder


def _learn(model, rows, steps=250):
    import torch

    longest = max(map(len, rows))
    ids = torch.tensor([row + [1] * (longest - len(row)) for row in rows])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(steps):
        model(ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
