"""The routing evaluation itself: no rating of AlpacaEval gets in, and pools are what they say."""

import csv
import gzip

import numpy as np
import pytest

from evals.routing_facts import family, gather, known_params, quality
from evals.routing_pools import NULL, Alpaca, choose_share, measure_null, measure_pools, routers
from evals.routing_usecase import SYSTEMS, _routed
from tools.methods import smoothie

FAMILIES = ("alpaca", "claude", "falcon", "gemma", "gpt", "vicuna")


def files(root, rating):
    """A data folder with benchmarks of 12 models, in which AlpacaEval's columns say ``rating``."""
    folder = root / "routing" / "alpaca_eval"
    folder.mkdir(parents=True)
    (root / "scores").mkdir()
    columns = ["Model", "Arena Elo\n[April 18, 2024]", "Arena Elo\n[Feb 2, 2024]", "MMLU\n(5-shot)"]
    own = ["LC AlpacaEval 2.0", "AlpacaEval 1.0", "Output Length"]
    with (folder / "benchmarks.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(columns + own)
        for i in range(12):
            score = [900 + 20 * i, "", 30 + 3 * i] if i != 5 else ["", "", 40]
            out.writerow([f"maker{i}-{i + 1}b", *score, *[rating * i] * 3])
    with gzip.open(root / "scores" / "open_llm_leaderboard_v1_7169.csv.gz", "wt") as file:
        file.write("Model,ARC,HellaSwag,MMLU,TruthfulQA,Winogrande,GSM8K\n")
    path = root / "scores" / "opencompass_alpaca_arena_10503.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write("model_id,benchmark,score\no/other-3b,chatbot_arena_20240814,1000\n")
        file.write("o/other-3b,alpaca_eval_2,99\n")
    return folder


def test_no_rating_of_alpaca_eval_reaches_the_prior(tmp_path):
    names = ["maker3-4b", "maker5-6b", "unheard-of"]
    one, other = (gather(names, files(tmp_path / str(r), r)) for r in (1, 50))
    np.testing.assert_array_equal(one.scores, other.scores)
    assert one.scores.shape == (3 + 11, 2)  # Arena and MMLU; those asked for, then the rated


def test_what_is_left_out_is_not_used(tmp_path):
    facts = gather(["maker3-4b", "maker11-12b"], files(tmp_path, 1))
    told = quality(facts, 2).mean
    blind = quality(facts, 2, ["benchmarks", "size", "date", "lineage"]).mean
    assert told == pytest.approx([960, 1120], abs=1)
    assert blind[0] == pytest.approx(blind[1])


def test_names_give_size_family_and_base(tmp_path):
    assert known_params(["acme-7b", "mixtral-8x7b-x"]) == pytest.approx([7e9, 56e9])
    assert [family(name) for name in ("text_davinci_001", "gpt4_0613", "vicuna-7b")] == [
        "gpt",
        "gpt",
        "vicuna",
    ]
    facts = gather(["FuseChat-Gemma-2-9B-Instruct", "gpt-3.5-turbo-1106"], files(tmp_path, 1))
    assert facts.base[0] == "gemma29b"
    assert facts.base[1] == "gpt35turbo"


@pytest.fixture(scope="module")
def data():
    """24 honest models of six families and a constant one; the prior knows the truth, roughly."""
    rng = np.random.default_rng(0)
    families = [one for one in FAMILIES for _ in range(4)]
    names = [f"{one}-{i}" for i, one in enumerate(families)] + [NULL]
    truth = np.append(rng.permutation(np.linspace(5, 60, 24)), 90.0)
    answers = rng.normal(size=(20, 25, 8))
    answers[:, -1] = 1.0
    prior = truth + 3 * rng.normal(size=25)
    kinds = ("", "size", "date", "lineage", "benchmarks", "size date lineage")
    return Alpaca(
        tuple(names),
        (*families, "nullmodel"),
        truth,
        rng.normal(size=(20, 4)),
        answers,
        smoothie.squared_distances(answers),
        rng.integers(1, 500, size=(20, 25)).astype(float),
        dict.fromkeys(kinds, prior),
    )


def test_what_is_recovered_lies_between_random_and_best(data):
    share, tried = choose_share(data, 30, 0)
    assert f"{share:g}" in tried
    found = measure_pools(data, data.honest(), 60, 0, siblings=0, share=share)
    assert found["random"] < found["mirror"] <= found["best_single"]
    assert found["recovered"] > 0.8
    assert found["recovered_by"]["wrong_prior"]["mean"] < 0.5
    low, high = found["recovered_by"]["mirror"]["interval"]
    assert low <= found["recovered"] <= high
    assert found["models"] == 24


def test_weak_siblings_crowd_each_pool(data):
    found = measure_pools(data, data.honest(), 20, 0, siblings=3, share=8.0)
    assert found["best_single"] >= found["mirror"]


def test_a_constant_answer_is_not_fallen_for(data):
    assert measure_null(data, 20, 0, 8.0)["mirror"] == 0
    assert set(routers(1.0)) >= {"mirror", "smoothie", "longest", "random", "best_single"}


def test_halves_part_the_families(data):
    first, second = (set(np.array(data.families)[data.half(i)]) for i in (0, 1))
    assert not first & second
    assert first | second == set(FAMILIES)


def test_a_note_that_is_missing_is_not_picked():
    rng = np.random.default_rng(0)
    vectors = {name: rng.normal(size=(6, 4)) for name in list(SYSTEMS)[:3]}
    first, *others = vectors
    vectors[first][2] = np.nan

    class Picks:
        def of(self, picked):
            assert set(picked.values()) == {first} or picked["e2"] in others
            return {"ROUGE-L": float(len(picked))}

    found = _routed(list(vectors), vectors, [f"e{i}" for i in range(6)], Picks())
    assert found["smoothie_local"] == {"ROUGE-L": 6.0}


def test_no_system_is_described_twice():
    assert len({(one.base, name) for name, one in SYSTEMS.items()}) == len(SYSTEMS)
