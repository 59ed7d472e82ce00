"""The command ``dualnn``: run a classification assignment on one backend or on both, and compare."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from dualnn import assignments, backends, plots, random
from dualnn.assignments import Agreement, Result
from dualnn.assignments import command as assignment
from dualnn.benchmark import command as benchmark
from dualnn.callbacks import Callback
from dualnn.compare import compare as compared
from dualnn.conformance import command as conformance
from dualnn.lockstep import lockstep
from dualnn.models import Model
from dualnn.own_code import built, errors_located

BOTH = tuple(backends.INSTALL)

app = typer.Typer(
    help="One description of a neural network; every backend runs it, to the same numbers.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,
    rich_markup_mode=None,  # errors of usage are then a plain sentence, not a box
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line; what a user can put right ends in one sentence and no traceback."""
    try:
        app()
    except (ValueError, ImportError, OSError, RuntimeError) as error:
        print(f"dualnn: {error}", file=sys.stderr)
        sys.exit(1)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the versions of dualnn and of the frameworks.")
    ] = False,
) -> None:
    if version:
        print(f"dualnn {metadata.version('dualnn')}")
        for name in backends.registered():
            print(f"{name} {_framework_version(name)}")
        raise typer.Exit


@app.command()
def run(
    assignment: Annotated[str, typer.Argument(help=f"One of {', '.join(assignments.ASSIGNMENTS)}.")],
    backend: Annotated[
        str | None, typer.Option(help=f"{', '.join(BOTH)} or both; by default as for dualnn.backend().")
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1; by default the framework's.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="By default the assignment's own number.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="By default the assignment's own.")] = None,
    seed: Annotated[int, typer.Option(help="Fixes the initial weights, shuffles and dropout masks.")] = 0,
    dtype: Annotated[str, typer.Option(help="The floating-point type: float32 or float64.")] = "float32",
    data_dir: Annotated[
        Path | None, typer.Option(help="The folder with the files of MNIST or Fashion-MNIST.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the curves to this file: .png, .pdf, .svg.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress and no tables.")] = False,
) -> None:
    """Train and test the network of an assignment."""
    if plot is not None:
        plots.check_path(plot)  # before the training, not after it
    console = Console(quiet=quiet)
    results = []
    for name in BOTH if backend == "both" else (backend or backends.backend().name,):
        with _progress(f"{assignment} on {name}", quiet) as callbacks:
            results.append(
                assignments.run(
                    assignment,
                    name,
                    device=device,
                    dtype=dtype,
                    epochs=epochs,
                    batch_size=batch_size,
                    seed=seed,
                    folder=data_dir,
                    callbacks=callbacks,
                )
            )
    console.print(_results_table(results))
    if len(results) == len(BOTH):
        console.print(_agreement_table(assignments.agreement(*results), dtype))
    if plot is not None:
        plots.history({result.backend: result.history for result in results}).savefig(plot)
        console.print(f"The curves are in {plot}.")


app.command()(assignment.assignment)
app.command()(conformance.conform)
app.command()(benchmark.bench)


