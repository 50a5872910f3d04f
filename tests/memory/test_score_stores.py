"""One contract for both stores of scores: a SQLite file and a PostgreSQL server."""

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import postgres
import psycopg
import pytest

from memory import score_table
from memory.errors import AcrossProtocols, BadRequest, DamagedStore
from memory.records import Origin, Score
from memory.scores import Scores, cells
from memory.sqlite import StoreUnavailable


def score(value=0.5, origin=Origin.MEASURED, **given):
    fixed = {"model": "a/m", "benchmark": "t", "protocol": "p", "source": "s"}
    return Score(value=value, origin=origin, **(fixed | given))


FULL = score(
    0.1 + 0.2,
    revision="f" * 40,
    precision="Q4_1",
    low=0.1,
    high=0.7000000000000001,
    n=10**12,
    metric="exact_match,strict-match",
    source="ünï · 中文 ' \" %s :name",
    date="2026-01-01",
    cost_usd=1e-9,
    run="r",
)


@pytest.fixture(scope="module")
def server():
    with postgres.running() as found:
        yield found


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    if request.param == "sqlite":
        return tmp_path / "scores.sqlite"
    found = request.getfixturevalue("server")
    if found is None:
        pytest.skip("PostgreSQL's initdb and pg_ctl are not installed")
    return found.url()


@pytest.fixture
def scores(place):
    opened = Scores(place, bundled=None)
    yield opened
    opened.close()


def _old_table(place, rows):
    """The table as 0.1 made it, with ``rows`` of (fingerprint, model, benchmark, record)."""
    if isinstance(place, str):
        connection, mark, key = psycopg.connect(place), "%s", "SERIAL"
    else:
        connection, mark, key = sqlite3.connect(place), "?", "INTEGER"
    cursor = connection.cursor()
    cursor.execute(
        f"CREATE TABLE scores (id {key} NOT NULL, fingerprint VARCHAR(64) NOT NULL,"
        " model TEXT NOT NULL, benchmark TEXT NOT NULL, record TEXT NOT NULL,"
        " PRIMARY KEY (id), UNIQUE (fingerprint))"
    )
    cursor.execute("CREATE INDEX scores_by_cell ON scores (model, benchmark)")
    cursor.executemany(
        "INSERT INTO scores (fingerprint, model, benchmark, record)"
        f" VALUES ({', '.join([mark] * 4)})",
        rows,
    )
    connection.commit()
    connection.close()


def _old_row(one):
    return (score_table.fingerprint(one), one.model, one.benchmark, one.model_dump_json())


def test_every_field_comes_back_as_it_was(scores, place):
    bare = score(0.0, n=None)
    scores.add([FULL, bare])
    scores.close()
    again = Scores(place, bundled=None)
    assert again.own() == [FULL, bare]
    again.close()


def test_the_table_has_a_column_for_every_field():
    assert set(score_table.table().c.keys()) == {"id", "fingerprint", *Score.model_fields}


def test_a_fingerprint_never_changes():
    # Rows of every installation are known by it: a change would double them at the next import.
    kept = "9cbc1396753152d8d0d721c7bce60cc137959747a9eb4542701888f9c0021fe3"
    assert score_table.fingerprint(FULL.model_copy(update={"run": None})) == kept


def test_a_repeated_observation_is_kept_once_and_known_before(scores):
    later = FULL.model_copy(update={"date": "2027-01-01", "run": "r2", "cost_usd": None})
    assert scores.new([FULL, later, score()]) == [FULL, score()]
    scores.add([FULL, later])
    scores.add([later, score()])
    assert scores.own() == [FULL, score()]
    assert scores.count() == 2
    assert scores.new([later, score(0.7)]) == [score(0.7)]


def test_models_and_benchmarks_are_found_alone_and_together(scores, monkeypatch):
    made = [score(model=m, benchmark=b) for m in ("a/m", "b/n") for b in ("t", "u")]
    scores.add(made)
    for most in (5_000, 0):  # by the database, then as with too many names for one statement
        monkeypatch.setattr("memory.scores.MOST_NAMED", most)
        assert scores.observations(["a/m"]) == made[:2]
        assert scores.observations(None, ["u"]) == [made[1], made[3]]
        assert scores.known(["b/n"], ["t"]) == [made[2]]
        assert scores.observations([], ["t"]) == []


def test_observations_of_one_cell_stay_and_their_conflict_is_known(scores):
    other = {"revision": "2", "precision": "Q4"}
    scores.add([score(0.5), score(0.7, Origin.REPORTED), score(0.2, **other)])
    found = cells(scores.observations(["a/m"]))
    assert [(cell.score.value, len(cell.observations)) for cell in found] == [(0.5, 2), (0.2, 1)]
    assert found[0].conflict == pytest.approx(0.2)
    believed = scores.matrix(["a/m"], ["t"]).cells["a/m", "t"]
    assert believed == found[0]


def test_comparing_takes_the_protocol_that_all_share(scores):
    scores.add(
        [score(0.9, protocol=p) for p in ("p", "q")]
        + [score(0.3, model="b/n", protocol="q"), score(0.1, model="c/o", benchmark="u")]
    )
    matrix = scores.compare(["a/m", "b/n", "c/o"], ["t", "u", "v"])
    assert matrix.protocols == {"t": ("q",), "u": ("p",)}
    assert set(matrix.cells) == {("a/m", "t"), ("b/n", "t"), ("c/o", "u")}


