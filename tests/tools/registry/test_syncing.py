"""The registry brought up to date with a Hub that pages, changes, renames, deletes and fails."""

import gzip
import json
import time
import uuid
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paging_hub import Drip, PagingHub, listed
from stub_hub import Reply, busy, down, eval_result

from memory.errors import BadRequest, DamagedStore
from memory.records import Model, Origin
from memory.registry_store import HUB, REMOVED, RegistryBusy, RegistryStore, existing
from memory.registry_table import models
from memory.scores import Scores
from tools.clients.hub.api import Hub
from tools.registry import batch, syncing

BUNDLED = [
    Model(id="org-1/model-1", params=7, domains=("law",), provenance={"domains": ("catalogue",)}),
    Model(id="Org-2/Model-2", licence="mit", released="2026-01-02", downloads=5),
    Model(id="elsewhere/known", params=3, tags=("moe",)),
]
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


class Deployment:
    """A registry in a folder and the Hub it reads."""

    def __init__(self, folder, hub):
        self.hub, self.waited = hub, []
        self.store = RegistryStore(folder / "registry")
        self.scores = Scores(folder / "scores.sqlite", bundled=None)
        self.now = NOON

    def sync(self, **how):
        patient = {"patience": 900.0, "tries": 4, "timeout": 5.0} | how.pop("hub", {})
        with Hub(self.hub.url, sleep=self.waited.append, **patient) as hub:
            return syncing.sync(hub, self.store, self.scores, lambda: self.now, **how)

    @property
    def hubs(self):
        """The Hub's layer: id -> row."""
        rows = existing([self.store.layer(HUB)]).collect()
        return {one["id"]: one for one in rows.iter_rows(named=True)}

    @property
    def models(self):
        return {one.id: one for one in models(pl.read_parquet(self.store.models))}

    @property
    def removed(self):
        rows = existing([self.store.removed], REMOVED).collect()
        return {one["id"]: one for one in rows.iter_rows(named=True)}

    @property
    def quarantined(self):
        return self.store.state.quarantined.get(HUB, {})


@pytest.fixture
def make(tmp_path, monkeypatch):
    lines = "\n".join(one.model_dump_json() for one in BUNDLED)
    (tmp_path / "snapshot.gz").write_bytes(gzip.compress(lines.encode()))
    monkeypatch.setattr("memory.registry_layers.SNAPSHOT", tmp_path / "snapshot.gz")
    monkeypatch.setattr("tools.clients.hub.listing.PAGE", 50)
    monkeypatch.setattr("tools.clients.hub.listing.SMALLEST_PAGE", 5)
    for module in (batch, syncing):
        monkeypatch.setattr(module, "PART", 100)
    hubs = []

    def made(records, **how):
        hubs.append(PagingHub(records, **how).__enter__())
        return Deployment(tmp_path, hubs[-1])

    yield made
    for hub in hubs:
        hub.__exit__()


def test_the_first_sync_reads_every_model_once_with_its_facts_and_where_they_are_from(make):
    here = make([listed(n) for n in range(230)])
    done = here.sync()
    assert (done.full, done.done, done.read, done.quarantined) == (True, True, 230, 0)
    assert len(here.hubs) == 230
    assert done.models == here.store.state.models == len(here.models) == 231
    one = here.models["org-3/model-10"]
    assert (one.params, one.licence, one.languages) == (10**9 + 10, "apache-2.0", ("en",))
    assert (one.task, one.architecture) == ("text-generation", "LlamaForCausalLM")
    assert (one.downloads, one.downloads_all_time, one.likes, one.derivatives) == (30, 300, 10, 2)
    assert one.modified == "2023-01-11T12:00:00+00:00"
    assert one.provenance["params"] == ("hub 2026-11-25",)
    assert here.models["org-0/model-0"].downloads == 0  # zero is stated, not missing


def test_pages_are_asked_for_oldest_first_with_the_fields_that_are_read(make):
    here = make([listed(n) for n in range(60)])
    here.sync()
    first, second = here.hub.asked
    assert first["sort"], first["direction"] == (["createdAt"], ["1"])
    assert {"safetensors", "baseModels", "evalResults", "cardData"} <= set(first["expand"])
    assert "cursor" in second
    assert set(second["expand"]) == set(first["expand"])


