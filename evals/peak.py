"""The most memory a process ever held."""

from __future__ import annotations

from pathlib import Path


def peak_mb() -> float:
    """Of this process, in MB; ``ru_maxrss`` would count its parent's, too."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
