"""Money: nothing is sent that could pass the cap, and what was sent is in the ledger."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stub_chat import StubChat, fails, says

from memory.errors import NotApproved
from memory.ledger import Ledger, ReplyKey
from memory.records import Approval, ChatReply, Plan
from tools.clients.chat import ChatBroken, ChatBusy, ChatRefused, OpenAIChat, PatientChat
from tools.clients.fakes import FixedClock, ScriptedChat
from tools.clients.metered_chat import MeteredChat, most_tokens
from tools.deps import Message
from tools.plans.price_book import TimePrice, TokenPrice

ASKED = [Message("user", "one two three")]
PRICE = TokenPrice(1000.0, 2000.0)  # dollars per million: a token is a tenth of a cent in, two out
BOUND = (13 + 16 + 64) * 1e-3 + 10 * 2e-3


def budget_of(path, cap, run="r"):
    ledger = Ledger(path / "ledger.sqlite", FixedClock())
    plan = Plan(thread="t", run=run, steps=(), seed=0, cap_usd=cap)
    yes = Approval(plan=plan.hash, decision="approve", by="me", surface="test", at="now")
    ledger.record_approval(yes)
    return ledger, ledger.open(plan, yes)


def metered(chat, budget, price=PRICE):
    return MeteredChat(chat, budget, price)


def test_the_bound_is_reserved_first_and_the_real_price_settled(tmp_path):
    ledger, budget = budget_of(tmp_path, 1.0)
    seen = []

    def look(_):
        seen.append(ledger.spent("r"))
        return "a b c d"

    reply = metered(ScriptedChat(look), budget).reply(ASKED, 10)
    assert seen == [pytest.approx(BOUND)]
    assert reply.usd == pytest.approx(3e-3 + 4 * 2e-3)
    assert ledger.spent("r") == pytest.approx(reply.usd)
    assert ledger.seconds("r") == 0.5


@pytest.mark.parametrize("cap", [0.0, BOUND - 1e-6])
def test_a_cap_too_small_refuses_before_anything_is_sent(tmp_path, cap):
    ledger, budget = budget_of(tmp_path, cap)
    chat = ScriptedChat(lambda _: "a")
    with pytest.raises(NotApproved, match="approve a plan"):
        metered(chat, budget).reply(ASKED, 10)
    assert chat.asked == []
    assert ledger.entries("r") == []


def test_without_approval_nothing_is_sent():
    chat = ScriptedChat(lambda _: "a")
    with pytest.raises(NotApproved, match="not approved"):
        metered(chat, None, TimePrice(0.0)).reply(ASKED, 10)
    assert chat.asked == []


def test_the_cap_holds_over_many_calls(tmp_path):
    ledger, budget = budget_of(tmp_path, 0.5)
    chat = metered(ScriptedChat(lambda _: "x " * 10), budget)
    calls = (chat.reply(ASKED, 10) for _ in range(1000))
    with pytest.raises(NotApproved):
        list(calls)
    assert 0.5 - BOUND < ledger.spent("r") <= 0.5


@pytest.mark.parametrize(
    ("failure", "left"),
    [
        (ChatRefused("no"), 0.0),
        (ChatBusy("later"), 0.0),
        (ChatBroken("half"), BOUND),
        (RuntimeError("crash"), BOUND),
        (KeyboardInterrupt(), BOUND),
    ],
)
def test_only_what_may_be_billed_stays_spent(tmp_path, failure, left):
    ledger, budget = budget_of(tmp_path, 1.0)

    def says(_):
        raise failure

    with pytest.raises(type(failure)):
        metered(ScriptedChat(says), budget).reply(ASKED, 10)
    assert ledger.spent("r") == pytest.approx(left, abs=1e-12)


def test_every_try_is_paid_for_by_itself(tmp_path):
    ledger, budget = budget_of(tmp_path, 1.0)
    script = iter([ChatBusy("later"), ChatBroken("half"), "done"])
    chat = PatientChat(metered(ScriptedChat(lambda _: next(script)), budget), sleep=lambda _: None)
    assert chat.reply(ASKED, 10).text == "done"
    assert ledger.spent("r") == pytest.approx(BOUND + 3e-3 + 2e-3)


def test_tries_stop_at_the_cap_too(tmp_path):
    ledger, budget = budget_of(tmp_path, 1.5 * BOUND)
    chat = ScriptedChat(lambda _: ChatBroken("half"))
    with pytest.raises(NotApproved):
        PatientChat(metered(chat, budget), sleep=lambda _: None).reply(ASKED, 10)
    assert len(chat.asked) == 1
    assert ledger.spent("r") <= 1.5 * BOUND


def test_a_server_that_counts_nothing_is_settled_at_the_bound(tmp_path):
    ledger, budget = budget_of(tmp_path, 1.0)
    with StubChat(says("Hi", usage=None)) as server:
        reply = metered(OpenAIChat("m", server.url), budget).reply(ASKED, 10)
    assert reply.usd == pytest.approx(BOUND)


def test_over_the_wire_a_429_costs_nothing_and_the_reply_its_usage(tmp_path):
    ledger, budget = budget_of(tmp_path, 1.0)
    with StubChat(fails(429, Retry_After="1"), says("Hi")) as server:
        chat = metered(OpenAIChat("m", server.url), budget)
        reply = PatientChat(chat, sleep=lambda _: None).reply(ASKED, 10)
    assert reply.usd == pytest.approx(11e-3 + 3 * 2e-3)
    assert ledger.spent("r") == pytest.approx(reply.usd)


def test_time_is_bounded_by_the_time_out(tmp_path):
    ledger, budget = budget_of(tmp_path, 1.0)
    chat = metered(ScriptedChat(lambda _: "a", timeout=60.0), budget, TimePrice(3.6))
    assert chat.most(ASKED, 10) == pytest.approx(0.06)
    assert chat.reply(ASKED, 10).usd == pytest.approx(0.0005)


@given(st.text(max_size=60))
def test_the_bound_on_tokens_is_one_a_byte_normalized_or_not(text):
    bound = most_tokens([Message("user", text)])
    for form in (text, unicodedata.normalize("NFKC", text)):
        assert bound >= len(form.encode("utf-8"))


def test_a_reply_is_kept_once_and_an_older_ledger_learns_to_keep_them(tmp_path):
    ledger, _ = budget_of(tmp_path, 1.0)
    ledger._connection.execute("DROP TABLE replies")  # as a ledger written before it
    ledger.close()
    key = ReplyKey("m", "item 1", "rubric", "judge/rubric@1")
    assert ledger.reply(key) is None
    ledger.keep_reply(key, ChatReply(model="m", text="first"))
    ledger.keep_reply(key, ChatReply(model="m", text="second"))
    ledger.close()
    assert ledger.reply(key) == ChatReply(model="m", text="first")
    assert ledger.reply(key._replace(prompt="judge/rubric@2")) is None