def test_the_next_sync_reads_only_what_changed(make):
    here = make([listed(n) for n in range(230)])
    here.sync()
    here.hub.asked.clear()
    here.hub.records[7] = listed(7, lastModified="2026-11-26T09:00:00.000Z", downloads=777)
    here.hub.records.append(listed(900, createdAt="2026-11-26T08:00:00.000Z"))
    here.hub.records[-1]["lastModified"] = "2026-11-26T08:00:00.000Z"
    here.now = datetime(2026, 11, 27, tzinfo=UTC)
    done = here.sync()
    assert (done.full, done.done) == (False, True)
    assert len(here.hub.asked) <= 2
    assert here.hub.asked[0]["sort"] == ["lastModified"]
    assert here.hubs["org-0/model-7"]["downloads"] == 777
    assert len(here.hubs) == 231
    assert here.store.state.layers[HUB].until == "2026-11-26T09:00:00+00:00"


def test_a_change_date_far_in_the_future_hides_no_later_change(make):
    here = make([listed(n) for n in range(20)])
    here.hub.records[3]["lastModified"] = "2099-01-01T00:00:00.000Z"
    here.sync()
    assert here.store.state.layers[HUB].until == "2026-11-25T12:00:00+00:00"


def test_a_sync_with_a_limit_goes_on_where_it_stopped(make):
    here = make([listed(n) for n in range(230)])
    done = here.sync(limit=120)
    assert (done.done, done.read) == (False, 150)  # whole pages
    assert len(here.hubs) == 150
    here.hub.asked.clear()
    done = here.sync()
    assert (done.done, done.read) == (True, 80)
    assert "cursor" in here.hub.asked[0]
    assert len(here.hubs) == 230


def test_deleted_models_leave_only_after_a_reading_of_everything_and_are_kept_aside(make):
    here = make([listed(n) for n in range(60)])
    here.sync()
    gone = here.hub.records.pop(20)
    here.now = datetime(2026, 11, 26, tzinfo=UTC)
    here.sync()
    assert gone["id"] in here.models
    here.now = datetime(2026, 11, 27, tzinfo=UTC)
    here.sync(full=True)
    assert gone["id"] not in here.models
    tombstone = here.removed[gone["id"]]
    assert (tombstone["reason"], tombstone["params"]) == ("no longer on the Hub", 10**9 + 20)
    here.hub.records.append(gone)
    here.now = datetime(2026, 11, 28, tzinfo=UTC)
    here.sync(full=True)
    assert gone["id"] in here.models
    assert not here.removed


def test_a_hub_that_suddenly_lists_almost_nothing_deletes_nothing(make):
    here = make([listed(n) for n in range(60)])
    here.sync()
    del here.hub.records[20:]
    here.now = datetime(2026, 11, 27, tzinfo=UTC)
    here.sync(full=True)
    assert len(here.hubs) == 60


def test_a_renamed_model_keeps_its_former_names(make):
    here = make([listed(n) for n in range(60)])
    here.sync()
    for day, name in ((26, "new-org/renamed"), (27, "newer-org/renamed")):
        when = f"2026-11-{day}T00:00:00.000Z"
        here.hub.records[20] = listed(20, name, lastModified=when)
        here.now = datetime(2026, 11, day, 6, tzinfo=UTC)
        here.sync()
    assert here.models["newer-org/renamed"].aliases == ("org-6/model-20", "new-org/renamed")
    assert not {"org-6/model-20", "new-org/renamed"} & set(here.models)
    assert here.removed["org-6/model-20"]["renamed_to"] == "new-org/renamed"
    assert len(here.hubs) == 60


def test_a_renamed_model_takes_what_others_knew_under_its_former_name_along(make):
    here = make([listed(1), listed(2)])
    here.sync()
    here.hub.records[0] = listed(1, "new/name", lastModified="2026-11-26T00:00:00.000Z")
    here.now = datetime(2026, 11, 26, 6, tzinfo=UTC)
    here.sync()
    assert here.models["new/name"].domains == ("law",)
    assert "org-1/model-1" not in here.models
    assert here.models["new/name"].aliases == ("org-1/model-1",)


def test_ids_that_come_again_on_a_later_page_count_once_and_the_later_wins(make):
    records = [listed(n) for n in range(60)]
    records += [listed(n + 900, records[n]["id"].upper(), _id=records[n]["_id"]) for n in (5, 9)]
    here = make(records)
    here.sync()
    assert len(here.hubs) == 60
    assert here.store.state.layers[HUB].repeated == 2
    assert here.hubs["ORG-5/MODEL-5"]["downloads"] == 905 * 3


def test_gated_models_are_kept_private_and_disabled_ones_set_aside(make):
    records = [listed(1, gated="manual"), listed(2, private=True), listed(3, disabled=True)]
    here = make(records)
    here.sync()
    assert here.models["org-1/model-1"].gated == "manual"
    assert len(here.hubs) == 1
    assert here.quarantined == {"it is private": 1, "the Hub has disabled it": 1}


