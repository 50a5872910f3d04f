"""What other benchmarks say of candidates: columns, copies, names."""

import pytest

from memory.records import Origin, Score
from tools.clients.fakes import HashEmbedder
from tools.scores.related import readable, related


def score(model, benchmark, value, protocol="p", **given):
    return Score(
        model=model,
        benchmark=benchmark,
        protocol=protocol,
        value=value,
        origin=Origin.ELSEWHERE,
        source="s",
        **given,
    )


MODELS = [f"m{i}" for i in range(6)]


@pytest.fixture
def place(tmp_path):
    def run(observed, models=MODELS, **given):
        return related("biology questions", models, observed, HashEmbedder(), tmp_path, **given)

    return run


def test_the_better_stand_higher_and_the_unknown_nowhere(place):
    observed = [score(f"m{i}", "college_biology", i / 10) for i in range(5)]
    found = place(observed)
    assert sorted(found.value, key=found.value.__getitem__) == MODELS[:5]
    assert "m5" not in found.value
    assert found.cells["m0"] == 1
    assert found.nearest == ("college_biology",)


def test_protocols_are_columns_of_their_own(place):
    """The same benchmark under a harder protocol does not make its models worse."""
    observed = [score(f"m{i}", "b", 0.5 + i / 10) for i in range(3)]
    observed += [score(f"m{i}", "b", 0.1 + i / 100, "hard") for i in range(3, 6)]
    assert place(observed).value == {}  # three share neither
    both = [score(f"m{i}", "b", i / 10) for i in range(6)]
    both += [score(f"m{i}", "b", 0.05 - i / 1000, "hard") for i in range(6)]
    assert place(both).value["m0"] == pytest.approx(0.5)  # worst here, best there


def test_a_copy_speaks_for_a_model_without_its_own_score(place):
    observed = [score(f"m{i}", "b", i / 10) for i in range(5)]
    copies = {"m5": ("m5-gguf",), "m4": ("m4-gguf",)}
    observed += [score("m5-gguf", "b", 0.9), score("m4-gguf", "b", 0.0)]
    found = place(observed, copies=copies)
    assert max(found.value, key=found.value.__getitem__) == "m5"
    assert found.value["m4"] > found.value["m3"]  # its own score counts, not its copy's


def test_a_benchmark_that_few_share_says_nothing(place):
    observed = [score(f"m{i}", "b", i / 10) for i in range(6)]
    assert place(observed[:4]).value == {}


def test_names_become_words():
    assert readable("mmlu/college_biology") == "mmlu college biology"
    assert readable("SciFactRetrieval") == "Sci Fact Retrieval"
