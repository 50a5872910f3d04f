"""Fetching a text that a stranger linked to, without being sent where nobody should go.

A link in a model card may point at this machine, its network or a cloud's metadata service, to a
name that resolves there, or to a page that redirects there; it may never stop sending, or unpack
to a thousand times its size. So the address is looked up once, judged, and that very address is
connected to (a name that resolves differently the second time changes nothing); every redirect
is judged anew; bytes, unpacked bytes and seconds are capped; only text is taken. Proxies of the
environment are not used: behind one, the address connected to would not be the one judged.

This is httpcore's connection pool with a network back end of our own, since httpx gives no say in
which address is connected to.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit, urlunsplit

import httpcore2

from memory.errors import MirrorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MOST_BYTES = 4_000_000
"""Of a page as it travels, and as it is unpacked; the longest papers in HTML have about 3 MB."""

SECONDS = 20.0
REDIRECTS = 5
PORTS = frozenset({80, 443})
TEXT = frozenset({"text/html", "application/xhtml+xml", "text/plain", "text/markdown"})

_REDIRECT = frozenset({301, 302, 303, 307, 308})
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Azure's metadata service has a public address; the others are special ranges (RFC 6890, RFC 8215)
# that some versions of ``ipaddress`` call global.
_NEVER = [
    ipaddress.ip_network(range) for range in ("168.63.129.16/32", "192.0.0.0/24", "64:ff9b:1::/48")
]
_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?\.?|[0-9a-f:.]+")


class NotFetched(MirrorError):
    """A page could not or must not be read; the line says why."""


@dataclass(frozen=True)
class Page:
    """``url``: where it was in the end. ``cut``: it went on beyond the limit."""

    url: str
    kind: str
    text: str
    cut: bool = False


def public(address: str, port: int) -> bool:
    """Whether a stranger's link may lead to ``address``: the open internet, and web ports only."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return port in PORTS and all(
        one.is_global and not one.is_multicast and not any(one in never for never in _NEVER)
        for one in _meant(ip)
    )


