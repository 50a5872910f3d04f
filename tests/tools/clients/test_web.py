"""Fetching what a stranger linked to: where it may lead, how much it may send, what it may be."""

import gzip
import socket
import time

import pytest
from stub_web import Answer, StubWeb, bomb

from tools.clients import web
from tools.clients.web import NotFetched, Web, decoded, public

ANYWHERE = "http://anywhere.test"


def here(address, port):
    return address == "127.0.0.1"


@pytest.fixture
def serve():
    """Start a server with some pages."""
    running = []

    def start(**pages):
        server = StubWeb({f"/{name}": answer for name, answer in pages.items()})
        running.append(server.__enter__())
        return server

    yield start
    for server in running:
        server.__exit__()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "::1", "0.0.0.0", "::", "10.1.2.3", "172.16.0.1", "192.168.1.1",
        "169.254.169.254", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "100.64.0.1",
        "100.100.100.200", "168.63.129.16", "192.0.0.192", "198.18.0.1", "224.0.0.1", "ff02::1",
        "255.255.255.255", "240.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
        "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:1::", "2001:db8::1",
        "localhost", "", "1.2.3", "1.2.3.4.5",
    ],
)  # fmt: skip
def test_no_link_may_lead_to_what_is_not_the_open_internet(address):
    assert not public(address, 443)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111"])
def test_the_open_internet_may_be_asked_on_web_ports_only(address):
    assert public(address, 443)
    assert public(address, 80)
    assert not public(address, 22)
    assert not public(address, 6379)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "ftp://example.com/x", "gopher://x", "javascript:alert(1)", "//x/y",
        "http://", "http:///x", "http://user:pw@example.com/", "http://@example.com/",
        "http://exa mple.com/", "http://example.com:99999/", "http://[::1/", "data:text/html,hi",
        "http://ex\nample.com/\r\nHost: evil", "", "x" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_web_address_is_refused_without_asking(url, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("it was looked up"))
    with pytest.raises(NotFetched):
        Web().page(url)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "0x7f000001", "2130706433", "0177.0.0.1", "[::1]", "127.1"]
)
def test_this_machine_is_not_asked_however_its_address_is_written(serve, host):
    server = serve(secret=Answer(b"secret"))
    with pytest.raises(NotFetched):
        Web().page(f"http://{host}:{server.server_port}/secret")
    assert server.seen == []


def test_a_name_is_looked_up_once_and_that_address_is_connected_to(serve, monkeypatch):
    """Rebinding: a name that is public when judged and this machine when connected to."""
    server = serve(page=Answer(b"<p>hello</p>"))
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    asked = []

    def lookup(host, port, **_):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in next(answers)]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    connected = []
    real = web.httpcore2.SyncBackend.connect_tcp

    def connect(self, host, *rest):
        connected.append(host)
        return real(self, host, *rest)

    monkeypatch.setattr(web.httpcore2.SyncBackend, "connect_tcp", connect)
    # The real connect looks a literal address up as well; that finds itself.
    monkeypatch.setattr(socket, "create_connection", lambda address, *_, **__: _connected(address))
    page = Web(here).page(f"{ANYWHERE}:{server.server_port}/page")
    assert page.text == "<p>hello</p>"
    assert asked == ["anywhere.test"]
    assert connected == ["127.0.0.1"]


def _connected(address):
    made = socket.socket()
    made.connect(address)
    return made


def test_one_bad_address_among_good_ones_is_enough_to_refuse(monkeypatch):
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, 80)) for a in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    monkeypatch.setattr(
        web.httpcore2.SyncBackend, "connect_tcp", lambda *_: pytest.fail("it connected")
    )
    with pytest.raises(NotFetched, match="not on the public web"):
        Web().page("http://example.com/")


def test_every_redirect_is_judged_anew(serve):
    server = serve(
        ok=Answer(status=302, headers={"Location": "/end"}),
        end=Answer(b"arrived"),
        inside=Answer(status=301, headers={"Location": "http://169.254.169.254/latest/meta-data"}),
        file=Answer(status=302, headers={"Location": "file:///etc/passwd"}),
        loop=Answer(status=302, headers={"Location": "/loop"}),
    )
    fetch = Web(here)
    assert fetch.page(f"{server.url}/ok").url.endswith("/end")
    for path, why in (("inside", "public web"), ("file", "http and https"), ("loop", "more than")):
        with pytest.raises(NotFetched, match=why):
            fetch.page(f"{server.url}/{path}")
    assert server.seen.count("/loop") == web.REDIRECTS + 1


def test_a_page_that_never_ends_is_cut_by_size(serve):
    server = serve(flood=Answer(b"x" * 65536, endless=0.0))
    page = Web(here, most_bytes=500_000).page(f"{server.url}/flood")
    assert page.cut
    assert len(page.text) == 500_000


def test_a_page_that_drips_is_cut_by_the_clock(serve):
    server = serve(drip=Answer(b"x", endless=0.05))
    begin = time.monotonic()
    with pytest.raises(NotFetched, match=r"more than 0\.4 s"):
        Web(here, seconds=0.4).page(f"{server.url}/drip")
    assert time.monotonic() - begin < 3


def test_a_bomb_is_unpacked_no_further_than_the_limit(serve):
    packed = {"Content-Encoding": "gzip"}
    server = serve(
        bomb=Answer(bomb(64), headers=packed),
        good=Answer(gzip.compress(b"hello"), headers=packed),
        bad=Answer(b"not gzip", headers=packed),
        other=Answer(b"x", headers={"Content-Encoding": "br"}),
    )
    fetch = Web(here, most_bytes=100_000)
    assert len(fetch.page(f"{server.url}/bomb").text) == 100_000
    assert fetch.page(f"{server.url}/good").text == "hello"
    for path in ("bad", "other"):
        with pytest.raises(NotFetched, match="packed"):
            fetch.page(f"{server.url}/{path}")


@pytest.mark.parametrize(
    "kind", ["application/pdf", "image/png", "application/octet-stream", "", "video/mp4"]
)
def test_only_text_is_read(serve, kind):
    server = serve(page=Answer(b"%PDF", kind=kind))
    with pytest.raises(NotFetched, match="not text"):
        Web(here).page(f"{server.url}/page")


def test_errors_and_broken_answers_are_one_line(serve):
    server = serve(
        gone=Answer(status=404),
        short=Answer(b"half", length=1000),
        error=Answer(b"no", status=500),
    )
    for path in ("gone", "short", "error"):
        with pytest.raises(NotFetched) as error:
            Web(here, seconds=2).page(f"{server.url}/{path}")
        assert "\n" not in str(error.value)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(NotFetched, match="can't be read"):
        Web(here).page(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize(
    ("raw", "charset", "text"),
    [
        ("é".encode(), None, "é"),
        ("é".encode("latin-1"), "latin-1", "é"),
        ("é".encode(), "no-such-charset", "é"),
        (b"\xef\xbb\xbfhi", None, "hi"),
        ("hi".encode("utf-16"), None, "hi"),
        ("café naïve déjà vû été".encode("cp1252"), None, "café naïve déjà vû été"),
        (b"one stray \xff byte " + b"x" * 500, None, "one stray \ufffd byte " + "x" * 500),
        (b"", None, ""),
    ],
)  # fmt: skip
def test_bytes_of_any_encoding_become_text(raw, charset, text):
    assert decoded(raw, charset) == text
