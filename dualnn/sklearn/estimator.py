"""What the classifier and the regressor have in common: parameters, training, pickling."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from numbers import Integral
from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from dualnn import losses, optimizers
from dualnn.callbacks import Callback, History
from dualnn.layers import Dense, Dropout
from dualnn.models import Model, Sequential
from dualnn.sklearn.pickling import portable

Array = npt.NDArray[Any]

FLOATING = (np.float64, np.float32)
"""The dtypes of inputs that are left as they are; scikit-learn makes the first of any other."""

PREDICTED_AT_ONCE = 1024
"""Samples a step of a prediction: enough for few calls, and few enough for the memory of any device."""


class Network(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The base of `Classifier` and `Regressor`, which say what targets and outputs are."""

    def __init__(
        self,
        build: Callable[[int, int], Model] | None = None,
        *,
        hidden: int | Iterable[int] = (64,),
        activation: str = "relu",
        dropout: float = 0.0,
        learning_rate: float = 1e-3,
        epochs: int = 100,
        batch_size: int = 32,
        validation_split: float = 0.0,
        callbacks: Iterable[Callback] | Callback | None = None,
        backend: str | None = None,
        device: str | None = None,
        dtype: str | None = None,
        engine: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: Any = 0,
        warm_start: bool = False,
    ) -> None:
        self.build = build
        self.hidden = hidden
        self.activation = activation
        self.dropout = dropout
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.validation_split = validation_split
        self.callbacks = callbacks
        self.backend = backend
        self.device = device
        self.dtype = dtype
        self.engine = engine
        self.random_state = random_state
        self.verbose = verbose
        self.warm_start = warm_start

    n_features_in_: int
    model_: Model
    history_: History
    callbacks_: list[Callback]
    n_iter_: int

    # ------------------------------------------------------------------ for subclasses

    _metrics: tuple[str, ...] = ()
    _validation: dict[str, Any] = {}  # noqa: RUF012  (never changed)
    """What `validate_data` is told of the targets."""

    def _learn_targets(self, y: Array, goes_on: bool) -> int:
        """Keep what predictions need to know of the targets, and return how many outputs they ask for."""
        raise NotImplementedError

    def _encoded(self, y: Array, loss: losses.Loss, dtype: Any) -> Array:
        """Return the targets as the loss takes them."""
        raise NotImplementedError

    def _default_loss(self) -> losses.Loss:
        raise NotImplementedError

    def _width(self, n_outputs: int, loss: losses.Loss) -> int:
        """Return how many outputs a model with this loss must have."""
        return n_outputs

    def _strata(self, y: Array) -> Array | None:
        """Return the groups of which a validation set is to have its share each, or None."""
        return None

    # ------------------------------------------------------------------ fit

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train the network, anew unless `warm_start` is set.

        Args:
            X: inputs, (samples, features), dense: arrays, data frames or lists of numbers.
            y: targets.
            sample_weight: the weight of each sample in the loss, at least 0, (samples,); only their ratios
                count, and samples of weight 0 are left out. Where an epoch is a single batch, a sample of
                weight 2 is the same as a sample given twice, but for rounding; else it is so in the mean
                over the batches.

        Raises:
            ValueError: data or parameters that scikit-learn or the network cannot take.
            TypeError: sparse input, data that is not numbers, or a `build` that returns no model.
        """
        self._check_parameters()
        goes_on = self.warm_start and hasattr(self, "model_")
        X, y = validate_data(self, X, y, dtype=FLOATING, reset=not goes_on, **self._validation)
        n_outputs = self._learn_targets(y, goes_on)
        random = check_random_state(self.random_state)
        seed = int(random.randint(np.iinfo(np.int32).max))
        training, held_out = self._split(_weighted(X, y, sample_weight), random)
        model = self.model_ if goes_on else self._compiled(X.dtype.name, n_outputs)
        loss = loss_of(model)
        x, targets, *weights = self._ready(training, loss)
        if not goes_on:
            model.fit(x[:1], targets[:1], epochs=0, seed=seed, verbose=0)  # builds it, and trains nothing
            self._check_outputs(model, n_outputs, loss)
        callbacks = [self.callbacks] if isinstance(self.callbacks, Callback) else list(self.callbacks or ())
        callbacks = copy.deepcopy(callbacks)  # a parameter is not to be changed, and callbacks keep the model
        history = model.fit(
            x,
            targets,
            sample_weight=weights[0] if weights else None,
            batch_size=self.batch_size,
            epochs=model.epochs_trained + self.epochs,
            initial_epoch=model.epochs_trained,
            validation_data=held_out and self._ready(held_out, loss),
            callbacks=callbacks,
            seed=None if goes_on else seed,
            verbose=self.verbose,
        )
        self.model_, self.history_, self.callbacks_ = model, history, callbacks
        self.n_iter_ = model.epochs_trained
        return self

    def _check_parameters(self) -> None:
        """Raise ValueError for what neither the layers nor the optimizer look at."""
        for name in ("epochs", "batch_size"):
            value = getattr(self, name)
            if not isinstance(value, Integral) or value < 1:
                raise ValueError(f"{name} must be a positive whole number, got {value!r}")
        if not 0 <= self.validation_split < 1:
            raise ValueError(
                f"validation_split must be a share of at least 0 and less than 1, "
                f"got {self.validation_split!r}"
            )

    def _split(
        self, arrays: list[Array], random: np.random.RandomState
    ) -> tuple[list[Array], list[Array] | None]:
        """Return the arrays' samples for training, and those that are held out, if any are."""
        if not self.validation_split:
            return arrays, None
        strata = self._strata(arrays[1])
        parts = train_test_split(
            *arrays, test_size=self.validation_split, random_state=random, stratify=strata
        )
        return parts[::2], parts[1::2]

    def _ready(self, arrays: list[Array], loss: losses.Loss) -> list[Array]:
        """Return X, y and weights, if there are any, with y as the loss takes it."""
        X, y, *weights = arrays
        return [X, self._encoded(y, loss, X.dtype), *weights]

    def _compiled(self, dtype: str, n_outputs: int) -> Model:
        """Return a new model at its place, compiled."""
        build = self._perceptron if self.build is None else self.build
        model = build(self.n_features_in_, n_outputs)
        if not isinstance(model, Model):
            raise TypeError(
                f"expected build(n_features, n_outputs) to return a model, a dn.Sequential or dn.Model, "
                f"got {model!r}"
            )
        # on() copies it: the model of a `build` that returns the same one each time is not trained twice
        model = cast(Model, model.on(self.backend, device=self.device, dtype=self.dtype or dtype))
        if model._trainer is None:
            adam = optimizers.Adam(self.learning_rate)
            model.compile(adam, self._default_loss(), metrics=list(self._metrics), engine=self.engine)
        return model

    def _perceptron(self, n_features: int, n_outputs: int) -> Model:
        model = Sequential()
        for units in np.atleast_1d(np.asarray(self.hidden, dtype=object)):
            model.add(Dense(units, activation=self.activation))
            if self.dropout:
                model.add(Dropout(self.dropout))
        model.add(Dense(n_outputs))
        return model

    def _check_outputs(self, model: Model, n_outputs: int, loss: losses.Loss) -> None:
        shape = (None, self._width(n_outputs, loss))
        if model.output_shape != shape:
            raise ValueError(
                f"expected a model with an output of shape {shape}, got {model.output_shape}; "
                f"build was called as build(n_features={self.n_features_in_}, n_outputs={n_outputs})"
            )

    # ------------------------------------------------------------------ predict

    def _outputs(self, X: Any) -> Array:
        """Return the model's outputs, (samples, outputs), in its dtype."""
        check_is_fitted(self, "model_")
        X = validate_data(self, X, dtype=FLOATING, reset=False)
        outputs: Array = self.model_.predict(X, batch_size=PREDICTED_AT_ONCE, verbose=0)
        return outputs

    # ------------------------------------------------------------------ pickle and copy

    def __getstate__(self) -> dict[str, Any]:
        return portable(super().__getstate__())

    def __copy__(self) -> Self:
        # by default a copy is made of what __getstate__ returns, which is for pickle
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        return twin


def _weighted(X: Array, y: Array, sample_weight: Any) -> list[Array]:
    """Return X and y, or the samples of them that count and their weights, 1 in the mean.

    With this mean, weights do not change how large the loss and the steps of the optimizer are.
    """
    if sample_weight is None:
        return [X, y]
    weights = check_array(sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight")
    if weights.shape != (len(X),):
        raise ValueError(f"sample_weight: expected shape {(len(X),)}, one a sample, got {weights.shape}")
    if (weights < 0).any():
        raise ValueError(f"sample_weight: expected no negative numbers, got {weights.min()}")
    counts = weights > 0
    if not counts.any():
        raise ValueError("sample_weight: expected a weight that is not zero, got zero for every sample")
    return [X[counts], y[counts], weights[counts] / weights[counts].mean()]


def loss_of(model: Model) -> losses.Loss:
    """Return the one loss that a model is compiled with.

    Raises:
        ValueError: there is none, or there are several.
    """
    loss = model.loss
    if loss is None:
        raise ValueError("expected a model that is compiled with a loss, or not compiled; got one without")
    if isinstance(loss, list | tuple | dict):
        raise ValueError(f"expected a model with one output and one loss, got {len(loss)} losses")
    return losses.get(loss)
