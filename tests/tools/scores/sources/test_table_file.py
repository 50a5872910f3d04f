"""CSV and JSON Lines: exact round trips, and every bad line named."""

import pytest

from memory.errors import BadRequest
from memory.records import Origin, Score
from tools.scores.sources import bounded, table_file
from tools.scores.sources.entry import Refused

FULL = Score(
    model="a/m",
    revision="f" * 40,
    precision="Q4_1",
    benchmark='odd, "quoted" task',
    protocol="p · 0-shot · 中文",
    value=0.1 + 0.2,
    low=1e-17,
    high=0.7000000000000001,
    n=10**12,
    metric="exact_match,strict-match",
    origin=Origin.MEASURED,
    source="=cmd()|' ' \\ ; ,",
    date="2026-01-01",
    cost_usd=5e-324,
    run="r",
)
BARE = Score(
    model="gpt2", benchmark="t", protocol="p", value=0, origin=Origin.PREDICTED, source="s"
)
HEAD = "model,benchmark,protocol,value"


@pytest.fixture
def csv_file(tmp_path):
    def write(*lines, encoding="utf-8"):
        path = tmp_path / "s.csv"
        path.write_bytes("\n".join(lines).encode(encoding))
        return path

    return write


def read(path, scale=None):
    reader = table_file.read_csv if path.suffix == ".csv" else table_file.read_jsonl
    return list(reader(path, scale))


@pytest.mark.parametrize("name", ["s.csv", "s.jsonl"])
def test_what_is_written_reads_back_exactly(tmp_path, name):
    path = tmp_path / name
    assert table_file.write(path, [FULL, BARE]) == 2
    assert read(path) == [FULL, BARE]


def test_nothing_is_replaced_and_other_endings_are_refused(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("mine", "utf-8")
    with pytest.raises(BadRequest, match="is there already"):
        table_file.write(path, [FULL])
    assert path.read_text("utf-8") == "mine"
    with pytest.raises(BadRequest, match=r"\.csv or \.jsonl"):
        table_file.write(tmp_path / "s.xlsx", [FULL])
    with pytest.raises(BadRequest, match="can't be written"):
        table_file.write(tmp_path / "none" / "s.csv", [FULL])


def test_a_plain_table_is_self_reported_by_its_file(csv_file):
    (made,) = read(csv_file("\ufeff" + HEAD, "a/m,t,5-shot,0.5"))
    assert (made.origin, made.source, made.value) == (Origin.REPORTED, "s.csv", 0.5)


def test_percent_needs_a_scale_by_flag_or_by_row(csv_file):
    path = csv_file(HEAD, "a/m,t,p,55.5")
    (bad,) = read(path)
    assert bad == Refused("line 2", bad.reason)
    assert "--scale 100" in bad.reason
    assert read(path, 100)[0].value == pytest.approx(0.555)
    rows = read(csv_file(HEAD + ",scale", "a/m,t,p,55.5,100", "a/m,u,p,0.5,", "a/m,v,p,1,-1"))
    assert [getattr(row, "value", None) for row in rows] == [0.555, 0.5, None]


def test_bad_rows_are_refused_by_line_and_the_others_read(csv_file):
    found = read(
        csv_file(
            HEAD + ",n",
            "a/m,t,p,0.5,10",
            "a/m,u,p,nan,10",
            "a/m,v,p,0.5",
            "a/m,w,p,0.5,10,extra",
            "a/m,x,p,0.5,many",
            "a/m,t,p,0.5,10",
            'a/m,"y",p,0.5,',
        )
    )
    assert [type(one) for one in found] == [Score, *[Refused] * 5, Score]
    assert [one.where for one in found[1:-1]] == [f"line {n}" for n in (3, 4, 5, 6, 7)]
    assert found[5].reason == "it repeats line 2"


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([""], "no column model"),
        (["model,value", "a,1"], "no column benchmark, protocol"),
        ([HEAD + ",colour", "a/m,t,p,1,red"], "unknown column 'colour'"),
        ([HEAD + ",value", "a/m,t,p,1,1"], "twice"),
        ([HEAD, 'a/m,t,"p,0.5'], "line 2 is no CSV"),
        ([HEAD, "x" * (bounded.LINE + 1)], "line 2 is longer than"),
    ],
)
def test_what_is_no_table_is_refused_whole(csv_file, lines, says):
    with pytest.raises(BadRequest, match=says):
        read(csv_file(*lines))


def test_other_encodings_are_named_by_line(csv_file):
    with pytest.raises(BadRequest, match="line 2 is not UTF-8"):
        read(csv_file(HEAD, "a/m,ü,p,0.5", encoding="latin-1"))


def test_a_line_of_200_mb_is_never_held(tmp_path):
    path = tmp_path / "s.jsonl"
    with path.open("wb") as file:
        file.truncate(200_000_000)
    import tracemalloc

    tracemalloc.start()
    with pytest.raises(BadRequest, match="longer than"):
        read(path)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_json_lines_are_refused_one_by_one(tmp_path):
    path = tmp_path / "s.jsonl"
    table_file.write(path, [FULL])
    good = path.read_text("utf-8")
    lines = [good, "\n", good, "[1]\n", '{"colour": 1}\n', "[" * 100_000 + "\n", good[:40]]
    path.write_text("".join(lines), "utf-8")
    found = read(path)
    assert found[0] == FULL
    assert [(one.where, one.reason[:9]) for one in found[1:]] == [
        ("line 3", "it repeat"),
        ("line 4", "it is no "),
        ("line 5", "unknown f"),
        ("line 6", "it is no "),
        ("line 7", "it is no "),
    ]
