"""Fetches a model's weights from the Hub: named files at one commit, when there is room for them.

Only what transformers needs to load safetensors is fetched: weights, configuration and tokenizer;
Python files only for an arm whose code a person trusts, pickles never. The files land in the
Hugging Face cache, where every other tool finds them and they are found again.

huggingface_hub fetches them, one after another: a download that breaks off keeps the files that
were finished and goes on behind them; a file that was not is fetched anew (it keeps no part of
one, so that two processes can't spoil it). Within a file it goes on after a broken connection.
"""

from __future__ import annotations

import errno
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from memory.records import Arm
from tools.clients.backends.open_line import open_line
from tools.clients.hub import repository
from tools.clients.hub.answers import complaint
from tools.clients.hub.api import HubUnavailable
from tools.clients.weights import weights
from tools.clients.weights.unpack import BYTES_PER_WEIGHT, WeightsUnavailable
from tools.deps import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from memory.records import Model
    from tools.clients.hub.api import Hub

MARGIN = 1.1
"""Of the bytes to fetch, that must be free on the disk."""

BYTES_PER_SECOND, SLOWEST = 20e6, 4e6
"""What a line is taken to give, and the least that is waited for: assumptions, both."""

WANTED = re.compile(
    r"model(-\d+-of-\d+)?\.safetensors|model\.safetensors\.index\.json"
    r"|(generation_|tokenizer_|preprocessor_)?config\.json|tokenizer\.(json|model)"
    r"|special_tokens_map\.json|added_tokens\.json|vocab\.(json|txt)|merges\.txt"
    r"|chat_template\.(jinja|json)|[\w.-]+\.tiktoken"
)
WEIGHTS = re.compile(r"model(-\d+-of-\d+)?\.safetensors")
CODE = re.compile(r"\w+\.py")


class Took(NamedTuple):
    """Seconds a download is expected to take, and the most that is waited for."""

    expected: float
    most: float


def seconds(size: int) -> Took:
    """How long ``size`` bytes take."""
    return Took(size / BYTES_PER_SECOND, size / SLOWEST)


