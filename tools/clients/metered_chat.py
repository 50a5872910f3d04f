"""A chat that can't spend more than was approved.

Before each try the most it could cost is reserved; after it, the reserve is settled to what it
did cost. A crash in between, or a reply that broke off, leaves the reserve spent: what the server
will bill is unknown, and the ledger must not say less.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memory.errors import NotApproved
from tools.clients.chat import ChatBroken, ChatFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.ledger import Budget
    from memory.records import ChatReply
    from tools.deps import Chat, Message
    from tools.plans.price_book import Price

# What a chat template adds around a message, and around all of them; seen: 3 to 8 and 1 to 20.
TOKENS_PER_MESSAGE, TOKENS_PER_CALL = 16, 64


@dataclass(frozen=True)
class MeteredChat:
    """``chat``, paid from ``budget`` at ``price``; without a budget every call is refused."""

    chat: Chat
    budget: Budget | None
    price: Price

    @property
    def model(self) -> str:
        """The name of the model it asks."""
        return self.chat.model

    @property
    def timeout(self) -> float:
        """The longest one call may take, in seconds."""
        return self.chat.timeout

    def reply(self, messages: Sequence[Message], max_tokens: int) -> ChatReply:
        """The reply, with ``usd`` as settled.

        Raises:
            NotApproved: nobody approved it, or the cap would be passed; nothing was sent.
            ChatFailed: there is no reply; only one that broke off costs something.
        """
        if self.budget is None:
            raise NotApproved(f"Asking {self.model} was not approved; nothing was sent.")
        what = f"chat {self.model}"
        most = self.most(messages, max_tokens)
        self.budget.spend(f"reserve: {what}", most)
        try:
            reply = self.chat.reply(messages, max_tokens)
        except ChatBroken:
            raise
        except ChatFailed:
            self.budget.settle(f"{what}: no reply", most, 0.0)
            raise
        usd = self._cost(reply, messages, max_tokens)
        self.budget.settle(what, most, usd, reply.seconds)
        return reply.model_copy(update={"usd": usd})

    def most(self, messages: Sequence[Message], max_tokens: int) -> float:
        """An upper bound of one try's price in dollars."""
        return self.price.usd(most_tokens(messages), max_tokens, self.chat.timeout)

    def _cost(self, reply: ChatReply, messages: Sequence[Message], max_tokens: int) -> float:
        """By the server's own count; by the bound where it does not count."""
        sent, got = reply.prompt_tokens, reply.completion_tokens
        return self.price.usd(
            most_tokens(messages) if sent is None else sent,
            max_tokens if got is None else got,
            reply.seconds,
        )


def most_tokens(messages: Sequence[Message]) -> int:
    """An upper bound of the messages' tokens in any byte-level vocabulary: a byte is one or less.

    Some tokenizers first normalize, which can make a text longer; so the longer form counts.
    """
    texts = [message.content for message in messages]
    sizes = [
        max(len(form.encode("utf-8", "replace")) for form in (t, unicodedata.normalize("NFKC", t)))
        for t in texts
    ]
    return sum(sizes) + TOKENS_PER_MESSAGE * len(texts) + TOKENS_PER_CALL
