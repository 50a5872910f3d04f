"""The Hugging Face Hub: what a model repository is at this moment.

The registry's facts age; the Hub knows whether a model was renamed, gated, disabled or deleted
since, which commit it is at and how much there is to download. Only metadata is asked for,
never weights.

``HfApi.model_info`` asks the same question, but through one client for the whole process, which
``HF_HUB_OFFLINE`` closes for everyone, and with whatever token lies on the disk. Mirror keeps
its libraries offline and still asks when told to, so this is a client of its own; what the
Hub's status codes and rate limits mean is left to huggingface_hub.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable  # noqa: TC003
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, Field, SecretStr

from memory.errors import BadRequest, MirrorError
from memory.records import Record
from tools.clients.waiting import answered, pause, retry_after

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2
    from tenacity import RetryCallState

ENDPOINT = "https://huggingface.co"
TRIES = 4
PATIENCE = 30.0  # seconds of waiting in all; a longer Retry-After is told, not waited for

# What transformers loads; a repository may hold the same weights again under other names.
LOADED = re.compile(r"model(-\d+-of-\d+)?\.safetensors")
SAFE = (".safetensors", ".gguf", ".onnx")
PICKLE = re.compile(r"(pytorch_model|adapter_model|model|consolidated)[^/]*\.(bin|pt|pth|ckpt|pkl)")


class HubUnavailable(MirrorError):
    """The Hub can't be reached, is busy, refuses or sends what can't be read."""


class HubDisabled(HubUnavailable):
    """The Hub has taken a repository down."""


class HubFacts(Record):
    """A model repository now; ``None`` everywhere means: the Hub does not say.

    ``renamed_from``: the id that was asked for, where the Hub moved it to ``id``.
    ``revision``: commit SHA-1. ``gated``: False, "auto" or "manual" (a person grants access).
    ``params``: weights as the safetensors or GGUF header counts them; packed quantized
    weights count low. ``weights_bytes``: the safetensors files that transformers would load.
    ``pickle_only``: loading would run code, as there are pickled weights and no others.
    """

    id: str
    renamed_from: str | None = None
    revision: str | None = None
    gated: bool | str | None = None
    disabled: bool | None = None
    params: int | None = None
    weights_bytes: int | None = None
    last_modified: datetime | None = None
    downloads: int | None = None
    pickle_only: bool | None = None


class Hub:
    """Asks one Hub; ``timeout`` in seconds per try, ``patience`` seconds of waiting in all.

    A context manager: connections are kept between questions and closed at its end.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        timeout: float = 10.0,
        *,
        token: SecretStr | str | None = None,
        patience: float = PATIENCE,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.endpoint = (endpoint or ENDPOINT).rstrip("/")
        if not re.fullmatch(r"https?://[^/?#\s]+(/[^?#\s]*)?", self.endpoint):
            raise BadRequest(f"{self.endpoint!r} is no Hub address; write it as {ENDPOINT}.")
        self.timeout = timeout
        self.patience = patience
        self.token = SecretStr(token) if isinstance(token, str) else token
        self._sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def facts(self, model_id: str) -> HubFacts | None:
        """What the Hub says of ``model_id``; None if it has no such model (or hides it).

        Raises:
            BadRequest: ``model_id`` can't be a model's id.
            HubUnavailable: no usable answer after four tries or ``patience`` seconds.
        """
        try:
            body = self.get(f"models/{model_id}", model_id, {"blobs": "true"})
            return None if body is None else _facts(model_id, body)
        except HubDisabled:
            return HubFacts(id=model_id, disabled=True)
        except ValueError:  # a record of another shape
            raise self._unavailable(f"sent no readable record of {model_id}") from None

    def get(
        self, path: str, repository: str, parameters: Mapping[str, str | list[str]]
    ) -> bytes | None:
        """The JSON at ``/api/<path>``, which is about ``repository``; None if there is none.

        Raises:
            BadRequest: ``repository`` can't be an id.
            HubDisabled: the Hub has disabled it.
            HubUnavailable: no usable answer after four tries or ``patience`` seconds.
        """
        import httpx2
        from huggingface_hub import errors
        from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

        try:
            validate_repo_id(repository)
            return self._patiently(path, parameters)
        except errors.HFValidationError:
            kind = path.partition("/")[0].removesuffix("s")
            raise BadRequest(f"{repository!r} is no {kind} id; write it as <org>/<name>.") from None
        except errors.DisabledRepoError:
            raise HubDisabled(f"The Hub at {self.endpoint} has disabled {repository}.") from None
        except errors.GatedRepoError:
            raise self._unavailable(f"shows {repository} only to those it let in") from None
        except errors.RepositoryNotFoundError:
            return None
        except errors.HfHubHTTPError as error:
            if error.response.status_code == 404:
                return None
            raise self._unavailable(complaint(error.response)) from None
        except httpx2.RequestError as error:
            raise self._unavailable(f"can't be reached ({type(error).__name__})") from None
        except ValueError:  # cut off JSON
            raise self._unavailable(f"sent no readable record of {repository}") from None

    def _patiently(self, path: str, parameters: Mapping[str, str | list[str]]) -> bytes:
        """The answer's bytes, trying again after what may pass."""
        import tenacity

        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(_may_pass),
            wait=_pause,
            stop=tenacity.stop_after_attempt(TRIES) | tenacity.stop_before_delay(self.patience),
            sleep=self._sleep,
            reraise=True,
        )(self._ask, path, parameters)

    @cached_property
    def _client(self) -> httpx2.Client:
        import httpx2

        return httpx2.Client(follow_redirects=True, timeout=self.timeout)

    def _ask(self, path: str, parameters: Mapping[str, str | list[str]]) -> bytes:
        from huggingface_hub.utils import hf_raise_for_status  # type: ignore[attr-defined]

        headers = {"user-agent": "mirror"}
        if self.token:
            headers["authorization"] = f"Bearer {self.token.get_secret_value()}"
        url = f"{self.endpoint}/api/{path}"
        response = self._client.get(url, params=parameters, headers=headers)
        hf_raise_for_status(response)
        response.json()  # here, so that a body cut off on its way is asked for again
        return response.content

    def _unavailable(self, what: str) -> HubUnavailable:
        return HubUnavailable(
            f"The Hub at {self.endpoint} {what}; set MIRROR_OFFLINE=1 to go on without it."
        )


