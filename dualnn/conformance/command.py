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

from dualnn import backends, plots
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
    random: Annotated[
        int | None, typer.Option(min=1, help="Instead: compare so many random models on two backends.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the random models: another seed, other models.")] = 0,
) -> None:
    """Measure how exactly every public operation computes, on every backend and device here."""
    for path in (report, json, junit, record_to):
        if path is not None and not path.absolute().parent.is_dir():  # before the work, not after it
            raise FileNotFoundError(f"{path}: there is no folder {path.parent}; make it first")
    if report is not None:
        plots.figure(1, 1)  # raises if there is nothing to draw with
    # Tiny operations gain nothing by threads, which wait for each other; set before a framework is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    jobs = jobs or os.cpu_count() or 1
    if random is not None:
        _random(random, seed, jobs)
        return
    with _progress("measuring", "cases") as progress:
        found = suites.conform(
            backend,
            devices=device,
            dtypes=dtype or DTYPES,
            modes=mode or MODES,
            level=level,
            select=select or (),
            fail_fast=fail_fast,
            jobs=jobs,
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


def _random(count: int, seed: int, jobs: int) -> None:
    """Compare random models, print each that fails as code, and raise Exit(1) if there is one."""
    try:
        from dualnn.conformance.random_search import search  # it takes Hypothesis, which nothing else does
    except ModuleNotFoundError as error:
        raise ImportError(f"random models need {error.name}; try: pip install {error.name}") from error
    if len(backends.available()) < 2:
        raise ValueError(
            f"expected two backends to compare random models, got {', '.join(backends.available()) or 'none'}"
        )
    with _progress("comparing", "models") as progress:
        pieces = search(count, seed, jobs, progress)
    failed = [piece for piece in pieces if piece.failure is not None]
    for piece in failed:
        print(f"# drawn from seed {piece.seed}: dualnn conform --random {piece.count} --seed {piece.seed}")
        print(piece.failure)
    unexplained = f"{len(failed)} unexplained" + (", whose code is above" if failed else "")
    seeds = f"from the seeds {pieces[0].seed} to {pieces[-1].seed}"
    print(f"{count:,} random models {seeds}, in float32 and float64, with a step of training: {unexplained}")
    if failed:
        raise typer.Exit(1)


@contextmanager
def _progress(doing: str, what: str) -> Iterator[suites.Progress | None]:
    """Show a progress bar on a terminal; yield what moves it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn(doing),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(what),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
