"""The server as the openai client meets it: routed, failed over, streamed, refused."""

import json
from contextlib import ExitStack

import httpx2
import numpy as np
import openai
import pytest
from pydantic import SecretStr
from routed import INSTRUCTION, TOPICS, fitted
from served import Served
from stub_chat import Reply, StubChat, completion, fails, says

from tools.clients.fakes import FixedClock, HashEmbedder
from tools.routing.choices import Choices, read
from tools.routing.chooser import Chooser
from tools.routing.members import Member
from tools.routing.server import RouteServer

FIRST, SECOND = TOPICS
DOWN = "http://127.0.0.1:9/v1"


def chunk(text):
    delta = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    changes = {"object": "chat.completion.chunk", "choices": [delta], "usage": None}
    return f"data: {json.dumps(completion(None, **changes))}\n\n".encode()


def streams(*texts, **more):
    body = b"".join(map(chunk, texts)) + b"data: [DONE]\n\n"
    return Reply(body=body, headers={"Content-Type": "text/event-stream"}, **more)


class Pool:
    """Stub members a and b behind a server; ``client`` is openai's own."""

    def __init__(self, stack, path, replies, *, embedder=None, key=None, value=None, **more):
        self.stubs = {
            name: stack.enter_context(StubChat(*reply)) if reply else None
            for name, reply in replies.items()
        }
        members = [
            Member(
                name=name,
                place=i,
                base_url=stub.url if stub else DOWN,
                model=f"{name} there",
                key=SecretStr(f"key of {name}"),
                usd_in=1.0,
                usd_out=2.0,
                timeout=2.0,
            )
            for i, (name, stub) in enumerate(self.stubs.items())
        ]
        self.chooser = Chooser(fitted(*replies, value=value), members, **more)
        self.path = path / "choices.jsonl"
        self.server = RouteServer(
            self.chooser, embedder or HashEmbedder(), Choices(self.path), FixedClock(), key=key
        )
        self.url = stack.enter_context(Served(self.server.app)).url
        self.client = stack.enter_context(
            openai.OpenAI(base_url=f"{self.url}/v1", api_key="caller", max_retries=0)
        )

    def ask(self, prompt, model="mirror", **more):
        messages = [{"role": "user", "content": prompt}]
        return self.client.chat.completions.create(model=model, messages=messages, **more)

    def post(self, **more):
        return httpx2.post(f"{self.url}/v1/chat/completions", **more)

    def seen(self, name):
        return self.stubs[name].seen


@pytest.fixture
def pool(tmp_path):
    with ExitStack() as stack:
        yield lambda replies, **more: Pool(stack, tmp_path, replies, **more)


def test_each_prompt_goes_to_the_member_that_suits_it(pool):
    made = pool({"a": [says("from a")], "b": [says("from b")]})
    for topic, name in ((FIRST, "a"), (SECOND, "b")):
        raw = made.client.chat.completions.with_raw_response.create(
            model="mirror",
            messages=[{"role": "user", "content": f"{INSTRUCTION}\n\n{topic}"}],
            temperature=0.5,
        )
        answer = raw.parse()
        assert answer.choices[0].message.content == f"from {name}"
        assert answer.model_extra["mirror"]["member"] == name
        assert raw.headers["x-mirror-member"] == name
        _, headers, body = made.seen(name)[-1]
        assert headers["authorization"] == f"Bearer key of {name}"
        assert (body["model"], body["temperature"]) == (f"{name} there", 0.5)
        assert body["messages"][0]["content"].startswith(INSTRUCTION)


