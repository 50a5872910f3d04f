"""Where a router's members can be reached: a small TOML file that a person writes.

    ["acme/med-400m"]                        # an arm's or model's name in the run
    base_url = "http://127.0.0.1:8001/v1"
    model = "med"                            # its name there; default: the model's name
    key_env = "MED_KEY"                      # the variable that holds its key; default: no key
    usd_in = 0.10                            # dollars per million tokens, where it costs any
    usd_out = 0.40
    timeout = 60                             # seconds until its answer begins

Nothing is guessed: a member that is not in the file is never asked, and one whose key is not set is
not asked without it.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from memory.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from memory.records import Routing


class _Stated(BaseModel):
    """One member as the file states it."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    base_url: str
    model: str | None = None
    key_env: str | None = None
    usd_in: float = Field(0.0, ge=0)
    usd_out: float = Field(0.0, ge=0)
    timeout: float = Field(60.0, gt=0, le=3600)


@dataclass(frozen=True)
class Member:
    """A server that can be asked; ``place`` is its column in the router. Prices as in the file."""

    name: str
    place: int
    base_url: str
    model: str
    key: SecretStr | None = field(default=None, repr=False)
    usd_in: float = 0.0
    usd_out: float = 0.0
    timeout: float = 60.0

    def usd(self, tokens_in: float, tokens_out: float) -> float:
        """What a request of so many tokens costs, in dollars."""
        return (self.usd_in * tokens_in + self.usd_out * tokens_out) / 1e6


def read(
    path: Path, about: Routing, secret: Callable[[str], SecretStr | None]
) -> tuple[list[Member], list[str]]:
    """The members of ``path`` that can be asked, and why the others can't, a line each.

    ``secret`` gives the value of an environment variable, None when it is not set.

    Raises:
        BadRequest: the file can't be read, names what the run did not measure, or leaves nobody.
    """
    stated = _read(path)
    places = _places(about)
    found: list[Member] = []
    left_out = [f"{one.name} is not in {path}" for one in about.members]
    for name, one in stated.items():
        if name not in places:
            known = ", ".join(member.name for member in about.members)
            raise BadRequest(f"{path}: run {about.run} did not measure {name!r}; it has {known}.")
        place = places[name]
        arm = about.members[place]
        left_out = [line for line in left_out if line != f"{arm.name} is not in {path}"]
        if any(member.place == place for member in found):
            raise BadRequest(f"{path} names {arm.name} twice.")
        key = secret(one.key_env) if one.key_env else None
        if one.key_env and key is None:
            left_out.append(f"{arm.name} is not asked: {one.key_env} is not set")
            continue
        found.append(
            Member(
                name=arm.name,
                place=place,
                base_url=one.base_url.rstrip("/"),
                model=one.model or arm.model,
                key=key,
                usd_in=one.usd_in,
                usd_out=one.usd_out,
                timeout=one.timeout,
            )
        )
    if not found:
        raise BadRequest(f"{path} leaves no member to ask: {'; '.join(left_out)}.")
    return found, left_out


def _read(path: Path) -> dict[str, _Stated]:
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadRequest(f"Can't read {path}: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"{path} is no TOML: {error}.") from error
    return {name: _stated(path, name, table) for name, table in tables.items()}


def _stated(path: Path, name: str, table: object) -> _Stated:
    try:
        found = _Stated.model_validate(table)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]  # a key written here by mistake is not shown
        where = ".".join(map(str, first["loc"])) or "it"
        raise BadRequest(f"{path}: {name}: {where}: {first['msg']}.") from None
    if urlsplit(found.base_url).scheme not in ("http", "https"):
        raise BadRequest(f"{path}: {name}: base_url must look like http://host:port/v1.")
    return found


def _places(about: Routing) -> Mapping[str, int]:
    """Columns by an arm's name, and by its model's where no other arm has it."""
    models = [member.model for member in about.members]
    by_model = {model: i for i, model in enumerate(models) if models.count(model) == 1}
    return by_model | {member.name: i for i, member in enumerate(about.members)}
