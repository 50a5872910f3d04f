"""What is embedded of a chat: what the user asks last, bounded, without the fixed instruction."""

import pytest

from tools.routing.request import MOST_LETTERS, Refused, prompt

ASK = "Answer the question."


def said(*turns):
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (said(("user", "why?")), "why?"),
        (said(("user", f"{ASK}\n\nwhy?")), "why?"),
        (said(("system", "be kind"), ("user", "one"), ("assistant", "1"), ("user", "two")), "two"),
        (said(("system", "only this")), "only this"),
        (said(("user", [{"type": "text", "text": "a"}, {"type": "image_url"}, "b"])), "a"),
        (said(("user", None)), ""),
        (said(("user", 7)), ""),
        (said(("user", "\ud800 half")), "? half"),
    ],
)
def test_what_the_user_asks_last_is_what_counts(body, text):
    assert prompt(body, ASK) == text


def test_of_a_long_prompt_only_the_beginning_is_read():
    assert prompt(said(("user", ASK + "x" * 1_000_000)), ASK) == "x" * MOST_LETTERS


def test_a_refusal_has_openais_shape():
    body = Refused(503, "Nobody is there.", "no_member_available").body()["error"]
    assert (body["type"], body["code"]) == ("server_error", "no_member_available")
    assert Refused(400, "x", "y").body()["error"]["type"] == "invalid_request_error"
