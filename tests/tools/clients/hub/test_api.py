"""The Hub client against a stub Hub on loopback."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
from stub_hub import StubHub, busy, down, found, missing, moved, record, refused

from memory.errors import BadRequest, MirrorError
from tools.clients.hub.api import Hub, HubUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TOKEN = "hf_loopback_only"
FILES = {"README.md": 10, "model.safetensors": 400}


@pytest.fixture
def stub() -> Iterator[StubHub]:
    with StubHub() as server:
        yield server


@pytest.fixture
def waits() -> list[float]:
    """The pauses the client took; no test waits for real."""
    return []


@pytest.fixture
def hub(stub: StubHub, waits: list[float]) -> Iterator[Hub]:
    with Hub(stub.url, timeout=5, sleep=waits.append) as client:
        yield client


def shows(stub: StubHub, hub: Hub, files: Mapping[str, int | None], **changes: object) -> Any:
    stub.plays("acme/m", found(record("acme/m", files, **changes)))
    return hub.facts("acme/m")


# --- what a record says -----------------------------------------------------------------


def test_facts_of_a_plain_model(stub: StubHub, hub: Hub) -> None:
    facts = shows(stub, hub, FILES, safetensors={"parameters": {"BF16": 200}, "total": 200})
    assert (facts.id, facts.renamed_from, facts.revision) == (
        "acme/m",
        None,
        "4f0c3a2b1d9e8f7a6b5c4d3e2f1a0b9c8d7e6f5a",
    )
    assert (facts.params, facts.weights_bytes, facts.downloads) == (200, 400, 1200)
    assert (facts.gated, facts.disabled, facts.pickle_only) == (False, False, False)
    assert facts.last_modified.isoformat() == "2026-09-30T08:15:00+00:00"


def test_sizes_are_asked_for_and_no_token_is_sent_unasked(stub: StubHub, hub: Hub) -> None:
    shows(stub, hub, FILES)
    ((path, headers),) = stub.seen
    assert path == "/api/models/acme/m?blobs=true"
    assert "authorization" not in headers


def test_what_the_hub_leaves_out_is_missing_not_zero(stub: StubHub, hub: Hub) -> None:
    stub.plays("acme/m", found({"id": "acme/m"}))
    facts = hub.facts("acme/m")
    assert facts is not None
    assert set(facts.model_dump(exclude={"id"}).values()) == {None}


@pytest.mark.parametrize(
    ("files", "size"),
    [
        ({"model-00001-of-00002.safetensors": 3, "model-00002-of-00002.safetensors": 4}, 7),
        # The same weights again, for another loader.
        ({"model.safetensors": 5, "consolidated.safetensors": 5}, 5),
        ({"unet/weights.safetensors": 5, "vae/weights.safetensors": 6}, 11),
        ({"model.safetensors": 0}, 0),
        ({"model-1-of-2.safetensors": 3, "model-2-of-2.safetensors": None}, None),
        ({"model.gguf": 9}, None),
    ],
)
def test_bytes_of_the_weights(
    stub: StubHub, hub: Hub, files: dict[str, int | None], size: int | None
) -> None:
    assert shows(stub, hub, files).weights_bytes == size


@pytest.mark.parametrize(
    ("files", "pickle_only"),
    [
        (["pytorch_model.bin"], True),
        (["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"], True),
        (["adapter_model.bin"], True),
        (["consolidated.00.pth"], True),
        (["pytorch_model.bin", "model.safetensors"], False),
        (["pytorch_model.bin", "m-q4.gguf"], False),
        (["training_args.bin", "optimizer.pt", "README.md"], False),
        ([], False),
    ],
)
def test_pickled_weights_alone(
    stub: StubHub, hub: Hub, files: list[str], pickle_only: bool
) -> None:
    assert shows(stub, hub, dict.fromkeys(files, 1)).pickle_only is pickle_only


def test_gguf_counts_where_safetensors_do_not(stub: StubHub, hub: Hub) -> None:
    assert shows(stub, hub, {"m.gguf": 9}, gguf={"total": 77}).params == 77
    both = {"safetensors": {"total": 0}, "gguf": {"total": 77}}
    assert shows(stub, hub, {"m.gguf": 9}, **both).params == 0


def test_gated_and_disabled(stub: StubHub, hub: Hub) -> None:
    assert shows(stub, hub, FILES, gated="manual").gated == "manual"
    assert shows(stub, hub, FILES, disabled=True).disabled is True
    stub.plays("acme/m", refused("Access to this resource is disabled.", 403))
    facts = hub.facts("acme/m")
    assert facts is not None
    assert (facts.disabled, facts.revision) == (True, None)


# --- where a record is not --------------------------------------------------------------


def test_an_unknown_model_is_none(stub: StubHub, hub: Hub) -> None:
    stub.plays("acme/m", missing())
    assert hub.facts("acme/m") is None
    assert len(stub.seen) == 1


def test_a_renamed_model_is_followed_and_reported(stub: StubHub, hub: Hub) -> None:
    stub.plays("acme/old", moved("acme/new"))
    stub.plays("acme/new", found(record("acme/new", FILES)))
    facts = hub.facts("acme/old")
    assert facts is not None
    assert (facts.id, facts.renamed_from) == ("acme/new", "acme/old")


def test_a_redirect_in_a_circle_ends(stub: StubHub, hub: Hub, waits: list[float]) -> None:
    stub.plays("acme/m", moved("acme/m"))
    with pytest.raises(HubUnavailable, match="TooManyRedirects"):
        hub.facts("acme/m")
    assert waits == []


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b/c", "", "a b", "acme/m?x=1"])
def test_no_request_for_what_is_no_model_id(stub: StubHub, hub: Hub, name: str) -> None:
    with pytest.raises(BadRequest, match="no model id"):
        hub.facts(name)
    assert stub.seen == []


@pytest.mark.parametrize("address", ["huggingface.co", "file:///etc", "http://", "https://a b"])
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(BadRequest, match="no Hub address"):
        Hub(address)


# --- trying again -----------------------------------------------------------------------


def test_retry_after_is_honoured(stub: StubHub, hub: Hub, waits: list[float]) -> None:
    stub.plays("acme/m", busy(Retry_After="7"), found(record("acme/m", FILES)))
    assert hub.facts("acme/m") is not None
    assert waits == [7.0]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "Sun, 01 Nov 2026 12:00:09 GMT"}, 9.0),  # the stub's clock says 12:00:00
        ({"Retry_After": "Sun, 01 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"RateLimit": '"api";r=0;t=11'}, 11.0),
    ],
)
def test_other_ways_to_ask_for_patience(
    stub: StubHub, hub: Hub, waits: list[float], headers: dict[str, str], seconds: float
) -> None:
    stub.plays("acme/m", busy(**headers), found(record("acme/m", FILES)))
    assert hub.facts("acme/m") is not None
    assert waits == [seconds]


@pytest.mark.parametrize("asked", ["soon", "-5", ""])
def test_a_retry_after_that_means_nothing_is_ignored(
    stub: StubHub, hub: Hub, waits: list[float], asked: str
) -> None:
    stub.plays("acme/m", busy(Retry_After=asked), found(record("acme/m", FILES)))
    assert hub.facts("acme/m") is not None
    (wait,) = waits
    assert 0.5 <= wait <= 1.0


def test_four_tries_and_no_more(stub: StubHub, hub: Hub, waits: list[float]) -> None:
    stub.plays("acme/m", down())
    with pytest.raises(HubUnavailable, match=r"answers with 503; set MIRROR_OFFLINE=1"):
        hub.facts("acme/m")
    assert len(stub.seen) == 4
    assert waits == sorted(waits)
    assert len(waits) == 3


def test_a_wait_beyond_patience_is_told_at_once(
    stub: StubHub, hub: Hub, waits: list[float]
) -> None:
    stub.plays("acme/m", busy(Retry_After="300"), found(record("acme/m", FILES)))
    with pytest.raises(HubUnavailable, match=r"429 and asks to wait 300 s; set MIRROR_OFFLINE=1"):
        hub.facts("acme/m")
    assert (len(stub.seen), waits) == (1, [])


def test_json_cut_off_once_is_asked_for_again(stub: StubHub, hub: Hub, waits: list[float]) -> None:
    whole = found(record("acme/m", FILES))
    cut = type(whole)(200, whole.body[:50])
    stub.plays("acme/m", cut, whole)
    assert hub.facts("acme/m") is not None
    assert len(waits) == 1


@pytest.mark.parametrize("promised", [None, 10_000])
def test_json_always_cut_off(stub: StubHub, hub: Hub, promised: int | None) -> None:
    """Both a short body and a connection closed before the promised length."""
    whole = found(record("acme/m", FILES))
    stub.plays("acme/m", type(whole)(200, whole.body[:50], {}, promised))
    with pytest.raises(HubUnavailable, match="set MIRROR_OFFLINE=1"):
        hub.facts("acme/m")
    assert len(stub.seen) == 4


@pytest.mark.parametrize(
    "body", [[], {"no": "id"}, {"id": "a/m", "siblings": "x"}, {"id": "a/m", "downloads": -1}]
)
def test_a_record_of_another_shape(stub: StubHub, hub: Hub, body: Any) -> None:
    stub.plays("acme/m", found(body))
    with pytest.raises(HubUnavailable, match="no readable record of acme/m"):
        hub.facts("acme/m")
    assert len(stub.seen) == 1


def test_nobody_listens(waits: list[float]) -> None:
    with socket.socket() as taken:  # bound, never listening
        taken.bind(("127.0.0.1", 0))
        hub = Hub(f"http://127.0.0.1:{taken.getsockname()[1]}", timeout=2, sleep=waits.append)
        with pytest.raises(
            MirrorError, match=r"can't be reached .*; set MIRROR_OFFLINE=1"
        ) as error:
            hub.facts("acme/m")
    assert waits == []
    assert "\n" not in str(error.value)


# --- tokens and offline mode ------------------------------------------------------------


def test_the_token_goes_to_this_hub_and_nowhere_else(
    stub: StubHub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    with StubHub() as elsewhere:
        elsewhere.plays("acme/m", found(record("acme/m", FILES)))
        stub.plays("acme/m", moved("acme/m", host=elsewhere.url))
        with Hub(stub.url, timeout=5, token=TOKEN) as hub:
            assert hub.facts("acme/m") is not None
        assert stub.seen[0][1]["authorization"] == f"Bearer {TOKEN}"
        assert "authorization" not in elsewhere.seen[0][1]
    assert TOKEN not in caplog.text + repr(vars(hub))


def test_a_refused_token_is_told_without_showing_it(stub: StubHub) -> None:
    stub.plays("acme/m", refused("Invalid credentials in Authorization header"))
    with pytest.raises(
        HubUnavailable, match=r"refuses to answer \(401\): check the token"
    ) as error:
        Hub(stub.url, timeout=5, token=TOKEN).facts("acme/m")
    assert TOKEN not in str(error.value)
    assert len(stub.seen) == 1


def test_a_hub_asked_for_works_while_the_libraries_are_kept_offline(
    stub: StubHub, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    stub.plays("acme/m", found(record("acme/m", FILES)))
    with pytest.raises(huggingface_hub.errors.OfflineModeIsEnabled):
        huggingface_hub.HfApi(stub.url, token=False).model_info("acme/m")
    assert hub.facts("acme/m") is not None
