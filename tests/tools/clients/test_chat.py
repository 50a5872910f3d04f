"""The chat client against a real HTTP server on loopback, in each way such servers fail."""

import time

import pytest
from record import KEY as RECORDED_KEY
from record import MODEL, SERVER, cassette
from stub_chat import Reply, StubChat, completion, fails, says

from memory.errors import BadRequest
from tools.clients.chat import ChatBroken, ChatBusy, ChatRefused, OpenAIChat, PatientChat
from tools.deps import Message

KEY = "sk-only-on-loopback"
HELLO = [Message("system", "Be short."), Message("user", "Hello")]


def ask(server, patient=False, timeout=5.0, max_tokens=20, waits=None):
    chat = OpenAIChat("judge-1", server.url, KEY, timeout=timeout)
    asked = PatientChat(chat, sleep=(waits if waits is not None else []).append)
    return (asked if patient else chat).reply(HELLO, max_tokens)


def test_a_reply_carries_text_usage_and_why_it_ended():
    with StubChat(says("Hi there.")) as server:
        reply = ask(server)
    path, headers, sent = server.seen[0]
    assert (reply.text, reply.model, reply.finish_reason) == ("Hi there.", "judge-1", "stop")
    assert (reply.prompt_tokens, reply.completion_tokens) == (11, 3)
    assert path == "/v1/chat/completions"
    assert headers["authorization"] == f"Bearer {KEY}"
    assert sent == {
        "model": "judge-1",
        "messages": [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": "Hello"},
        ],
        "max_tokens": 20,
        "temperature": 0.0,
    }


@pytest.mark.parametrize("text", ["", None])
def test_an_empty_answer_is_a_reply_and_no_error(text):
    with StubChat(says(text)) as server:
        assert ask(server).text == ""


def test_half_a_character_does_not_break_what_is_kept():
    with StubChat(says("ok \ud83d")) as server:
        assert ask(server).model_dump_json().startswith('{"model":"judge-1","text":"ok ?"')


def test_a_server_that_does_not_count_tokens_leaves_them_missing():
    with StubChat(says("Hi", usage=None)) as server:
        reply = ask(server)
    assert reply.prompt_tokens is None
    assert reply.completion_tokens is None


def test_a_bare_answer_of_a_simple_server_is_enough():
    choice = completion("Hi")["choices"]
    with StubChat(Reply(body=b'{"choices": ' + str(choice).replace("'", '"').encode() + b"}")) as s:
        assert ask(s).text == "Hi"


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_key_is_said_once_and_never_shown(status):
    with StubChat(fails(status, f"Incorrect API key provided: {KEY}")) as server:
        with pytest.raises(ChatRefused, match="MIRROR_JUDGE_API_KEY") as caught:
            ask(server, patient=True)
        assert len(server.seen) == 1
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_request_it_cannot_take_is_told_without_the_key(status):
    with (
        StubChat(fails(status, f"no model\nfor {KEY}")) as server,
        pytest.raises(ChatRefused, match=f"{status}.*no model for …") as caught,
    ):
        ask(server, patient=True)
    assert KEY not in str(caught.value)
    assert len(server.seen) == 1


def test_a_busy_server_is_asked_again_when_it_says():
    waits = []
    with StubChat(fails(429, Retry_After="7"), says("Hi")) as server:
        assert ask(server, patient=True, waits=waits).text == "Hi"
    assert waits == [7.0]
    assert len(server.seen) == 2


def test_a_date_in_retry_after_is_measured_by_the_servers_clock():
    waits = []
    later = "Sun, 01 Nov 2026 12:00:09 GMT"
    with StubChat(fails(503, Retry_After=later), says("Hi")) as server:
        ask(server, patient=True, waits=waits)
    assert waits == [9.0]


def test_a_wait_longer_than_our_patience_is_told_not_waited_for():
    waits = []
    with (
        StubChat(fails(429, Retry_After="3600")) as server,
        pytest.raises(ChatBusy, match="429 and asks to wait 3600 s"),
    ):
        ask(server, patient=True, waits=waits)
    assert waits == []
    assert len(server.seen) == 1


def test_an_error_that_passes_is_not_seen():
    with StubChat(fails(500), fails(502), says("Hi")) as server:
        assert ask(server, patient=True).text == "Hi"


def test_an_error_that_stays_is_told_after_four_tries():
    with StubChat(fails(500)) as server, pytest.raises(ChatBusy, match="answers with 500"):
        ask(server, patient=True)
    assert len(server.seen) == 4


@pytest.mark.parametrize(
    "half",
    [
        Reply(body=b'{"id": "chatcmpl-1", "choices": [{"ind', length=400),
        Reply(body=b'{"id": "chatcmpl-1", "choices": [{"ind'),
        Reply(body=b"<html>Bad gateway</html>"),
        Reply(body=b'{"choices": []}'),
        Reply(body=b'"a string"'),
        Reply(body=b'{"choices": "none"}'),
    ],
    ids=["cut off", "half of it", "html", "no choices", "a string", "wrong type"],
)
def test_half_an_answer_is_asked_for_again(half):
    with StubChat(half, says("Hi")) as server:
        assert ask(server, patient=True).text == "Hi"
    with StubChat(half) as server, pytest.raises(ChatBroken):
        ask(server)


def test_silence_ends_at_the_time_out():
    begin = time.monotonic()
    with StubChat(Reply(before=20)) as server, pytest.raises(ChatBroken, match=r"within 0\.3 s"):
        ask(server, timeout=0.3)
    assert time.monotonic() - begin < 5


def test_a_slow_drip_without_end_is_cut_off_by_the_clock():
    with (
        StubChat(Reply(body=b" ", drip=0.02)) as server,
        pytest.raises(ChatBroken, match="not done after 0.4 s"),
    ):
        ask(server, timeout=0.4)


def test_an_answer_without_end_is_cut_off_by_its_size():
    with (
        StubChat(Reply(body=b" " * 65536, drip=0.0)) as server,
        pytest.raises(ChatBroken, match="more than 201,280 bytes"),
    ):
        ask(server)


def test_nobody_there_is_said_at_once():
    server = StubChat(says("Hi"))
    server.server_close()
    with pytest.raises(ChatRefused, match="can't be reached"):
        ask(server, patient=True)


def test_an_address_that_is_none_is_refused_before_anything_is_sent():
    with pytest.raises(BadRequest, match="no server address"):
        OpenAIChat("m", "localhost:8000")


def test_the_key_is_in_no_representation():
    chat = OpenAIChat("m", "http://127.0.0.1:1/v1", KEY)
    assert KEY not in f"{chat!r} {vars(chat)}"


# Real traffic of llama_cpp.server (see tests/support/record.py), heard by this client.


def test_a_real_servers_reply_is_read():
    with cassette("chat_prose"):
        reply = OpenAIChat(MODEL, SERVER, RECORDED_KEY).reply(HELLO, 200)
    assert reply.text
    assert reply.model == MODEL
    assert reply.prompt_tokens
    assert reply.completion_tokens
    assert reply.finish_reason == "stop"


@pytest.mark.parametrize(
    ("name", "error"), [("chat_unauthorized", ChatRefused), ("chat_server_error", ChatBusy)]
)
def test_a_real_servers_refusals_are_told_apart(name, error):
    with cassette(name), pytest.raises(error):
        OpenAIChat(MODEL, SERVER, RECORDED_KEY).reply(HELLO, 200)