@dataclass(frozen=True)
class Downloads:
    """Downloads from ``hub`` for the arms of ``backend``.

    ``cache``: the Hugging Face cache; None is huggingface_hub's own.
    """

    hub: Hub
    backend: str = "hf"
    cache: Path | None = None

    def offer(self, model: Model) -> Arm:
        """The arm that ``model`` would be here, at the commit the Hub has now.

        Raises:
            WeightsUnavailable: it can't be loaded or is not let out, or disk or memory are small.
            HubUnavailable: the Hub gives no answer.
        """
        found = repository.ask(self.hub, model.id)
        found.require_loadable()
        if found.gated and self.hub.token is None:
            raise WeightsUnavailable(_gated(self.hub, model.id))
        weights.require_memory(found.params * BYTES_PER_WEIGHT)
        code = found.code
        wanted = _wanted(found.files, code=bool(code))
        size = sum(wanted.values())
        self._require_room(model.id, self._missing(model.id, found.revision, wanted))
        precision = weights.precision_of(found.dtype)
        return Arm(
            name=f"{model.id} @ {precision}",
            model=model.id,
            backend=self.backend,
            weights=weights.CACHE,
            precision=precision,
            revision=found.revision,
            note=f"{size / 1e9:.2g} GB to be downloaded first",
            download=size,
            code=code,
        )

    def expected(self, arm: Arm) -> weights.Weights:
        """What ``arm`` will be once it is here; weights are counted from the bytes to come."""
        assert arm.precision is not None
        assert arm.revision is not None
        held = weights.BYTES.get(arm.precision.split()[0], 2)
        return weights.Weights(
            arm.model,
            arm.precision,
            self._snapshot(arm.model, arm.revision),
            arm.download // held,
            weights.CACHE,
            arm.revision,
            code=arm.code,
        )

    def fetch(self, arm: Arm, progress: Callable[[Progress], None]) -> None:
        """Bring the arm's files here, those that are not yet.

        Raises:
            HubUnavailable: the Hub refuses, is not reached, breaks off or is too slow.
            WeightsUnavailable: too little disk, before or on the way; what came whole is kept.
        """
        assert arm.revision is not None
        found = repository.ask(self.hub, arm.model, arm.revision)
        wanted = _wanted(found.files, code=arm.trusted)
        missing = self._missing(arm.model, arm.revision, wanted)
        self._require_room(arm.model, missing)
        total = sum(wanted.values())
        done = total - sum(missing.values())
        end = time.monotonic() + seconds(total).most + 60
        what = f"downloading {arm.model}"
        with open_line():
            for name, size in missing.items():

                def report(n: int, before: int = done) -> None:
                    if time.monotonic() > end:
                        raise _TooSlowError
                    progress(Progress(what, (before + n) // MB, total // MB, "MB"))

                self._file(arm, name, report)
                done += size
        progress(Progress(what, total // MB, total // MB, "MB"))

    def _file(self, arm: Arm, name: str, report: Callable[[int], None]) -> None:
        import httpx2
        from huggingface_hub import errors, hf_hub_download

        try:
            report(0)
            hf_hub_download(
                arm.model,
                name,
                revision=arm.revision,
                cache_dir=self.cache,
                endpoint=self.hub.endpoint,
                token=self.hub.token.get_secret_value() if self.hub.token else False,
                library_name="mirror",
                tqdm_class=_bar(report),
            )
        except errors.GatedRepoError:
            raise HubUnavailable(_gated(self.hub, arm.model)) from None
        except errors.LocalEntryNotFoundError as error:
            raise self._broken(arm, _why(error)) from None
        except errors.HfHubHTTPError as error:
            raise self._broken(arm, complaint(error.response)) from None
        except _TooSlowError:
            raise self._broken(arm, f"gives less than {SLOWEST / 1e6:.0f} MB a second") from None
        except (httpx2.HTTPError, errors.XetDownloadError) as error:
            raise self._broken(arm, f"broke off ({type(error).__name__})") from None
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise WeightsUnavailable(
                    f"The disk of {self._folder} is full before {arm.model} is whole; finished"
                    " files are kept. Make room and run again: it goes on behind them."
                ) from error
            raise self._broken(arm, f"broke off ({str(error).splitlines()[0]})") from error

    def _broken(self, arm: Arm, what: str) -> HubUnavailable:
        return HubUnavailable(
            f"{arm.model} was not downloaded: the Hub at {self.hub.endpoint} {what}; finished files"
            " are kept and a new run goes on behind them."
        )

    def _missing(self, model: str, revision: str, wanted: Mapping[str, int]) -> dict[str, int]:
        folder = self._snapshot(model, revision)
        return {name: size for name, size in wanted.items() if not (folder / name).is_file()}

    def _require_room(self, model: str, missing: Mapping[str, int]) -> None:
        needed = int(MARGIN * sum(missing.values()))
        place = next(one for one in (self._folder, *self._folder.parents) if one.is_dir())
        free = shutil.disk_usage(place).free
        if free < needed:
            raise WeightsUnavailable(
                f"downloading {model} needs {needed / 1e9:.1f} GB in {self._folder},"
                f" {free / 1e9:.1f} GB are free"
            )

    @property
    def _folder(self) -> Path:
        from huggingface_hub.constants import HF_HUB_CACHE

        return Path(HF_HUB_CACHE) if self.cache is None else self.cache

    def _snapshot(self, model: str, revision: str) -> Path:
        return self._folder / f"models--{model.replace('/', '--')}" / "snapshots" / revision


MB = 1_000_000


class _TooSlowError(Exception):
    """The time that was planned for a download is over."""


def _wanted(files: Mapping[str, int], *, code: bool) -> dict[str, int]:
    """The files to fetch with their bytes, the small ones first."""
    kept = {
        name: size
        for name, size in files.items()
        if WANTED.fullmatch(name) or (code and CODE.fullmatch(name))
    }
    return dict(sorted(kept.items(), key=lambda one: (bool(WEIGHTS.fullmatch(one[0])), one[0])))


def _gated(hub: Hub, model: str) -> str:
    return (
        f"{model} is gated: ask for access at {hub.endpoint}/{model} and set MIRROR_HUB_TOKEN to a"
        " token that has it"
    )


def _why(error: BaseException) -> str:
    """What kept huggingface_hub from asking about a file."""
    import httpx2
    from huggingface_hub import errors

    cause = error.__cause__
    if isinstance(cause, errors.HfHubHTTPError):
        return complaint(cause.response)
    if isinstance(cause, httpx2.RequestError):
        return f"can't be reached ({type(cause).__name__})"
    return "can't be reached"


def _bar(report: Callable[[int], None]) -> type[Any]:
    """A progress bar that draws nothing and reports how many bytes it has seen."""
    import io

    from tqdm import tqdm  # type: ignore[import-untyped]

    class Bar(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options | {"file": io.StringIO()})

        def update(self, n: float | None = 1) -> None:
            super().update(n)
            report(int(self.n))

    return Bar
