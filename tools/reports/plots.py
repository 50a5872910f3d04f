"""Pictures for reports, drawn by matplotlib as SVG text that can stand inside a page."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from memory.example_sets import PREFIX
from memory.records import CONSTANT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from memory.records import Measurement, Prediction

ACCENT, BASELINE = "#0b6e99", "#8a8f98"


def intervals(measured: Sequence[Measurement]) -> str:
    """Scores of all arms with their 90 % intervals, one panel a benchmark, as an ``<svg>``."""
    from matplotlib.figure import Figure

    benchmarks = list(dict.fromkeys(one.benchmark for one in measured))
    arms = list(dict.fromkeys(one.arm for one in measured))[::-1]
    figure = Figure(figsize=(8, 0.9 + 0.42 * len(arms)), layout="constrained")
    panels = figure.subplots(1, len(benchmarks), sharey=True, squeeze=False)[0]
    for panel, benchmark in zip(panels, benchmarks, strict=True):
        for one in (one for one in measured if one.benchmark == benchmark):
            row = arms.index(one.arm)
            baseline = one.model == CONSTANT
            colour = BASELINE if baseline else ACCENT
            panel.plot([one.low, one.high], [row, row], color=colour, linewidth=2.5)
            panel.plot([one.value], [row], "s" if baseline else "o", color=colour, markersize=7)
            if baseline:
                panel.axvline(one.value, color=colour, linewidth=0.8, linestyle=":")
        panel.set_title(_short(benchmark), fontsize=9, loc="left")
        panel.set_xlim(0, 1)
        panel.set_ylim(-0.6, len(arms) - 0.4)
        panel.set_yticks(range(len(arms)), arms, fontsize=9)
        panel.tick_params(axis="x", labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("score, 90 % interval", fontsize=9)
    return _svg(figure)


def predicted_against_measured(pairs: Sequence[tuple[Prediction, Measurement]]) -> str:
    """What was predicted of a cell beside what was then measured, 90 % intervals as a cross.

    A prediction that was not to be relied on is drawn hollow; on the diagonal it came true.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 4.6), layout="constrained")
    panel = figure.subplots()
    panel.plot([0, 1], [0, 1], color="#c3ccd4", linewidth=1, zorder=0)
    for guess, found in pairs:
        colour = ACCENT if guess.trusted else BASELINE
        panel.plot([guess.low, guess.high], [found.value] * 2, color=colour, linewidth=1.4)
        panel.plot([guess.value] * 2, [found.low, found.high], color=colour, linewidth=1.4)
        face = colour if guess.trusted else "white"
        panel.plot(guess.value, found.value, "o", color=colour, mfc=face, markersize=7)
        panel.annotate(
            f"{found.arm}\n{_short(found.benchmark)}",
            (guess.value, found.value),
            xytext=(6, 4),
            textcoords="offset points",
            fontsize=7,
        )
    panel.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    panel.set_xlabel("predicted", fontsize=9)
    panel.set_ylabel("measured here", fontsize=9)
    panel.tick_params(labelsize=8)
    panel.spines[["top", "right"]].set_visible(False)
    return _svg(figure)


def regret_against_spend(points: Sequence[tuple[float, float]], unit: str) -> str:
    """Expected regret of the choice, in points of score, after each purchase worth making.

    ``points``: (spent so far in ``unit``, expected regret in [0, 1]), the first before anything.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 3.2), layout="constrained")
    panel = figure.subplots()
    spent, regret = zip(*points, strict=True)
    panel.step(spent, [100 * one for one in regret], where="post", color=ACCENT, linewidth=2)
    panel.plot(spent, [100 * one for one in regret], "o", color=ACCENT, markersize=5)
    panel.set_xlabel(f"spent ({unit})", fontsize=9)
    panel.set_ylabel("expected regret (points)", fontsize=9)
    panel.set_xlim(left=0)
    panel.set_ylim(bottom=0)
    panel.tick_params(labelsize=8)
    panel.spines[["top", "right"]].set_visible(False)
    return _svg(figure)


def _short(benchmark: str) -> str:
    return "your examples" if benchmark.startswith(PREFIX) else benchmark


def _svg(figure: Figure) -> str:
    """The figure as an ``<svg>`` with text as text: a screen reader and a search find it."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    out = io.StringIO()
    with rc_context({"svg.fonttype": "none"}):
        FigureCanvasSVG(figure).print_svg(out, metadata={"Date": None, "Creator": "Mirror"})  # type: ignore[no-untyped-call]
    svg = out.getvalue()
    return svg[svg.index("<svg") :]
