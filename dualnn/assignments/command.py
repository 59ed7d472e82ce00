"""The command ``dualnn assignment``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from dualnn import backends, names, plots
from dualnn.assignments import html, tables
from dualnn.assignments.plan import PLANS
from dualnn.assignments.study import Progress as Told
from dualnn.assignments.study import study


def assignment(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(PLANS)}.")],
    backend: Annotated[
        str | None,
        typer.Option(help=f"{', '.join(backends.INSTALL)} or both; by default as for dualnn.backend()."),
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1; by default the framework's.")] = None,
    seed: Annotated[
        int,
        typer.Option(help="Fixes the search, the validation examples, and all that is random in training."),
    ] = 0,
    quick: Annotated[
        bool, typer.Option("--quick", help="Try fewer networks, for fewer epochs: a first look.")
    ] = False,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="The longest training; by default the assignment's own.")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="The folder with the files of MNIST or Fashion-MNIST.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the report as one page of HTML.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress and no tables.")] = False,
) -> None:
    """Do a classification assignment: search for the best network, train it again, and test it once."""
    names.lookup("assignment", name, PLANS)
    chosen = tuple(backends.INSTALL) if backend == "both" else (backend or backends.backend().name,)
    for one in chosen:
        backends.backend(one)  # raises if it is not there, before hours of work with another
    if report is not None:
        if not report.absolute().parent.is_dir():
            raise FileNotFoundError(f"{report}: there is no folder {report.parent}; make it first")
        if report.is_dir():
            raise IsADirectoryError(f"{report} is a folder; give the name of a file, as report.html")
        if report.suffix.lower() not in (".html", ".htm"):
            raise ValueError(f"{report}: the report is a page of HTML; give it a name that ends in .html")
        plots.figure(1, 1)  # raises if there is nothing to draw with
    console = Console(quiet=quiet)
    done = []
    for one in chosen:
        with _progress(one, quiet) as progress:
            done.append(
                study(
                    name,
                    one,
                    device=device,
                    seed=seed,
                    quick=quick,
                    epochs=epochs,
                    folder=data_dir,
                    progress=progress,
                )
            )
    tables.show(done, console)
    if report is not None:
        html.save(done, report)
        console.print(f"The report is in {report}.", highlight=False, soft_wrap=True)


@contextmanager
def _progress(backend: str, quiet: bool) -> Iterator[Told | None]:
    """Show a progress bar on a terminal; yield what moves it."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield None
        return
    columns = (TextColumn(backend), BarColumn(24), TextColumn("{task.percentage:3.0f}%"))
    clocks = (TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, *clocks, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)