def _meant(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> Iterable[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """The address, and the IPv4 addresses that some kinds of IPv6 address lead to."""
    yield ip
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            yield ip.ipv4_mapped
        if ip.sixtofour:
            yield ip.sixtofour
        if ip.teredo:
            yield from ip.teredo
        if ip in _NAT64 or int(ip) >> 32 == 0:
            yield ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)


class _Judged(httpcore2.NetworkBackend):
    """Connects to an address that was judged, never to a name."""

    def __init__(self, allowed: Callable[[str, int], bool]) -> None:
        self._allowed = allowed
        self._plain = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Look up, judge every address, connect to the first."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise NotFetched(f"{host} is no known host.") from None
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        # Some good and some bad addresses is what an attack looks like, so one bad one is enough.
        if not addresses or not all(self._allowed(address, port) for address in addresses):
            raise NotFetched(f"{host}:{port} is not on the public web; it was not asked.")
        return self._plain.connect_tcp(addresses[0], port, timeout, local_address, socket_options)


class Web:
    """Fetches pages; ``seconds`` and ``most_bytes`` bound one page, its redirects included.

    ``allowed`` (address, port) judges what may be connected to.
    """

    def __init__(
        self,
        allowed: Callable[[str, int], bool] = public,
        *,
        seconds: float = SECONDS,
        most_bytes: int = MOST_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.seconds = seconds
        self.most_bytes = most_bytes
        self._network = _Judged(allowed)
        self._clock = clock

    def page(self, url: str) -> Page:
        """The text at ``url``, wherever it redirects to.

        Raises:
            NotFetched: it is no http(s) address, not public, not there, not text, too slow or
                redirects too often. A page that is only too long is cut.
        """
        deadline = self._clock() + self.seconds
        for _ in range(REDIRECTS + 1):
            found = self._ask(_checked(url), deadline)
            if isinstance(found, Page):
                return found
            url = found
        raise NotFetched(f"{url[:200]} redirects more than {REDIRECTS} times.")

    def _ask(self, url: str, deadline: float) -> Page | str:
        """The page, or where it redirects to."""
        left = deadline - self._clock()
        timeouts = {kind: max(left, 0.01) for kind in ("connect", "read", "write", "pool")}
        headers: dict[bytes | str, bytes | str] = {
            "Host": urlsplit(url).netloc,
            "User-Agent": "mirror",
            "Accept": "text/html, text/plain;q=0.9, text/markdown;q=0.9",
            "Accept-Encoding": "gzip",
        }
        try:
            with (
                httpcore2.ConnectionPool(network_backend=self._network) as pool,
                pool.stream(
                    "GET", url, headers=headers, extensions={"timeout": timeouts}
                ) as response,
            ):
                said = {
                    k.decode("latin-1").lower(): v.decode("latin-1") for k, v in response.headers
                }
                if response.status in _REDIRECT and said.get("location"):
                    return urljoin(url, said["location"])
                if response.status != 200:
                    raise NotFetched(f"{url[:200]} answered {response.status}.")
                kind, charset = _kind(url, said.get("content-type", ""))
                body, cut = self._body(url, response.iter_stream(), said, deadline)
        except (httpcore2.TimeoutException, TimeoutError):
            raise NotFetched(f"{url[:200]} took more than {self.seconds:g} s.") from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as error:
            raise NotFetched(f"{url[:200]} can't be read ({type(error).__name__}).") from None
        return Page(url, kind, decoded(body, charset), cut)

    def _body(
        self, url: str, pieces: Iterable[bytes], said: dict[str, str], deadline: float
    ) -> tuple[bytes, bool]:
        """The body unpacked, and whether it was cut; no more is ever held than the limit."""
        packing = said.get("content-encoding", "identity").strip().lower()
        if packing not in ("identity", "gzip", ""):
            raise NotFetched(f"{url[:200]} is packed as {packing[:20]!r}, which was not asked for.")
        unpacker = zlib.decompressobj(31) if packing == "gzip" else None
        body, travelled = bytearray(), 0
        for piece in pieces:
            if self._clock() > deadline:
                raise NotFetched(f"{url[:200]} took more than {self.seconds:g} s.")
            travelled += len(piece)
            room = self.most_bytes - len(body)
            try:
                body += unpacker.decompress(piece, room + 1) if unpacker else piece[: room + 1]
            except zlib.error:
                raise NotFetched(f"{url[:200]} is packed in a way that can't be read.") from None
            if len(body) > self.most_bytes or travelled > self.most_bytes:
                return bytes(body[: self.most_bytes]), True
        return bytes(body), False


def _checked(url: str) -> str:
    """``url`` in the form that is asked for: http(s), a host, no password in it, no fragment."""
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
        name = (host or "").encode("idna").decode("ascii") if host and ":" not in host else host
    except (ValueError, UnicodeError):
        raise NotFetched(f"{url[:200]!r} is no web address.") from None
    if (
        parts.scheme not in ("http", "https")
        or not _HOST.fullmatch(name or "")
        or re.search(r"[\x00-\x20]", url.strip())
        or "@" in parts.netloc
    ):
        raise NotFetched(f"{url[:200]!r} is no web address; only http and https are read.")
    name = name or ""
    place = f"[{name}]" if ":" in name else name
    netloc = f"{place}:{parts.port}" if parts.port else place
    path = re.sub(r"[^\x21-\x7e]", _escaped, parts.path) or "/"
    query = re.sub(r"[^\x21-\x7e]", _escaped, parts.query)
    return urlunsplit((parts.scheme, netloc, path, query, ""))


def _escaped(letter: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in letter[0].encode("utf-8", "replace"))


def _kind(url: str, said: str) -> tuple[str, str | None]:
    """The media type and charset of a Content-Type that is text."""
    kind, _, rest = said.partition(";")
    kind = kind.strip().lower()
    if kind not in TEXT:
        raise NotFetched(f"{url[:200]} is {kind[:60] or 'of no stated type'}, not text.")
    charset = re.search(r"charset\s*=\s*[\"']?([\w.:-]+)", rest, re.IGNORECASE)
    return kind, charset[1] if charset else None


def decoded(raw: bytes, charset: str | None = None) -> str:
    """Bytes as text: as stated, else by byte-order mark, else UTF-8; what is neither is marked.

    A text is never refused for its encoding: a stray byte becomes U+FFFD, and a text that is no
    UTF-8 at all is read as Windows-1252, the usual case.
    """
    for mark, name in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if raw.startswith(mark):
            return raw.decode(name, "replace")
    try:
        return raw.decode(charset or "utf-8")
    except (UnicodeDecodeError, LookupError):
        pass
    text = raw.decode("utf-8", "replace")
    if text.count("\N{REPLACEMENT CHARACTER}") > max(len(text) // 100, 3):
        return raw.decode("cp1252", "replace")
    return text