TRICKS = {
    "bidi": "org/mo\u202edel",
    "homoglyph": "g\u043e\u043egle/gemma-2b",
    "zero width": "org/mod\u200bel",
    "nul": "org/mo\x00del",
    "long": "org/" + "m" * 10_240,
    "blank": " ",
    "path": "../../etc/passwd",
    "three": "a/b/c",
    "surrogate": "org/\ud800",
    "number": 7,
    "list": ["org/model"],
}


def test_ids_that_deceive_are_set_aside_and_shown_as_they_are(make):
    here = make([listed(n, id) for n, id in enumerate(TRICKS.values(), start=1)] + [listed(50)])
    done = here.sync()
    assert set(here.hubs) == {"org-1/model-50"}
    assert done.quarantined == sum(here.quarantined.values()) == len(TRICKS)
    shown = pl.read_parquet(here.store.quarantine)["id"].to_list()
    assert all(text.isascii() and text.isprintable() for text in shown)


@pytest.mark.parametrize("number", [1e300, -5, True, "12", 10**40, [1], {"a": 1}])
def test_absurd_numbers_are_left_out_and_told_and_the_record_stays(make, number):
    absurd = {"total": number, "parameters": {"BF16": number}}
    here = make([listed(1, downloads=number, likes=number, safetensors=absurd, gguf=number)])
    here.sync()
    (one,) = here.hubs.values()
    assert (one["downloads"], one["likes"], one["params"]) == (None, None, None)
    assert one["licence"] == "apache-2.0"
    assert sum(here.store.state.layers[HUB].dropped.values()) >= 3


def test_odd_shapes_of_every_field_cost_that_field_only(make):
    odd = [None, "x", 7, [], {}, [None], [{}], {"a": [1]}, True, -1, "\x00", ["\u202e", "\ud800"]]
    fields = [name for name in listed(1) if name not in ("_id", "id", "modelId", "private")]
    fields.remove("disabled")
    records = [
        listed(1 + n * len(odd) + m, **{name: value})
        for n, name in enumerate(fields)
        for m, value in enumerate(odd)
    ]
    here = make(records)
    done = here.sync()
    assert (done.read, done.quarantined) == (len(records), 0)
    assert len(here.hubs) == len(records)


