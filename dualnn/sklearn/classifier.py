"""A network that classifies, as an estimator of scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.extmath import softmax
from sklearn.utils.multiclass import check_classification_targets

from dualnn import losses
from dualnn.sklearn.estimator import Array, Network, loss_of


class Classifier(ClassifierMixin, Network):  # type: ignore[misc]  # scikit-learn has no types
    """A network that classifies, for all of scikit-learn that takes a classifier.

    Without `build` it is a multi-layer perceptron with a softmax over the classes, trained by Adam. Inputs
    should be scaled, as for any network: ``make_pipeline(StandardScaler(), dn.sklearn.Classifier())``.

    Args:
        build: a function ``build(n_features, n_outputs)`` that returns a new model, with one output for each
            class. Not compiled, it is compiled with Adam and the cross-entropy of logits. Compiled, its loss
            says what its outputs are: logits if the loss has ``from_logits=True``, else probabilities; with
            binary cross-entropy it has a single output, for the second of two classes. To search over
            arguments of your own, give values of `build`: ``functools.partial(build, width=16)``.
        hidden: without `build`, the units of each hidden layer: an integer or several; () for none.
        activation: without `build`, what follows each hidden layer.
        dropout: without `build`, the share of units that training leaves out after each hidden layer.
        learning_rate: Adam's, of a model that `build` has not compiled.
        epochs: passes over the data of one `fit`.
        batch_size: samples a step.
        validation_split: the share of the samples that is drawn, by class, to be held out for validation.
        callbacks: called as the training goes; copies are, the fitted ones are ``callbacks_``.
        backend: where the network lives; None: ``dn.use``'s. Name it where you work with several processes
            (``n_jobs=2``), since what ``dn.use`` has set holds for one process alone.
        device: likewise.
        dtype: what it computes in; None: as scikit-learn does, float32 for inputs in float32, else float64.
        engine: how steps are run, of a model that `build` has not compiled; see `Model.compile`.
        random_state: an integer for the same result in every `fit`, a `RandomState` to draw from, or None.
            It fixes initial weights, shuffles, dropout and what is held out, alike on every backend.
        verbose: as in `Model.fit`.
        warm_start: whether `fit` trains the fitted network further, by so many epochs more.

    Attributes:
        classes_: the class labels, sorted, (classes,).
        n_features_in_: the number of features.
        feature_names_in_: the names of the features, if the inputs had column names.
        model_: the trained model.
        history_: the record of the last training, a `History`.
        n_iter_: the epochs that the model has had, of all trainings.
        callbacks_: the callbacks of the last training.

    >>> import dualnn as dn
    >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], ["no", "yes", "yes", "no"]
    >>> classifier = dn.sklearn.Classifier(hidden=16, learning_rate=0.05, random_state=0)
    >>> classifier.fit(X, y).predict(X).tolist()
    ['no', 'yes', 'yes', 'no']
    """

    classes_: Array

    _metrics = ("accuracy",)

    def predict(self, X: Any) -> Array:
        """Return the most probable class of each sample, (samples,).

        Raises:
            sklearn.exceptions.NotFittedError: before `fit`.
            ValueError: inputs that do not look like those of `fit`.
        """
        best = self._logits(X).argmax(axis=1)
        labels: Array = self.classes_[best]
        return labels

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, (samples, classes), in the order of ``classes_``.

        Raises:
            sklearn.exceptions.NotFittedError: before `fit`.
            ValueError: inputs that do not look like those of `fit`.
        """
        probabilities: Array = softmax(self._logits(X))
        return probabilities

    def decision_function(self, X: Any) -> Array:
        """Return the classes' logits, (samples, classes); of two classes the second's minus the first's.

        Raises:
            sklearn.exceptions.NotFittedError: before `fit`.
            ValueError: inputs that do not look like those of `fit`.
        """
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def _logits(self, X: Any) -> Array:
        """Return the logarithms of the probabilities but for a constant, (samples, classes)."""
        outputs = self._outputs(X)
        of_logits = getattr(loss_of(self.model_), "from_logits", False)
        if outputs.shape[1] == 1:
            first = np.zeros_like(outputs) if of_logits else 1 - outputs
            outputs = np.hstack([first, outputs])
        if of_logits:
            return outputs
        logits: Array = np.log(np.maximum(outputs, np.finfo(outputs.dtype).tiny))
        return logits

    # ------------------------------------------------------------------ what fit asks for

    def _learn_targets(self, y: Array, goes_on: bool) -> int:
        check_classification_targets(y)
        classes = np.unique(y)
        if len(classes) < 2:
            raise ValueError(f"expected samples of at least 2 classes, got only 1 class: {classes[0]!r}")
        if goes_on and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"warm_start trains further on the same classes: expected {self.classes_.tolist()}, "
                f"got {classes.tolist()}"
            )
        self.classes_ = classes
        return len(classes)

    def _encoded(self, y: Array, loss: losses.Loss, dtype: Any) -> Array:
        labels: Array = np.searchsorted(self.classes_, y)
        if isinstance(loss, losses.SparseCategoricalCrossentropy):
            return labels
        if isinstance(loss, losses.BinaryCrossentropy):
            return labels[:, np.newaxis].astype(dtype)
        return np.eye(len(self.classes_), dtype=dtype)[labels]

    def _default_loss(self) -> losses.Loss:
        return losses.SparseCategoricalCrossentropy(from_logits=True)

    def _width(self, n_outputs: int, loss: losses.Loss) -> int:
        if not isinstance(loss, losses.BinaryCrossentropy):
            return n_outputs
        if n_outputs != 2:
            raise ValueError(
                f"binary cross-entropy tells 2 classes apart, got {n_outputs} classes; compile the model "
                f"with SparseCategoricalCrossentropy"
            )
        return 1

    def _strata(self, y: Array) -> Array | None:
        return y
