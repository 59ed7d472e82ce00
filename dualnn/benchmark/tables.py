"""The report as tables on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dualnn.benchmark.goals import Goal, goals
from dualnn.benchmark.report import Group, Report, Result
from dualnn.benchmark.tasks import FIT, LATENCY, OWN_LOOP, PREDICT

OTHERS = {
    OWN_LOOP: "loops of one's own, uncompiled: a step",
    PREDICT: "predict: 60,000 samples, NumPy to NumPy",
    LATENCY: "latency: one sample, NumPy to NumPy",
}
UNITS = {FIT: (1e6, "µs"), OWN_LOOP: (1e6, "µs"), PREDICT: (1e3, "ms"), LATENCY: (1e6, "µs")}
"""What each task's seconds are told in."""


def show(report: Report, console: Console) -> None:
    """Print what was measured, group by group, then the goals and the failures."""
    for group in report.groups():
        if any(report.ranked(group, FIT)):
            console.print(_training(report, group))
    for task, title in OTHERS.items():
        if any(task in result.times for result in report.results):
            console.print(_task(report, task, title))
    if found := goals(report):
        console.print(_goals(found))
    for result in report.failed:
        console.print(escape(f"{title_of(result.group)}, {result.job.contender} failed: {result.error}"))
    console.print(escape(summary(report)))


def title_of(group: Group) -> str:
    """Return the heading of a group."""
    model, backend, batch_size = group
    return f"{model} on {backend}, batch {batch_size}"


def time_of(result: Result, task: str) -> str:
    """Return a task's median time as text, in the task's unit."""
    return figure(result.median(task) * UNITS[task][0])


def deviation_of(result: Result, task: str) -> str:
    """Return half the distance of the quartiles as a share of the median; nothing for one measurement."""
    if len(result.times[task]) < 2:
        return ""
    low, high = result.quartiles(task)
    return f"{(high - low) / 2 / result.median(task):.0%}"


def spread_of(result: Result, task: str) -> str:
    """Return the quartiles of a task's times as text; nothing for a single measurement."""
    if len(result.times[task]) < 2:
        return "once"
    return " to ".join(figure(seconds * UNITS[task][0]) for seconds in result.quartiles(task))


def figure(number: float) -> str:
    """Return a number with three digits or all before the point.

    >>> from dualnn.benchmark.tables import figure
    >>> figure(1234.5), figure(45.67), figure(0.1234)
    ('1,234', '45.7', '0.123')
    """
    if number >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 10 else f"{number:.2f}" if number >= 1 else f"{number:.3f}"


def times_of(ratio: float | None) -> str:
    """Return a ratio as text."""
    return "" if ratio is None else f"{ratio:.3f}" if ratio < 10 else f"{ratio:.1f}"


def contender_of(report: Report, result: Result, task: str) -> str:
    """Return a contender's name, the best native one marked, and dualnn's engine beside it."""
    best = report.of(result.group, "native", task) is result
    engine = result.about.get("engine") if task == FIT else None
    return result.job.contender + (" *" if best else "") + (f" ({engine})" if engine else "")


def summary(report: Report) -> str:
    """Return one line on what this was measured with."""
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    settings = ", ".join(f"{name} {value}" for name, value in report.settings.items() if value is not None)
    return f"{report.machine}; {versions}; {settings}; {report.seconds:.0f} s"


def _training(report: Report, group: Group) -> Table:
    table = _table(f"{title_of(group)}: training (* the best native loop)", "contender")
    for heading in ("µs\na step", "±", "over\nnative", "over\nfit", "first\nstep, s", "peak\nMiB"):
        table.add_column(heading, justify="right", no_wrap=True)
    for result in report.ranked(group, FIT):
        table.add_row(
            escape(contender_of(report, result, FIT)),
            time_of(result, FIT),
            deviation_of(result, FIT),
            times_of(report.ratio(result, "native", FIT)),
            times_of(report.ratio(result, "dualnn", FIT)),
            first_step_of(result),
            peak_of(result),
            style="bold" if result.job.maker == "dualnn" else None,
        )
    return table


def first_step_of(result: Result) -> str:
    """Return the seconds of the first step as text."""
    return "" if result.first_step is None else f"{result.first_step:.2f}"


def peak_of(result: Result) -> str:
    """Return the peak of memory in MiB as text."""
    return "" if result.peak is None else f"{result.peak / 2**20:,.0f}"


def _task(report: Report, task: str, title: str) -> Table:
    table = _table(title, "model and backend", "contender")
    for heading in (UNITS[task][1], "±", "over\nnative"):
        table.add_column(heading, justify="right", no_wrap=True)
    for group in report.groups():
        for result in report.ranked(group, task):
            table.add_row(
                escape(title_of(group)),
                escape(contender_of(report, result, task)),
                time_of(result, task),
                deviation_of(result, task),
                times_of(report.ratio(result, "native", task)),
                style="bold" if result.job.maker == "dualnn" else None,
            )
    return table


def _goals(found: list[Goal]) -> Table:
    table = _table("goals", "goal", "where")
    for heading in ("measured", "wanted", ""):
        table.add_column(heading, justify="right")
    for goal in _unmet_first(found):
        table.add_row(
            goal.what,
            escape(goal.where),
            times_of(goal.measured),
            goal.wanted,
            "met" if goal.met else "missed",
            style="green" if goal.met else "red",
        )
    return table


def _unmet_first(found: list[Goal]) -> Iterator[Goal]:
    yield from sorted(found, key=lambda goal: goal.met)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE, pad_edge=False)
    for column in columns:
        table.add_column(column)
    return table
