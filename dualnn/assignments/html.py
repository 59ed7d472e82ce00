"""The report of an assignment as one page of HTML that needs no other file."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dualnn import diagnostics, plots
from dualnn.assignments import figures
from dualnn.assignments.study import Final, Study, Trial
from dualnn.assignments.tables import HEADINGS, agreement, cells, protocol, seconds, share
from dualnn.conformance.html import STYLE
from dualnn.diagnostics.overfitting import LEAST_EPOCHS
from dualnn.models.summary import summary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OWN_STYLE = """
.cards { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1rem 0; }
.card { flex: 1 1 11rem; border: 1px solid #e0e0e0; border-radius: 6px; padding: .6rem .9rem; }
.card b { display: block; font-size: 1.75rem; line-height: 1.2; font-weight: 600; }
.card span { color: #666; font-size: .86rem; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(21rem, 1fr)); gap: 1rem 2rem; }
.columns > section { min-width: 0; } h3 { font-size: 1rem; margin: 1rem 0 .3rem; }
td:first-child { white-space: nowrap; } th { vertical-align: bottom; } th.number { white-space: normal; } 
tr.best td { font-weight: 600; background: #eef5fb; }
pre { font-size: .82rem; overflow-x: auto; background: #f6f6f6; padding: .7rem; }
figure { margin: .6rem 0; } figcaption { color: #666; font-size: .86rem; }
@media print { h2 { break-after: avoid; } figure, table { break-inside: avoid; } }
"""

TITLES = {
    "iris": "Iris: three kinds of flowers",
    "digits": "Handwritten digits",
    "mnist": "MNIST: handwritten digits",
    "fashion-mnist": "Fashion-MNIST: ten kinds of clothing",
}


def save(studies: Sequence[Study], path: Path) -> None:
    """Write the page.

    Args:
        studies: the same assignment, done on one backend or on several.
        path: the file.

    Raises:
        ImportError: matplotlib, which draws the pictures, is not installed; the message says how to.
    """
    path.write_text(page(studies), encoding="utf-8")


def page(studies: Sequence[Study]) -> str:
    """Return the page's text."""
    first = studies[0]
    title = TITLES[first.data.name]
    return "\n".join(
        [
            "<!doctype html>",
            f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<style>{STYLE}{OWN_STYLE}</style></head>",
            f"<body><h1>{escape(title)}</h1>",
            f'<p class="dim">dualnn assignment {escape(first.assignment)}, on '
            f"{escape(' and '.join(f'{study.backend} {study.version}' for study in studies))}</p>",
            *_answer(studies),
            "<h2>1. The data</h2>",
            *_data(first),
            "<h2>2. How the networks were chosen and tested</h2>",
            _method(first),
            "<h2>3. The search</h2>",
            *_search(studies),
            "<h2>4. The chosen network</h2>",
            *_columns(studies, _chosen),
            "<h2>5. The test</h2>",
            *_tests(studies),
            *_columns(studies, _confusion),
            "<h2>6. What it gets wrong</h2>",
            *_columns(studies, _mistakes),
            "<h2>Made with</h2>",
            _made_with(studies),
            "</body></html>",
        ]
    )


def _answer(studies: Sequence[Study]) -> Iterator[str]:
    yield '<div class="cards">'
    for study in studies:
        best = study.best
        yield (
            f'<div class="card"><span>test accuracy, {escape(study.backend)}</span><b>{best.accuracy:.4f}</b>'
            f"<span>{escape(share(best))}</span></div>"
        )
    first = studies[0]
    tried = f"{len(first.trials)} networks"
    yield f'<div class="card"><span>tried</span><b>{tried}</b><span>by {escape(protocol(first))}</span></div>'
    spent = seconds(sum(study.seconds for study in studies))
    each = ", ".join(f"{seconds(study.seconds)} on {study.backend}" for study in studies)
    yield f'<div class="card"><span>time</span><b>{spent}</b><span>{each}; seed {first.seed}</span></div>'
    yield "</div>"
    chosen = "; ".join(dict.fromkeys(f"{study.best.trial.architecture}" for study in studies))
    yield f"<p>Chosen by validation: <b>{escape(chosen)}</b>.</p>"
    if len(studies) > 1:
        yield f"<p>{escape(agreement(studies))}</p>"


def _data(study: Study) -> Iterator[str]:
    data = study.data
    shape = " by ".join(map(str, data.x_train.shape[1:]))
    yield (
        f"<p>{len(data.x_train):,} examples for training, {len(data.x_test):,} held out for the test, of "
        f"shape {shape}, in {len(data.class_names)} classes. The pictures show training examples only.</p>"
    )
    if study.plan.features:
        yield _figure(
            figures.pairs(data, study.plan.features),
            "Every pair of features, in standard deviations from the mean; on the diagonal, each by itself.",
        )
    else:
        yield _figure(figures.images(data))
    counts = [np.bincount(y, minlength=len(data.class_names)) for y in (data.y_train, data.y_test)]
    rows = [
        ("", (name, f"{train:,}", f"{test:,}"))
        for name, train, test in zip(data.class_names, *counts, strict=True)
    ]
    table = _table(("class",), ("for training", "for the test"), rows)
    yield f"<details><summary>Examples of each class</summary>{table}</details>"


def _method(study: Study) -> str:
    plan = study.plan
    validated = (
        f"The training examples are dealt into {plan.folds} folds, each with the same share of every class. "
        f"Each network is trained {plan.folds} times, each time without one of the folds, which then "
        "validates it; so every training example validates once"
        if plan.folds > 1
        else f"{study.trials[0].held_out[0]:,} of the training examples, the same share of every class, are "
        "set aside to validate the networks, which are trained on the others"
    )
    median = " (the median over the folds)" if plan.folds > 1 else ""
    scaled = (
        " Features are scaled by the mean and the deviation of what is trained on, in every fold anew."
        if plan.standardised
        else ""
    )
    return (
        "<ol>"
        f"<li>{len(study.data.x_test):,} examples are held out for the test, before all else.</li>"
        f"<li>{validated}.{scaled}</li>"
        f"<li>Each network is trained by Adam in batches of {plan.batch_size}, for at most {plan.epochs} "
        "epochs, while the learning rate falls to zero along half a cosine. A training ends early when the "
        f"validation loss has not been lower for {plan.patience} epochs.</li>"
        "<li>The network with the highest validation accuracy is chosen; among equals, the one with the "
        "lower validation loss. This accuracy is a little too good, since it is the best of many: hence a "
        "test.</li>"
        "<li>The best of each kind is trained again on all training examples, for as many epochs as were "
        f"best{median}, and tested, once.</li></ol>"
    )


def _search(studies: Sequence[Study]) -> Iterator[str]:
    first = studies[0]
    near = [
        trial
        for trial in first.trials
        if trial.accuracy >= first.trials[0].accuracy - first.trials[0].uncertainty
    ]
    if len(near) > 1:
        yield (
            f"<p>{len(near)} of the {len(first.trials)} networks are within one standard error of the best"
            f"{'' if len(studies) == 1 else f' on {escape(first.backend)}'}: on so many examples they cannot "
            "be told apart, and another seed may choose another of them.</p>"
        )
    yield _figure(figures.scores(list(studies)))
    alone = len(studies) == 1
    numbers = list(HEADINGS)
    for study in studies:
        of = "" if alone else f", {study.backend}"
        numbers += [f"accuracy{of}", *(["±"] if alone else []), f"loss{of}", f"epochs{of}"]
    found = [{trial.architecture: trial for trial in study.trials} for study in studies]
    rows = []
    for trial in first.trials:
        line = [trial.architecture.kind, *cells(trial)]
        for one in (trials[trial.architecture] for trials in found):
            uncertainty = [f"{one.uncertainty:.4f}"] if alone else []
            line += [f"{one.accuracy:.4f}", *uncertainty, f"{one.loss:.4f}", str(one.epochs)]
        chosen = any(study.best.trial.architecture == trial.architecture for study in studies)
        rows.append(("best" if chosen else "", line))
    yield _table(("network",), numbers, rows)


def _chosen(study: Study) -> Iterator[str]:
    trial = study.best.trial
    yield _figure(
        figures.curves(trial),
        "How it was trained in the search"
        + (f", one line for each of the {len(trial.histories)} folds." if len(trial.histories) > 1 else "."),
    )
    yield _verdict(trial)
    yield f"<details><summary>Its layers</summary><pre>{escape(summary(study.best.model))}</pre></details>"


def _verdict(trial: Trial) -> str:
    if len(trial.typical.epoch) < LEAST_EPOCHS:
        return '<p class="verdict">Overfitting? So few epochs do not tell.</p>'
    found = diagnostics.overfitting(trial.typical)
    kind = "good" if found.verdict == "fitting" else "bad"
    which = " of the fold whose best epoch is the median" if len(trial.histories) > 1 else ""
    return (
        f'<p class="verdict {kind}">Overfitting? By the loss{which}: {escape(str(found))}. The training on '
        f"all training examples ends after epoch {trial.epochs}.</p>"
    )


def _tests(studies: Sequence[Study]) -> Iterator[str]:
    rows = []
    for study in studies:
        for final in study.finals:
            low, high = final.interval
            rows.append(
                (
                    "best" if final is study.best else "",
                    (
                        study.backend,
                        str(final.trial.architecture),
                        f"{final.accuracy:.4f}",
                        f"{final.right:,} of {len(final.probabilities):,}",
                        f"{low:.3f} to {high:.3f}",
                        f"{final.trial.accuracy:.4f}",
                        str(final.trial.epochs),
                        seconds(final.seconds),
                    ),
                )
            )
    yield _table(
        ("backend", "the best of each kind"),
        ("test accuracy", "right", "95 % interval", "validation", "epochs", "time"),
        rows,
    )
    yield (
        '<p class="dim">The interval (Wilson, 1927) is where the accuracy on all such examples may lie, '
        "going by how few were tested. Marked is the network that validation chose.</p>"
    )


def _confusion(study: Study) -> Iterator[str]:
    data, best = study.data, study.best
    drawn = plots.confusion_matrix(data.y_test, best.predictions, labels=data.class_names)
    table = _table(("class",), ("right", "accuracy", "precision"), _per_class(study, best))
    yield (
        f'<div class="columns"><section>{_figure(drawn)}</section><section>{table}'
        '<p class="dim">Accuracy: of the examples of a class, the share that is recognized. Precision: of '
        "the examples that are taken for the class, the share that is of it.</p></section></div>"
    )


def _per_class(study: Study, final: Final) -> Iterator[tuple[str, Sequence[str]]]:
    truth, predictions = study.data.y_test, final.predictions
    for label, name in enumerate(study.data.class_names):
        of_class, taken = truth == label, predictions == label
        right, precision = int(np.sum(of_class & taken)), "none"
        if taken.any():
            precision = f"{right / int(taken.sum()):.3f}"
        accuracy = f"{right / int(of_class.sum()):.3f}" if of_class.any() else "none"
        yield "", (name, f"{right:,} of {int(of_class.sum()):,}", accuracy, precision)


def _mistakes(study: Study) -> Iterator[str]:
    data, best = study.data, study.best
    wrong = int(np.sum(best.predictions != data.y_test))
    yield f"<p>{wrong:,} of {len(data.y_test):,} test examples are classified wrongly.</p>"
    if study.plan.features:
        rows = [
            (
                "",
                (
                    str(number),
                    data.class_names[data.y_test[row]],
                    data.class_names[best.predictions[row]],
                    f"{best.probabilities[row].max():.0%}",
                ),
            )
            for number, row in enumerate(np.flatnonzero(best.predictions != data.y_test), 1)
        ]
        drawn = _figure(figures.mistaken_points(data, best, study.plan.features))
        table = _table(("number", "is", "taken for"), ("sure",), rows)
        yield f'<div class="columns"><section>{drawn}</section><section>{table}</section></div>'
        return
    pictures = figures.mistaken_images(data, best)
    if pictures is not None:
        yield _figure(pictures, "Those of which the network was most certain: above, what it took them for.")


def _made_with(studies: Sequence[Study]) -> str:
    first = studies[0]
    versions = [f"dualnn {metadata.version('dualnn')}", f"NumPy {np.__version__}"]
    versions += [f"{study.backend} {study.version} on {study.device}" for study in studies]
    return f'<p class="dim">{escape("; ".join([*versions, first.machine, f"seed {first.seed}"]))}</p>'


def _columns(studies: Sequence[Study], part: Callable[[Study], Iterator[str]]) -> Iterator[str]:
    """Yield a part of the page for each study, side by side."""
    if len(studies) == 1:
        yield from part(studies[0])
        return
    yield '<div class="columns">'
    for study in studies:
        yield f"<section><h3>{escape(study.backend)}</h3>"
        yield from part(study)
        yield "</section>"
    yield "</div>"


def _table(words: Sequence[str], numbers: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    """Return a table of rows (class, cells): columns of words, then of numbers."""
    head = "".join(f"<th>{escape(word)}</th>" for word in words)
    head += "".join(f'<th class="number">{escape(number)}</th>' for number in numbers)
    lines = [f"<table><tr>{head}</tr>"]
    for kind, line in rows:
        parts = "".join(f"<td>{escape(cell)}</td>" for cell in line[: len(words)])
        parts += "".join(f'<td class="number">{escape(cell)}</td>' for cell in line[len(words) :])
        lines.append(f'<tr class="{kind}">{parts}</tr>')
    return "".join([*lines, "</table>"])


def _figure(drawn: Figure, caption: str = "") -> str:
    text = io.StringIO()
    drawn.savefig(text, format="svg", bbox_inches="tight")
    svg = "".join(text.getvalue().partition("<svg")[1:])
    return f"<figure>{svg}{f'<figcaption>{escape(caption)}</figcaption>' if caption else ''}</figure>"
