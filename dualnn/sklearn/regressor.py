"""A network that regresses, as an estimator of scikit-learn."""

from __future__ import annotations

from typing import Any

from sklearn.base import RegressorMixin

from dualnn import losses
from dualnn.sklearn.estimator import Array, Network


class Regressor(RegressorMixin, Network):  # type: ignore[misc]  # scikit-learn has no types
    """A network that predicts numbers, for all of scikit-learn that takes a regressor.

    Without `build` it is a multi-layer perceptron trained by Adam on the mean squared error. Inputs should be
    scaled, as for any network, and so should targets far from zero or far from size one:
    ``TransformedTargetRegressor(dn.sklearn.Regressor(), transformer=StandardScaler())``.

    Args:
        build: a function ``build(n_features, n_outputs)`` that returns a new model, with an output for each
            target of a sample. Not compiled, it is compiled with Adam and the mean squared error. To search
            over arguments of your own, give values of `build`: ``functools.partial(build, width=16)``.
        hidden: without `build`, the units of each hidden layer: an integer or several; () for none.
        activation: without `build`, what follows each hidden layer.
        dropout: without `build`, the share of units that training leaves out after each hidden layer.
        learning_rate: Adam's, of a model that `build` has not compiled.
        epochs: passes over the data of one `fit`.
        batch_size: samples a step.
        validation_split: the share of the samples that is drawn to be held out for validation.
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
        n_features_in_: the number of features.
        feature_names_in_: the names of the features, if the inputs had column names.
        n_outputs_: the number of targets of a sample.
        model_: the trained model.
        history_: the record of the last training, a `History`.
        n_iter_: the epochs that the model has had, of all trainings.
        callbacks_: the callbacks of the last training.

    >>> import dualnn as dn
    >>> X, y = [[0.0], [0.5], [1.0]], [1.0, 2.0, 3.0]
    >>> regressor = dn.sklearn.Regressor(hidden=(), learning_rate=0.1, random_state=0)
    >>> regressor.fit(X, y).predict([[0.25]]).round(1).tolist()
    [1.5]
    """

    n_outputs_: int

    _validation = {"multi_output": True, "y_numeric": True}  # noqa: RUF012  (never changed)

    def predict(self, X: Any) -> Array:
        """Return the predictions: (samples,) for one target, else (samples, targets).

        Raises:
            sklearn.exceptions.NotFittedError: before `fit`.
            ValueError: inputs that do not look like those of `fit`.
        """
        outputs = self._outputs(X)
        return outputs[:, 0] if self.n_outputs_ == 1 else outputs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    # ------------------------------------------------------------------ what fit asks for

    def _learn_targets(self, y: Array, goes_on: bool) -> int:
        n_outputs = 1 if y.ndim == 1 else y.shape[1]
        if goes_on and n_outputs != self.n_outputs_:
            raise ValueError(
                f"warm_start trains further on as many targets: expected {self.n_outputs_}, got {n_outputs}"
            )
        self.n_outputs_ = n_outputs
        return n_outputs

    def _encoded(self, y: Array, loss: losses.Loss, dtype: Any) -> Array:
        return y.reshape(len(y), -1).astype(dtype)

    def _default_loss(self) -> losses.Loss:
        return losses.MeanSquaredError()
