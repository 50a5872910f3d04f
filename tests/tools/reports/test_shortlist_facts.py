"""The report shows of the shortlist why it matched and, beside quality, what people make of it."""

import json
from pathlib import Path

import world

from memory.records import Model


def test_matches_and_community_stand_in_page_text_and_json(tmp_path):
    fields = {"downloads": 5000, "likes": 12, "modified": "2020-01-01T00:00:00Z"}
    shown = [
        model.model_copy(update=fields | {"created": "2019-01-01T00:00:00Z"})
        for model in world.MODELS
    ]
    crowd = [
        Model(id=f"crowd/{i}", downloads=i, params=10**12, created="2019-01-01T00:00:00Z")
        for i in range(20)
    ]
    session = world.session(tmp_path, models=[*shown, *crowd])
    last = world.go(session, "thread")[-1]
    session.deps.ledger.close()
    folder = Path(last.report)
    facts = json.loads((folder / "report.json").read_text("utf-8"))
    (good,) = [one for one in facts["community"] if one["model"] == world.GOOD]
    assert (good["downloads"], good["likes"], good["percentile"] > 0.8) == (5000, 12, True)
    assert "last commit was" in good["unmaintained"]
    (matched,) = [one for one in facts["candidates"] if one["model"] == world.GOOD]
    assert "domain: medical" in matched["matched"]
    for name in ("report.md", "report.html"):
        page = (folder / name).read_text("utf-8")
        assert "Beside quality, never part of it" in page
        assert "popular but unmaintained" in page
        assert "domain: medical" in page