LEAF = st.none() | st.booleans() | st.integers(-5, 10**20) | st.floats() | st.text(max_size=12)
VALUE = st.recursive(
    LEAF,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
RECORD = st.builds(
    lambda n, changes: listed(n) | changes,
    st.integers(0, 40),
    st.dictionaries(st.sampled_from(sorted(listed(1))), VALUE, max_size=4),
)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(records=st.lists(RECORD | VALUE, max_size=90))
def test_whatever_the_hub_lists_every_record_is_a_model_or_set_aside(make, records, tmp_path):
    home = tmp_path / uuid.uuid4().hex
    here = make([])
    here.store = RegistryStore(home / "registry")
    here.scores = Scores(home / "scores.sqlite", bundled=None)
    here.hub.plays(1, Reply(200, json.dumps(records).encode()))
    done = here.sync()
    layer = here.store.state.layers[HUB]
    moved = here.store.state.removed.get("renamed", 0)
    assert (done.trouble, done.read) == (None, len(records))
    assert layer.models + layer.repeated + moved + done.quarantined == len(records)


def test_a_record_that_is_none_is_set_aside(make):
    here = make([listed(1)])
    page = json.dumps([listed(2), None, "x", 5, [], {}, {"id": None}]).encode()
    here.hub.plays(1, Reply(200, page))
    here.sync()
    assert set(here.hubs) == {"org-2/model-2"}
    assert sum(here.quarantined.values()) == 6


def test_lineage_of_itself_in_a_circle_and_of_forty_licences(make):
    circle = [
        listed(
            n, f"c/{n}", baseModels={"relation": "finetune", "models": [{"id": f"c/{n % 3 + 1}"}]}
        )
        for n in (1, 2, 3)
    ]
    itself = listed(
        4, "c/4", baseModels={"relation": "merge", "models": [{"id": "c/4"}, {"id": "c/1"}]}
    )
    many = listed(5, "c/5", cardData={"license": [f"licence-{n}" for n in range(40)]})
    here = make([*circle, itself, many])
    here.sync()
    assert [here.models[f"c/{n}"].bases[0].parent for n in (1, 2, 3)] == ["c/2", "c/3", "c/1"]
    assert [(e.parent, e.relation) for e in here.models["c/4"].bases] == [("c/1", "merge")]
    assert len(here.models["c/5"].licence.split(",")) == 40


def test_what_the_hub_does_not_say_stays_with_its_own_source(make):
    here = make(
        [listed(1, gguf={"total": 5, "context_length": 4096}), listed(2, cardData={}, tags=[])]
    )
    here.sync()
    one, two = here.models["org-1/model-1"], here.models["org-2/model-2"]
    assert (one.params, one.domains, one.context_length) == (10**9 + 1, ("law",), 4096)
    assert one.provenance["domains"] == ("catalogue",)
    assert one.provenance["params"] == ("hub 2026-11-25",)
    assert (two.licence, two.downloads, two.released) == ("mit", 6, "2026-01-02")
    assert here.models["elsewhere/known"].params == 3  # never on the Hub: not deleted from it


# --- a Hub that fails -------------------------------------------------------------------


def test_a_storm_of_429_is_waited_out_as_long_as_the_hub_asks(make):
    here = make([listed(n) for n in range(120)])
    here.hub.plays(
        2, busy(Retry_After="120"), busy(Retry_After="60"), busy(ratelimit='"api";r=0;t=30')
    )
    done = here.sync()
    assert (done.done, done.read) == (True, 120)
    assert here.waited == [120.0, 60.0, 30.0]


def test_errors_that_pass_and_cut_off_json_are_asked_again(make):
    here = make([listed(n) for n in range(120)])
    cut = json.dumps([listed(1)]).encode()[:-9]
    here.hub.plays(2, down(), Reply(200, cut), Reply(200, cut, length=10**6))
    done = here.sync()
    assert (done.done, len(here.hubs)) == (True, 120)
    assert len(here.waited) == 3


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (down(), "503"),
        (busy(), "429"),
        (Reply(200, b'[{"id": "a/b'), "no readable record of the list of models"),
        (Reply(200, b'{"error": "x"}'), "sent no list of models"),
        (Reply(200, b"[" * 100_000), "no readable record"),
        (Reply(401, b"{}"), "check the token"),
        (Reply(302, b"", {"Location": "/api/models"}), "TooManyRedirects"),
    ],
)
def test_a_hub_that_stays_down_is_one_line_and_what_was_read_is_kept(make, reply, says):
    here = make([listed(n) for n in range(230)])
    here.hub.plays(4, *[reply] * 40)
    done = here.sync()
    assert not done.done
    assert says in done.trouble
    assert "\n" not in done.trouble
    assert (done.read, len(here.hubs)) == (150, 150)
    assert "org-3/model-10" in here.models
    here.hub.played.clear()
    assert here.sync().read == 80
    assert len(here.hubs) == 230


def test_nothing_listening_is_told_at_once(tmp_path, make):
    here = make([listed(1)])
    here.hub.server_close()
    started = time.monotonic()
    done = here.sync()
    assert "can't be reached" in done.trouble
    assert (done.read, here.waited) == (0, [])
    assert time.monotonic() - started < 5


def test_a_page_too_heavy_for_the_hub_is_asked_for_in_smaller_ones(make):
    here = make([listed(n) for n in range(60)])
    here.hub.too_heavy = 12
    done = here.sync()
    assert (done.done, len(here.hubs)) == (True, 60)
    assert [int(query["limit"][0]) for query in here.hub.asked[-4:]] == [12] * 4


def test_bytes_that_trickle_end_in_a_line(make, monkeypatch):
    monkeypatch.setattr("tools.clients.hub.api.SLOWEST", 1)
    here = make([listed(n) for n in range(5)])
    here.hub.plays(1, *[Drip(0.02)] * 9)
    done = here.sync(hub={"timeout": 0.2})
    assert "ReadTimeout" in done.trouble


def test_a_cursor_the_hub_forgot_starts_the_reading_again(make):
    here = make([listed(n) for n in range(230)])
    here.sync(limit=100)
    here.hub.plays(len(here.hub.asked) + 1, Reply(400, b'{"error":"Invalid cursor"}'))
    done = here.sync()
    assert (done.done, done.read, len(here.hubs)) == (True, 230, 230)


def test_a_cursor_refused_half_way_is_told_and_the_next_sync_starts_again(make):
    here = make([listed(n) for n in range(230)])
    here.hub.plays(3, *[Reply(400, b'{"error":"Invalid cursor"}')] * 2)
    done = here.sync()
    assert (done.done, done.read, "400" in done.trouble) == (False, 100, True)
    done = here.sync()
    assert (done.done, done.read, len(here.hubs)) == (True, 230, 230)


