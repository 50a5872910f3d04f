"""One record of the Hub -> one ``Model``, or the reason why there is none.

Reads what the API lists (``expand`` of ``tools.clients.hub.listing``), what ``HfApi`` made of it
(``ModelInfo`` written to JSON: ``last_modified``, ``card_data`` as YAML text) and what collections
of cards wrap around that (``modelinfo``). Values are copied, never improved, but for two: the task
of a model whose tag contradicts its architecture, and the weights behind packed integers; both
are marked.

Not asked for: ``siblings`` (the tags already say which formats there are), ``discussions`` (the
listing does not count them), ``inferenceProviderMapping`` (no column holds it yet).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast, get_args

import yaml

from memory.records import LineageEdge, Model, Relation
from memory.snapshot import rows, tasks
from tools.outside_yaml import too_deep
from tools.registry import hub_tags
from tools.registry.fields import MOST_WEIGHTS, Fields, trouble_with_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WRITTEN = 2_000  # characters kept of a record that can't be used
MOST_BASES = 64
DEEPEST = 50
LONGEST_CARD = 100_000  # characters of front matter written as text
RELATIONS = frozenset(get_args(Relation))
SHA = re.compile(r"[0-9a-f]{40}")
FIELDS = frozenset(  # what is read of a record, beside its id
    ("baseModels", "base_models", "childrenModelCount", "children_model_count", "config")
    + ("disabled", "downloads", "downloadsAllTime", "downloads_all_time", "evalResults", "gated")
    + ("eval_results", "gguf", "likes", "model-index", "model_index", "private", "tags")
    + ("trendingScore", "trending_score")
)
NO_FAMILIES = tasks.Families(())  # one record alone says nothing of how its family is tagged


@dataclass(frozen=True)
class Held:
    """A record that was read; ``hub_id`` stays the same when the model is renamed.

    ``dropped``: values that could not be true and were left out.
    """

    model: Model
    hub_id: str | None = None
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Quarantined:
    """A record that gives no model: why, and the beginning of it as JSON."""

    id: str
    reason: str
    record: str


def read(raw: Any, source: str) -> Held | Quarantined:
    """The model of one record; ``source`` is named as the provenance of every field."""
    raw = unwrapped(raw)
    if not isinstance(raw, dict):
        return quarantined(raw, "it is no record")
    id = raw.get("id") or raw.get("modelId")
    trouble = "it has no record on the Hub" if "modelinfo" in raw else trouble_with_id(id)
    if raw.get("private") is True:
        trouble = "it is private"
    if raw.get("disabled") is True:
        trouble = "the Hub has disabled it"
    if trouble:
        return quarantined(raw, trouble)
    fields = Fields()
    values = _values(str(id), raw, fields, source)
    stated = {
        name: value
        for name, value in values.items()
        if value is not None and value is not False and value != ()
    }
    model = Model(id=str(id), **stated, provenance=dict.fromkeys(stated, (source,)))
    hub_id = fields.text("_id", raw.get("_id"))
    return Held(model, hub_id, tuple(fields.dropped))


def unwrapped(raw: Any) -> Any:
    """The Hub's own record within what a collection of cards wraps around it."""
    inner = raw.get("modelinfo") if isinstance(raw, dict) else None
    return inner if isinstance(inner, dict) else raw


def quarantined(raw: Any, reason: str) -> Quarantined:
    """``raw`` set aside."""
    held = raw if isinstance(raw, dict) else {}
    id = held.get("id") or held.get("modelId") or held.get("model_id") or ""
    written = json.dumps(raw, default=str)[:WRITTEN]  # ASCII: what deceives the eye shows as \uXXXX
    return Quarantined(json.dumps(str(id)[:WRITTEN])[1:-1][:200], reason, written)


def _values(id: str, raw: Mapping[str, Any], fields: Fields, source: str) -> dict[str, Any]:
    card, config = _card(raw, fields), fields.table("config", raw.get("config"))
    gguf = fields.table("gguf", raw.get("gguf"))
    tags = fields.texts("tags", raw.get("tags"))
    sorted_tags = hub_tags.sort(tags)
    quantization = fields.table("quantization_config", config.get("quantization_config"))
    params, estimated = _params(raw, gguf, quantization, fields)
    named = fields.texts("architectures", config.get("architectures"))
    family = fields.text("model_type", config.get("model_type") or gguf.get("architecture"))
    tag = fields.text("pipeline_tag", raw.get("pipeline_tag") or card.get("pipeline_tag"))
    row = rows.Row(
        id=id,
        family=family,
        architecture_class=named[0] if named else None,
        abilities=hub_tags.found(sorted_tags.plain, hub_tags.ABILITIES),
    )
    task, inferred = tasks.decide(tag, tasks.own_evidence(row, NO_FAMILIES) or tasks.from_name(row))
    method = fields.text("quant_method", quantization.get("quant_method"))
    spoken = fields.texts("language", card.get("language"))
    languages = spoken or tuple(tag for tag in sorted_tags.plain if len(tag) in (2, 3))
    gated = raw.get("gated")
    return {
        "params": params,
        "params_estimated": estimated,
        "licence": _licence(card, sorted_tags.named.get("license", ()), fields),
        "languages": rows.languages(languages),
        "context_length": fields.count("context_length", gguf.get("context_length"), 10**9),
        "task": task,
        "task_inferred": inferred,
        "abilities": row.abilities,
        "architecture": row.architecture_class or family,
        "domains": hub_tags.found(sorted_tags.plain, hub_tags.DOMAINS),
        "bases": tuple(_bases(id, raw, card, sorted_tags, fields)),
        "revision": _sha(fields, raw.get("sha")),
        "formats": hub_tags.found(sorted_tags.plain, hub_tags.FORMATS),
        "quantization": hub_tags.found(
            (*sorted_tags.plain, *([method] if method else ())), hub_tags.QUANTIZATIONS
        ),
        "training_datasets": fields.texts("datasets", card.get("datasets"))
        or sorted_tags.named.get("dataset", ()),
        "tags": sorted_tags.kept,
        "downloads": fields.count("downloads", raw.get("downloads")),
        "likes": fields.count("likes", raw.get("likes")),
        "downloads_all_time": fields.count(
            "downloadsAllTime", _either(raw, "downloadsAllTime", "downloads_all_time")
        ),
        "trending": fields.number("trendingScore", _either(raw, "trendingScore", "trending_score")),
        "derivatives": _derivatives(raw, fields),
        "created": fields.instant("createdAt", _either(raw, "createdAt", "created_at")),
        "modified": fields.instant("lastModified", _either(raw, "lastModified", "last_modified")),
        "gated": gated if gated in ("auto", "manual") else None,
        "library": fields.text("library_name", _either(raw, "library_name", "library")),
    }


