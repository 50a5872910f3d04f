"""Where its sources are at hand: the committed snapshot is what the builder makes of them."""

import gzip
from pathlib import Path

import pytest

from memory.snapshot import build

DATA = Path(__file__).parents[3] / "shared" / "data"
HERE = Path(build.__file__).parent


@pytest.mark.skipif(
    not DATA.is_dir(), reason="the sources of the snapshot are not at ../shared/data"
)
def test_the_committed_snapshot_is_reproduced_exactly(tmp_path):
    build.build(DATA, tmp_path)
    made = sorted(path.name for path in tmp_path.iterdir())
    assert made
    for name in made:
        assert _content(tmp_path / name) == _content(HERE / name), name


def _content(path: Path) -> bytes:
    """Unpacked, because zlib versions pack differently."""
    raw = path.read_bytes()
    return gzip.decompress(raw) if path.suffix == ".gz" else raw