def test_what_was_chosen_is_recorded_without_the_words(pool):
    made = pool({"a": [says("secret answer")], "b": [says("x")]})
    made.ask(f"{FIRST} secret question")
    made.ask(SECOND)
    text = made.path.read_text()
    for word in ("secret", "fever", "key of", "caller"):
        assert word not in text
    (line, vector), _ = read(made.path)
    assert (line["member"], line["status"], line["prompt_tokens"]) == ("a", 200, 11)
    assert line["usd"] == pytest.approx((11 * 1.0 + 3 * 2.0) / 1e6)
    expected = HashEmbedder().encode([f"{FIRST} secret question"])[0]
    np.testing.assert_allclose(vector, expected, atol=1e-3)
    assert made.path.stat().st_mode & 0o077 == 0
    made.path.write_text(text + '{"cut off')
    assert len(read(made.path)) == 2


def test_streaming_gives_the_pieces_and_who_they_are_from(pool):
    made = pool({"a": [streams("one ", "two")], "b": [says("x")]})
    raw = made.client.chat.completions.with_raw_response.create(
        model="mirror", messages=[{"role": "user", "content": FIRST}], stream=True
    )
    assert raw.headers["x-mirror-member"] == "a"
    assert [one.choices[0].delta.content for one in raw.parse()] == ["one ", "two"]
    ((line, _),) = read(made.path)
    assert (line["stream"], line["broken"]) == (True, None)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (None, "can't be reached"),
        ([fails(500)], "answered 500"),
        ([fails(429, retry_after="7")], "answered 429"),
        ([fails(401)], "answered 401"),
        ([Reply(body=b"")], "answered nothing"),
        ([Reply(before=30.0)], "did not begin to answer within 0.3 s"),
    ],
)
def test_a_member_that_fails_is_passed_over_before_the_first_token(pool, reply, why, stream):
    good = streams("from b") if stream else says("from b")
    made = pool({"a": reply, "b": [good]}, max_seconds=0.3 if reply and reply[0].before else None)
    raw = made.client.chat.completions.with_raw_response.create(
        model="mirror", messages=[{"role": "user", "content": FIRST}], stream=stream
    )
    assert raw.headers["x-mirror-member"] == "b"
    assert raw.headers["x-mirror-tried"] == f"a: {why}"
    assert made.ask(FIRST, stream=stream) is not None
    if reply:
        assert len(made.seen("a")) == 1  # it rests, and is asked last


@pytest.mark.parametrize(
    "body", [b"no JSON", b"[1]", b'{"cut":', json.dumps(completion("x")).encode()]
)
def test_an_answer_that_breaks_off_is_given_by_another_when_it_is_not_streamed(pool, body):
    length = len(body) + 50 if body.startswith(b'{"id') else None
    made = pool({"a": [Reply(body=body, length=length)], "b": [says("from b")]})
    answer = made.ask(FIRST)
    assert answer.choices[0].message.content == "from b"
    assert list(answer.model_extra["mirror"]["tried"]) == ["a"]


def test_a_stream_that_breaks_off_says_so_in_the_stream(pool):
    broken = Reply(body=chunk("one "), length=9999, headers={"Content-Type": "text/event-stream"})
    made = pool({"a": [broken], "b": [says("x")]})
    pieces = made.ask(FIRST, stream=True)
    assert next(pieces).choices[0].delta.content == "one "
    with pytest.raises(openai.APIError, match="broke off"):
        next(pieces)
    ((line, _),) = read(made.path)
    assert "broke off" in line["broken"]


def test_all_members_down_is_a_clear_503(pool):
    made = pool({"a": None, "b": [fails(503, retry_after="3")]})
    with pytest.raises(openai.InternalServerError) as caught:
        made.ask(FIRST)
    assert caught.value.status_code == 503
    assert "a can't be reached; b answered 503. Try again in" in str(caught.value)
    assert httpx2.get(f"{made.url}/health").status_code == 503
    ((line, _),) = read(made.path)
    assert (line["member"], line["status"]) == (None, 503)


def test_a_refusal_that_is_the_callers_own_is_passed_on(pool):
    made = pool({"a": [fails(400, "context too long")], "b": [says("x")]})
    with pytest.raises(openai.BadRequestError, match="context too long"):
        made.ask(FIRST)
    assert made.seen("b") == []


