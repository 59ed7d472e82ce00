"""The command ``dualnn bench``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from dualnn import plots
from dualnn.benchmark import export, html, suite, tables
from dualnn.benchmark.models import MODELS, QUICK
from dualnn.benchmark.tasks import TASKS


def bench(
    model: Annotated[
        list[str] | None,
        typer.Option(
            help=f"{', '.join(MODELS)}, or module:build, a function that returns a model of yours; "
            f"may be repeated. By default {' and '.join(QUICK)}."
        ),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Measure all models; takes half an hour.")] = False,
    on: Annotated[list[str] | None, typer.Option(help="A backend; may be repeated. By default all.")] = None,
    batch: Annotated[
        list[int] | None, typer.Option(min=1, help="Samples a step; may be repeated, for a sweep.")
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option(help=f"{', '.join(TASKS)}; may be repeated. By default all.")
    ] = None,
    epochs: Annotated[
        int, typer.Option(min=1, help="How long the runs are said to be: fit may choose its engine by it.")
    ] = 1000,
    engine: Annotated[
        str | None, typer.Option(help="For dualnn's compile(engine=...); by default it chooses.")
    ] = None,
    repetitions: Annotated[int, typer.Option(min=1, help="Of each task by each contender.")] = 7,
    threads: Annotated[
        int | None, typer.Option(min=1, help="For each contender; by default one for each core.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--input", help="For a model of yours: a file of NumPy, or a shape of random numbers: 3200,784."
        ),
    ] = None,
    targets: Annotated[
        Path | None, typer.Option(help="For a model of yours: a file of NumPy; by default random.")
    ] = None,
    loss: Annotated[
        str | None, typer.Option(help="For a model of yours; by default the compiled model's.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the report as one page of HTML.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write everything measured as JSON.")] = None,
) -> None:
    """Measure how fast dualnn is here, beside the best native loops, Keras and Lightning."""
    for path in (report, json):
        if path is not None and not path.absolute().parent.is_dir():  # before the work, not after it
            raise FileNotFoundError(f"{path}: there is no folder {path.parent}; make it first")
    if report is not None:
        plots.figure(1, 1)  # raises if there is nothing to draw with
    with _progress() as progress:
        found = suite.bench(
            model or (tuple(MODELS) if full else QUICK),
            on=on,
            batch_sizes=batch or (),
            tasks=task or TASKS,
            epochs=epochs,
            engine=engine,
            repetitions=repetitions,
            threads=threads,
            data=data,
            targets=None if targets is None else str(targets),
            loss=loss,
            progress=progress,
        )
    tables.show(found, Console())
    if report is not None:
        html.save(found, report)
    if json is not None:
        export.save_json(found, json)
    if any(result.job.maker == "dualnn" for result in found.failed):
        raise typer.Exit(1)


@contextmanager
def _progress() -> Iterator[suite.Progress | None]:
    """Show a progress bar on a terminal; yield what moves it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (BarColumn(24), TextColumn("{task.percentage:3.0f}%"), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.description}"), console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)
