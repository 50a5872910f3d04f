"""A deployment's choices, read once from the environment: the only reader of it.

Every setting is ``MIRROR_<NAME>``; a ``.env`` file in the working directory is read too.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from platformdirs import user_cache_path, user_data_path
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from memory.errors import BadRequest
from tools.clients.backends.lm_eval_process import ALLOWED


class Settings(BaseSettings):
    """Frozen settings; secrets print as stars.

    ``database_url`` moves the scores and findings, so that a team can share them. The ledger and
    checkpoints stay SQLite files under ``home``: they belong to one machine.
    """

    model_config = SettingsConfigDict(
        env_prefix="MIRROR_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    model: str | None = Field(None, description="planning model; none: the rule planner")
    base_url: str | None = Field(None, description="OpenAI-compatible URL of the planning model")
    api_key: SecretStr | None = Field(None, description="key for that URL")
    judge_model: str | None = Field(
        None, description="judging models by commas, each NAME or NAME=URL"
    )
    judge_base_url: str | None = Field(
        None, description="OpenAI-compatible URL of those without one"
    )
    judge_api_key: SecretStr | None = Field(None, description="key for that URL")
    judge_usd_in: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="its price per million tokens in, if unlisted"
    )
    judge_usd_out: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="its price per million tokens out, if unlisted"
    )
    home: Path = Field(
        default_factory=lambda: user_data_path("mirror"),
        description="conversations, scores, findings and the ledger",
    )
    cache: Path = Field(
        default_factory=lambda: user_cache_path("mirror"),
        description="what can be made again: embeddings, unpacked weights",
    )
    runs: Path = Field(Path("runs"), description="where reports are written")
    database_url: SecretStr | None = Field(
        None, description="another database for scores and findings, such as postgresql://..."
    )
    models_dir: Path | None = Field(None, description="local weights as <org>/<name>/")
    backend: Literal["hf", "vllm"] = Field("hf", description="what computes local weights")
    worker_python: Path | None = Field(
        None, description="interpreter of another environment with lm-eval, such as vLLM's"
    )
    servers: str = Field("", description="org/name=http://host:8000/v1, by commas or spaces")
    server_key: SecretStr | None = Field(None, description="key for those servers")
    ray_address: str | None = Field(
        None, description="host:port of a Ray cluster that measures; none: this machine does"
    )
    ray_gpus_per_arm: float = Field(
        0.0, ge=0, allow_inf_nan=False, description="GPUs there for each arm; 0: a node's processor"
    )
    usd_per_hour: float = Field(
        0.0, ge=0, description="what an hour of this machine, or of one arm's worker, costs you"
    )
    gpu_usd_per_hour: float = Field(
        2.0,
        ge=0,
        allow_inf_nan=False,
        description="what you pay for an hour of a rented 80 GB GPU; an assumption: set your own",
    )
    minutes: float = Field(2.0, gt=0, description="machine time a plan may propose")
    embedder: str = Field("onnx", description="'onnx', or a sentence-transformers model or path")
    offline: bool = Field(True, description="ask and fetch nothing of the Hub")
    hub_url: str | None = Field(None, description="another Hub than huggingface.co")
    hub_token: SecretStr | None = Field(None, description="token for that Hub")
    user: str = Field(
        default_factory=lambda: os.environ.get("USER", "someone"),
        description="who approves at this terminal",
    )


def load() -> Settings:
    """The settings of this process.

    Raises:
        BadRequest: a variable can't be used; the line names it.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "MIRROR_" + str(first["loc"][0]).upper()
        raise BadRequest(f"{name} can't be used: {first['msg']}. Correct or unset it.") from None


def secret(name: str) -> SecretStr | None:
    """A key that a person's file names by its variable; None when that is unset or empty."""
    return SecretStr(value) if (value := os.environ.get(name, "").strip()) else None


def worker_environment() -> dict[str, str]:
    """What an evaluation subprocess may see of this one's environment: no secrets."""
    return {name: os.environ[name] for name in ALLOWED if name in os.environ}


def calm_libraries() -> None:
    """Tell libraries that read the environment at import to stay offline, quiet and frugal.

    A conversation's matrices are small: more than one BLAS thread only spins (on two busy cores a
    first answer took three times the processor time).
    """
    for name, value in (
        ("HF_HUB_OFFLINE", "1"),
        ("HF_HUB_DISABLE_TELEMETRY", "1"),
        ("TOKENIZERS_PARALLELISM", "false"),
        ("LANGSMITH_TRACING", "false"),
        ("RAY_USAGE_STATS_ENABLED", "0"),
        ("OPENBLAS_NUM_THREADS", "1"),
    ):
        os.environ.setdefault(name, value)
