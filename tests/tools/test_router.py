"""A router learnt from kept answers: what it advises and why; it can be kept and read again."""

from dataclasses import replace

import numpy as np
import pytest
import world

from memory.errors import BadRequest, DamagedStore
from memory.ledger import Ledger
from memory.records import CONSTANT, Arm, Example, ExampleSet, ItemResult
from memory.routers import FittedRouter, Routers
from tools import router
from tools.clients.fakes import FixedClock
from tools.real_task.own_task import graded

ONE = Arm(name="one", model="acme/med-400m", backend="scripted")
TWO = Arm(name="two", model="other/chat-300m", backend="scripted")
THREE = Arm(name="three", model="third/tiny", backend="scripted")
NULL = Arm(name=CONSTANT, model=CONSTANT, backend="constant")
TOPICS = ("fever cough lungs patient", "loan bank interest credit")


def examples(n, reference="yes"):
    return ExampleSet(
        source="f.csv",
        sha256="ab" * 32,
        input_field="q",
        reference_field="a",
        examples=tuple(
            Example(id=f"example:{i}", input=f"{TOPICS[i % 2]} number{i}", reference=reference)
            for i in range(n)
        ),
        read=n,
    )


class Shelf:
    """Answers as the ledger gives them back, without its care for the disk."""

    def __init__(self):
        self.kept = []

    def keep(self, arm, protocol, result):
        self.kept.append((arm, protocol, result))

    def answers(self, benchmark, protocol):
        return [(a, r) for a, p, r in self.kept if (r.benchmark, p) == (benchmark, protocol)]


class Kept:
    """A deployment whose ledger holds answers to ``n`` examples."""

    def __init__(self, home, n=60, ledger=None):
        self.deps = replace(world.deps(home), ledger=ledger or Shelf())
        name = self.deps.examples.keep(examples(n), "Say yes or no.")
        self.task = graded(self.deps.examples.get(name))

    def answers(self, arm, correct, text="yes"):
        protocol = self.task.protocol(self.deps.runner.name)
        for i, example in enumerate(self.task.usable):
            if (grade := correct(i)) is not ...:
                said = text(i) if callable(text) else text
                result = ItemResult(
                    arm=arm.name,
                    benchmark=self.task.task.name,
                    item=example.id,
                    correct=grade,
                    answer=said,
                    seconds=2.0,
                    usd=0.01,
                )
                self.deps.ledger.keep(arm, protocol, result)

    def learn(self, **more):
        return router.learn("r1", self.task, self.deps, **more)


@pytest.fixture
def kept(tmp_path):
    return Kept(tmp_path)


def test_specialists_are_routed_to_by_topic_and_the_test_is_shown(kept):
    kept.answers(ONE, lambda i: float(i % 2 == 0))
    kept.answers(TWO, lambda i: float(i % 2 == 1))
    kept.answers(NULL, lambda i: 1.0)
    found = kept.learn()
    assert found.about.pays
    assert found.about.gain.low > 0
    assert [one.name for one in found.about.members] == ["one", "two"]
    assert found.about.members[0].seconds == 2.0
    assert "held out" in found.about.reason
    for topic, best in zip(TOPICS, ("one", "two"), strict=True):
        lines = router.explain(found, kept.deps.embedder, f"{topic} number99")
        assert lines[0] == found.about.reason
        assert f", {best}:" in lines[1]
        assert topic.split()[0] in lines[1]
        vector = kept.deps.embedder.encode([topic])[0].astype(float)
        _, value = router.order(found, vector)
        assert found.about.members[int(np.nanargmax(value))].name == best


def test_equals_get_the_advice_to_use_one(kept):
    kept.answers(ONE, lambda i: float(i % 5 > 0))
    kept.answers(TWO, lambda i: float(i % 5 > 1))
    found = kept.learn()
    assert (found.about.pays, found.about.best, len(found.about.regions)) == (False, "one", 1)
    assert found.about.reason.startswith("Use one for everything: choosing per prompt gains")
    assert found.about.gain is not None


def test_few_grades_are_no_test(tmp_path):
    kept = Kept(tmp_path, n=6)
    kept.answers(ONE, lambda i: float(i % 2))
    kept.answers(TWO, lambda i: 1.0)
    found = kept.learn()
    assert (found.about.pays, found.about.best, found.about.gain) == (False, "two", None)
    assert "6 graded examples are too few" in found.about.reason


def test_the_ledger_gives_back_what_was_paid_for(tmp_path):
    ledger = Ledger(tmp_path / "ledger.sqlite", FixedClock())
    assert ledger.answers("x", "p") == []
    assert not ledger.path.exists()
    kept = Kept(tmp_path, n=12, ledger=ledger)
    kept.answers(ONE, lambda i: 1.0)
    kept.answers(TWO, lambda i: float(i > 2))
    found = kept.learn()
    assert [(one.name, one.n) for one in found.about.members] == [("one", 12), ("two", 12)]
    assert ledger.answers(kept.task.task.name, "another protocol") == []
    ledger.close()