def test_a_hub_that_lists_fewer_fields_is_asked_for_those(make):
    here = make([listed(n) for n in range(60)])
    here.hub.unlisted = {"childrenModelCount"}
    done = here.sync()
    assert (done.done, len(here.hubs)) == (True, 60)
    assert here.models["org-3/model-10"].derivatives is None
    here.hub.unlisted = {"sha"}
    here.now = datetime(2026, 11, 26, tzinfo=UTC)
    assert "400" in here.sync().trouble


def test_the_token_goes_to_this_hub_only(make):
    here = make([listed(n) for n in range(60)])
    elsewhere = PagingHub([]).__enter__()
    page = json.dumps([listed(1)]).encode()
    link = f'<{elsewhere.url}/api/models?cursor=x>; rel="next"'
    here.hub.plays(1, Reply(200, page, {"Link": link}), Reply(200, b"[]"))
    assert here.sync(hub={"token": "secret"}).done
    assert not elsewhere.asked
    assert here.hub.headers[1]["authorization"] == "Bearer secret"
    elsewhere.__exit__()


def test_another_hub_is_not_mixed_in(make, tmp_path):
    here = make([listed(1)])
    here.sync()
    other = make([listed(2)])
    with pytest.raises(BadRequest, match="two Hubs are not mixed"):
        other.sync()


def test_a_second_sync_at_the_same_time_is_told_to_wait(make):
    here = make([listed(1)])
    with here.store.locked(), pytest.raises(RegistryBusy):
        here.sync()


def test_a_state_that_can_not_be_read_is_left_as_it_is(make):
    here = make([listed(1)])
    here.sync()
    path = here.store.folder / "state.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(DamagedStore, match="left as it is"):
        here.sync()
    assert path.read_text(encoding="utf-8") == "{"


def test_a_layer_that_can_not_be_read_is_left_as_it_is(make):
    here = make([listed(1)])
    here.sync()
    here.store.layer(HUB).write_bytes(b"PAR1 nonsense")
    with pytest.raises(DamagedStore, match=r"hub\.parquet"):
        here.sync()
    assert here.store.layer(HUB).read_bytes() == b"PAR1 nonsense"


# --- scores -----------------------------------------------------------------------------


def results(*values, **more):
    return [eval_result("cais/mmlu", "anatomy", value, **more) for value in values]


def test_scores_come_with_the_models_verified_only_with_a_token(make):
    records = [listed(n, evalResults=results(60.0 + n)) for n in range(5)]
    records[2]["evalResults"] = results(70.0, verified=True, verifyToken="t")
    here = make(records)
    done = here.sync()
    assert (done.scores.added, done.scores.refused) == (5, 0)
    found = {one.model: one for one in here.scores.own()}
    assert {one.benchmark for one in found.values()} == {"mmlu_anatomy"}
    assert (found["org-2/model-2"].origin, found["org-2/model-2"].value) == (Origin.VERIFIED, 0.7)
    assert found["org-3/model-3"].origin is Origin.REPORTED
    here.now = datetime(2026, 11, 27, tzinfo=UTC)
    assert here.sync(full=True).scores.added == 0


def test_what_a_column_is_out_of_is_decided_by_most_of_it_and_remembered(make):
    here = make(
        [listed(n, evalResults=results(value)) for n, value in enumerate((0.5, 61.0, 72.0))]
    )
    done = here.sync()
    assert (done.scores.added, done.scores.refused) == (2, 1)
    here.hub.records.append(listed(700, evalResults=results(0.4)))
    here.hub.records[-1]["lastModified"] = "2026-11-26T08:00:00.000Z"
    here.now = datetime(2026, 11, 27, tzinfo=UTC)
    assert here.sync().scores.added == 0


def test_scores_of_a_model_index_come_too(make):
    index = [
        {
            "name": "m",
            "results": [
                {
                    "task": {"type": "text-generation"},
                    "dataset": {"type": "gsm8k", "name": "GSM8K"},
                    "metrics": [{"type": "acc", "value": 61.5}, {"type": "perplexity", "value": 9}],
                }
            ],
        }
    ]
    here = make([listed(1, **{"model-index": index}), listed(2, **{"model-index": "nonsense"})])
    done = here.sync()
    assert (done.scores.added, done.scores.skipped, done.scores.refused) == (1, 1, 1)
    (score,) = here.scores.own()
    assert (score.benchmark, score.value, score.origin) == ("gsm8k", 0.615, Origin.REPORTED)
