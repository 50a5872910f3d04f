"""What a model repository of the Hub holds at one commit: enough to say whether to fetch it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field, ValidationError

from memory.records import Record
from tools.clients.hub.api import HubUnavailable
from tools.clients.weights import own_code
from tools.clients.weights.unpack import WeightsUnavailable

if TYPE_CHECKING:
    from tools.clients.hub.api import Hub


class Listing(Record):
    """A repository at ``revision``, a commit: ``files`` with their bytes, and its configuration.

    ``dtypes``: weights by type, as the safetensors headers count them. ``gated``: whether files
    are given only to those who were let in.
    """

    model: str
    revision: str
    files: dict[str, int]
    dtypes: dict[str, int]
    architectures: tuple[str, ...]
    model_type: str | None
    quantized: str | None
    auto_map: dict[str, Any]
    gated: bool

    @property
    def params(self) -> int:
        """Weights of all types together."""
        return sum(self.dtypes.values())

    @property
    def dtype(self) -> str:
        """The type that most weights have."""
        return max(self.dtypes, key=lambda name: self.dtypes[name])

    @property
    def code(self) -> tuple[str, ...]:
        """Python files that loading would run.

        Where transformers lacks the architecture and the configuration names none, all there are.
        Raises WeightsUnavailable when they are in another repository.
        """
        configs = [{"model_type": self.model_type, "auto_map": self.auto_map}]
        if named := own_code.of_configs(configs):
            return named
        if own_code.known(self.model_type):
            return ()
        return tuple(sorted(name for name in self.files if name.endswith(".py")))

    def require_loadable(self) -> None:
        """Check that it holds plain safetensors of a causal language model.

        Raises:
            WeightsUnavailable: it does not; the line says what it has.
        """
        if not any(kind.endswith("ForCausalLM") for kind in self.architectures):
            what = ", ".join(self.architectures) or "no architecture"
            raise WeightsUnavailable(f"not a causal language model ({what})")
        if self.quantized is not None:
            raise WeightsUnavailable(f"stored as {self.quantized}; plain safetensors are needed")
        if not self.dtypes or not any(name.startswith("model") for name in self._safetensors):
            raise WeightsUnavailable(f"the Hub has no plain safetensors of it ({self._instead})")

    @property
    def _safetensors(self) -> list[str]:
        return [name for name in self.files if name.endswith(".safetensors")]

    @property
    def _instead(self) -> str:
        """What it holds for weights where it has none that Mirror loads."""
        if any(name.endswith(".gguf") for name in self.files):
            return "GGUF"
        if any(name.endswith((".bin", ".pt", ".pth", ".ckpt", ".pkl")) for name in self.files):
            return "pickled weights only, which Mirror refuses"
        return "no weights"


class _File(BaseModel):
    rfilename: str
    size: int = Field(ge=0)


class _Quantization(BaseModel):
    quant_method: str | None = None


class _Config(BaseModel):
    architectures: tuple[str, ...] = ()
    model_type: str | None = None
    quantization_config: _Quantization | None = None
    auto_map: dict[str, Any] = Field(default_factory=dict)


class _Counts(BaseModel):
    parameters: dict[str, int] = Field(default_factory=dict)


class _Reply(BaseModel):
    sha: str = Field(pattern=r"^[0-9a-f]{40}$")
    gated: bool | str | None = None
    disabled: bool | None = None
    safetensors: _Counts | None = None
    config: _Config | None = None
    siblings: tuple[_File, ...]


def ask(hub: Hub, model: str, revision: str | None = None) -> Listing:
    """What ``model`` holds at ``revision``, a commit; None: as it stands now.

    Raises:
        WeightsUnavailable: the Hub has no such model or commit.
        HubUnavailable: it gives no usable answer.
    """
    at = f"models/{model}" + ("" if revision is None else f"/revision/{revision}")
    body = hub.get(at, model, {"blobs": "true"})
    if body is None:
        what = "no longer on the Hub" if revision is None else f"no longer has commit {revision}"
        raise WeightsUnavailable(f"{model}: {what}")
    try:
        reply = _Reply.model_validate_json(body)
    except ValidationError:
        raise HubUnavailable(
            f"The Hub at {hub.endpoint} does not say what {model} holds and how large it is."
        ) from None
    config = reply.config or _Config()
    return Listing(
        model=model,
        revision=reply.sha,
        files={file.rfilename: file.size for file in reply.siblings},
        dtypes=reply.safetensors.parameters if reply.safetensors else {},
        architectures=config.architectures,
        model_type=config.model_type,
        quantized=config.quantization_config and config.quantization_config.quant_method,
        auto_map=config.auto_map,
        gated=bool(reply.gated),
    )
