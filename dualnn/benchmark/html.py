"""The report as one page of HTML that needs no other file."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from dualnn.benchmark import figures
from dualnn.benchmark.goals import Goal, goals
from dualnn.benchmark.report import Report, Result
from dualnn.benchmark.tables import (
    OTHERS,
    UNITS,
    contender_of,
    figure,
    first_step_of,
    peak_of,
    spread_of,
    summary,
    time_of,
    times_of,
    title_of,
)
from dualnn.benchmark.tasks import FIT
from dualnn.conformance.html import STYLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OWN_STYLE = """
tr.ours td { font-weight: 600; } tr.met td.mark { color: #2e7d32; } tr.missed td.mark { color: #c62828; }
tr.missed td { background: #fdecea; } h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
"""
TRAINING = ("µs a step", "quartiles", "over native", "over fit", "samples/s", "first step, s", "MiB", "loss")


def save(report: Report, path: Path) -> None:
    """Write the page.

    Raises:
        ImportError: matplotlib, which draws the pictures, is not installed; the message says how to.
    """
    path.write_text(page(report), encoding="utf-8")


def page(report: Report) -> str:
    """Return the page's text."""
    found = goals(report)
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8"><title>dualnn bench</title>',
            f"<style>{STYLE}{OWN_STYLE}</style></head>",
            "<body><h1>How fast is it?</h1>",
            '<p class="dim">dualnn bench: the same model, data, batch and optimizer by dualnn, by the best '
            "native loop, by Keras and by Lightning. Each lives in a process of its own and they work in "
            "turn, one at a time; a ratio is the median over the repetitions. Compare figures within this "
            "page only.</p>",
            _verdict(found),
            *_goals(found),
            "<h2>Training</h2>",
            "<p>A step of a warm run. <b>*</b> marks the best native loop, the one that dualnn is held "
            "against. The first step includes all compilation; the peak of memory is the process's own, "
            "with the framework in it; the loss is that of the second epoch, and close to the others' if "
            "all do the same work. “Once”: a native loop so slow that one repetition tells enough.</p>",
            *_picture(figures.times(report, FIT)),
            *_training(report),
            *_picture(figures.sweep(report), "Throughput over the batch"),
            *(part for task, title in OTHERS.items() for part in _task(report, task, title)),
            *_failures(report),
            f'<h2>Measured with</h2><p class="dim">{escape(summary(report))}</p>',
            "</body></html>",
        ]
    )


def _verdict(found: list[Goal]) -> str:
    missed = sum(not goal.met for goal in found)
    kind = "bad" if missed else "good"
    return f'<p class="verdict {kind}">{len(found) - missed} of {len(found)} goals are met.</p>'


def _goals(found: list[Goal]) -> Iterator[str]:
    if found:
        rows = [
            (
                "met" if goal.met else "missed",
                (goal.what, goal.where, times_of(goal.measured), goal.wanted),
                "met" if goal.met else "missed",
            )
            for goal in sorted(found, key=lambda goal: goal.met)
        ]
        yield "<h2>Goals</h2>"
        yield _table(("goal", "where"), ("measured", "wanted"), rows)


def _training(report: Report) -> Iterator[str]:
    for group in report.groups():
        rows = [
            (
                "ours" if result.job.maker == "dualnn" else "",
                _training_cells(report, result),
                "",
            )
            for result in report.ranked(group, FIT)
        ]
        if rows:
            yield f"<h3>{escape(title_of(group))}</h3>{_table(('contender',), TRAINING, rows)}"


def _training_cells(report: Report, result: Result) -> tuple[str, ...]:
    return (
        contender_of(report, result, FIT),
        time_of(result, FIT),
        spread_of(result, FIT),
        times_of(report.ratio(result, "native", FIT)),
        times_of(report.ratio(result, "dualnn", FIT)),
        figure(result.throughput),
        first_step_of(result),
        peak_of(result),
        "" if result.loss is None else f"{result.loss:.3f}",
    )


def _task_cells(report: Report, result: Result, task: str) -> tuple[str, ...]:
    return (
        title_of(result.group),
        contender_of(report, result, task),
        time_of(result, task),
        spread_of(result, task),
        times_of(report.ratio(result, "native", task)),
    )


def _task(report: Report, task: str, title: str) -> Iterator[str]:
    rows = [
        (
            "ours" if result.job.maker == "dualnn" else "",
            _task_cells(report, result, task),
            "",
        )
        for group in report.groups()
        for result in report.ranked(group, task)
    ]
    if rows:
        yield f"<h2>{escape(title[0].upper() + title[1:])}</h2>"
        yield from _picture(figures.times(report, task))
        columns = (UNITS[task][1], "quartiles", "over native")
        yield f"<details><summary>Figures</summary>{_table(('where', 'contender'), columns, rows)}</details>"


def _failures(report: Report) -> Iterator[str]:
    if report.failed:
        rows = [
            ("missed", (title_of(result.group), result.job.contender, result.error or ""), "")
            for result in report.failed
        ]
        yield f"<h2>Who failed, and why</h2>{_table(('where', 'contender', 'reason'), (), rows)}"


def _table(
    words: Sequence[str], numbers: Sequence[str], rows: Iterable[tuple[str, Sequence[str], str]]
) -> str:
    """Return a table of rows (class, cells, mark): columns of words, then of numbers, then of marks."""
    head = "".join(f"<th>{word}</th>" for word in words)
    head += "".join(f'<th class="number">{number}</th>' for number in numbers) + "<th></th>"
    lines = [f"<table><tr>{head}</tr>"]
    for kind, cells, mark in rows:
        line = "".join(f"<td>{escape(cell)}</td>" for cell in cells[: len(words)])
        line += "".join(f'<td class="number">{escape(cell)}</td>' for cell in cells[len(words) :])
        lines.append(f'<tr class="{kind}">{line}<td class="mark">{mark}</td></tr>')
    return "".join([*lines, "</table>"])


def _picture(drawn: Figure | None, title: str | None = None) -> Iterator[str]:
    if drawn is not None:
        text = io.StringIO()
        drawn.savefig(text, format="svg", bbox_inches="tight")
        svg = "".join(text.getvalue().partition("<svg")[1:])
        yield (f"<h2>{title}</h2>" if title else "") + svg
