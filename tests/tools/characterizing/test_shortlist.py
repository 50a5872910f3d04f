"""Reading the shortlist inside a conversation: a few cards, by rules, in bounded time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import world

from memory.characterizations import Characterizations
from tools.characterizing import shortlist
from tools.characterizing.sources import Sources

MODELS = [f"acme/model-{n}" for n in range(60)]


def deps(tmp_path, **more):
    for model in MODELS:
        path = tmp_path / "models" / model / "README.md"
        path.parent.mkdir(parents=True)
        path.write_text(f"# {model}\nIt answers medical questions.\n")
    kept = Characterizations(tmp_path / "c.sqlite")
    made = replace(world.deps(tmp_path), sources=Sources(tmp_path / "models"), **more)
    return replace(made, characterizations=kept), kept


def test_the_first_are_read_and_kept(tmp_path):
    made, kept = deps(tmp_path)
    found = shortlist.read(["acme/none", *MODELS], made)
    assert [one.model for one in found] == MODELS[: shortlist.MOST]
    assert set(kept.latest(MODELS)) == set(MODELS[: shortlist.MOST])
    kept.close()


def test_a_slow_hub_does_not_hold_a_conversation_up(tmp_path):
    ticks = iter(range(10_000))
    slow = lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=20 * next(ticks))  # noqa: E731
    made, kept = deps(tmp_path, clock=slow)
    assert 0 < len(shortlist.read(MODELS, made)) <= shortlist.SECONDS / 20
    kept.close()


def test_without_sources_or_a_place_to_keep_them_nothing_is_read(tmp_path):
    made, kept = deps(tmp_path)
    assert shortlist.read(MODELS, replace(made, sources=None)) == []
    assert shortlist.read(MODELS, replace(made, characterizations=None)) == []
    assert not kept.path.exists()
