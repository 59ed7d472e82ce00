"""The report's pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dualnn import plots
from dualnn.benchmark.report import Report, Result
from dualnn.benchmark.tables import OTHERS, UNITS, contender_of, title_of
from dualnn.benchmark.tasks import FIT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOUR_OF = dict(zip(("dualnn", "native", "keras", "lightning"), plots.COLOURS, strict=True))


def times(report: Report, task: str) -> Figure | None:
    """Draw what every contender takes for a task, one picture a group; None if nobody did it."""
    groups = {group: list(report.ranked(group, task)) for group in report.groups()}
    groups = {group: results for group, results in groups.items() if results}
    if not groups:
        return None
    rows = [len(results) for results in groups.values()]
    figure = plots.figure(9, 0.27 * sum(rows) + 0.95 * len(rows))
    # rows of one height in all pictures
    grid = figure.subplots(len(rows), 1, squeeze=False, height_ratios=[n + 1 for n in rows])[:, 0]
    for axes, (group, results) in zip(grid, groups.items(), strict=True):
        _draw_group(axes, report, results, task)
        axes.set_title(title_of(group), fontsize=10, loc="left")
    what = (
        f"{'a step, ' if task not in OTHERS else ''}{UNITS[task][1]}, median and quartiles; shorter is better"
    )
    grid[-1].set_xlabel(what, color=plots.GREY, fontsize=9)
    return figure


def sweep(report: Report) -> Figure | None:
    """Draw the throughput over the batch size, None for a single size."""
    places = list(dict.fromkeys((model, backend) for model, backend, _ in report.groups()))
    sizes = sorted({size for _, _, size in report.groups()})
    if len({group[2] for group in report.groups() if group[:2] == places[0]}) < 2:
        return None
    columns = min(2, len(places))
    figure = plots.figure(4.6 * columns, 3.1 * -(-len(places) // columns))
    grid = figure.subplots(-(-len(places) // columns), columns, squeeze=False)
    for axes, (model, backend) in zip(grid.flat, places, strict=False):
        for maker, colour in COLOUR_OF.items():
            best = [(size, report.of((model, backend, size), maker, FIT)) for size in sizes]
            points = [(size, result.throughput) for size, result in best if result is not None]
            if points:
                axes.loglog(*zip(*points, strict=True), color=colour, marker="o", markersize=4, label=maker)
        axes.set_title(f"{model} on {backend}", fontsize=10, loc="left")
        axes.set_xlabel("samples a batch", color=plots.GREY, fontsize=9)
        axes.set_ylabel("samples a second", color=plots.GREY, fontsize=9)
        axes.legend(frameon=False, fontsize=8)
        _tidy(axes)
    for axes in grid.flat[len(places) :]:
        axes.set_axis_off()
    return figure


def _draw_group(axes: Axes, report: Report, results: list[Result], task: str) -> None:
    unit = UNITS[task][0]
    for row, result in enumerate(results):
        median, (low, high) = result.median(task) * unit, result.quartiles(task)
        colour = COLOUR_OF[result.job.maker]
        axes.barh(row, median, height=0.7, color=colour, alpha=0.85)
        axes.plot([low * unit, high * unit], [row, row], color="0.2", linewidth=1.2)
        over = report.ratio(result, "native", task)
        label = f"  {median:,.3g}" if median < 1000 else f"  {median:,.0f}"
        label += f"   {over:.2f} of native" if over is not None and result.job.maker != "native" else ""
        axes.annotate(label, (max(median, high * unit), row), va="center", fontsize=8, color="0.25")
    axes.set_yticks(range(len(results)), [contender_of(report, result, task) for result in results])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.3 * max(result.quartiles(task)[1] for result in results) * unit)
    _tidy(axes)


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(plots.GREY)
    axes.tick_params(colors=plots.GREY, labelsize=8)
