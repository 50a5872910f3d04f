"""A derived folder is whole or absent, whatever happens to it, and made by one process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest

from memory.derived import CONTENTS, KEPT, kept
from memory.errors import DamagedStore


def make(place, text="made"):
    (place / "one.txt").write_text(text, "utf-8")
    (place / "two.txt").write_text("second", "utf-8")


def read(place):
    return (place / "one.txt").read_text("utf-8")


def test_it_is_made_once_and_then_read(tmp_path):
    folder = tmp_path / "deep" / "thing.1"
    assert kept(folder, make, read) == "made"
    assert kept(folder, None, read) == "made"


def harm_cut(folder):
    (folder / "two.txt").write_text("sec", "utf-8")


def harm_flip(folder):
    (folder / "two.txt").write_text("secund", "utf-8")


def harm_gone(folder):
    (folder / "two.txt").unlink()


def harm_contents(folder):
    (folder / CONTENTS).write_text("{", "utf-8")


def harm_list(folder):
    (folder / CONTENTS).unlink()


def harm_file(folder):
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    folder.write_text("a file", "utf-8")


@pytest.mark.parametrize(
    "harm", [harm_cut, harm_flip, harm_gone, harm_contents, harm_list, harm_file]
)
def test_a_damaged_folder_is_made_again(tmp_path, harm):
    folder = tmp_path / "thing.1"
    kept(folder, make, read)
    harm(folder)
    assert kept(folder, lambda place: make(place, "again"), read) == "again"


def test_what_reading_finds_damaged_is_made_again(tmp_path):
    folder, fit = tmp_path / "thing.1", []

    def picky(place):
        if not fit:
            fit.append(1)
            raise DamagedStore("no")
        return read(place)

    kept(folder, make, read)
    assert kept(folder, lambda place: make(place, "again"), picky) == "made"


def test_a_folder_that_can_not_be_written_is_made_elsewhere(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way", "utf-8")
    assert kept(blocked / "thing.1", make, read) == "made"
    assert blocked.read_text("utf-8") == "in the way"


def test_a_failing_making_leaves_nothing_behind(tmp_path):
    def fails(place):
        make(place)
        raise DamagedStore("the source is damaged")

    with pytest.raises(DamagedStore, match="source"):
        kept(tmp_path / "thing.1", fails, read)
    assert [one.name for one in tmp_path.iterdir() if one.is_dir()] == []


def test_the_last_used_are_kept(tmp_path):
    for k in range(KEPT + 2):
        kept(tmp_path / f"thing.{k}", make, read)
        os.utime(tmp_path / f"thing.{k}", (k, k))
    kept(tmp_path / "thing.9", make, read)
    left = {one.name for one in tmp_path.iterdir() if one.is_dir()}
    assert left == {"thing.3", "thing.4", "thing.9"}
    kept(tmp_path / "other.1", make, read)
    assert (tmp_path / "thing.3").is_dir()


def test_of_two_processes_one_makes_it(tmp_path):
    code = """
        import sys, time
        from pathlib import Path
        from memory.derived import kept

        def make(place):
            with open(sys.argv[1] + "/made.log", "a") as log:
                log.write("made\\n")
            time.sleep(0.5)
            (place / "one.txt").write_text("x")

        print(kept(Path(sys.argv[1]) / "thing.1", make, lambda p: (p / "one.txt").read_text()))
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [one.communicate(timeout=60)[0] for one in both] == ["x\n", "x\n"]
    assert (tmp_path / "made.log").read_text() == "made\n"
    assert json.loads((tmp_path / "thing.1" / CONTENTS).read_bytes())
