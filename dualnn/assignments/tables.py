"""What came of an assignment, as tables on a terminal, and as the words that the report uses, too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from dualnn.assignments.architecture import SINGLE, Architecture
from dualnn.assignments.study import Final, Study, Trial

HEADINGS = ("layers", "width", "dropout", "rate", "weights")
"""Of the columns that `cells` has."""


def show(studies: Sequence[Study], console: Console) -> None:
    """Print the search and the test of every study."""
    for study in studies:
        console.print(_search(study))
    console.print(_tests(studies))
    if len(studies) > 1:
        console.print(agreement(studies))


def cells(trial: Trial) -> tuple[str, ...]:
    """Return what distinguishes a network, as text, one for each of `HEADINGS`."""
    network = trial.architecture
    sizes = ("", "", "") if network.kind == SINGLE else _sizes(network)
    return (*sizes, f"{network.learning_rate:g}", f"{trial.weights:,}")


def protocol(study: Study) -> str:
    """Return how the networks were validated, as a part of a sentence."""
    examples = len(study.data.x_train)
    if study.plan.folds > 1:
        return f"{study.plan.folds}-fold cross-validation on the {examples:,} training examples"
    held_out = study.trials[0].held_out[0]
    return f"validation on {held_out:,} of the {examples:,} training examples"


def agreement(studies: Sequence[Study]) -> str:
    """Return how far the results of several backends agree, in a sentence or two."""
    first, *others = studies
    accuracies = {trial.architecture: trial.accuracy for trial in first.trials}
    apart = max(
        abs(accuracies[trial.architecture] - trial.accuracy) for other in others for trial in other.trials
    )
    same_choice = all(other.best.trial.architecture == first.best.trial.architecture for other in others)
    same = np.mean([np.mean(other.best.predictions == first.best.predictions) for other in others])
    chosen = "Both chose the same network" if same_choice else "They chose different networks"
    differ = f"differ by at most {apart:.4f}" if apart else "are the same"
    alike = "all" if same == 1 else f"{same:.1%}"
    return (
        f"Both backends tried the same {len(first.trials)} networks on the same examples; their validation "
        f"accuracies {differ}. {chosen}, and classify {alike} of the test examples the same."
    )


def seconds(value: float) -> str:
    """Return a time as text.

    >>> seconds(4.25), seconds(75), seconds(7300)
    ('4.2 s', '1 min 15 s', '2 h 1 min')
    """
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def share(final: Final) -> str:
    """Return how many of the test examples are right, as text."""
    low, high = final.interval
    return f"{final.right:,} of {len(final.probabilities):,}, 95 % interval {low:.3f} to {high:.3f}"


def _sizes(network: Architecture) -> tuple[str, str, str]:
    return str(network.layers), str(network.width), f"{network.dropout:g}"


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=box.SIMPLE, pad_edge=False)


def _search(study: Study) -> Table:
    table = _table(f"{study.data.name} on {study.backend}: {len(study.trials)} networks, {_protocol(study)}")
    table.add_column("network", no_wrap=True)
    for heading in ("size", "dropout", "rate", "accuracy", "loss", "epochs", "time"):
        table.add_column(heading, justify="right", no_wrap=True)
    for trial in study.trials:
        network = trial.architecture
        table.add_row(
            network.kind,
            network.size,
            f"{network.dropout:g}" if network.dropout else "",
            f"{network.learning_rate:g}",
            f"{trial.accuracy:.4f}",
            f"{trial.loss:.4f}",
            str(trial.epochs),
            seconds(trial.seconds),
            style="bold" if trial is study.best.trial else None,
        )
    return table


def _protocol(study: Study) -> str:
    folds = study.plan.folds
    return f"{folds}-fold cross-validation" if folds > 1 else "validated on held-out examples"


def _tests(studies: Sequence[Study]) -> Table:
    table = _table("the best of each kind, trained again on all training examples, tested once")
    table.add_column("backend", no_wrap=True)
    table.add_column("network", no_wrap=True)
    for heading in ("size", "accuracy", "right", "95 % interval", "time"):
        table.add_column(heading, justify="right", no_wrap=True)
    for study in studies:
        for final in study.finals:
            low, high = final.interval
            table.add_row(
                study.backend,
                final.kind,
                final.trial.architecture.size,
                f"{final.accuracy:.4f}",
                f"{final.right:,}/{len(final.probabilities):,}",
                f"{low:.3f}-{high:.3f}",
                seconds(final.seconds),
                style="bold" if final is study.best else None,
            )
    return table
