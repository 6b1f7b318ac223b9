"""Plots for docs/models: SVG whose bytes are the same each time, in colours that the colour-blind can distinguish."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

from training.statistics import Figures

COLOURS = ("#0072B2", "#009E73", "#E69F00", "#CC79A7", "#000000")  # Okabe and Ito 2008
MARKS = ("o", "s", "^", "D", "v")
STYLE = {"svg.hashsalt": "teleder", "svg.fonttype": "none", "font.size": 9}


def by_field(path: Path, panels: dict[str, dict[str, Figures]], what: str) -> None:
    """Plot shares with their intervals against the field of view: a panel each, in it a curve each."""
    with pyplot.rc_context(STYLE):
        drawing, axes = pyplot.subplots(
            1, len(panels), figsize=(max(5.5, 3.1 * len(panels)), 3.4), sharey=True, squeeze=False
        )
        for axis, (title, curves) in zip(axes[0], panels.items(), strict=True):
            for (name, points), colour, mark in zip(curves.items(), COLOURS, MARKS, strict=False):
                known = {int(field): own for field, own in points.items() if own["value"] is not None}
                low, middle, high = ([own[k] for own in known.values()] for k in ("low", "value", "high"))
                look = {"color": colour, "marker": mark, "markersize": 4, "linewidth": 1.3}
                axis.plot(list(known), middle, label=name, **look)
                axis.fill_between(list(known), low, high, color=colour, alpha=0.12, linewidth=0)
            axis.set_xscale("log")
            axis.set_xticks([4, 10, 30, 120], ["4", "10", "30", "120"])
            axis.minorticks_off()
            axis.set(title=title, xlabel="field of view, cm", ylim=(-0.02, 1.02))
            axis.grid(alpha=0.25)
        axes[0][0].set_ylabel(what)
        drawing.legend(*axes[0][0].get_legend_handles_labels(), loc="lower center", ncols=5, frameon=False)
        drawing.tight_layout(rect=(0, 0.1, 1, 1))
        drawing.savefig(path, metadata={"Date": None})
        pyplot.close(drawing)
