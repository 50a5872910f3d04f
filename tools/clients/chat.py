"""An OpenAI-compatible chat server, asked over HTTP; and the patience to ask it again.

``OpenAIChat`` asks once and says what went wrong; ``PatientChat`` asks any chat again after what
may pass. They are apart so that ``MeteredChat`` can stand between them: each try is paid for.

This is the openai client that langchain-openai brings, not its ChatOpenAI: a judge needs status
codes, headers, usage and the reason a reply ended, not tools or message classes, and a second of
start-up less. The body is read piece by piece, so a server that never stops sending is cut off by
size and by the clock; a time-out of the socket alone would wait on a slow drip for ever.
"""

from __future__ import annotations

import json
import time
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import SecretStr

from memory.errors import BadRequest, MirrorError
from memory.records import ChatReply
from tools.clients.waiting import answered, pause, retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    import openai
    from tenacity import RetryCallState

    from tools.deps import Chat, Message

TRIES = 4
PATIENCE = 60.0  # seconds of waiting in all; a longer Retry-After is told, not waited for
MOST_BYTES = 200_000
BYTES_PER_TOKEN = 64  # far above what text and its JSON escapes need


class ChatFailed(MirrorError):
    """A chat server gave no reply."""


class ChatRefused(ChatFailed):
    """It said no, and will again: nothing listens, or key, model name or request are wrong."""


class ChatBusy(ChatFailed):
    """It can't answer now (429, 5xx) and did no work; ``wait`` in seconds, if it said so."""

    def __init__(self, line: str, wait: float | None = None) -> None:
        super().__init__(line)
        self.wait = wait


class ChatBroken(ChatFailed):
    """It began to answer and did not finish: what that costs is unknown."""


class OpenAIChat:
    """Asks ``model`` at ``base_url``; each call takes at most about ``timeout`` seconds.

    ``temperature`` None is left to the server, which some hosted reasoning models insist on.
    """

    def __init__(
        self,
        model: str,
        base_url: str,
        key: SecretStr | str | None = None,
        *,
        timeout: float = 60.0,
        temperature: float | None = 0.0,
    ) -> None:
        if urlsplit(base_url).scheme not in ("http", "https"):
            raise BadRequest(f"{base_url!r} is no server address; write it as http://host:port/v1.")
        self.model = model
        self.base_url = base_url.rstrip("/")
        self.timeout = timeout
        self.temperature = temperature
        self._key = SecretStr(key) if isinstance(key, str) else key

    def reply(self, messages: Sequence[Message], max_tokens: int) -> ChatReply:
        """One request; an empty ``text`` is a reply too (a refusal, or nothing to say).

        Raises:
            ChatRefused, ChatBusy, ChatBroken: there is no reply; the line says why.
        """
        import httpx2
        import openai

        begin = time.monotonic()
        try:
            body = self._body(messages, max_tokens, begin + self.timeout)
            return _read(body, time.monotonic() - begin)
        except (openai.APITimeoutError, httpx2.TimeoutException):
            raise self._broken(f"did not answer within {self.timeout:g} s") from None
        except openai.APIStatusError as error:
            raise self._status(error) from None
        except openai.APIConnectionError as error:
            if isinstance(error.__cause__, httpx2.ConnectError):
                raise ChatRefused(self._line("can't be reached; is it running?")) from None
            raise self._broken("broke off the connection") from None
        except httpx2.HTTPError:
            raise self._broken("broke off its answer") from None
        except ValueError:  # cut off JSON, or something that is no chat completion
            raise self._broken("sent what is no chat completion") from None

    @cached_property
    def _client(self) -> openai.OpenAI:
        import openai

        key = self._key.get_secret_value() if self._key else "none"
        return openai.OpenAI(
            api_key=key, base_url=self.base_url, timeout=self.timeout, max_retries=0
        )

    def _body(self, messages: Sequence[Message], max_tokens: int, deadline: float) -> bytes:
        asked: dict[str, Any] = {self._limit: max_tokens}
        if self.temperature is not None:
            asked["temperature"] = self.temperature
        sent: list[Any] = [message._asdict() for message in messages]
        most = MOST_BYTES + BYTES_PER_TOKEN * max_tokens
        body = bytearray()
        create = self._client.chat.completions.with_streaming_response.create
        with create(model=self.model, messages=sent, **asked) as response:
            for piece in response.iter_bytes():
                body += piece
                if len(body) > most:
                    raise self._broken(f"sent more than {most:,} bytes and was cut off")
                if time.monotonic() > deadline:
                    raise self._broken(f"was not done after {self.timeout:g} s and was cut off")
        return bytes(body)

    @property
    def _limit(self) -> str:
        """OpenAI renamed the field; the servers compatible with it know the old name."""
        hosted = urlsplit(self.base_url).hostname == "api.openai.com"
        return "max_completion_tokens" if hosted else "max_tokens"

    def _status(self, error: openai.APIStatusError) -> ChatFailed:
        status = error.status_code
        if status in (401, 403):
            return ChatRefused(
                self._line(f"refuses the key ({status}); check MIRROR_JUDGE_API_KEY")
            )
        if status in (408, 409, 425, 429) or status >= 500:
            wait = retry_after(error.response.headers)
            return ChatBusy(self._line(answered(status, wait)), wait)
        detail = " ".join(str(error.message).split())[:200]
        return ChatRefused(self._line(f"can't take the request ({status}): {self._hidden(detail)}"))

    def _hidden(self, text: str) -> str:
        """``text`` without the key, which some servers repeat when they complain."""
        key = self._key.get_secret_value() if self._key else ""
        return text.replace(key, "…") if key else text

    def _broken(self, what: str) -> ChatBroken:
        return ChatBroken(self._line(what))

    def _line(self, what: str) -> str:
        return f"The chat server at {self.base_url} {what} (model {self.model})."


