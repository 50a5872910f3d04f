"""Weights on this machine through transformers: lm-eval's ``hf`` back end, offline.

The weights come from ``tools.clients.weights``: carriers, the Hugging Face cache and a folder of
the user's own, safetensors or a carrier's GGUF, which is unpacked once. What the plan says is to be
downloaded is (``tools.clients.hub.download``), before it is loaded.

Code that comes with weights runs only for an arm that a person trusts at its revision. It then
runs in the evaluation process: without this process's environment, but as this user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memory.records import Arm
from tools.clients.backends.backend import Pace
from tools.clients.backends.lm_eval_process import ArmFailed
from tools.clients.hub.download import seconds
from tools.clients.weights import weights
from tools.clients.weights.unpack import require_space, unpacked
from tools.deps import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from memory.records import Model
    from tools.clients.backends.backend import Ask
    from tools.clients.hub.download import Downloads
    from tools.clients.weights.weights import Weights

# Measured on two cores with SmolLM2-135M in float32; the range covers a busy machine.
FLOPS_PER_SECOND = 70e9
START_SECONDS = 10.0
LOAD_SECONDS_PER_GB = 12.0
UNPACK_SECONDS_PER_GB = 70.0
SECONDS_PER_ITEM = 0.06
BYTES_PER_SECOND = 10e9  # writing a token reads all the weights once: 18 tokens/s at 135M


class HfBackend:
    """Each reachable precision of a model is an arm."""

    name = "hf"

    def __init__(
        self,
        cache: Path,
        models_dir: Path | None = None,
        hf_cache: Path | None = None,
        progress: Callable[[Progress], None] = silent,
        *,
        downloads: Downloads | None = None,
        elsewhere: bool = False,
    ) -> None:
        """Nothing is read yet. ``cache`` keeps unpacked weights.

        ``elsewhere``: the arms are loaded on other machines, whose memory counts and not this
        one's.
        """
        self._cache = cache
        self._places = (models_dir, hf_cache)
        self._progress = progress
        self._downloads = downloads
        self._elsewhere = elsewhere

    def arms(self, models: Sequence[Model]) -> tuple[list[Arm], dict[str, str]]:
        """An arm per reachable precision of each model; else why not."""
        held, refused = self._find()
        found = {(w.model, w.label, w.source): w for w in reversed(held)}.values()  # the newest
        arms = [
            self._arm(m.id, w)
            for m in models
            for w in reversed(found)
            if w.model in (m.id, *m.aliases)
        ]
        reached = {arm.model for arm in arms}
        missing = {
            m.id: refused.get(m.id, weights.ELSEWHERE) for m in models if m.id not in reached
        }
        return arms, missing

    def here(self) -> frozenset[str]:
        """The models whose weights are on this machine."""
        found, _ = self._find()
        return frozenset(one.model for one in found)

    def load(self, arm: Arm, ask: Ask) -> None:
        """Download and unpack what was not yet, check the folder and load it.

        Raises:
            ArmFailed: the weights are gone or not those of the plan, or nobody trusts their code.
            WeightsUnavailable: no room for them.
            HubUnavailable: they can't be downloaded.
            DamagedStore: they can't be read.
        """
        if arm.download and self._downloads and self._found(arm) is None:
            self._downloads.fetch(arm, self._progress)
            arm = arm.model_copy(update={"download": 0})  # it is here now, or never
        held = self._held(arm)
        if held.code and not arm.trusted:
            raise ArmFailed(f"{arm.name} needs code of its own ({held.code[0]}); nobody ticked it.")
        folder = self._folder(held, ask)
        self._progress(Progress("loading", 0, 1, arm.name))
        for _ in ask(self._request(held, folder)):
            pass
        self._progress(Progress("loading", 1, 1, arm.name))

    def pace(self, arm: Arm) -> Pace:
        """2·N FLOPs a token for N weights; downloading and unpacking count where not yet done."""
        held = self._held(arm)
        gigabytes = held.bytes_in_memory / 1e9
        start, load = START_SECONDS, LOAD_SECONDS_PER_GB * gigabytes
        if held.is_gguf and not unpacked(held.path, self._cache).is_dir():
            start += UNPACK_SECONDS_PER_GB * gigabytes
        if arm.download and self._found(arm) is None:
            download = seconds(arm.download)
            start, load = start + download.most, load + download.expected
        return Pace(
            start,
            load,
            per_token=2 * held.params / FLOPS_PER_SECOND,
            per_item=SECONDS_PER_ITEM,
            per_new_token=held.bytes_in_memory / BYTES_PER_SECOND,
        )

    def memory(self, arm: Arm) -> int:
        """The weights in float32."""
        return self._held(arm).bytes_in_memory

    def _request(self, held: Weights, folder: Path) -> dict[str, object]:
        return {
            "op": "load",
            "backend": self.name,
            "arguments": {
                "path": str(folder),
                "round_bits": held.round_bits,
                "trust_remote_code": bool(held.code),
            },
        }

    def _arm(self, model: str, held: Weights) -> Arm:
        return Arm(
            name=held.label,
            model=model,
            backend=self.name,
            weights=held.source,
            precision=held.precision,
            revision=held.revision,
            note=held.note,
            code=held.code,
        )

    def _find(self) -> tuple[list[Weights], dict[str, str]]:
        return weights.find(*self._places, to_run_here=not self._elsewhere)

    def _found(self, arm: Arm) -> Weights | None:
        """The arm's weights at the arm's revision, if they are here."""
        key = arm.name, arm.weights, arm.revision
        return next((w for w in self._find()[0] if (w.label, w.source, w.revision) == key), None)

    def _held(self, arm: Arm) -> Weights:
        """The same, or what will be downloaded; raises ``ArmFailed`` when there is neither."""
        if (held := self._found(arm)) is not None:
            return held
        if arm.download and self._downloads is not None:
            return self._downloads.expected(arm)
        found, refused = self._find()
        if any((held.label, held.source) == (arm.name, arm.weights) for held in found):
            raise ArmFailed(f"{arm.name}: no longer at revision {arm.revision}; make a new plan.")
        if other := [
            w.precision for w in found if (w.model, w.revision) == (arm.model, arm.revision)
        ]:
            raise ArmFailed(f"{arm.name}: its weights turned out as {other[0]}; make a new plan.")
        raise ArmFailed(f"{arm.name}: {refused.get(arm.model, weights.ELSEWHERE)}.")

    def _folder(self, held: Weights, ask: Ask) -> Path:
        """The safetensors folder of the weights, unpacked first when there is none."""
        if not held.is_gguf:
            return held.path
        folder = unpacked(held.path, self._cache)
        if not folder.is_dir():
            require_space(held.path, held.params, self._cache)
            for event in ask({"op": "unpack", "gguf": str(held.path), "target": str(folder)}):
                self._progress(
                    Progress("unpacking weights", event["done"], event["total"], event["what"])
                )
        weights.inspect_folder(held.model, folder, held.revision, held.source)
        return folder
