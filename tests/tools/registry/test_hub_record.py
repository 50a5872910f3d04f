"""What one record of the Hub says, in the registry's words."""

import pytest
from paging_hub import listed

from tools.registry.hub_record import Held, Quarantined, read


def model(**changes):
    held = read(listed(1, **changes), "hub 2026-11-25")
    assert isinstance(held, Held)
    return held.model


def test_every_stated_field_names_its_source_and_no_other_does():
    one = model()
    values = {name: getattr(one, name) for name in type(one).model_fields}
    missing = {
        name for name, value in values.items() if value is None or value is False or value == ()
    }
    stated = set(values) - missing
    assert set(one.provenance) == stated - {"id", "provenance"}
    assert set(one.provenance.values()) == {("hub 2026-11-25",)}


@pytest.mark.parametrize(
    ("dtypes", "quantized", "params", "estimated"),
    [
        ({"BF16": 1_000}, None, 1_000, False),
        ({"I32": 100, "BF16": 50}, {"bits": 4, "quant_method": "gptq"}, 850, True),
        ({"I32": 100, "BF16": 50}, {"bits": 8}, 450, True),
        ({"U8": 100, "F32": 20}, {"load_in_4bit": True, "quant_method": "bitsandbytes"}, 220, True),
        ({"I32": 100, "BF16": 50}, {"quant_method": "compressed-tensors"}, 150, True),
        ({"I32": 1, "BF16": 1_000}, {"bits": 4}, 1_001, False),
        ({"I32": 100}, None, 100, False),
        ({"I32": "many", "BF16": 5}, {"bits": 4}, None, False),
    ],
)
def test_packed_weights_are_counted_as_what_they_hold_and_marked(
    dtypes, quantized, params, estimated
):
    total = (
        sum(n for n in dtypes.values() if isinstance(n, int))
        if "many" not in dtypes.values()
        else -1
    )
    config = {"quantization_config": quantized} if quantized else {}
    one = model(safetensors={"parameters": dtypes, "total": total}, config=config)
    assert (one.params, one.params_estimated) == (params, estimated)


def test_gguf_files_say_how_many_weights_and_how_much_context():
    one = model(
        safetensors=None,
        config=None,
        gguf={"total": 42, "context_length": 9, "architecture": "llama"},
    )
    assert (one.params, one.context_length, one.architecture) == (42, 9, "llama")


@pytest.mark.parametrize(
    ("card", "tags", "licence"),
    [
        ({"license": "MIT"}, [], "mit"),
        ({"license": ["llama3.1", "gemma"]}, [], "llama3.1,gemma"),
        ({"license": "other", "license_name": "Qwen"}, [], "qwen"),
        ({"license": "other"}, [], "other"),
        ({}, ["license:cc-by-nc-4.0"], "cc-by-nc-4.0"),
        ({"license": "other", "license_name": "mit, truly"}, [], "mit truly"),
        ({"license": "unknown"}, [], None),
        ({}, [], None),
    ],
)
def test_licences(card, tags, licence):
    assert model(cardData=card, tags=tags).licence == licence


@pytest.mark.parametrize(
    ("said", "edges"),
    [
        (
            {"baseModels": {"relation": "quantized", "models": [{"id": "a/b"}]}},
            [("a/b", "quantized")],
        ),
        (
            {"baseModels": {"relation": "merge", "models": [{"id": "a/b"}, {"id": "a/c"}]}},
            [("a/b", "merge"), ("a/c", "merge")],
        ),
        ({"baseModels": ["a/b"]}, [("a/b", "finetune")]),
        ({"tags": ["base_model:a/b", "base_model:adapter:a/b"]}, [("a/b", "adapter")]),
        ({"tags": ["base_model:a/b"]}, [("a/b", "finetune")]),
        (
            {"cardData": {"base_model": "a/b", "base_model_relation": "adapter"}},
            [("a/b", "adapter")],
        ),
        (
            {"cardData": {"base_model": ["a/b", "A/B", "org-1/MODEL-1", "x y"]}},
            [("a/b", "finetune")],
        ),
        (
            {"baseModels": {"relation": "invented", "models": [{"id": "a/b"}, {}]}},
            [("a/b", "finetune")],
        ),
    ],
)
def test_parents_and_how_they_were_used(said, edges):
    assert [(edge.parent, edge.relation) for edge in model(**said).bases] == edges


def test_tags_give_formats_quantization_abilities_domains_and_keep_what_else_they_say():
    tags = ["gguf", "4-bit", "conversational", "legal", "arxiv:2406.1", "region:us", "dataset:a/d"]
    one = model(tags=[*tags, "license:mit", "endpoints_compatible"], config={})
    assert one.formats == ("gguf",)
    assert one.quantization == ("gguf", "4bit")
    assert (one.abilities, one.domains) == (("chat",), ("law",))
    assert one.training_datasets == ("a/d",)
    assert one.tags == ("gguf", "4-bit", "conversational", "legal", "arxiv:2406.1")


def test_a_task_tag_that_contradicts_the_architecture_is_outvoted_and_told():
    one = model(pipeline_tag="feature-extraction")
    assert one.task == "text-generation"
    assert one.task_inferred.startswith("tag feature-extraction;")
    assert model(pipeline_tag="text-classification").task == "text-classification"


def test_derivatives_are_counted_over_all_relations():
    assert model(childrenModelCount={"adapter": 7, "merge": 2, "odd": "x"}).derivatives == 9
    assert model(childrenModelCount=5).derivatives == 5
    assert model(childrenModelCount=None).derivatives is None


def test_what_deceives_the_eye_is_shown_as_json_writes_it():
    held = read({"id": "a/\u202eb", "tags": ["x" * 5_000]}, "hub")
    assert isinstance(held, Quarantined)
    assert held.id == "a/\\u202eb"
    assert len(held.record) <= 2_000
    assert held.record.isascii()