# --- trying again -----------------------------------------------------------------------


def _may_pass(error: BaseException) -> bool:
    """Whether the same question may fare better: not if nothing listens, or it said no."""
    import json

    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, HfHubHTTPError):
        return error.response.status_code == 429 or error.response.status_code >= 500
    broken = (httpx2.RemoteProtocolError, httpx2.ReadError, json.JSONDecodeError)
    return isinstance(error, broken)


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    response = getattr(error, "response", None)
    return pause(state, _asked(response.headers) if response is not None else None)


def _asked(headers: Mapping[str, str]) -> float | None:
    """Seconds the Hub asks to wait: Retry-After or its own rate-limit header."""
    from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]

    wait = retry_after(headers)
    if wait is not None:
        return wait
    limit = parse_ratelimit_headers(headers)
    return float(limit.reset_in_seconds) if limit and limit.remaining == 0 else None


def complaint(response: httpx2.Response) -> str:
    """What an HTTP error means to a person."""
    if response.status_code in (401, 403):
        return f"refuses to answer ({response.status_code}): check the token"
    return answered(response.status_code, _asked(response.headers))


# --- reading a record -------------------------------------------------------------------


class _File(BaseModel):
    rfilename: str
    size: int | None = Field(None, ge=0)


class _Weights(BaseModel):
    total: int | None = Field(None, ge=0)


class _Reply(BaseModel):
    """The parts of the Hub's record that are read; the rest, and what it grows, is ignored."""

    id: str
    sha: str | None = None
    gated: bool | str | None = None
    disabled: bool | None = None
    safetensors: _Weights | None = None
    gguf: _Weights | None = None
    siblings: list[_File] | None = None
    last_modified: datetime | None = Field(None, alias="lastModified")
    downloads: int | None = Field(None, ge=0)


def _facts(asked: str, body: bytes) -> HubFacts:
    reply = _Reply.model_validate_json(body)
    counts = [weights.total for weights in (reply.safetensors, reply.gguf) if weights]
    return HubFacts(
        id=reply.id,
        renamed_from=asked if reply.id != asked else None,
        revision=reply.sha,
        gated=reply.gated,
        disabled=reply.disabled,
        params=next((count for count in counts if count is not None), None),
        weights_bytes=_weights_bytes(reply.siblings or []),
        last_modified=reply.last_modified,
        downloads=reply.downloads,
        pickle_only=None if reply.siblings is None else _pickle_only(reply.siblings),
    )


def _weights_bytes(files: list[_File]) -> int | None:
    """Bytes of the safetensors files; None without any, or where one has no size."""
    weights = [file for file in files if file.rfilename.endswith(".safetensors")]
    loaded = [file for file in weights if LOADED.fullmatch(file.rfilename)] or weights
    sizes = [file.size for file in loaded if file.size is not None]
    return sum(sizes) if sizes and len(sizes) == len(loaded) else None


def _pickle_only(files: list[_File]) -> bool:
    names = [file.rfilename for file in files]
    pickled = any(PICKLE.fullmatch(name.rsplit("/", 1)[-1]) for name in names)
    return pickled and not any(name.endswith(SAFE) for name in names)
