"""Models behind an OpenAI-compatible server: lm-eval's ``local-completions``.

vLLM, TGI, llama.cpp and others speak it. The server must echo log-probabilities; whether it
does so rightly is the probe's business: one that shifts them by a token is refused.

Token ids are sent, made by the model's own tokenizer: from the server itself where it offers it
(vLLM does), else from a folder on this machine. Nothing is downloaded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memory.errors import BadRequest
from memory.records import Arm
from tools.clients.backends.backend import Pace
from tools.clients.backends.lm_eval_process import ArmFailed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from memory.records import Model
    from tools.clients.backends.backend import Ask

# Nobody knows how fast a server is before it is asked: from a laptop to a rack of GPUs.
TOKENS_PER_SECOND, NEW_TOKENS_PER_SECOND = 1_000.0, 40.0
START_SECONDS = 15.0
SLOWER, FASTER = 8.0, 0.05
NO_TOKENIZER = (
    "Mirror needs the model's tokenizer: put its tokenizer.json into"
    " MIRROR_MODELS_DIR/<org>/<name>, or start vLLM with --enable-tokenizer-info-endpoint."
)
NOT_SERVED = "no server of MIRROR_SERVERS has it"


@dataclass(frozen=True)
class Server:
    """A model at an OpenAI-compatible URL; ``served_as`` is its name there.

    ``tokenizer``: a folder with the model's tokenizer, for servers that do not offer it.
    """

    model: str
    url: str
    served_as: str
    tokenizer: Path | None = None


class ServedBackend:
    """Each server is one arm."""

    name = "served"

    def __init__(self, servers: Sequence[Server], key: str | None = None, at_once: int = 8) -> None:
        """``key`` authorizes at every server; ``at_once`` requests are on their way."""
        self._servers = {server.url + " " + server.served_as: server for server in servers}
        self._key = key
        self._at_once = at_once

    def arms(self, models: Sequence[Model]) -> tuple[list[Arm], dict[str, str]]:
        """An arm per server of each model."""
        arms = [
            Arm(
                name=f"{model.id} @ {re.sub('^https?://', '', server.url)}",
                model=model.id,
                backend=self.name,
                weights=where,
                note="precision as the server has it; Mirror can't see it",
            )
            for model in models
            for where, server in self._servers.items()
            if server.model in (model.id, *model.aliases)
        ]
        reached = {arm.model for arm in arms}
        return arms, {m.id: NOT_SERVED for m in models if m.id not in reached}

    def here(self) -> frozenset[str]:
        """The models that servers are named for."""
        return frozenset(server.model for server in self._servers.values())

    def load(self, arm: Arm, ask: Ask) -> None:
        """Connect; the key goes by the pipe, never by the environment.

        Raises:
            ArmFailed: the server is not there, or its tokenizer is not to be had.
        """
        server = self._server(arm)
        tokenizer = None if server.tokenizer is None else str(server.tokenizer)
        arguments = {
            "base_url": server.url.rstrip("/") + "/completions",
            "model": server.served_as,
            "tokenizer": tokenizer,
            "num_concurrent": self._at_once,
            "auth_token": self._key,
        }
        try:
            for _ in ask({"op": "load", "backend": self.name, "arguments": arguments}):
                pass
        except ArmFailed as error:
            if tokenizer is None:
                raise ArmFailed(f"{error} {NO_TOKENIZER}") from error
            raise

    def pace(self, arm: Arm) -> Pace:
        """A guess with a wide range: a server does not say how fast it is."""
        self._server(arm)
        return Pace(
            START_SECONDS,
            0.0,
            per_token=1 / TOKENS_PER_SECOND,
            per_item=0.02,
            per_new_token=1 / NEW_TOKENS_PER_SECOND,
            low=FASTER,
            high=SLOWER,
        )

    def memory(self, arm: Arm) -> int:
        """None: the weights are the server's."""
        return 0

    def _server(self, arm: Arm) -> Server:
        try:
            return self._servers[arm.weights or ""]
        except KeyError:
            raise ArmFailed(f"{arm.name}: {NOT_SERVED}.") from None


def servers(text: str, models_dir: Path | None = None) -> list[Server]:
    """Read ``MIRROR_SERVERS``: ``org/name=http://host:8000/v1`` by commas, spaces or both.

    A name of its own at the server follows a ``#``. A tokenizer is looked for in
    ``<models_dir>/<org>/<name>``.

    Raises:
        BadRequest: an entry can't be read; the line shows it.
    """
    found = []
    for entry in text.replace(",", " ").split():
        match = re.fullmatch(r"([\w.-]+/[\w.-]+)=(https?://[^\s#]+)(?:#(\S+))?", entry)
        if match is None:
            raise BadRequest(
                f"MIRROR_SERVERS: {entry!r} is no server; write org/name=http://host:8000/v1."
            )
        model, url, served_as = match.groups()
        folder = None if models_dir is None else models_dir / model
        held = folder if folder is not None and (folder / "tokenizer.json").is_file() else None
        found.append(Server(model, url, served_as or model, held))
    return found
