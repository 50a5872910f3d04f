"""Where a person sees how good the estimates are: the plan, the report and mirror doctor."""

import json
from pathlib import Path

import pytest
import world

from agent.commands import doctor
from agent.session import Decided
from agent.settings import Settings
from tools.plans.estimating import NEVER


@pytest.fixture
def ended(tmp_path):
    """Two conversations to the end, in one deployment; their last events."""
    made = world.session(tmp_path)
    found = [world.go(made, thread)[-1] for thread in ("first", "second")]
    made.deps.ledger.close()
    return tmp_path, made, found


def test_the_second_plan_rests_on_the_first_run_and_both_reports_compare(ended):
    _, made, (first, second) = ended
    assert isinstance(first, Decided)
    basis = [made.state(thread)["plan"].steps[0].basis for thread in ("first", "second")]
    assert basis[0] == NEVER
    assert basis[1].startswith("from ")
    facts = json.loads((Path(second.report) / "report.json").read_text("utf-8"))
    assert facts["plan"]["steps"][0]["basis"] == basis[1]
    for end, said in zip((first, second), basis, strict=True):
        for name in ("report.md", "report.html"):
            page = (Path(end.report) / name).read_text("utf-8")
            assert said in page
    page = (Path(first.report) / "report.md").read_text("utf-8")
    assert "What was measured of it was expected to take" in page


def test_doctor_tells_the_error_in_one_line(ended):
    home, _, _ = ended
    settings = Settings(home=home, _env_file=None)
    found = doctor._try("time estimates", lambda: doctor._estimates(settings))
    assert found.ok
    assert found.detail.startswith("off by ")
    assert "within their range" in found.detail


def test_doctor_makes_no_ledger(tmp_path):
    settings = Settings(home=tmp_path / "none", _env_file=None)
    assert doctor._estimates(settings).startswith("nothing measured yet")
    assert not settings.home.exists()


def test_doctor_names_a_damaged_ledger(tmp_path):
    (tmp_path / "ledger.sqlite").write_bytes(b"no database at all" * 100)
    settings = Settings(home=tmp_path, _env_file=None)
    found = doctor._try("time estimates", lambda: doctor._estimates(settings))
    assert not found.ok
    assert "ledger.sqlite" in found.detail
    assert (tmp_path / "ledger.sqlite").read_bytes().startswith(b"no database")
