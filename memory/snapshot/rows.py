"""Raw catalogue rows, cleaned: two file formats in, one ``Row`` out, then a ``Model``.

A value is copied, never improved: what is not stated stays missing, every field names
its sources, and parameter counts that are not exact say so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from memory.records import LineageEdge, Model, Relation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

words = re.compile(r"[\w:]+").findall

ISO_639_1 = frozenset(
    words(
        """aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs
        cu cv cy da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv
        ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl
        km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt
        my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru
        rw sa sc sd se sg sh si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl
        tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu"""
    )
)
# ISO 639-2/3 codes of languages that have a two-letter code, and old or loose spellings.
SHORTER = dict(
    pair.split(":")
    for pair in words(
        """abk:ab aka:ak ara:ar azj:az bak:ba bam:bm ben:bn bod:bo chv:cv cos:co div:dv
    ekk:et eng:en ewe:ee fao:fo fij:fj ful:ff grn:gn hat:ht hin:hi ibo:ig ina:ia kas:ks khk:mn
    kik:ki kin:rw kon:kg lim:li lin:ln ltz:lb lua:lu lug:lg lvs:lv mlt:mt mri:mi npi:ne nya:ny
    oci:oc pes:fa plt:mg que:qu roh:rm run:rn sag:sg smo:sm sna:sn sot:st srd:sc ssw:ss swh:sw
    tat:tt tgk:tg tir:ti tsn:tn tso:ts tuk:tk twi:tw uzn:uz wol:wo ydd:yi zsm:ms iw:he jw:jv jp:ja
    cmn:zh"""
    )
)
# ISO 639-3 codes without a two-letter equivalent that the sources use.
ISO_639_3 = frozenset(
    words(
        """ace acm acq aeb ajp als apc arq ars ary arz ast awa ayr azb ban bbc bem bho bjn
        brx bug ceb cjk ckb crh dik doi dyu dzo fon fur fuv gaz hau haw hmn hne hsb ilo
        kab kac kam kbp kea kmb kmr knc lij lmo ltg luo lus mad mag mai mfe min mni mos
        nso nus pag pap pbt pcm prs quy quz sah sat scn shn szl taq tpi tum tzm vec vot
        war yue"""
    )
)
DOMAINS = {"biomedical": "medical", "clinical": "medical"}  # a narrower word, kept as a tag
INEXACT = re.compile(r"estimated|rounded")


@dataclass(frozen=True)
class Row:
    """One model as the sources state it, before anything is inferred."""

    id: str
    params: int | None = None
    params_estimated: bool = False
    params_active: int | None = None
    licence: str | None = None
    languages: tuple[str, ...] = ()
    context_length: int | None = None
    task: str | None = None
    modalities: tuple[str, ...] = ()
    abilities: tuple[str, ...] = ()
    family: str | None = None
    architecture_class: str | None = None
    domains: tuple[str, ...] = ()
    bases: tuple[LineageEdge, ...] = ()
    released: str | None = None
    revision: str | None = None
    formats: tuple[str, ...] = ()
    quantization: tuple[str, ...] = ()
    training_datasets: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    downloads: int | None = None
    likes: int | None = None
    sources: tuple[str, ...] = ()
    provenance: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def languages(codes: Iterable[str]) -> tuple[str, ...]:
    """ISO-639 codes, two letters where there are two; anything else (``tf``, ``python``) falls."""
    kept = set()
    for code in codes:
        code = re.sub(r"^(pt|zh|en|es|fr|de)-[a-z]{2,4}$", r"\1", code.strip().lower())
        code = SHORTER.get(code, code)
        if code in ISO_639_1 or code in ISO_639_3:
            kept.add(code)
    return tuple(sorted(kept))


def licence(name: str | None) -> str | None:
    """The licence name, or None for the words that only say nobody stated one."""
    return None if (name or "").strip() in {"", "unknown", "not specified", "multiple"} else name


def _sources(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def from_facts(raw: Mapping[str, Any]) -> Row:
    """A row of ``models_9897_facts.jsonl``: provenance per field, traps marked in it."""
    provenance = {
        {"license": "licence", "domain": "domains", "release_date": "released"}.get(k, k): _sources(
            v
        )
        for k, v in raw["provenance"].items()
        if k != "organisation"
    }
    return Row(
        id=raw["id"],
        params=raw.get("params"),
        params_estimated=any(INEXACT.search(s) for s in provenance.get("params", ())),
        params_active=raw.get("params_active"),
        licence=licence(raw.get("license")),
        languages=languages(raw.get("languages", ())),
        context_length=raw.get("context_length"),
        task=raw.get("task"),
        modalities=tuple(raw.get("modalities", ())),
        abilities=tuple(raw.get("abilities", ())),
        family=raw.get("architecture"),
        architecture_class=raw.get("architecture_class"),
        domains=tuple(raw.get("domain", ())),
        bases=tuple(
            LineageEdge(parent=b["id"], relation=b["relation"], source=b["source"])
            for b in raw.get("base_models", ())
        ),
        released=raw.get("release_date"),
        revision=raw.get("revision"),
        formats=tuple(sorted({f["format"] for f in raw.get("formats", ())})),
        quantization=tuple(raw.get("quantization", ())),
        training_datasets=tuple(raw.get("training_datasets", ())),
        tags=tuple(raw.get("tags", ())),
        aliases=tuple(raw.get("aliases", ())),
        downloads=raw.get("downloads"),
        likes=raw.get("likes"),
        sources=tuple(raw.get("sources", ())),
        provenance=provenance,
    )


def _relation(row: Mapping[str, str]) -> Relation:
    if "lora adapter" in row["note"].lower():
        return "adapter"
    return cast(
        "Relation", {"moe-merge": "merge", "": "finetune"}.get(row["relation"], row["relation"])
    )


def from_relm(raw: Mapping[str, str]) -> Row | None:
    """A row of ``relm_and_domain_models.csv``; None for API-only models, which have no id.

    Only columns named in ``seen`` were seen; a parameter count is exact only when its
    ``params_kind`` says so; a base may be several, parted by ``;``.
    """
    if not raw["id"]:
        return None
    stated = [d for d in raw["domain"].split() if d != "general"]
    sources = tuple(s.strip() for s in raw["source"].split(" ; "))
    bases = [b.strip() for b in raw["base_model"].split(";") if "/" in b]
    renamed = re.search(r"renamed from ([\w.-]+/[\w.-]+)", raw["note"])
    values: dict[str, Any] = {
        "params": int(raw["params"]) if raw["params"] else None,
        "licence": licence(raw["license"]),
        "languages": languages(raw["languages"].split()),
        "context_length": int(raw["context_length"]) if raw["context_length"] else None,
        "task": raw["task"] or None,
        "domains": tuple(dict.fromkeys(DOMAINS.get(d, d) for d in stated)),
        "bases": tuple(
            LineageEdge(parent=b, relation=_relation(raw), source=sources[0]) for b in bases
        ),
        "released": raw["release_date"] or None,
    }
    tables = () if raw["named_in"] == "domain" else raw["named_in"].split(",")
    return Row(
        id=raw["id"],
        params_estimated=bool(raw["params"]) and raw["params_kind"] != "exact",
        tags=(*(f"relm-table-{t}" for t in tables), *(d for d in stated if d in DOMAINS)),
        aliases=(renamed[1],) if renamed else (),
        sources=sources,
        provenance={k: sources for k, v in values.items() if v},
        **values,
    )


def merge(facts: Row, relm: Row) -> Row:
    """Both files' row of one model: ``relm`` was read by hand and wins, where it is as exact.

    An inexact parameter count never replaces one that was stated, a bare ``other`` never
    replaces a named licence, and lists are joined.
    """
    changes: dict[str, Any] = {}
    for name in (
        "params",
        "licence",
        "languages",
        "context_length",
        "task",
        "domains",
        "bases",
        "released",
    ):
        ours, theirs = getattr(facts, name), getattr(relm, name)
        less_exact = name == "params" and relm.params_estimated and not facts.params_estimated
        weaker = less_exact or (name == "licence" and theirs == "other")
        if theirs and not (ours and weaker):
            changes[name] = theirs
    if "params" in changes:
        changes["params_estimated"] = relm.params_estimated
    for name in ("tags", "aliases", "sources", "domains"):
        changes[name] = tuple(dict.fromkeys((*getattr(facts, name), *getattr(relm, name))))
    used = {k: relm.provenance[k] for k in changes if k in relm.provenance}
    return replace(facts, **changes, provenance={**facts.provenance, **used})


def to_model(row: Row, task: str | None, task_inferred: str | None) -> Model:
    """The record that the snapshot keeps."""
    values = {k: v for k, v in vars(row).items() if k in Model.model_fields}
    return Model(
        **{
            **values,
            "task": task,
            "task_inferred": task_inferred,
            "architecture": row.architecture_class or row.family,
        }
    )
