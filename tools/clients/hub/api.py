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
from tools.clients.hub.answers import complaint, may_pass, pause_after, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2

ENDPOINT = "https://huggingface.co"
TRIES = 4
SLOWEST = 10  # timeouts that one answer may take in all: bytes that trickle end, too
PATIENCE = 30.0  # seconds of waiting in all; a longer Retry-After is told, not waited for

# What transformers loads; a repository may hold the same weights again under other names.
LOADED = re.compile(r"model(-\d+-of-\d+)?\.safetensors")
SAFE = (".safetensors", ".gguf", ".onnx")
PICKLE = re.compile(r"(pytorch_model|adapter_model|model|consolidated)[^/]*\.(bin|pt|pth|ckpt|pkl)")


class HubUnavailable(MirrorError):
    """The Hub can't be reached, is busy, refuses or sends what can't be read.

    ``status``: of the answer, where there was one.
    """

    def __init__(self, line: str, status: int | None = None) -> None:
        super().__init__(line)
        self.status = status


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
    """Asks one Hub, ``tries`` times; ``timeout`` of a try and ``patience``, all waits, in seconds.

    A context manager: connections are kept between questions and closed at its end.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        timeout: float = 10.0,
        *,
        token: SecretStr | str | None = None,
        patience: float = PATIENCE,
        tries: int = TRIES,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.endpoint = (endpoint or ENDPOINT).rstrip("/")
        if not re.fullmatch(r"https?://[^/?#\s]+(/[^?#\s]*)?", self.endpoint):
            raise BadRequest(f"{self.endpoint!r} is no Hub address; write it as {ENDPOINT}.")
        self.timeout = timeout
        self.patience = patience
        self.tries = tries
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
        from huggingface_hub import errors
        from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

        try:
            validate_repo_id(repository)
            url = f"{self.endpoint}/api/{path}"
            return self.answer(url, repository, parameters).content
        except errors.HFValidationError:
            kind = path.partition("/")[0].removesuffix("s")
            raise BadRequest(f"{repository!r} is no {kind} id; write it as <org>/<name>.") from None
        except HubUnavailable as error:
            if error.status == 404:
                return None
            raise

    def answer(
        self, url: str, what: str, parameters: Mapping[str, str | list[str]] | None = None
    ) -> httpx2.Response:
        """The answer with JSON at ``url``, an address of this Hub; ``what`` it is about.

        Raises:
            HubDisabled: the Hub has disabled it.
            HubUnavailable: no usable answer after ``tries`` tries or ``patience`` seconds.
        """
        import httpx2
        from huggingface_hub import errors

        try:
            return self._patiently(url, parameters)
        except errors.DisabledRepoError:
            raise HubDisabled(f"The Hub at {self.endpoint} has disabled {what}.") from None
        except errors.GatedRepoError:
            raise self._unavailable(f"shows {what} only to those it let in") from None
        except errors.RepositoryNotFoundError:
            raise self._unavailable(f"has no {what}", 404) from None
        except errors.HfHubHTTPError as error:
            status = error.response.status_code
            raise self._unavailable(complaint(error.response), status) from None
        except httpx2.RequestError as error:
            late = 504 if isinstance(error, httpx2.ReadTimeout) else None  # as a gateway would say
            raise self._unavailable(f"can't be reached ({type(error).__name__})", late) from None
        except (ValueError, RecursionError):  # cut off JSON, or nested without end
            raise self._unavailable(f"sent no readable record of {what}") from None

    def _patiently(
        self, url: str, parameters: Mapping[str, str | list[str]] | None
    ) -> httpx2.Response:
        """The answer, trying again after what may pass."""
        import tenacity

        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(may_pass),
            wait=pause_after,
            stop=tenacity.stop_after_attempt(self.tries)
            | tenacity.stop_before_delay(self.patience),
            sleep=self._sleep,
            reraise=True,
        )(self._ask, url, parameters)

    @cached_property
    def _client(self) -> httpx2.Client:
        import httpx2

        return httpx2.Client(follow_redirects=True, timeout=self.timeout)

    def _ask(self, url: str, parameters: Mapping[str, str | list[str]] | None) -> httpx2.Response:
        from huggingface_hub.utils import hf_raise_for_status  # type: ignore[attr-defined]

        headers = {"user-agent": "mirror"}
        if self.token:
            headers["authorization"] = f"Bearer {self.token.get_secret_value()}"
        with self._client.stream("GET", url, params=parameters, headers=headers) as answer:
            response = whole(answer, SLOWEST * self.timeout)
        hf_raise_for_status(response)
        response.json()  # here, so that a body cut off on its way is asked for again
        return response

    def _unavailable(self, what: str, status: int | None = None) -> HubUnavailable:
        return HubUnavailable(
            f"The Hub at {self.endpoint} {what}; set MIRROR_OFFLINE=1 to go on without it.", status
        )


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
