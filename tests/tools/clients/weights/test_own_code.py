"""Which code comes with weights: what transformers would import, and nothing else."""

import json

import pytest
from tiny_model import safetensors

from memory.errors import DamagedStore
from tools.clients.weights import own_code, weights
from tools.clients.weights.unpack import WeightsUnavailable

AUTO = {
    "AutoConfig": "configuration_x.XConfig",
    "AutoModelForCausalLM": "modeling_x.XForCausalLM",
}


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "models" / "org" / "own"
    place.mkdir(parents=True)
    config(place, {"model_type": "x-of-nobody", "auto_map": AUTO})
    for name in ("configuration_x.py", "modeling_x.py"):
        (place / name).write_text("")
    return place


def config(folder, found, name="config.json"):
    (folder / name).write_text(json.dumps({"architectures": ["XForCausalLM"], **found}))


def test_the_files_that_auto_map_names(folder):
    assert own_code.of_folder(folder) == ("configuration_x.py", "modeling_x.py")


def test_a_tokenizer_of_its_own_counts(folder):
    config(folder, {"model_type": "x-of-nobody"})
    (folder / "tokenization_x.py").write_text("")
    tokenizer = {"auto_map": {"AutoTokenizer": ["tokenization_x.XTokenizer", None]}}
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    assert own_code.of_folder(folder) == ("tokenization_x.py",)


def test_scripts_that_nothing_names_never_run(folder):
    config(folder, {"model_type": "x-of-nobody"})
    assert own_code.of_folder(folder) == ()


def test_what_transformers_has_itself_needs_none(folder):
    config(folder, {"model_type": "llama", "auto_map": AUTO})
    assert own_code.of_folder(folder) == ()


@pytest.mark.parametrize("model_type", ["../models/llama", "llama/..", "", 7, None])
def test_a_strange_model_type_is_nobodys(folder, model_type):
    config(folder, {"model_type": model_type, "auto_map": AUTO})
    assert own_code.of_folder(folder)


def test_code_in_another_repository_is_pinned_by_nothing(folder):
    away = {"AutoModelForCausalLM": "evil/repo--modeling_x.XForCausalLM"}
    config(folder, {"model_type": "x-of-nobody", "auto_map": away})
    with pytest.raises(WeightsUnavailable, match="another repository"):
        own_code.of_folder(folder)


def test_missing_code_is_named(folder):
    (folder / "modeling_x.py").unlink()
    with pytest.raises(WeightsUnavailable, match=r"lacks modeling_x\.py"):
        own_code.of_folder(folder)


@pytest.mark.parametrize("text", ["[]", "{", "\xff"])
def test_a_damaged_configuration_is_named(folder, text):
    (folder / "tokenizer_config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(DamagedStore, match=r"tokenizer_config\.json can't be read"):
        own_code.of_folder(folder)


def test_other_code_is_another_revision(folder):
    safetensors(folder / "model.safetensors")
    before = weights.digest(folder)
    (folder / "modeling_x.py").write_text("print()")
    assert weights.digest(folder) != before
