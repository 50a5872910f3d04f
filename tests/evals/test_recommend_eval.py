"""The measure itself: regret, hits, and that nothing of the hidden column is seen."""

import pytest

from evals.recommend import Tally, hit, regret
from evals.recommend_jobs import Job, ScoreTable
from evals.recommend_rankers import Mirror, Words, by_fact, unpopular
from memory.records import Model, Origin, Score
from memory.registry import Registry
from tools.clients.fakes import HashEmbedder


def score(model, benchmark, value, protocol="p"):
    return Score(
        model=model,
        benchmark=benchmark,
        protocol=protocol,
        value=value,
        origin=Origin.ELSEWHERE,
        source="s",
    )


TRUTH = {f"m{i:02}": i / 40 for i in range(40)}


def test_regret_and_hits():
    assert regret(TRUTH, ["m39", "m00"]) == 0
    assert regret(TRUTH, ["m00"]) == 1
    assert regret(TRUTH, []) == 1
    assert regret({"a": 0.2, "b": 0.6, "c": 1.0}, ["b"]) == pytest.approx(0.5)
    assert hit(TRUTH, ["m38"]) == 1  # two of forty are 5 %
    assert hit(TRUTH, ["m37"]) == 0


def table():
    names = ("mmlu", "mmlu_anatomy", "mmlu_law", "bbh", "gsm8k", "sciq")
    scores = [
        score(f"m{i:02}", name, (i + j % 3) / 45) for j, name in enumerate(names) for i in range(40)
    ]
    scores += [score("m00", "mmlu_anatomy", 0.9, "another protocol")]
    models = {id: Model(id=id, downloads=40 - i, params=10**9) for i, id in enumerate(TRUTH)}
    return ScoreTable("bundled", tuple(scores), models, {"sciq": "school science questions"})


def test_nothing_that_tells_the_hidden_column_is_seen():
    held = table()
    job = Job("bundled", ("mmlu_anatomy", "p"), "mmlu anatomy", TRUTH)
    seen = {one.benchmark for one in held.without(job)}
    assert seen == {"mmlu_law", "bbh", "gsm8k", "sciq"}
    assert {one.benchmark for one in held.without(job, family=True)} == {"bbh", "gsm8k", "sciq"}
    assert held.request("sciq") == "sciq. school science questions"
    parts = [{job.column for job in held.jobs(99, development=part)} for part in (False, True)]
    assert not parts[0] & parts[1]
    assert len(parts[0] | parts[1]) == 6


def test_mirror_finds_the_best_and_popularity_does_not_move_it(tmp_path):
    held = table()
    job = Job("bundled", ("mmlu_anatomy", "p"), "mmlu anatomy", TRUTH)
    chosen = []
    for models in (held.models, unpopular(held.models)):
        registry = Registry(models, "made")
        mirror = Mirror(held, registry, HashEmbedder(), tmp_path)
        chosen.append(mirror.evidence(job).choose())
    assert chosen[0] == chosen[1]
    assert len(chosen[0]) == 10
    assert regret(TRUTH, chosen[0]) == 0
    ranked = by_fact(job, held.models)
    assert regret(TRUTH, ranked["popularity"][:10]) > 0.5  # here the popular ones are the worst
    assert sorted(Words(held.models).rank(job)) == sorted(TRUTH)


def test_figures_compare_with_the_best_of_the_others():
    tally, job = Tally(), Job("bundled", ("b", "p"), "b", TRUTH)
    tally.add("mirror", job, ["m35"])
    tally.add("largest", job, ["m31"])
    tally.add("text", job, ["m00"])
    found = tally.figures()
    assert found["best_baseline"] == "largest"
    assert found["less_regret"] == pytest.approx(0.5)
    assert found["jobs"] == 1
