"""The funnel over columns equals the funnel that asks every model each question in turn."""

from __future__ import annotations

import plain_funnel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.records import LineageEdge, Model, Requirements
from memory.registry import Registry
from tools.choosing import constraints, funnel
from tools.choosing.columns import Columns

IDS = ("a/base", "a/Base", "b/ünï-gguf", "b/copy\u202e", "c/o'o", "c/x", "d/y", "d/z")
ABSENT = "gone/model"
RELATIONS = ("quantized", "mirror", "adapter", "finetune", "merge")


def some(*values):
    return st.lists(st.sampled_from(values), max_size=3, unique=True).map(tuple)


def maybe(*values):
    return st.sampled_from((None, *values))


edges = st.lists(
    st.builds(
        LineageEdge,
        parent=st.sampled_from((*IDS, ABSENT)),
        relation=st.sampled_from(RELATIONS),
        source=st.just("test"),
    ),
    max_size=3,
).map(tuple)


def model(id):
    return st.builds(
        Model,
        id=st.just(id),
        params=maybe(0, 5 * 10**8, 10**9, 7 * 10**9, 8 * 10**9, 10**12),
        params_estimated=st.booleans(),
        licence=maybe("mit", "cc-by-nc-4.0", "llama3", "gpl-3.0", "apache-2.0,mrl", "odd", " "),
        languages=some("en", "fr", "de"),
        context_length=maybe(2048, 8192, 131072),
        task=maybe("text-generation", "image-text-to-text", "feature-extraction"),
        modalities=some("text", "image", "audio"),
        abilities=some("vision", "tools", "chat"),
        formats=some("gguf", "safetensors"),
        quantization=some("gguf", "mlx", "awq"),
        bases=edges,
    )


registries = st.sets(st.sampled_from(IDS), min_size=1).flatmap(
    lambda ids: st.tuples(*(model(id) for id in sorted(ids)))
)
requests = st.builds(
    Requirements,
    text=st.just("x"),
    task=maybe("text-generation", "feature-extraction", "text-ranking"),
    modality=st.sampled_from(("text", "image", "video")),
    max_params=maybe(10**8, 10**9, 7 * 10**9),
    min_params=maybe(0, 10**9, 8 * 10**9),
    gpu_memory_gb=maybe(2.0, 24.0),
    context=maybe(4096, 10**6),
    licence_use=maybe(("commercial",), ("commercial", "derivative"), ()),
    licences=some("mit", "llama3", "gpl-3.0"),
    languages=some("en", "fr"),
    ecosystem=some("gguf", "vllm", "tools", "safetensors"),
)


def same(plain, found):
    (expected, fallen), (result, eliminations) = plain, found
    assert result.model_copy(update={"left": None}) == expected
    assert list(result.removed) == list(expected.removed)  # also as they are printed
    assert result.remaining == len(expected.survivors)
    assert list(eliminations) == fallen


@settings(max_examples=25, deadline=None)
@given(models=registries, wanted=requests)
def test_any_small_registry(models, wanted):
    known = {one.id: one for one in models}
    columns = Columns.over(known)
    same(plain_funnel.critical(known, wanted), funnel.critical(columns, wanted))
    survivors = {id: known[id] for id in plain_funnel.critical(known, wanted)[0].survivors}
    rows = funnel.meeting(columns, wanted)
    assert columns.names(rows) == list(survivors)
    expected = plain_funnel.important(survivors, wanted, known)
    same(expected, funnel.important(rows, wanted, columns))
    same(expected, funnel.important(survivors, wanted, known))
    same(plain_funnel.important(known, wanted, known), funnel.important(known, wanted))
    assert funnel.variants(known) == plain_funnel.variants(known)


@settings(max_examples=100, deadline=None)
@given(models=registries)
def test_a_walk_from_one_model_agrees_with_the_columns(models):
    known = {one.id: one for one in models}
    columns, parents = Columns.over(known), constraints.graph(known)
    for row, one in enumerate(models):
        terms, (languages, _) = columns.allowed.value(row)[1], columns.fitting.value(row)
        found = constraints.verdict(one, known, parents)
        assert set(terms.clauses) == set(found.causes)
        assert tuple(languages) == constraints.languages(one, known, parents)[0]


@pytest.fixture(scope="module")
def bundled():
    return Registry.load()


@pytest.mark.parametrize(
    "fields",
    [
        {"task": "text-generation", "max_params": 15 * 10**9, "licence_use": ("commercial",),
         "languages": ("en",), "ecosystem": ("vllm",)},
        {"task": "feature-extraction", "licences": ("mit", "apache-2.0"), "languages": ("fr",)},
        {"modality": "image", "gpu_memory_gb": 24.0, "ecosystem": ("gguf",), "context": 32_768},
    ],
)  # fmt: skip
def test_the_bundled_registry(bundled, fields):
    wanted = Requirements(text="x", **fields)
    plain = plain_funnel.critical(bundled.models, wanted)
    columns = Columns.over(bundled.models)
    same(plain, funnel.critical(columns, wanted))
    kept = {id: bundled.models[id] for id in plain[0].survivors}
    same(
        plain_funnel.important(kept, wanted, bundled.models),
        funnel.important(funnel.meeting(columns, wanted), wanted, columns),
    )