def _read(body: bytes, seconds: float) -> ChatReply:
    """A chat completion's first choice. Raises ValueError when it is none."""
    from openai.types.chat import ChatCompletion

    raw = json.loads(body)
    if not isinstance(raw, dict) or not raw.get("choices"):
        raise ValueError("no choices")
    read = ChatCompletion.model_validate(
        {"id": "", "created": 0, "object": "chat.completion", "model": ""} | raw
    )
    choice, usage = read.choices[0], read.usage
    return ChatReply(
        model=read.model,
        # Half a surrogate pair is valid JSON and no text: nothing could store it.
        text=(choice.message.content or "").encode("utf-8", "replace").decode(),
        prompt_tokens=usage.prompt_tokens if usage else None,
        completion_tokens=usage.completion_tokens if usage else None,
        finish_reason=choice.finish_reason,
        seconds=seconds,
    )


class PatientChat:
    """Asks ``chat`` again after what may pass: four tries, ``patience`` seconds of waiting in all.

    A wait the server asks for is kept to; a longer one than is left is told, not waited for.
    """

    def __init__(
        self,
        chat: Chat,
        patience: float = PATIENCE,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.chat = chat
        self.patience = patience
        self._sleep = sleep

    @property
    def model(self) -> str:
        """The name of the model it asks."""
        return self.chat.model

    @property
    def timeout(self) -> float:
        """The longest one try may take, in seconds."""
        return self.chat.timeout

    def reply(self, messages: Sequence[Message], max_tokens: int) -> ChatReply:
        """The first reply. Raises as the last try did."""
        import tenacity

        return tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((ChatBusy, ChatBroken)),
            wait=lambda state: pause(state, _asked(state)),
            stop=tenacity.stop_after_attempt(TRIES) | tenacity.stop_before_delay(self.patience),
            sleep=self._sleep,
            reraise=True,
        )(self.chat.reply, messages, max_tokens)


def _asked(state: RetryCallState) -> float | None:
    error = state.outcome.exception() if state.outcome else None
    return error.wait if isinstance(error, ChatBusy) else None