def _either(raw: Mapping[str, Any], first: str, second: str) -> Any:
    value = raw.get(first)
    return raw.get(second) if value is None else value


def _card(raw: Mapping[str, Any], fields: Fields) -> dict[str, Any]:
    """The card's front matter: a table, or the YAML that ``ModelCardData`` prints."""
    card = _either(raw, "cardData", "card_data")
    if not isinstance(card, str):
        return fields.table("cardData", card)
    try:
        if len(card) > LONGEST_CARD or too_deep(card, DEEPEST):
            raise ValueError
        return fields.table("cardData", yaml.load(card, Loader=yaml.CSafeLoader))
    except (yaml.YAMLError, ValueError):
        fields.dropped.append("cardData: no YAML that can be read")
        return {}


def _sha(fields: Fields, value: object) -> str | None:
    found = fields.text("sha", value)
    if found and not SHA.fullmatch(found):
        fields.dropped.append("sha: no commit")
        return None
    return found


def _params(
    raw: Mapping[str, Any], gguf: Mapping[str, Any], quantized: Mapping[str, Any], fields: Fields
) -> tuple[int | None, bool]:
    """(weights, whether that is an estimate).

    Integers of 32 bits hold several quantized weights, and bytes of bitsandbytes hold two. Where
    the width is stated they are counted as what they hold, else as they are; both are estimates.
    """
    headers = fields.table("safetensors", raw.get("safetensors"))
    total = fields.count("safetensors", headers.get("total"), MOST_WEIGHTS)
    if total is None:
        return fields.count("gguf", gguf.get("total"), MOST_WEIGHTS), False
    by_type = fields.table("safetensors", headers.get("parameters"))
    packed = {kind: n for kind in ("I32", "U8") if isinstance(n := by_type.get(kind), int) and n}
    if not packed or not quantized or sum(packed.values()) * 4 < total:
        return total, False
    bits = 4 if quantized.get("load_in_4bit") else quantized.get("bits")
    if bits not in (1, 2, 3, 4, 8) or sum(packed.values()) > total:
        return total, True
    extra = packed.get("I32", 0) * (32 // bits - 1) + packed.get("U8", 0) * (8 // bits - 1)
    return min(total + extra, MOST_WEIGHTS), True


def _licence(card: Mapping[str, Any], tagged: tuple[str, ...], fields: Fields) -> str | None:
    """The licence's name; several, joined by commas, all apply. A named "other" has its name."""
    names = fields.texts("license", card.get("license")) or tagged
    if names == ("other",):
        names = fields.texts("license_name", card.get("license_name")) or names
    kept = (rows.licence(" ".join(name.replace(",", " ").split()).lower()) for name in names)
    return ",".join(dict.fromkeys(name for name in kept if name)) or None


def _bases(
    id: str,
    raw: Mapping[str, Any],
    card: Mapping[str, Any],
    tags: hub_tags.Sorted,
    fields: Fields,
) -> Iterator[LineageEdge]:
    """Parents as the Hub names them, else its tags, else the card; never the model itself."""
    stated = _either(raw, "baseModels", "base_models")
    relation: object = card.get("base_model_relation")
    if isinstance(stated, dict):
        relation, stated = stated.get("relation"), stated.get("models")
    parents: list[tuple[object, object]] = [
        (one.get("id") if isinstance(one, dict) else one, relation)
        for one in (stated if isinstance(stated, list) else ())
    ]
    if not parents:
        parents = [*tags.bases]
    if not parents:
        parents = [(one, relation) for one in fields.texts("base_model", card.get("base_model"))]
    seen = {id.lower()}
    for parent, how in parents[:MOST_BASES]:
        if trouble_with_id(parent) or str(parent).lower() in seen:
            itself = str(parent).lower() == id.lower()
            fields.dropped.append(f"base_model: {'the model itself' if itself else 'no new id'}")
            continue
        seen.add(str(parent).lower())
        kind = cast("Relation", how if how in RELATIONS else "finetune")
        yield LineageEdge(parent=str(parent), relation=kind, source="hub")


def _derivatives(raw: Mapping[str, Any], fields: Fields) -> int | None:
    """Models that name this one as their base: a number, or one a relation."""
    value = _either(raw, "childrenModelCount", "children_model_count")
    if not isinstance(value, dict):
        return fields.count("childrenModelCount", value)
    counts = [fields.count("childrenModelCount", one) for one in value.values()]
    known = [one for one in counts if one is not None]
    return sum(known) if known else None
