"""From settings to a judge: who is asked, where, with whose key and at what price."""

import pytest

from agent import wiring
from agent.settings import Settings
from memory.errors import BadRequest, NotApproved

HOSTED = {"judge_base_url": "https://api.openai.com/v1", "judge_api_key": "sk-mine"}


def test_a_plain_name_is_asked_at_the_configured_server_with_its_key():
    found = wiring.judging(Settings(judge_model="gpt-4o-mini, other", **HOSTED))
    assert (found.chat.model, found.server) == ("gpt-4o-mini", HOSTED["judge_base_url"])
    assert not found.here
    assert found.chat._key.get_secret_value() == "sk-mine"
    assert "genai-prices" in str(found.price)
    assert wiring.judges(Settings(judge_model="gpt-4o-mini, other", **HOSTED)) == (
        "gpt-4o-mini",
        "other",
    )


def test_the_key_does_not_go_to_another_server_nor_the_price_to_this_machine():
    settings = Settings(judge_usd_in=5, judge_usd_out=9, usd_per_hour=1.5, **HOSTED)
    here = wiring.judging(settings, "qwen3:8b=http://127.0.0.1:11434/v1")
    assert (here.chat.model, here.here, here.chat._key) == ("qwen3:8b", True, None)
    assert str(here.price) == "$1.5 per hour of this machine"
    far = wiring.judging(settings, "big=https://elsewhere.example/v1")
    assert far.chat._key is None
    assert "$5 in, $9 out" in str(far.price)


@pytest.mark.parametrize(
    ("settings", "judge", "error", "told"),
    [
        ({}, None, BadRequest, "--judge MODEL or MIRROR_JUDGE_MODEL"),
        ({}, "gpt-4o-mini", BadRequest, "NAME=URL"),
        ({}, "m=https://me:secret@elsewhere.example/v1", BadRequest, "holds no password"),
        ({"judge_usd_in": 1.0, **HOSTED}, "gpt-4o-mini", BadRequest, "go together"),
        ({}, "unheard-of=https://elsewhere.example/v1", NotApproved, "MIRROR_JUDGE_USD_IN"),
    ],
)
def test_what_is_missing_is_said(settings, judge, error, told):
    with pytest.raises(error, match=told):
        wiring.judging(Settings(**settings), judge)
