"""Pictures for reports, drawn by matplotlib as SVG text that can stand inside a page."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from memory.records import CONSTANT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.records import Measurement


def intervals(measured: Sequence[Measurement]) -> str:
    """Scores of all arms with their 90 % intervals, one panel a benchmark, as an ``<svg>``.

    Drawn with text as text, so that a screen reader and a search find the names.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    benchmarks = list(dict.fromkeys(one.benchmark for one in measured))
    arms = list(dict.fromkeys(one.arm for one in measured))[::-1]
    figure = Figure(figsize=(8, 0.9 + 0.42 * len(arms)), layout="constrained")
    panels = figure.subplots(1, len(benchmarks), sharey=True, squeeze=False)[0]
    for panel, benchmark in zip(panels, benchmarks, strict=True):
        for one in (one for one in measured if one.benchmark == benchmark):
            row = arms.index(one.arm)
            baseline = one.model == CONSTANT
            colour = "#8a8f98" if baseline else "#0b6e99"
            panel.plot([one.low, one.high], [row, row], color=colour, linewidth=2.5)
            panel.plot([one.value], [row], "s" if baseline else "o", color=colour, markersize=7)
            if baseline:
                panel.axvline(one.value, color=colour, linewidth=0.8, linestyle=":")
        panel.set_title(benchmark, fontsize=10, loc="left")
        panel.set_xlim(0, 1)
        panel.set_ylim(-0.6, len(arms) - 0.4)
        panel.set_yticks(range(len(arms)), arms, fontsize=9)
        panel.tick_params(axis="x", labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("accuracy, 90 % interval", fontsize=9)
    out = io.StringIO()
    FigureCanvasSVG(figure).print_svg(out, metadata={"Date": None, "Creator": "Mirror"})  # type: ignore[no-untyped-call]
    svg = out.getvalue()
    return svg[svg.index("<svg") :]
