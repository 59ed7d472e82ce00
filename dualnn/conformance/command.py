"""The command ``dualnn conform``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from dualnn import plots
from dualnn.conformance import export, html, record, tables
from dualnn.conformance import suite as suites
from dualnn.conformance.target import DTYPES, MODES


def conform(
    backend: Annotated[list[str] | None, typer.Option(help="Only this backend; may be repeated.")] = None,
    device: Annotated[
        list[str] | None, typer.Option(help="Only this device, as cpu or cuda; may be repeated.")
    ] = None,
    dtype: Annotated[
        list[str] | None, typer.Option(help="Only this dtype, as float32 or bfloat16; may be repeated.")
    ] = None,
    mode: Annotated[
        list[str] | None, typer.Option(help="Only eager, compiled or jit (machine code); may be repeated.")
    ] = None,
    level: Annotated[
        str, typer.Option(help="quick, or full: longer sums, and machine code of everything.")
    ] = "quick",
    select: Annotated[
        list[str] | None,
        typer.Option(help="Only cases with this in their name, as 'losses.*'; may be repeated."),
    ] = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="End at the first fault.")] = False,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; by default one for each core.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write the report as one page of HTML.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write everything measured as JSON.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit's XML, for continuous integration.")] = None,
    record_to: Annotated[
        Path | None,
        typer.Option("--record", help="Keep inputs and results, to hold another machine against them."),
    ] = None,
    against: Annotated[Path | None, typer.Option(help="Compare with what --record kept elsewhere.")] = None,
) -> None:
    """Measure how exactly every public operation computes, on every backend and device here."""
    for path in (report, json, junit, record_to):
        if path is not None and not path.absolute().parent.is_dir():  # before the work, not after it
            raise FileNotFoundError(f"{path}: there is no folder {path.parent}; make it first")
    if report is not None:
        plots.figure(1, 1)  # raises if there is nothing to draw with
    # Tiny operations gain nothing by threads, which wait for each other; set before a framework is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with _progress() as progress:
        found = suites.conform(
            backend,
            devices=device,
            dtypes=dtype or DTYPES,
            modes=mode or MODES,
            level=level,
            select=select or (),
            fail_fast=fail_fast,
            jobs=jobs or os.cpu_count() or 1,
            progress=progress,
        )
    if record_to is not None:
        record.save(found, record_to)
    if against is not None:
        found = replace(found, results=(*found.results, *record.compared(found, against)))
    tables.show(found, Console())
    if report is not None:
        html.save(found, report)
    if json is not None:
        export.save_json(found, json)
    if junit is not None:
        export.save_junit(found, junit)
    if not found.passed:
        raise typer.Exit(1)


@contextmanager
def _progress() -> Iterator[suites.Progress | None]:
    """Show a progress bar on a terminal; yield what moves it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("measuring"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("cases"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
