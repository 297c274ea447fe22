"""Draw the fits of the demo on one page. The only module of the demo that needs matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from .models import MODELS, response
from .score import SOLVED, Outcome

__all__ = ["draw"]

EXACT, CENTRAL, FORWARD, DATA = "#3d8fd1", "#7a7a7a", "#c8500a", "#1c1c1c"


def draw(outcomes: list[Outcome], path: Path) -> None:
    """Write a PNG to `path`: data and exact fit of every set, and a panel with the certified digits."""
    wide = 3  # the panel of digits takes the last cells
    columns = min(6, len(outcomes) + wide)
    rows = -(-(len(outcomes) + wide) // columns)
    figure = Figure(figsize=(2.7 * columns, 2.35 * rows), layout="constrained")
    grid = figure.add_gridspec(rows, columns)
    for index, outcome in enumerate(outcomes):
        _panel(figure.add_subplot(grid[index // columns, index % columns]), outcome)
    _digits(figure.add_subplot(grid[rows - 1, columns - wide :]), outcomes)
    figure.suptitle("NIST nonlinear regression sets: data, and the fit from start 2 with exact Jacobians")
    figure.savefig(path, dpi=130, format="png")


def _panel(axes: Any, outcome: Outcome) -> None:
    data = outcome.data
    beta = outcome.fits["exact"][1].beta
    model = MODELS[data.name]
    observed = response(data.name, data.y)
    if data.x.ndim == 1:
        smooth = np.linspace(data.x.min(), data.x.max(), 600)
        crowded = data.observations > 60  # then small points under the curve, else large ones on top
        axes.plot(
            data.x, observed, ".", color=DATA, markersize=2 if crowded else 3.5, zorder=1 if crowded else 3
        )
        axes.plot(smooth, model(beta, smooth), color=EXACT, linewidth=1.3, zorder=2)
    else:  # two predictors: one curve over the first for each value of the second
        for number, value in enumerate(np.unique(data.x[1])):
            here = data.x[1] == value
            smooth = np.linspace(0.0, data.x[0].max(), 200)
            predicted = model(beta, np.stack([smooth, np.full(200, value)]))
            axes.plot(smooth, predicted, color=f"C{number}", linewidth=1.5)
            axes.plot(data.x[0][here], observed[here], ".", color=f"C{number}", markersize=3)
    axes.set_title(f"{data.name}: {outcome.digits['exact'][1]:.1f} digits", fontsize=9)
    axes.tick_params(labelsize=6.5)


def _digits(axes: Any, outcomes: list[Outcome]) -> None:
    where = np.arange(len(outcomes))
    for key, colour, marker in (("exact", EXACT, "o"), ("3-point", CENTRAL, "x"), ("2-point", FORWARD, "v")):
        scores = [outcome.digits[key][1] for outcome in outcomes]
        axes.plot(where, scores, marker, color=colour, markersize=4, label=key)
    axes.axhline(SOLVED, color="black", linewidth=0.6, linestyle=":")
    axes.set_ylim(0, 11.8)
    axes.set_xticks(where, [outcome.data.name for outcome in outcomes], rotation=90, fontsize=6.5)
    axes.tick_params(axis="y", labelsize=6.5)
    axes.set_title("certified digits from start 2, by the Jacobian used", fontsize=9)
    axes.legend(fontsize=7, ncols=3, loc="lower right")
