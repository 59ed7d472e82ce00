"""The report's pictures."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dualnn import plots
from dualnn.conformance.runner import Result
from dualnn.conformance.suite import Report
from dualnn.conformance.tables import place, places

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NOTHING = 1e-6
"""What a share of 0 is drawn as, on a logarithmic axis."""


def shares(report: Report) -> Figure:
    """Draw for each subject what share of its bound every measurement takes."""
    measured = {subject: [r for r in rs if r.kind != "exact"] for subject, rs in report.by_subject().items()}
    subjects = {subject: results for subject, results in measured.items() if results}
    figure = plots.figure(9, 0.36 * len(subjects) + 1.6)
    axes = figure.subplots()
    generator = np.random.default_rng(0)
    for color, one in enumerate(places(report)):
        x, y = [], []
        for row, results in enumerate(subjects.values()):
            found = [
                max(min(r.share, 1e6), NOTHING) for r in results if place(r) == one and r.kind != "exact"
            ]
            x += found
            y += list(row + generator.uniform(-0.3, 0.3, len(found)))
        axes.scatter(x, y, s=7, alpha=0.5, color=plots.COLOURS[color], label=one, linewidths=0)
    axes.axvline(1, color="0.3", linewidth=1)
    axes.set(
        xscale="log",
        xlabel="error over its bound (at the left edge: no error at all)",
        xlim=(NOTHING / 2, None),
    )
    axes.set_yticks(range(len(subjects)), list(subjects))
    axes.invert_yaxis()
    figure.legend(loc="outside upper center", ncols=4, frameon=False)
    return figure


def sizes(report: Report) -> Figure | None:
    """Draw errors of sums over their length, None if there are none."""
    results = [r for r in report.results if r.size is not None and r.target.mode == "eager"]
    return _grid(results, _draw_sizes, "numbers added up")


def trajectories(report: Report) -> Figure | None:
    """Draw errors over the steps of training, None if there are none."""
    results = [r for r in report.results if r.path and report.subjects[r.case] == "training"]
    return _grid(results, _draw_path, "step")


def _grid(results: Sequence[Result], draw: Any, label: str) -> Figure | None:
    keys = sorted({(r.name if r.size is not None else r.case, r.target.dtype) for r in results})
    if not keys:
        return None
    columns = 3
    rows = -(-len(keys) // columns)
    figure = plots.figure(11, 2.6 * rows + 0.6)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, (name, dtype) in zip(grid.flat, keys, strict=False):
        mine = [r for r in results if name in (r.name, r.case) and r.target.dtype == dtype]
        for color, one in enumerate(sorted({place(r) for r in results})):
            draw(axes, [r for r in mine if place(r) == one], plots.COLOURS[color], one)
        axes.set_title(textwrap.fill(f"{name}, {dtype}", 44), fontsize=8)
        axes.set_xlabel(label, fontsize=8)
        axes.set_ylabel("ULP", fontsize=8)
        axes.tick_params(labelsize=7)
    for axes in grid.flat[len(keys) :]:
        axes.set_axis_off()
    handles, labels = grid.flat[0].get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    figure.legend(
        list(once.values()), list(once), loc="outside upper center", ncols=6, frameon=False, fontsize=8
    )
    return figure


def _draw_sizes(axes: Axes, results: list[Result], color: str, label: str) -> None:
    results = sorted(results, key=lambda r: r.size or 0)
    x = [r.size for r in results]
    axes.loglog(x, [r.bound for r in results], color="0.6", linestyle="--", label="allowed")
    axes.loglog(x, [max(r.error, 1e-2) for r in results], color=color, marker="o", markersize=3, label=label)


def _draw_path(axes: Axes, results: list[Result], color: str, label: str) -> None:
    for r in results:
        error, bound = np.array(r.path).T
        axes.semilogy(np.maximum(bound, 1e-2), color="0.6", linestyle="--", label="allowed")
        axes.semilogy(np.maximum(error, 1e-2), color=color, linewidth=1, label=label)
