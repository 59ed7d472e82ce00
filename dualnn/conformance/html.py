"""The report as one page of HTML that needs no other file."""

from __future__ import annotations

import io
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from dualnn.conformance import figures
from dualnn.conformance.runner import BAD, KNOWN, Result
from dualnn.conformance.suite import Report
from dualnn.conformance.tables import place, places, together, ulps, verdict, whereabouts, worst

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
p.verdict { padding: .6rem .9rem; border-left: 5px solid; background: #f6f6f6; }
p.good { border-color: #2e7d32; } p.bad { border-color: #c62828; }
table { border-collapse: collapse; width: 100%; font-size: .86rem; }
th, td { text-align: left; padding: .22rem .6rem; border-bottom: 1px solid #e4e4e4; vertical-align: top; }
th { font-weight: 600; border-bottom-color: #999; }
td.number, th.number { text-align: right; white-space: nowrap; }
td.number { font-variant-numeric: tabular-nums; }
tr.bad td { background: #fdecea; } tr.known td { background: #fff8e1; }
.dim { color: #767676; } svg { max-width: 100%; height: auto; } details { margin: .6rem 0; }
summary { cursor: pointer; }
"""


def save(report: Report, path: Path) -> None:
    """Write the page.

    Raises:
        ImportError: matplotlib, which draws the pictures, is not installed; the message says how to.
    """
    path.write_text(page(report), encoding="utf-8")


def page(report: Report) -> str:
    """Return the page's text."""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8"><title>dualnn conform</title>',
            f"<style>{STYLE}</style></head>",
            "<body><h1>How exactly does it compute?</h1>",
            f'<p class="dim">dualnn conform, level {escape(report.level)}: every public operation against '
            "references of higher precision. An error is told in units in the last place (ULP) of the dtype; "
            "the bound beside it is derived from the count of roundings that the operation takes.</p>",
            _verdict(report),
            *_problems("Out of bounds, or in error", report.bad),
            *_untested(report),
            "<h2>The worst of each subject</h2>",
            _subjects(report),
            "<h2>Every measurement as a share of its bound</h2>",
            _svg(figures.shares(report)),
            *_picture("Errors of sums over their length", figures.sizes(report)),
            *_picture("Training: how far from the exact trajectory", figures.trajectories(report)),
            *_problems("The frameworks' own disagreements, with their cause", report.known),
            *_problems("What a backend lacks", report.missing),
            "<h2>How far the backends are from each other</h2>",
            _differences(report),
            "<h2>Everything measured</h2>",
            *_everything(report),
            "</body></html>",
        ]
    )


def _verdict(report: Report) -> str:
    kind, sentence = ("good", "Nothing") if report.passed else ("bad", "Something")
    return f'<p class="verdict {kind}">{sentence} is out of bounds. {escape(verdict(report))}</p>'


def _untested(report: Report) -> Iterable[str]:
    if report.untested:
        yield f"<h2>Public names without a case</h2><p>{escape(', '.join(report.untested))}</p>"


def _problems(title: str, results: list[Result]) -> Iterable[str]:
    if results:
        rows = [(max(group, key=lambda r: r.share), whereabouts(group)) for group in together(results)]
        yield f"<h2>{title}</h2>{_table(rows)}"


def _subjects(report: Report) -> str:
    head = "".join(
        f'<th class="number">{escape(one)}</th><th class="number">allowed</th><th>in</th>'
        for one in places(report)
    )
    rows = []
    for subject, results in report.by_subject().items():
        cells = [f'<td>{escape(subject)}</td><td class="number">{len(results):,}</td>']
        for one in places(report):
            found = worst(r for r in results if place(r) == one)
            if found is None:
                cells.append('<td class="number">0</td><td></td><td class="dim">all exact</td>')
            else:
                cells.append(
                    f'<td class="number">{ulps(found.error)}</td>'
                    f'<td class="number dim">{ulps(found.bound)}</td>'
                    f"<td>{escape(found.case)} "
                    f"<span class='dim'>{found.kind}, {found.target.dtype}</span></td>"
                )
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return f'<table><tr><th>subject</th><th class="number">measured</th>{head}</tr>{"".join(rows)}</table>'


def _differences(report: Report) -> str:
    found = sorted(report.differences().items(), key=lambda item: -item[1][0])[:15]
    rows = "".join(
        f"<tr><td>{escape(case)}</td><td>{kind}</td><td>{dtype}</td>"
        f'<td class="number">{ulps(ulp)}</td><td>{escape(between)}</td></tr>'
        for (case, kind, dtype), (ulp, between) in found
        if ulp
    )
    return (
        "<p>The largest differences of two results, in ULP of the largest number of the result.</p>"
        '<table><tr><th>case</th><th>what</th><th>dtype</th><th class="number">ULP</th><th>between</th></tr>'
        f"{rows}</table>"
    )


def _everything(report: Report) -> Iterable[str]:
    for subject, results in report.by_subject().items():
        yield (
            f"<details><summary>{escape(subject)} <span class='dim'>{len(results):,}</span></summary>"
            f"{_table((r, str(r.target)) for r in results)}</details>"
        )


def _table(results: Iterable[tuple[Result, str]]) -> str:
    rows = []
    for r, where in results:
        mark = "bad" if r.status in BAD else "known" if r.status == KNOWN else ""
        detail = r.detail if r.status != "passed" else ""
        rows.append(
            f'<tr class="{mark}"><td>{escape(r.case)}</td><td>{escape(r.kind)}</td>'
            f"<td>{escape(where)}</td>"
            f'<td class="number">{ulps(r.error)}</td><td class="number">{ulps(r.bound)}</td>'
            f"<td>{r.status}</td><td>{escape(detail)}</td></tr>"
        )
    return (
        '<table><tr><th>case</th><th>what</th><th>where</th><th class="number">ULP</th>'
        f'<th class="number">allowed</th><th></th><th></th></tr>{"".join(rows)}</table>'
    )


def _picture(title: str, figure: Figure | None) -> Iterable[str]:
    if figure is not None:
        yield f"<h2>{title}</h2>{_svg(figure)}"


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", bbox_inches="tight")
    return text.getvalue().partition("<svg")[1] + text.getvalue().partition("<svg")[2]
