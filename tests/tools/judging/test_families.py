import pytest

from memory.records import LineageEdge, Model
from memory.registry import Registry
from tools.judging.families import JudgeRefused, check_impartial, kinship


def made(id, *parents):
    edges = tuple(LineageEdge(parent=p, relation="finetune", source="test") for p in parents)
    return Model(id=id, bases=edges)


REGISTRY = Registry(
    {
        model.id: model
        for model in (
            made("acme/base-7b"),
            made("other/med", "acme/base-7b"),
            made("third/law", "acme/base-7b"),
            made("fourth/notes", "meta-llama/Llama-3-8B"),
            made("fifth/alone"),
        )
    },
    "made",
)


@pytest.mark.parametrize(
    ("judge", "model", "reason"),
    [
        ("acme/base-7b", "other/med", "descend from acme/base-7b"),
        ("other/med", "acme/base-7b", "descend from acme/base-7b"),
        ("third/law", "other/med", "descend from acme/base-7b"),
        ("llama3.1:70b", "fourth/notes", "family llama"),
        ("meta-llama/Llama-3.3-70B", "fourth/notes", "family llama"),
        ("gpt-4o-mini", "openai/gpt-oss-20b", "family openai"),
        ("gpt-4o-mini", "gpt-4o", "family openai"),
        ("google/gemini-2.5-pro", "google/gemma-3-4b-it", "family google"),
        ("mistral-large-latest", "mistralai/Mixtral-8x7B", "family mistral"),
        ("acme/other", "acme/base-7b", "maker acme"),
        ("FOURTH/Notes", "someone/openbiollama", "family llama"),
    ],
)
def test_kin_are_recognized(judge, model, reason):
    assert reason in kinship(judge, model, REGISTRY)
    with pytest.raises(JudgeRefused, match="MIRROR_JUDGE_MODEL"):
        check_impartial(["fifth/alone", judge], ["x/y", model], REGISTRY)


@pytest.mark.parametrize(
    ("judge", "model"),
    [
        ("gpt-4o-mini", "fourth/notes"),
        ("claude-sonnet-4-5", "google/gemma-3-4b-it"),
        ("qwen3:8b", "fourth/notes"),
        ("fifth/alone", "other/med"),
        ("gpt-4o", "microsoft/biogpt"),
    ],
)
def test_strangers_are_strangers(judge, model):
    assert kinship(judge, model, REGISTRY) is None
    check_impartial([judge], [model], REGISTRY)


def test_the_real_registrys_lineage_counts():
    registry = Registry.load()
    assert kinship("meta-llama/Llama-3.1-8B-Instruct", "m42-health/Llama3-Med42-70B", registry)
    assert kinship("qwen2.5:7b", "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", registry)