@app.command()
def compare(
    model: Annotated[
        str, typer.Argument(help="module:build, a function without arguments that returns a model.")
    ],
    data: Annotated[
        str, typer.Option("--input", help="A file of NumPy (.npy), or a shape of random numbers: 32,784.")
    ],
    targets: Annotated[
        Path | None, typer.Option(help="A file of NumPy with the targets: compares gradients too.")
    ] = None,
    loss: Annotated[
        str | None, typer.Option(help="A loss by its name; by default the compiled model's.")
    ] = None,
    on: Annotated[
        list[str] | None,
        typer.Option(help="A backend, or backend:device; twice. By default the two that are installed."),
    ] = None,
    dtype: Annotated[str, typer.Option(help="The floating-point type: float32 or float64.")] = "float32",
    steps: Annotated[int, typer.Option(min=0, help="Also train both in lockstep for so many steps.")] = 0,
    batch_size: Annotated[int, typer.Option(min=1, help="Of the training in lockstep.")] = 32,
    seed: Annotated[
        int, typer.Option(help="Fixes the initial weights, shuffles, masks and random input.")
    ] = 0,
) -> None:
    """Run a model of yours on two backends or devices, and compare it layer by layer, in ULP."""
    places = [place.partition(":")[::2] for place in on or backends.available()]
    if len(places) != 2:
        known = " ".join(f"--on {name}" for name in backends.registered())
        raise ValueError(f"expected two backends to compare, got {len(places)}; for example {known}")
    (first, second), x = places, _array(data, seed)
    y = None if targets is None else np.load(targets, allow_pickle=False)
    random.seed(seed)
    own = built(model, Model)
    with errors_located():
        left = own.on(first[0], device=first[1] or None, dtype=dtype)
        left.build((None, *x.shape[1:]))
        right = left.on(second[0], device=second[1] or None)
        print(compared(left, right, x, y, loss))
    if steps and (y is None or loss is None):
        raise ValueError("expected targets and a loss to train for: --targets y.npy --loss mse")
    if steps:
        found = lockstep(
            left,
            x,
            y,
            loss=loss,
            backends=((left.backend, left.device), (right.backend, right.device)),
            steps=steps,
            batch_size=batch_size,
            seed=seed,
            dtype=dtype,
        )
        print(found)


def _array(text: str, seed: int) -> Any:
    """Return the array of a file, or random numbers of a shape."""
    if text.endswith(".npy"):
        return np.load(text, allow_pickle=False)
    try:
        shape = tuple(int(size) for size in text.split(","))
    except ValueError:
        raise ValueError(f"expected a file .npy or a shape such as 32,784, got {text!r}") from None
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


class _Advance(Callback):
    """Moves a progress bar on by one for every epoch."""

    def __init__(self, progress: Progress, description: str) -> None:
        self._progress, self._description = progress, description

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self._task = self._progress.add_task(self._description, total=self.params["epochs"], loss="")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._progress.update(self._task, advance=1, loss=f"loss {(logs or {})['loss']:.4f}")


@contextmanager
def _progress(description: str, quiet: bool) -> Iterator[list[Callback]]:
    """Show a progress bar on a terminal; yield the callbacks that move it."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield []
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("epochs"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[loss]}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield [_Advance(progress, description)]


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=box.SIMPLE, pad_edge=False)


def _results_table(results: list[Result]) -> Table:
    table = _table(f"{results[0].assignment}, seed {results[0].seed}")
    table.add_column("backend")
    table.add_column("device")
    for heading in ("test accuracy", "seconds", "first loss", "last loss"):
        table.add_column(heading, justify="right")
    for result in results:
        losses = result.history.history["loss"]
        table.add_row(
            f"{result.backend} {result.version}",
            result.device,
            f"{result.accuracy:.4f}",
            f"{result.seconds:.1f}",
            f"{losses[0]:.6f}",
            f"{losses[-1]:.6f}",
        )
    return table


def _agreement_table(agreement: Agreement, dtype: str) -> Table:
    table = _table(f"how far the two agree, in {dtype}")
    table.add_column("what")
    table.add_column("both backends", justify="right")
    rows = {
        "initial weights bit-identical": "yes" if agreement.same_initial_weights else "no",
        "trained weights differ by at most, relative to the largest": f"{agreement.weights:.1e}",
        "training losses differ by at most, relative": f"{agreement.losses:.1e}",
        "probabilities of test examples differ by at most": f"{agreement.probabilities:.1e}",
        "test examples classified the same": f"{agreement.same_predictions:.2%}",
    }
    for what, value in rows.items():
        table.add_row(what, value)
    return table


def _framework_version(name: str) -> str:
    """Return the version of an installed framework without importing it."""
    if name not in backends.available():
        return "not installed"
    # several distributions may provide one import
    distributions = metadata.packages_distributions().get(name, [])
    return metadata.version(distributions[0]) if distributions else "of unknown version"