def test_models_are_listed_and_a_members_name_goes_to_it_alone(pool):
    made = pool({"a": [says("from a")], "b": None})
    assert [one.id for one in made.client.models.list()] == ["mirror", "a", "b"]
    assert made.ask(SECOND, model="a").choices[0].message.content == "from a"
    with pytest.raises(openai.InternalServerError, match="b can't be reached"):
        made.ask(FIRST, model="b")
    with pytest.raises(openai.NotFoundError, match="there are: mirror, a, b"):
        made.ask(FIRST, model="gpt-9")


def test_health_says_who_is_well(pool):
    made = pool({"a": None, "b": [says("x")]})
    made.ask(FIRST)
    told = httpx2.get(f"{made.url}/health").json()
    assert told["status"] == "ok"
    assert "failed" in told["members"]["a"]
    assert told["members"]["b"] == "well"


def test_a_prompt_of_a_megabyte_is_answered_and_a_larger_request_refused(pool):
    made = pool({"a": [says("from a")], "b": [says("from b")]})
    assert made.ask(f"{SECOND} " * 40_000).choices[0].message.content == "from b"
    assert len(made.seen("b")[0][2]["messages"][0]["content"]) > 1_000_000
    with pytest.raises(openai.APIStatusError, match="8,000,000 bytes") as caught:
        made.ask("x" * 8_000_001)
    assert caught.value.status_code == 413


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"[" * 100_000, 400),
        (b'{"messages": []}', 400),
        (b'{"messages": "x"}', 400),
        (b'{"messages": [1]}', 400),
        (b'{"messages": [{}]}', 200),
        (b'{"messages": [{"role": "user", "content": "\\ud800"}]}', 200),
        (b'{"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, 1]}]}', 200),
    ],
)
def test_odd_requests_are_answered_or_refused_in_one_line(pool, content, status):
    made = pool({"a": [says("from a")]}, value=[[0.5], [0.5]])
    found = made.post(content=content, headers={"content-type": "application/json"})
    assert found.status_code == status
    if status != 200:
        assert "\n" not in found.json()["error"]["message"]


def test_a_page_elsewhere_can_not_spend(pool):
    made = pool({"a": [says("from a")]}, value=[[0.5], [0.5]])
    whole = b'{"messages": [{"role": "user", "content": "x"}]}'
    assert made.post(content=whole, headers={"content-type": "text/plain"}).status_code == 415
    typed = {"content-type": "application/json", "host": "rebound.example"}
    assert made.post(content=whole, headers=typed).status_code == 400
    assert made.seen("a") == []


def test_a_key_is_wanted_where_one_is_set(pool):
    made = pool({"a": [says("from a")]}, value=[[0.5], [0.5]], key=SecretStr("caller"))
    assert made.ask("x").choices
    wrong = made.client.with_options(api_key="other")
    with pytest.raises(openai.AuthenticationError):
        wrong.chat.completions.create(model="mirror", messages=[{"role": "user", "content": "x"}])
    with pytest.raises(openai.AuthenticationError):
        wrong.models.list()


def test_an_embedding_that_is_no_number_still_finds_a_member(pool):
    class Broken(HashEmbedder):
        def encode(self, texts):
            return np.full((len(texts), 384), np.nan, dtype=np.float32)

    made = pool({"a": [says("from a")], "b": [says("from b")]}, embedder=Broken())
    raw = made.client.chat.completions.with_raw_response.create(
        model="mirror", messages=[{"role": "user", "content": "x"}]
    )
    assert raw.headers["x-mirror-region"] == ""
    assert raw.headers["x-mirror-member"] in "ab"


def test_a_full_disk_stops_nobody(pool, tmp_path):
    made = pool({"a": [says("from a")]}, value=[[0.5], [0.5]])
    made.path.mkdir()
    assert made.ask("x").choices
    assert "choices.jsonl" in httpx2.get(f"{made.url}/health").json()["choices_not_recorded"]
