"""A judge: a chat that is patient, metered, and pays for no reply twice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING

from tools.clients.chat import PatientChat
from tools.clients.metered_chat import MeteredChat
from tools.methods.gpu_time import Range
from tools.plans.price_book import is_here

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.ledger import Budget, Ledger, ReplyKey
    from memory.records import ChatReply
    from tools.deps import Chat, Message
    from tools.plans.price_book import Price

MAX_TOKENS = 600
SECONDS = Range(0.5, 5.0, 20.0)
"""Of one reply, as long as the ledger knows too few of the model's."""
FEW = 5


@dataclass(frozen=True)
class PricedChat:
    """A chat, what it costs and the URL of the ``server`` it is at."""

    chat: Chat
    price: Price
    server: str

    @property
    def here(self) -> bool:
        """Whether nothing that it is told leaves this machine."""
        return is_here(self.server)


@dataclass(frozen=True)
class Judge:
    """A chat that judges: patient, metered and with a memory. There is no way around the meter.

    ``budget`` None: only what was paid for before can be had.
    """

    chat: Chat
    budget: Budget | None
    price: Price
    ledger: Ledger
    max_tokens: int = MAX_TOKENS
    patience: float = 60.0

    @property
    def name(self) -> str:
        """The model that judges."""
        return self.chat.model

    @cached_property
    def pace(self) -> Range:
        """Seconds of one reply: the least, the median and the most of what it took before."""
        took = self.ledger.reply_seconds(self.name)
        return SECONDS if len(took) < FEW else Range(min(took), median(took), max(took))

    @cached_property
    def _paid(self) -> PatientChat:
        return PatientChat(MeteredChat(self.chat, self.budget, self.price), self.patience)

    def ask(self, key: ReplyKey, messages: Sequence[Message]) -> ChatReply:
        """The reply kept under ``key`` (``usd`` 0: it is paid), else a new one, kept at once.

        Raises:
            NotApproved: the cap would be passed, or nobody approved.
            ChatFailed: there is no reply.
        """
        kept = self.ledger.reply(key)
        if kept is not None:
            return kept.model_copy(update={"usd": 0.0})
        reply = self._paid.reply(messages, self.max_tokens)
        self.ledger.keep_reply(key, reply)
        return reply

    def quote(self, requests: Sequence[Sequence[Message]]) -> tuple[float, float, float]:
        """Low, expected and high dollars of asking all these, for a plan.

        Expected: four letters a token and a quarter of the longest answer. High: two and a half
        times the bound of one try, which pays for a repair of every reply.
        """
        meter, price = MeteredChat(self.chat, self.budget, self.price), self.price
        letters = [sum(len(message.content) for message in asked) for asked in requests]
        low = sum(price.usd(n // 6, 20, self.pace.low) for n in letters)
        expected = sum(price.usd(n // 4, self.max_tokens // 4, self.pace.expected) for n in letters)
        high = sum(2.5 * meter.most(asked, self.max_tokens) for asked in requests)
        return min(low, high), min(expected, high), high