def test_an_arm_that_was_dropped_early_still_counts_where_it_answered(kept):
    kept.answers(ONE, lambda i: float(i % 2 == 0))
    kept.answers(TWO, lambda i: float(i % 2) if i < 20 else ...)
    found = kept.learn()
    assert [one.n for one in found.about.members] == [60, 20]


def test_one_arm_is_no_choice_and_none_is_nothing(kept):
    assert kept.learn() is None
    kept.answers(ONE, lambda i: 1.0)
    found = kept.learn()
    assert (found.about.basis, found.about.best, found.about.pays) == ("nothing", "one", False)
    assert kept.learn(models=["acme/other"]) is None


def noisy(seed, noise):
    rng = np.random.default_rng(seed)
    words = [f"noise{seed}of{i}" for i in range(300)]

    def text(i):
        right = [f"fact{i}-{k}" for k in range(20)]
        return " ".join(str(rng.choice(words)) if rng.random() < noise else w for w in right)

    return text


def test_without_grades_the_arm_that_agrees_is_taken_but_never_said_to_pay(kept):
    for seed, (arm, noise) in enumerate(((ONE, 0.1), (TWO, 0.4), (THREE, 0.9))):
        kept.answers(arm, lambda i: None, noisy(seed, noise))
    found = kept.learn()
    assert (found.about.basis, found.about.best, found.about.pays) == ("answers", "one", False)
    assert "none was graded" in found.about.reason
    told = kept.learn(priors={THREE.model: 9.0, ONE.model: 1.0, TWO.model: 1.0})
    assert told.value[0, 2] > found.value[0, 2]


@pytest.mark.parametrize("text", ["", "the same"])
def test_empty_or_identical_answers_weigh_alike(kept, text):
    for arm in (ONE, TWO, THREE):
        kept.answers(arm, lambda i: None, text)
    assert kept.learn().value[0] == pytest.approx(np.full(3, 1 / 3))


def test_two_ungraded_arms_have_no_triplet_and_go_by_what_is_known(kept):
    for arm in (ONE, TWO):
        kept.answers(arm, lambda i: None, f"said by {arm.name}")
    found = kept.learn(priors={ONE.model: 0.2, TWO.model: 0.8})
    assert found.about.best == "two"


def test_a_vector_that_is_no_number_gets_the_mean_over_all_prompts(kept):
    kept.answers(ONE, lambda i: float(i % 2 == 0))
    kept.answers(TWO, lambda i: float(i % 2 == 1))
    found = kept.learn()
    region, value = router.order(found, np.full(found.centres.shape[1], np.nan))
    assert region is None
    assert np.isfinite(value).all()


def test_it_is_kept_whole_and_read_again(kept, tmp_path):
    kept.answers(ONE, lambda i: float(i % 2 == 0))
    kept.answers(TWO, lambda i: None)
    found = kept.learn()
    assert np.isnan(found.value[:, 1]).all()
    store = Routers(tmp_path / "routers")
    path = store.keep(found)
    again = store.get("r1")
    assert again.about == found.about
    np.testing.assert_array_equal(again.value, found.value)
    np.testing.assert_array_equal(again.centres, found.centres)
    assert [one.name for one in path.parent.iterdir()] == ["r1.npz"]


def test_what_can_not_be_read_is_named_and_left(kept, tmp_path):
    kept.answers(ONE, lambda i: 1.0)
    found = kept.learn()
    store = Routers(tmp_path / "routers")
    path = store.keep(found)
    whole = path.read_bytes()
    for content in (b"", b"no archive", whole[: len(whole) // 2], whole.replace(b"PK", b"KP")):
        path.write_bytes(content)
        with pytest.raises(DamagedStore, match="r1.npz"):
            store.get("r1")
        assert path.read_bytes() == content
    with pytest.raises(BadRequest, match="mirror route fit r2"):
        store.get("r2")
    for name in ("../r1", "", "a/b"):
        with pytest.raises(BadRequest, match="no run's name"):
            store.get(name)
    store.keep(FittedRouter(found.about, found.centres, np.ones((2, 2))))
    with pytest.raises(DamagedStore, match="does not fit together"):
        store.get("r1")


def test_a_newer_version_and_a_pickle_are_refused(kept, tmp_path):
    kept.answers(ONE, lambda i: 1.0)
    store = Routers(tmp_path / "routers")
    path = store.keep(kept.learn())
    held = dict(np.load(path))
    np.savez(path, **{**held, "version": np.array(2)})
    with pytest.raises(BadRequest, match="version 2"):
        store.get("r1")
    np.savez(path, **{**held, "centres": np.array([object()])}, allow_pickle=True)
    with pytest.raises(DamagedStore):
        store.get("r1")
