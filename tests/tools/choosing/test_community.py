"""Community signals: age-adjusted, flagged with a reason, and never part of a ranking."""

from datetime import UTC, datetime

import pytest
import world

from memory.errors import BadRequest
from memory.records import Model
from memory.registry import Registry
from tools import toolbelt
from tools.choosing.community import flagged, signals
from tools.toolbelt import Nothing

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def registry(*models):
    crowd = [
        Model(id=f"crowd/{i}", downloads=i, params=10**9, released="2024-06-01") for i in range(40)
    ]
    return Registry({model.id: model for model in (*crowd, *models)}, "made")


def made(id, **given):
    return Model(id=id, **({"downloads": 9000, "params": 10**9, "released": "2024-06-01"} | given))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"modified": "2025-01-01T00:00:00Z"}, "last commit was 669 days ago"),
        ({"modified": "2026-10-01T00:00:00Z"}, None),
        ({}, "makers published nothing new since 2.4 years ago"),
        ({"downloads": 1, "modified": "2020-01-01T00:00:00Z"}, None),
        ({"downloads": None}, None),
        ({"released": None}, None),
    ],
)
def test_popular_but_unmaintained_has_a_reason(given, reason):
    (found,) = signals(["lab/model"], registry(made("lab/model", **given)), NOW)
    assert (found.unmaintained is None) == (reason is None)
    if reason:
        assert reason in found.unmaintained
        assert found.percentile == 1.0
        assert "lab/model" in flagged([found])


def test_makers_that_go_on_are_not_called_idle():
    newer = made("lab/newer", released="2026-09-01")
    (found,) = signals(["lab/model"], registry(made("lab/model"), newer), NOW)
    assert found.unmaintained is None
    assert found.maker.n == 2


def test_what_is_not_known_is_not_zero():
    (found,) = signals(["lab/model"], registry(Model(id="lab/model")), NOW)
    assert (found.downloads, found.likes, found.percentile) == (None, None, None)
    assert found.describe() == "nothing is known"
    with pytest.raises(BadRequest, match="no model"):
        signals(["lab/none"], registry(), NOW)


def chosen(home, models):
    """Everything of a conversation's way to the shortlist that ranks models."""
    deps = world.deps(home, models=models)
    dossier = {"request": world.REQUEST, "thread": "t", "run": "r", "given": {}}
    for name in ("record_requirements", *(tool.name for tool in toolbelt.TOOLS[2:7])):
        tool = next(tool for tool in toolbelt.TOOLS if tool.name == name)
        asked = tool.arguments() if tool.arguments is not Nothing else Nothing()
        dossier |= tool.run(asked, dossier, deps).found
    return {key: dossier[key] for key in ("critical", "important", "candidates", "selected")}


def test_no_community_signal_changes_a_ranking(tmp_path):
    fields = ("downloads", "likes", "downloads_all_time", "trending", "derivatives", "discussions")
    shown = [
        model.model_copy(
            update={name: (i + 1) * 10**j for j, name in enumerate(fields)}
            | {"modified": f"202{i}-01-01T00:00:00Z"}
        )
        for i, model in enumerate(world.MODELS)
    ]
    plain = chosen(tmp_path / "plain", world.MODELS)
    assert chosen(tmp_path / "up", shown) == plain
    assert chosen(tmp_path / "down", [
        model.model_copy(update={name: getattr(other, name) for name in fields})
        for model, other in zip(shown, reversed(shown), strict=True)
    ]) == plain  # fmt: skip
