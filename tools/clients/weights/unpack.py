"""Making weights ready for lm-eval: GGUF unpacked once, precisions simulated in memory.

GGUF is slow to open (33 s for 135M weights); as a safetensors folder the same weights open in
under a second. Only the evaluation subprocess calls what needs torch.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from memory.errors import MirrorError

if TYPE_CHECKING:
    from collections.abc import Callable

GROUP = 32
BYTES_PER_WEIGHT = 4


class WeightsUnavailable(MirrorError):
    """Weights are known but can't be made ready here: no disk space, memory or library."""


def unpacked(gguf: Path, cache: Path) -> Path:
    """Where the safetensors folder of a GGUF file is, or will be: named after file and size."""
    return cache / "weights" / f"{gguf.stem}-{gguf.stat().st_size}"


def require_space(gguf: Path, params: int, cache: Path) -> None:
    """Check that ``params`` weights in float32 fit on the disk of ``cache``.

    Raises:
        WeightsUnavailable: they don't; the line says how much is needed and free.
    """
    cache.mkdir(parents=True, exist_ok=True)
    needed, free = int(params * BYTES_PER_WEIGHT * 1.1), shutil.disk_usage(cache).free
    if free < needed:
        raise WeightsUnavailable(
            f"Unpacking {gguf.name} needs {needed / 1e9:.1f} GB in {cache}, "
            f"{free / 1e9:.1f} GB are free. Make room or set MIRROR_CACHE to another disk."
        )


def materialize(gguf: Path, target: Path, progress: Callable[[str, int, int], None]) -> None:
    """Unpack a GGUF file into a float32 safetensors folder, once; about 35 s for 135M weights.

    Written beside ``target`` and renamed, so a half-written folder never passes for a whole one.
    ``progress`` gets a text, the steps done and their number. Needs torch and transformers.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        for stale in target.parent.glob(f".{target.name}-*"):
            shutil.rmtree(stale)
        if target.is_dir():
            return
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        try:
            _unpack(gguf, partial, progress)
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _unpack(gguf: Path, folder: Path, progress: Callable[[str, int, int], None]) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    place: dict[str, Any] = {"gguf_file": gguf.name}
    progress("reading the tokenizer", 0, 3)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, **place)
    progress("reading the weights", 1, 3)
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent,
        dtype=torch.float32,
        quantization_config=GgufConfig(dequantize=True),
        **place,
    )
    progress("writing safetensors", 2, 3)
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)
    progress("unpacked", 3, 3)


def round_to_nearest(model: Any, bits: int, group: int = GROUP) -> int:
    """Round a torch module's Linear weights in place; returns how many were rounded.

    Symmetric round-to-nearest as in the baseline of GPTQ (arXiv 2210.17323, section 3): per
    group of ``group`` inputs the scale is absmax / (2^(bits-1) - 1). Embeddings, and an output
    layer that shares them, stay as they are; a row is cut into groups only if it divides evenly.
    """
    import torch

    shared = {id(m.weight) for m in model.modules() if isinstance(m, torch.nn.Embedding)}
    levels = 2 ** (bits - 1) - 1
    rounded = 0
    with torch.no_grad():
        for module in model.modules():
            if not isinstance(module, torch.nn.Linear) or id(module.weight) in shared:
                continue
            weight = module.weight
            width = group if weight.shape[1] % group == 0 else weight.shape[1]
            groups = weight.reshape(-1, width)
            scale = groups.abs().amax(dim=1, keepdim=True).clamp_min(1e-12) / levels
            weight.copy_(((groups / scale).round() * scale).reshape(weight.shape))
            rounded += weight.numel()
    return rounded
