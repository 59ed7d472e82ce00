"""The report as tables on a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.table import Table

from dualnn.conformance.runner import BAD, PASSED, Result
from dualnn.conformance.suite import Report

SHOWN = 40
WIDEST = 28


def show(report: Report, console: Console) -> None:
    """Print the worst result of each subject, and all that is not as it should be."""
    console.print(_subjects(report))
    for title, results in (
        ("Out of bounds, or in error", report.bad),
        ("The frameworks' own disagreements, with their cause", report.known),
        ("What a backend lacks", report.missing),
    ):
        if results:
            console.print(_results(title, results))
    if report.untested:
        console.print(f"Public names without a case: {', '.join(report.untested)}", style="red")
    console.print(verdict(report), style="green" if report.passed else "red")


def verdict(report: Report) -> str:
    """Return the outcome in a sentence."""
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    counts = f"{len(report.results):,} measurements, {len(report.bad)} out of bounds or in error"
    more = f", {len(report.known)} known disagreements, {len(report.missing)} missing"
    ended = "stopped at the first fault; " if report.stopped else ""
    return f"{ended}{counts}{more}, in {report.seconds:.0f} s ({report.machine}; {versions})"


def worst(results: Iterable[Result]) -> Result | None:
    """Return the result that takes the largest share of its bound, of those without a known cause."""
    judged = (r for r in results if r.status in BAD or (r.status == PASSED and r.error))
    return max(judged, key=lambda r: r.share, default=None)


def places(report: Report) -> list[str]:
    """Return the backends with their devices that were measured."""
    return sorted({place(result) for result in report.results})


def place(result: Result) -> str:
    """Return the backend and device of a result."""
    return f"{result.target.backend} {result.target.device}"


def ulps(number: float) -> str:
    """Return a number of units in the last place, short."""
    return f"{number:.2g}" if number < 100 else f"{number:.0f}" if number < 1e5 else f"{number:.1e}"


def _subjects(report: Report) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title="The worst of each subject: error in ULP, of what is allowed")
    table.add_column("subject", no_wrap=True)
    table.add_column("measured", justify="right", no_wrap=True)
    for one in places(report):
        table.add_column(one, justify="right", no_wrap=True)
        table.add_column("in", style="dim")
    for subject, results in report.by_subject().items():
        cells = []
        for one in places(report):
            found = worst(r for r in results if place(r) == one)
            if found is None:
                cells += ["0", ""]
            else:
                style = "red" if found.status in BAD else "none"
                cells += [
                    f"[{style}]{ulps(found.error)}[/] [dim]of {ulps(found.bound)}[/]",
                    _shortened(f"{found.case}, {found.kind}"),
                ]
        table.add_row(subject, f"{len(results):,}", *cells)
    return table


def _shortened(text: str) -> str:
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"


def _results(title: str, results: list[Result]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title=title)
    for column in ("case", "what", "where", "ULP", "of", "detail"):
        table.add_column(column, overflow="fold")
    groups = together(results)
    for group in groups[:SHOWN]:
        r = max(group, key=lambda r: r.share)
        table.add_row(r.case, r.kind, whereabouts(group), ulps(r.error), ulps(r.bound), r.detail)
    if len(groups) > SHOWN:
        table.add_row(f"and {len(groups) - SHOWN} more, in --report and --json", "", "", "", "", "")
    return table


def whereabouts(group: list[Result]) -> str:
    """Return the backend, device, dtypes and modes of results that `together` has put together."""
    dtypes, modes = (sorted({getattr(r.target, part) for r in group}) for part in ("dtype", "mode"))
    return f"{place(group[0])}, {' and '.join(dtypes)}, {' and '.join(modes)}"


def together(results: list[Result]) -> list[list[Result]]:
    """Return the results in groups of those that differ in dtype and mode only."""
    groups: dict[tuple[str, str, str], list[Result]] = {}
    for result in results:
        groups.setdefault((result.case, result.kind, place(result)), []).append(result)
    return list(groups.values())
