"""k-fold cross-validation: every sample is held out once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dualnn import random
from dualnn.callbacks import History
from dualnn.diagnostics.runs import (
    Build,
    Floats,
    Rows,
    arrays,
    counted,
    measured,
    pick,
    positive,
    probe,
    size_of,
    trained,
)
from dualnn.training.batch import Batch


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """What cross-validation found.

    Attributes:
        scores: for the loss and each metric the value on the part held out, float64 of shape (folds,).
        histories: what `fit` returned for each fold.
        fold_of: in which fold each sample was held out, int64 of shape (samples,).
    """

    scores: dict[str, Floats]
    histories: list[History]
    fold_of: Rows

    @property
    def mean(self) -> dict[str, float]:
        """The mean of the folds, by metric."""
        return {name: float(values.mean()) for name, values in self.scores.items()}

    @property
    def std(self) -> dict[str, float]:
        """The standard deviation between folds, the folds being a sample (``ddof=1``).

        Divided by the root of the number of folds it is too small for a standard error of the mean, since
        folds share training data (Bengio and Grandvalet, "No unbiased estimator of the variance of k-fold
        cross-validation", 2004).
        """
        return {name: float(values.std(ddof=1)) for name, values in self.scores.items()}

    def __str__(self) -> str:
        std = self.std
        scores = ", ".join(f"{name} {mean:.4g} ± {std[name]:.2g}" for name, mean in self.mean.items())
        return f"{len(self.histories)} folds: {scores}"


def cross_validate(
    build: Build,
    x: Any,
    y: Any,
    folds: int = 5,
    stratified: bool | str = "auto",
    seed: int = 0,
    verbose: Any = "auto",
    *,
    sample_weight: Any = None,
    **fit: Any,
) -> CrossValidation:
    """Train a new model for each fold on all the others, and measure it on that fold.

    The samples are shuffled and dealt to the folds, whose sizes differ by at most one; stratified, so do the
    numbers of each class in them.

    While it trains, a fold's model is also validated on the fold, so that its history has ``val_loss``. A
    callback that stops or restores weights by it would choose by the very data that judge: then give
    ``validation_split=0.1``, which validates on a part of the training data instead.

    Args:
        build: returns a compiled model that is not built.
        x: inputs, arrays or a structure of them, as in `Model.fit`.
        y: targets.
        folds: how many, at least 2.
        stratified: whether each fold has the same share of each class; ``"auto"``: if `y` is one array of
            whole-number labels, one a sample, and each label is there at least once for each fold.
        seed: fixes everything; fold k is trained with ``fit(seed=seed + k)``.
        verbose: as in `Model.fit`; 2 prints a line for each training.
        sample_weight: a weight for each sample.
        **fit: what else `Model.fit` takes, such as ``epochs``.

    Raises:
        ValueError: fewer samples than folds, no labels to stratify by, a model that is built already.
        TypeError: `build` returns no model, or the data are no arrays.

    >>> import numpy as np, dualnn as dn
    >>> def build():
    ...     model = dn.Sequential([dn.layers.Dense(2)])
    ...     loss = dn.losses.SparseCategoricalCrossentropy(from_logits=True)
    ...     model.compile("adam", loss, metrics=["accuracy"])
    ...     return model
    >>> x = np.linspace(-1, 1, 30, dtype="float32")[:, None]
    >>> found = dn.diagnostics.cross_validate(build, x, (x[:, 0] > 0).astype(int), folds=3, epochs=2)
    >>> sorted(found.scores), found.scores["loss"].shape, len(found.histories)
    (['accuracy', 'loss'], (3,), 3)
    """
    batch = arrays(x, y, sample_weight)
    positive("folds", folds, least=2)
    fold_of = _dealt(batch, folds, stratified, seed)
    probe(build, batch, seed=seed)
    validates = "validation_data" in fit or "validation_split" in fit
    scores, histories = [], []
    for fold in counted(range(folds), "cross-validation", verbose):
        training, held_out = (
            pick(batch, np.flatnonzero(rows)) for rows in (fold_of != fold, fold_of == fold)
        )
        options = fit if validates else {"validation_data": tuple(held_out), **fit}
        model = trained(build, training, seed + fold, **options)
        scores.append(measured(model, held_out))
        assert model.history is not None, "the model has been trained"
        histories.append(model.history)
    return CrossValidation(
        {name: np.array([score[name] for score in scores]) for name in scores[0]}, histories, fold_of
    )


def _dealt(batch: Batch, folds: int, stratified: bool | str, seed: int) -> Rows:
    """Return the fold of each sample."""
    size = size_of(batch)
    if size < folds:
        raise ValueError(f"folds: expected at most {size}, the number of samples, got {folds}")
    order = random.Generator(random.key(seed, "folds")).permutation(size)
    if stratified not in (True, False, "auto"):
        raise ValueError(f"stratified: expected True, False or 'auto', got {stratified!r}")
    labels = batch.y.reshape(-1) if isinstance(batch.y, np.ndarray) and batch.y.size == size else None
    if stratified is True and labels is None:
        raise ValueError(
            "stratified: expected y to be one array with one label a sample; give stratified=False"
        )
    if labels is not None and (stratified is True or (stratified and _are_classes(labels, folds))):
        # class by class in the shuffled order, so that dealing them out spreads each class evenly
        order = order[np.argsort(labels[order], kind="stable")]
    fold_of = np.empty(size, dtype=np.int64)
    fold_of[order] = np.arange(size) % folds
    return fold_of


def _are_classes(labels: npt.NDArray[Any], folds: int) -> bool:
    """Whether these are classes, each of which every fold can have, and not numbers."""
    return labels.dtype.kind in "biu" and bool(np.unique(labels, return_counts=True)[1].min() >= folds)