def test_comparing_across_protocols_is_refused_with_the_reason(scores):
    scores.add([score(0.9), score(0.3, model="b/n", protocol="q")])
    with pytest.raises(AcrossProtocols, match=r"a/m: p; b/n: q.*--mix") as refused:
        scores.compare(["a/m", "b/n"], ["t"])
    assert refused.value.exit_code == 2
    assert list(scores.compare(["a/m", "b/n"], ["t"], "q").cells) == [("b/n", "t")]


def test_the_released_table_moves_without_loss(place):
    kept = [FULL, score(0.25), score(0.75, Origin.REPORTED)]
    _old_table(place, [_old_row(one) for one in kept])
    scores = Scores(place, bundled=None)
    assert scores.own() == kept
    assert scores.new([*kept, score(0.1)]) == [score(0.1)]
    scores.close()
    _old_table(place, [_old_row(kept[0]), _old_row(score(0.9))])  # an older Mirror wrote again
    assert scores.own() == [*kept, score(0.9)]
    scores.close()


def test_a_released_table_that_cannot_be_read_is_named_and_stays(place):
    rows = [_old_row(score()), ("x", "a/m", "t", '{"value": 7}')]
    _old_table(place, rows)
    scores = Scores(place, bundled=None)
    for _ in range(2):
        with pytest.raises(DamagedStore, match="untouched"):
            scores.own()
    with pytest.raises(DamagedStore):
        scores.add([score(0.3)])
    opener = psycopg.connect if isinstance(place, str) else sqlite3.connect
    connection = opener(place)
    cursor = connection.cursor()
    cursor.execute("SELECT fingerprint, model, benchmark, record FROM scores ORDER BY id")
    assert [tuple(row) for row in cursor.fetchall()] == rows
    connection.close()
    scores.close()


def test_all_or_none_is_kept(scores, monkeypatch):
    scores.add([score()])
    row = score_table.to_row
    bad = {"model": None}
    monkeypatch.setattr(
        score_table, "to_row", lambda one: row(one) | (bad if one.value > 0.8 else {})
    )
    with pytest.raises(Exception, match="(?i)null"):
        scores.add([score(0.1), score(0.2), score(0.9)])
    assert scores.own() == [score()]


def test_many_writers_lose_nothing(place):
    def write(number):
        mine = Scores(place, bundled=None)
        mine.add([score(model=f"m/{number}"), score(model="shared/m")])
        mine.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(12)))
    scores = Scores(place, bundled=None)
    models = [one.model for one in scores.own()]
    assert sorted(models) == sorted([*(f"m/{number}" for number in range(12)), "shared/m"])
    scores.close()


# --- addresses --------------------------------------------------------------------------

SECRET = "s3cr3t"


def test_a_sqlite_url_is_its_file(tmp_path):
    by_url = Scores(f"sqlite:///{tmp_path}/s.sqlite", bundled=None)
    by_url.add([FULL])
    by_url.close()
    by_path = Scores(tmp_path / "s.sqlite", bundled=None)
    assert by_path.own() == [FULL]
    by_path.close()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (f"postgresql://u:{SECRET}@127.0.0.1:1/d", r"127\.0\.0\.1:1/d"),
        (f"postgres://u@127.0.0.1:1/d?password={SECRET}", r"127\.0\.0\.1:1/d"),
        (f"postgresql://u:{SECRET}@no.such.host.invalid/d", r"no\.such\.host\.invalid"),
    ],
)
def test_a_server_that_cannot_be_reached_is_one_line_without_secrets(url, says):
    with pytest.raises(StoreUnavailable, match=says) as refused:
        Scores(url, bundled=None).own()
    assert SECRET not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (f"postgresql://u:{SECRET}@host:port/d", "can't be read"),
        (f"postgresql://u:x@{SECRET}@host/d", "%40"),
        (f"mysql://u:{SECRET}@host/d", "SQLite or PostgreSQL"),
        ("://", "can't be read"),
        ("sqlite://", "must name a file"),
    ],
)
def test_an_address_that_cannot_be_one_is_told_without_secrets(url, says):
    with pytest.raises(BadRequest, match=says) as refused:
        Scores(url, bundled=None).own()
    assert SECRET not in str(refused.value)


def test_a_wrong_password_is_not_repeated(server):
    if server is None:
        pytest.skip("PostgreSQL's initdb and pg_ctl are not installed")
    url = server.address("postgres").replace(postgres.QUOTED, SECRET)
    with pytest.raises(StoreUnavailable, match="password authentication failed") as refused:
        Scores(url, bundled=None).own()
    assert SECRET not in str(refused.value)


def test_a_missing_driver_is_one_line_that_says_what_to_install():
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from memory.scores import Scores\n"
        "from memory.errors import BadRequest\n"
        "try: Scores('postgresql://u:p@127.0.0.1:1/d', bundled=None).own()\n"
        "except BadRequest as error: print(error)\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "PostgreSQL needs its driver: pip install 'mirror-llm[postgres]'.\n"
