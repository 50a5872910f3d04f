"""Every model stands somewhere: by its scores, else where its kind does."""

import numpy as np
import pytest

from memory.records import LineageEdge, Model, Origin, Score
from memory.registry import Registry
from tools.scores.standing import standing


def world(n=24, seed=0):
    """Models whose score grows with size and date on three benchmarks."""
    rng = np.random.default_rng(seed)
    models, scores = {}, []
    for i in range(n):
        params, year = 10 ** rng.uniform(8.5, 11), int(rng.integers(2021, 2026))
        base = (
            (LineageEdge(parent="o/root", relation="finetune", source="s"),) if i % 6 == 0 else ()
        )
        models[f"o{i}/m{i}"] = Model(
            id=f"o{i}/m{i}", params=int(params), released=f"{year}-06", bases=base
        )
        level = 0.2 + 0.05 * (np.log10(params) - 8.5) + 0.08 * (year - 2021)
        for j, (scale, noise) in enumerate(((1.0, 0.01), (0.5, 0.01), (0.2, 0.01))):
            value = float(np.clip(scale * level + noise * rng.normal(), 0, 1))
            scores.append(
                Score(
                    model=f"o{i}/m{i}",
                    benchmark=f"b{j}",
                    protocol="p",
                    value=value,
                    origin=Origin.VERIFIED,
                    source="s",
                )
            )
    return models, scores


def test_measured_models_keep_their_order_whatever_the_scale_of_a_benchmark():
    models, scores = world()
    found = standing(list(models), scores, Registry(models, "made"))
    first = {one.model: one.value for one in scores if one.benchmark == "b0"}
    assert np.corrcoef([found[m] for m in models], [first[m] for m in models])[0, 1] > 0.97


def test_an_unmeasured_model_stands_by_its_size_and_date():
    models, scores = world()
    new = Model(id="x/new", params=90 * 10**9, released="2026-01")
    old = Model(id="x/old", params=4 * 10**8, released="2021")
    blank = Model(id="y/blank")
    known = models | {one.id: one for one in (new, old, blank)}
    found = standing(["x/new", "x/old", "y/blank", "z/unheard-of"], scores, Registry(known, "made"))
    assert found["x/new"] > found["y/blank"] > found["x/old"]
    assert np.isfinite(found["z/unheard-of"])


def test_too_few_scores_say_nothing():
    models, scores = world(6)
    assert standing(list(models), scores, Registry(models, "made")) == {}
    assert standing(["a/b"], [], Registry({}, "made")) == {}


def test_the_bundled_facts_place_a_large_new_model_above_a_small_old_one():
    from memory.bundled_scores import BundledScores

    registry = Registry.load()
    asked = ["meta-llama/Meta-Llama-3-70B-Instruct", "tiiuae/falcon-7b-instruct"]
    found = standing(asked, BundledScores().find(), registry)
    assert found[asked[0]] > found[asked[1]]
    assert found == pytest.approx(standing(asked, BundledScores().find(), registry))
