"""The real command on bad input: one line, the right exit code, nothing lost or overwritten."""

import os
import resource
import signal
import subprocess
import sys
import time

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def _environment(home, **more):
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "PYTHONPATH": ROOT,
        "MIRROR_HOME": str(home / "data"),
        "MIRROR_CACHE": str(home / "cache"),
        "MIRROR_RUNS": str(home / "runs"),
        **more,
    }


def _mirror(home, *words, limit=None, **more):
    return subprocess.run(
        [sys.executable, "-m", "agent", *words],
        cwd=home,
        env=_environment(home, **more),
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        check=False,
        preexec_fn=(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit)) if limit else None,
    )


def _one_line(done, code=2):
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("mirror: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("request_text", "says"),
    [
        ("", "empty"),
        ("?!", "no words"),
        ("chat, commercial, at least 70B parameters, at most 7B", "at least 70B and at most 7B"),
        ("chat, licence foo-2.0 only, at most 7B", "foo-2.0"),
        ("chat, commercial, at most 99999999999999999999999B", "max params"),
        ("chat in English, commercial use, at most 0.001B parameters", "Relaxing size"),
    ],
)
def test_requests(home, request_text, says):
    assert says in _one_line(_mirror(home, "select", request_text))


def test_unknown_thread_and_run(home):
    assert "nobody" in _one_line(_mirror(home, "resume", "nobody"))
    assert "2020-01-01" in _one_line(_mirror(home, "report", "2020-01-01"))


def test_bad_settings(home):
    assert "MIRROR_BASE_URL" in _one_line(_mirror(home, "select", "chat", MIRROR_MODEL="gpt-4o"))
    assert _mirror(home, "threads", MIRROR_MODEL="", MIRROR_HOME="").returncode == 0
    assert "xx-nonsense" in _one_line(_mirror(home, "select", "chat", "--language", "xx-nonsense"))
    assert "MIRROR_MINUTES" in _one_line(_mirror(home, "threads", MIRROR_MINUTES="soon"))
    assert "MIRROR_HOME" in _one_line(_mirror(home, "threads", MIRROR_HOME="/proc/nothing/here"))


@pytest.mark.parametrize("store", ["conversations", "findings", "ledger", "scores"])
def test_a_damaged_store_is_named_and_left_alone(home, store):
    file = home / "data" / f"{store}.sqlite"
    file.parent.mkdir()
    garbage = b"SQLite format 3\x00" + os.urandom(8192)
    file.write_bytes(garbage)
    done = _mirror(
        home, "select", "chat in English, commercial use, at most 0.5B", "--approve-up-to", "0"
    ) if store in ("conversations", "findings") else _mirror(home, "doctor")  # fmt: skip
    if store in ("conversations", "findings"):
        assert str(file) in _one_line(done)
    else:
        assert done.returncode == 2
        assert f"{store}.sqlite" in done.stdout
    assert file.read_bytes() == garbage


def test_a_full_disk_is_one_line_and_loses_nothing(home):
    limit = (100_000, 100_000)
    done = _mirror(home, "select", "chat in English, commercial use, at most 0.5B", limit=limit)
    assert "data" in _one_line(done)
    again = _mirror(home, "threads")
    assert again.returncode == 0, again.stderr


def test_an_unreachable_planner_is_one_line(home):
    done = _mirror(
        home,
        "select",
        "chat in English, commercial use, at most 0.5B",
        MIRROR_MODEL="m",
        MIRROR_BASE_URL="http://127.0.0.1:9/v1",
    )
    assert "--planner rules" in _one_line(done)


def test_ctrl_c_keeps_the_thread(home):
    running = subprocess.Popen(
        [
            sys.executable,
            "-u",
            "-m",
            "agent",
            "select",
            "chat in English, commercial, at most 0.5B",
        ],
        cwd=home,
        env=_environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    assert running.stdout is not None
    for line in running.stdout:
        if "Stage 1" in line:
            break
    time.sleep(0.5)
    running.send_signal(signal.SIGINT)
    _, error = running.communicate(timeout=60)
    assert running.returncode == 130, error
    assert "mirror resume chat-english-" in error
    thread = error.split("mirror resume ")[1].strip()
    listed = _mirror(home, "threads")
    assert thread in listed.stdout
