from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.errors import BackendUntrustworthy
from memory.records import Model
from tools.clients.backends.lm_eval_process import ArmFailed
from tools.clients.fakes import FixedClock, HashEmbedder, ScriptedRunner

A, B = Model(id="a/a"), Model(id="b/b")


def test_the_clock_moves_only_by_its_step():
    start = datetime(2026, 5, 1, tzinfo=UTC)
    still, moving = FixedClock(start), FixedClock(start, timedelta(minutes=1))
    assert [still(), still()] == [start, start]
    assert [moving(), moving()] == [start, start + timedelta(minutes=1)]


@given(st.lists(st.text(max_size=40), max_size=8))
def test_embeddings_are_unit_vectors_of_any_text(texts):
    rows = HashEmbedder(32).encode(texts)
    assert rows.shape == (len(texts), 32)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, rtol=1e-5)


def test_shared_words_are_near_and_order_is_unseen():
    near, far, same = HashEmbedder().encode(["medical notes", "tax law", "Notes, medical"])
    assert near @ same == pytest.approx(1.0)
    assert abs(near @ far) < 0.5


def test_accuracy_is_about_what_the_script_says():
    runner = ScriptedRunner({"a/a": 0.8, "b/b": 0.3}, benchmarks={"x": 2000})
    ids = runner.items("x", 2000, 0)
    means = [
        np.mean([r.correct for r in runner.run(arm, "x", ids)])
        for arm in runner.arms([A, B])[0][:2]
    ]
    assert means == pytest.approx([0.8, 0.3], abs=0.04)


@pytest.mark.parametrize(
    ("how", "message"), [("crash_at", "ended"), ("hang_at", "No answer for 0.05 s")]
)
def test_it_fails_at_the_item_it_is_told_to(how, message):
    runner = ScriptedRunner({"a/a": 1.0}, **{how: {"a/a": 3}})
    arm, ids, got = runner.arms([A])[0][0], runner.items("pubmedqa", 5, 0), []
    with pytest.raises(ArmFailed, match=message):
        got.extend(r.item for r in runner.run(arm, "pubmedqa", ids) if got.append(r.item) is None)
    assert [item for _, item in runner.asked] == ids[:3]


def test_an_untrustworthy_arm_fails_the_probe_and_a_missing_result_is_none():
    runner = ScriptedRunner(
        {"a/a": 1.0, "b/b": 1.0},
        untrustworthy=frozenset({"a/a"}),
        missing=frozenset({"pubmedqa:7"}),
    )
    a, b, _ = runner.arms([A, B])[0]
    with pytest.raises(BackendUntrustworthy, match="known answers"):
        runner.probe(a)
    runner.probe(b)
    outcomes = [r.correct for r in runner.run(b, "pubmedqa", ["pubmedqa:6", "pubmedqa:7"])]
    assert outcomes == [1.0, None]
