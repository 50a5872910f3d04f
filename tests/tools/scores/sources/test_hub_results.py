"""What the Hub holds of models and benchmarks, from a stub Hub on loopback."""

import pytest
from stub_hub import Reply, StubHub, down, eval_result, found, missing, ranked, record, refused

from memory.errors import BadRequest
from memory.records import Origin, Score
from tools.clients.hub.api import Hub, HubUnavailable
from tools.scores.sources import hub_results
from tools.scores.sources.entry import Refused

BOARD = "datasets/acme/test/leaderboard"


@pytest.fixture
def stub():
    with StubHub() as server:
        yield server


@pytest.fixture
def hub(stub):
    with Hub(stub.url, timeout=5, sleep=lambda _: None) as client:
        yield client


def of_model(stub, hub, scale=None, **held):
    stub.plays("acme/m", found({"id": "acme/m", **held}))
    return list(hub_results.of_model(hub, "acme/m", scale))


def test_a_verify_token_makes_a_result_verified_unless_the_hub_denies_it(stub, hub):
    made = of_model(
        stub,
        hub,
        evalResults=[
            eval_result("openai/gsm8k", "gsm8k", 0.5, verifyToken="ey.J", date="2026-01-02"),
            eval_result("openai/gsm8k", "gsm8k", 0.5, False, verifyToken="ey.J"),
            eval_result("openai/gsm8k", "gsm8k", 0.5, True),
            eval_result("a/new", "t", 0.5, source={"url": "https://example.org"}, notes="no-tools"),
        ],
    )
    assert [one.origin for one in made] == [Origin.VERIFIED, *[Origin.REPORTED] * 3]
    assert made[0] == Score(
        model="acme/m",
        benchmark="gsm8k",
        protocol="Hub evaluation results · openai/gsm8k#gsm8k",
        value=0.5,
        metric="score",
        origin=Origin.VERIFIED,
        source=f"{stub.url}/acme/m/.eval_results/gsm8k.yaml",
        date="2026-01-02",
    )
    assert (made[3].benchmark, made[3].source) == ("a/new#t", "https://example.org")
    assert made[3].protocol.endswith("a/new#t · no-tools")
    (path, _), *_ = stub.seen
    assert path == "/api/models/acme/m?expand=evalResults&expand=model-index"


def test_the_card_index_comes_along_and_one_bad_entry_spoils_no_other(stub, hub):
    index = [
        {
            "name": "m",
            "results": [
                {
                    "task": {"type": "t"},
                    "dataset": {"name": "MMLU", "type": "cais/mmlu"},
                    "metrics": [{"type": "acc", "value": 0.6}],
                }
            ],
        }
    ]
    made = of_model(
        stub,
        hub,
        evalResults=[
            {"filename": ".eval_results/x.yaml", "error": "value is missing"},
            {"data": {"dataset": {"id": "a/b"}, "value": 1}},
            {"data": {"dataset": {"id": "a/b", "task_id": "t"}}},
            7,
            None,
            eval_result("a/b", "t", 83.2),
            eval_result("a/b", "t", "NaN"),
            eval_result(["a"], "t", 0.1),
            eval_result("a/b", "t", 0.7, source="a link", notes=["x"]),
            eval_result("a/b", "t", 0.7),
        ],
        **{"model-index": index},
    )
    assert [type(one) for one in made] == [*[Refused] * 9, Score, Score]
    assert "value is missing" in made[0].reason
    assert "--scale 100" in made[5].reason
    assert (made[-1].benchmark, made[-1].origin) == ("mmlu", Origin.REPORTED)


def test_a_renamed_model_is_known_by_its_new_name(stub, hub):
    stub.plays("old/m", found({"id": "acme/m", "evalResults": [eval_result("a/b", "t", 0.5)]}))
    assert [one.model for one in hub_results.of_model(hub, "old/m")] == ["acme/m"]


@pytest.mark.parametrize(
    ("reply", "error", "says"),
    [
        (missing(), BadRequest, "no model acme/m"),
        (found({"id": "acme/m"}), BadRequest, "states no scores"),
        (found([1]), BadRequest, "no model"),
        (refused("Invalid credentials", 403), HubUnavailable, "refuses"),
        (refused("Access to this resource is disabled.", 403), HubUnavailable, "disabled"),
        (down(), HubUnavailable, "503"),
        (Reply(200, b'{"id":', length=6), HubUnavailable, "no readable"),
    ],
)
def test_a_hub_that_gives_no_scores_says_why(stub, hub, reply, error, says):
    stub.plays("acme/m", reply)
    with pytest.raises(error, match=says):
        list(hub_results.of_model(hub, "acme/m"))


def test_a_leaderboard_is_a_whole_column(stub, hub):
    rows = [
        ranked(1, "acme/m", 0.9, verified=True),
        ranked(2, "acme/n", 0.8, notes="tools", source={"url": "https://example.org"}),
        {"rank": 3, "modelId": "acme/o"},
        "x",
        ranked(5, "no id at all", 0.5),
    ]
    stub.plays(BOARD, found(rows))
    first, second, *rest = hub_results.of_leaderboard(hub, "acme/test")
    assert (first.model, first.benchmark, first.origin) == ("acme/m", "acme/test", Origin.VERIFIED)
    assert second.protocol == "Hub leaderboard · acme/test · tools"
    assert second.source == "https://example.org"
    assert [type(one) for one in rest] == [Refused] * 3
    assert stub.seen[0][0] == "/api/datasets/acme/test/leaderboard?base_model=false"


def test_one_column_has_one_scale(stub, hub):
    stub.plays(BOARD, found([ranked(1, "acme/m", 83.2), ranked(2, "acme/n", 0.9)]))
    with pytest.raises(BadRequest, match=r"up to 83\.2.*--scale 100"):
        list(hub_results.of_leaderboard(hub, "acme/test"))
    values = [one.value for one in hub_results.of_leaderboard(hub, "acme/test", 100)]
    assert values == [pytest.approx(0.832), pytest.approx(0.009)]


def test_all_leaderboards_each_on_its_own_scale_and_one_without_costs_itself(stub, hub):
    named = [{"id": "acme/test"}, {"id": "acme/gone"}, {"id": "acme/other"}, "x", {"id": None}]
    stub.plays("datasets", found(named))
    stub.plays(BOARD, found([ranked(1, "acme/m", 83.2), ranked(2, "acme/n", 71.0)]))
    stub.plays("datasets/acme/other/leaderboard", found([ranked(1, "acme/m", 0.4)]))
    first, second, gone, other = hub_results.of_leaderboards(hub)
    assert (first.value, second.value, other.value) == (0.832, 0.71, 0.4)
    assert (gone.where, "no leaderboard" in gone.reason) == ("acme/gone", True)
    assert "benchmark%3Aofficial" in stub.seen[0][0]


def test_no_leaderboard_and_no_id(stub, hub):
    stub.plays(BOARD, Reply(404, b'{"error":"no leaderboard"}'))
    with pytest.raises(BadRequest, match="no leaderboard of acme/test"):
        list(hub_results.of_leaderboard(hub, "acme/test"))
    with pytest.raises(BadRequest, match="no dataset id"):
        list(hub_results.of_leaderboard(hub, "../x"))


def test_facts_still_come_from_the_same_client(stub, hub):
    stub.plays("acme/m", found(record("acme/m", {})))
    assert hub.facts("acme/m").id == "acme/m"
