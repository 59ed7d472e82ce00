"""The model: a layer that can be compiled, trained, evaluated and asked for predictions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from dualnn import backends, optimizers
from dualnn import metrics as metrics_of
from dualnn.arguments import is_number, true_or_false, whole, whole_or_none
from dualnn.callbacks import Callback, History
from dualnn.layers import context, tree
from dualnn.layers.layer import Layer, sample_shapes, shapes_of, without_batch
from dualnn.layers.symbolic import SymbolicTensor
from dualnn.models.graph import Graph
from dualnn.models.summary import summary
from dualnn.names import unknown
from dualnn.place import Place
from dualnn.saving.configs import Config, decode, encode
from dualnn.training.arrays import as_arrays, map_tree
from dualnn.training.bystanders import may_change_data
from dualnn.training.callback_list import PREDICT_BATCH, CallbackList, checked
from dualnn.training.checkpoints import Checkpoints
from dualnn.training.data import ArrayData, axes_explained, data_from, native_tree
from dualnn.training.engines import Wish
from dualnn.training.guard import check_choice
from dualnn.training.logits import warn_of_logits
from dualnn.training.objective import Goals
from dualnn.training.precision import Precision
from dualnn.training.prediction import Predict, Predictors, samples_in
from dualnn.training.progress import ProgressBar, verbosity
from dualnn.training.trainer import Trainer, fit_data


class Model(Layer):
    """A layer that can be compiled and trained.

    Either inherit from it, hold layers as attributes and define ``call``; or give inputs and outputs,
    ``dn.Model(inputs, outputs)``; or use `dualnn.Sequential`.

    Args:
        inputs: one `dualnn.Input`, or a list or a dictionary of them.
        outputs: what layers made of them: one symbolic tensor, or a list or a dictionary.
        name: its name in summaries and errors.
        trainable: False freezes the model.

    Raises:
        ValueError: the outputs depend on an input that is not among the inputs.

    >>> import dualnn as dn
    >>> class Classifier(dn.Model):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.hidden = dn.layers.Dense(16, activation="relu")
    ...         self.logits = dn.layers.Dense(3)
    ...
    ...     def call(self, x):
    ...         return self.logits(self.hidden(x))
    >>> model = Classifier()
    >>> model.compile("adam", dn.losses.SparseCategoricalCrossentropy(from_logits=True))
    >>> history = model.fit([[0.0, 1.0], [1.0, 0.0]], [0, 2], epochs=2, seed=0, verbose=0)
    >>> len(history.history["loss"]), model.predict([[0.0, 1.0]]).shape
    (2, (1, 3))
    """

    stop_training: bool = False
    """Set it in a callback to end the training: after the epoch, or in a method for each batch at once."""
    stop_evaluating: bool = False
    """Set it in a callback to end an evaluation after the batch; likewise for a prediction."""
    stop_predicting: bool = False
    history: History | None = None
    """The record of the last training."""
    epochs_trained: int = 0
    """All epochs of training that this model has had; they number its shuffles."""
    declared_input: Any = None
    """The symbolic input or inputs that say what the model is built on, if it has any."""

    further_arguments = frozenset()
    diary = Layer.diary | {
        *("stop_training", "stop_evaluating", "stop_predicting", "history", "epochs_trained", "built"),
        *("_owner", "_trainer", "_predictors"),
    }

    _graph: Graph | None = None
    _owner: object | None = None  # what tells the model's optimizer that the model is its own
    _trainer: Trainer | None = None
    _predictors: Predictors | None = None
    # the outputs' shapes by those of the inputs, for one structure of layers
    _outputs_on: tuple[object, dict[str, Any]] = None, {}

    def __init__(
        self, inputs: Any = None, outputs: Any = None, name: str | None = None, trainable: bool = True
    ) -> None:
        super().__init__(name, trainable)
        if inputs is not None or outputs is not None:
            if inputs is None or outputs is None:
                raise TypeError("expected both inputs and outputs, or neither")
            self._graph = Graph(inputs, outputs)
            self.layers = self._graph.layers
            self.declared_input = inputs
            self._takes_list = isinstance(inputs, list | tuple)

    def __getstate__(self) -> dict[str, Any]:
        """Return the attributes for a pickle or a copy, which has the weights that this model is to have."""
        self._seed_source()
        return vars(self).copy()

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the outputs from native tensors; a model without inputs and outputs defines it."""
        if self._graph is None:
            raise NotImplementedError(f"{type(self).__name__} must define call(self, x)")
        return self._graph(self.nn, self.name, *args, **kwargs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the outputs' shapes, as far as they are known before the model is built."""
        return None if self._graph is None else self._graph.output_shape()

    # ------------------------------------------------------------------ saving

    def save(self, path: str | os.PathLike[str], include_optimizer: bool = True) -> None:
        """Write the whole model to one file, of which `dualnn.load_model` makes it again on either backend.

        In it are the layers, weights, moving statistics, counters of random numbers, and what the model was
        compiled with. Classes and functions that are not dualnn's own are named, not copied: put
        ``@dn.saving.register()`` above them. The file is complete or not there.

        Args:
            path: the file, ``"model.dualnn"``.
            include_optimizer: whether the optimizer's state is in it, so that training can go on.

        Raises:
            ValueError: the model is not built, or something in it is not registered or could not be made
                again.
            TypeError: it was made with something that a file cannot hold.
            OSError: the file cannot be written; an older one of this name is as it was.
        """
        from dualnn.saving.model_file import save_model  # here, as it makes models, too

        if not self.built and self.declared_input is not None:
            self.build()
        save_model(self, path, include_optimizer)

    def get_config(self) -> Config:
        """Return the settings, as `Layer.get_config` says; of the functional form the graph, too."""
        if self._graph is None or type(self).__init__ is not Model.__init__:
            return super().get_config()
        config: Config = encode(
            {**self._graph.get_config(), "name": self.name, "trainable": self.trainable},
        )
        return config

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Return a new model with the settings and layers that `get_config` returned."""
        if cls.__init__ is not Model.__init__ or "nodes" not in config:
            return super().from_config(config)
        config = decode(config)
        graph = Graph.from_config(config)
        return cls(graph.inputs, graph.outputs, config["name"], config["trainable"])

    # ------------------------------------------------------------------ building

    def build(self, input_shape: Any = None) -> None:
        """Build the model, so that it has its weights.

        Args:
            input_shape: the input's shape with the batch first, ``(None, 28, 28, 1)``; for several
                inputs a list or a dictionary of shapes. None: as declared by `dualnn.Input`.

        Raises:
            ValueError: no shape is given or declared, or layers do not fit together.
        """
        if context.current() is not None:
            return  # the call that is in progress builds the layers inside, one after the other
        if input_shape is None:
            if self.declared_input is None:
                raise ValueError(
                    f"model {self.name!r}: the input's shape is not known; give it to build(), or begin the "
                    f"model with dn.Input(shape)"
                )
            self.build_on(map_tree(_sample, self.declared_input))
        else:
            x = _zeros(input_shape)
            if self._is_complete() and self._input_shape is not None:
                self._check_built_on(input_shape, x)
            self.build_on(x)

    def _check_built_on(self, input_shape: Any, x: Any) -> None:
        """Raise ValueError if the model's layers, which have their weights, do not take this shape."""
        try:
            self.output_shape_on(x)
        except ValueError as error:
            raise ValueError(
                f"model {self.name!r} has been built on the input shape {sample_shapes(self._input_shape)} "
                f"of a sample, and cannot be built on {input_shape} as well; make a new one ({error})"
            ) from None

    def build_on(self, x: Any) -> None:
        """Build the model, if a layer of it is not built yet, by calling it once on data."""
        if self._is_complete():
            return
        self.__dict__["_output_shape"] = without_batch(self(x))
        if not self._is_complete():
            # a layer that is called in training only: try, on a copy of the state
            slots, nn = tree.slots(self), self.nn
            with tree.bound(slots, [nn.stop_gradient(slot.variable) for slot in slots]):
                self(x, training=True)

    def output_shape_on(self, x: Any, may_run: bool = True) -> Any:
        """Return the outputs' shapes for these inputs, whose sizes may be others than the model was built on.

        Args:
            x: inputs of a built model.
            may_run: whether the model is run on the first sample if sizes are new; else the answer is None.

        Raises:
            ValueError: the model's layers do not take inputs of this shape.
        """
        sizes = sample_shapes(shapes_of(x))
        if self._input_shape is not None and sizes == sample_shapes(self._input_shape):
            return self._output_shape
        (structure, known), key = self._outputs_on, str(sizes)
        if may_run and structure is not tree.structure(self):
            known = {}
            self.__dict__["_outputs_on"] = tree.structure(self), known
        if may_run and key not in known:
            slots, nn = tree.slots(self), self.nn
            with tree.bound(slots, [nn.stop_gradient(slot.variable) for slot in slots]):
                known[key] = without_batch(self(map_tree(lambda a: a[:1], x)))
        return known.get(key)

    def _is_complete(self) -> bool:
        return all(layer.built for _, layer in tree.walk(self))

    @property
    def place(self) -> Place:
        """The backend, device and dtype that the model lives on."""
        return self._require_place()

    @property
    def output_shape(self) -> Any:
        """The outputs' shapes, None for the batch's size; known once the model is built."""
        return self._output_shape

    @property
    def output_names(self) -> list[str] | None:
        """The names of several outputs, by the layers that they come from; None if they have none."""
        return None if self._graph is None else self._graph.output_names()

    def __getattr__(self, name: str) -> Any:
        # Sequential and functional models have a list of this name; others have their layers by attribute
        if name == "layers":
            return list(self.named_layers.values())
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Return a layer by its name or its number.

        Raises:
            ValueError: there is none such.
        """
        layers = self.named_layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(f"model {self.name!r} has {len(layers)} layers, no number {index}")
            return list(layers.values())[index]
        if name not in layers:
            raise ValueError(unknown("layer", name, layers))
        return layers[str(name)]

    @property
    def named_layers(self) -> dict[str, Layer]:
        """The layers just inside the model by name; a name met again is numbered, ``dense_1``."""
        names: dict[str, Layer] = {}
        for path, layer in tree.walk(self):
            parts = path.split(".")
            if path and (len(parts) == 1 or (len(parts) == 2 and parts[1].isdigit())):
                name, number = layer.name, 0
                while name in names:
                    number += 1
                    name = f"{layer.name}_{number}"
                names[name] = layer
        return names

    def summary(self) -> None:
        """Print the layers with their output shapes and numbers of weights.

        >>> import dualnn as dn
        >>> model = dn.Sequential([dn.Input((4,)), dn.layers.Dense(3)])
        >>> model.summary()
        Model: sequential
        Layer (type)    Output shape   Weights
        dense (Dense)   (None, 3)           15
        Total weights: 15 (60 B)
        Trainable: 15   Not trainable: 0
        """
        if not self.built and self.declared_input is not None:
            self.build()
        print(summary(self))

    # ------------------------------------------------------------------ compile

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        engine: str = "auto",
        jit: bool | None = None,
        precision: str | None = None,
    ) -> None:
        """Say what the model is trained for, and how.

        Args:
            optimizer: a name or an optimizer.
            loss: a name, a loss, or a function ``(y_true, y_pred)``; for several outputs a list or a
                dictionary of them.
            loss_weights: numbers or native scalars by which several losses are multiplied.
            metrics: names, metrics or functions; the sample weights do not count in them.
            weighted_metrics: names, metrics or functions in which the sample weights count.
            run_eagerly: whether steps run as plain Python, which can be debugged; ``engine="eager"``.
            engine: how steps are run: ``"eager"`` as plain Python, ``"step"`` by a compiled function for
                each step, ``"epoch"`` many steps behind one call; ``"auto"`` chooses by a rule, see
                docs/engines.md. What ran is in ``history.engine``.
            jit: whether the framework's compiler (inductor, XLA) makes machine code of the steps, which
                takes seconds and pays in long runs; None leaves it to the rule.
            precision: ``"mixed_bfloat16"`` or ``"mixed_float16"`` for layers that compute in 16 bits,
                while weights, losses and updates keep the model's dtype; None for all in that dtype.

        Raises:
            ValueError: an unknown name, or arguments that contradict each other.

        Warns:
            UserWarning: a cross-entropy takes probabilities and the last layer has no softmax or sigmoid, or
                it takes logits (``from_logits=True``) and the last layer has one.
        """
        _check_loss_weights(loss_weights)
        true_or_false(run_eagerly=run_eagerly)
        wish = Wish.of(engine, jit, run_eagerly)
        goals = Goals(loss, loss_weights, metrics, weighted_metrics)
        optimizer = optimizers.get(optimizer)
        if self._owner is None:
            self._owner = object()
        optimizer.claim(self._owner)
        warn_of_logits(self, loss)
        self._trainer = Trainer(self, goals, optimizer, wish, Precision.of(precision))
        self._predictors = None

    @property
    def loss(self) -> Any:
        """The loss that `compile` was given, or None."""
        return None if self._trainer is None else self._trainer.goals.loss

    @property
    def directions(self) -> dict[str, str | None]:
        """Which way is better of each loss and metric by its name in the logs, ``"up"`` or ``"down"``.

        None is a metric that does not say. It is known once the compiled model has seen data.
        """
        return {} if self._trainer is None else self._trainer.directions

    @property
    def optimizer(self) -> optimizers.Optimizer:
        """The optimizer that `compile` was given."""
        return self._require_trainer("has no optimizer").optimizer

    # ------------------------------------------------------------------ fit, evaluate, predict

    def fit(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Sequence[Callback] | Callback | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
        seed: int | None = None,
        check_finite: bool = False,
        checkpoint: Any = None,
        resume: bool = False,
        on_nonfinite: str | None = None,
    ) -> History:
        """Train the model.

        Args:
            x: inputs: arrays (NumPy, pandas, lists, native tensors of any framework), a tuple, list or
                dictionary of them for several inputs; or what yields batches ``(x, y)`` or
                ``(x, y, sample_weight)``: a generator, a function that returns one, a loader or data set
                of any framework.
            y: targets, likewise; None if `x` yields them.
            batch_size: samples a step, 32 by default.
            epochs: the number of the last epoch, so passes over the data if `initial_epoch` is 0.
            verbose: ``"auto"`` (a progress bar on a terminal, else silent), 0 (silent), 1 (progress
                bar), 2 (a line an epoch).
            callbacks: a callback or a list of them, called as the training goes.
            validation_split: the share of the samples, the last ones, that is held out for validation.
            validation_data: ``(x, y)`` or ``(x, y, sample_weight)``, or what yields batches.
            shuffle: whether arrays are shuffled anew for each epoch.
            class_weight: the weight of each class in the loss, ``{0: 1.0, 1: 5.0}``, for labels that are
                integers or one-hot, of samples or of steps; a class not named has 1. It multiplies
                `sample_weight`, and does not count in validation.
            sample_weight: the weight of each sample, or each step, in the loss, at least 0; for several
                outputs a list or a dictionary of such arrays, or one array for them all.
            initial_epoch: the number of epochs already done.
            steps_per_epoch: batches an epoch; needed for what yields batches without an end.
            validation_steps: likewise for validation.
            validation_batch_size: samples a step in validation; by default as in training.
            validation_freq: validate after every so many epochs, or after those of a list, counted from 1.
            seed: fixes the shuffles, and of a model that is not built yet the initial weights and masks.
            check_finite: whether NaN and infinity in the data are looked for, and refused.
            checkpoint: a folder, or `Checkpoints`, to write all that is needed to go on after each epoch.
            resume: whether the run in that folder goes on, from its newest checkpoint and with the arguments
                that it was begun with; it ends with the weights and the history of a run that was never
                interrupted. With no checkpoint there a new run begins.
            on_nonfinite: what is done about a step whose loss or gradients are NaN or infinite:
                ``"ignore"``, nothing; ``"raise"``, an error that names the step, its samples and the layer,
                the model being as it was before; ``"skip"``, it is left out. None: ``"raise"`` if there is a
                checkpoint, else ``"ignore"``.

        Returns:
            The losses and metrics of every epoch.

        Raises:
            RuntimeError: the model is not compiled.
            ValueError: data that does not fit the model or the loss.
            TypeError: data that is not numbers.
            NonFiniteError: a step was not finite, and that was to be an error.
        """
        trainer = self._require_trainer("cannot be trained", loss=True)
        several = checked(callbacks)
        epochs, initial_epoch = whole("epochs", epochs, 0), whole("initial_epoch", initial_epoch, 0)
        batch_size = whole_or_none("batch_size", batch_size)
        steps_per_epoch = whole_or_none("steps_per_epoch", steps_per_epoch)
        validation_batch_size = whole_or_none("validation_batch_size", validation_batch_size)
        validation_steps = whole_or_none("validation_steps", validation_steps)
        seed = whole_or_none("seed", seed, 0)
        verbosity(verbose)
        if not is_number(validation_split) or not 0 <= validation_split < 1:
            raise ValueError(
                f"validation_split must be a number of at least 0 and less than 1, got {validation_split!r}"
            )
        true_or_false(shuffle=shuffle, resume=resume, check_finite=check_finite)
        if checkpoint is not None and not isinstance(checkpoint, Checkpoints):
            checkpoint = Checkpoints(checkpoint)
        if resume and checkpoint is None:
            raise ValueError(
                "resume=True needs to know where from: fit(..., checkpoint='folder', resume=True)"
            )
        if validation_data is None and not validation_split:
            given = {"validation_steps": validation_steps, "validation_batch_size": validation_batch_size}
            for name, value in given.items():
                if value is not None:
                    raise ValueError(
                        f"{name}={value} is for validation, and there is nothing to validate on: give "
                        f"validation_data or validation_split as well"
                    )
        data, validation = fit_data(
            x,
            y,
            sample_weight,
            batch_size=batch_size,
            steps_per_epoch=steps_per_epoch,
            validation_data=validation_data,
            validation_split=validation_split,
            validation_batch_size=validation_batch_size,
            validation_steps=validation_steps,
        )
        return trainer.fit(
            data,
            validation=validation,
            validation_freq=validation_freq,
            epochs=epochs,
            initial_epoch=initial_epoch,
            class_weight=class_weight,
            verbose=verbose,
            callbacks=several,
            shuffle=shuffle,
            seed=seed,
            finite=check_finite,
            checkpoints=checkpoint,
            resume=resume,
            on_nonfinite=check_choice(on_nonfinite, checkpoint is not None),
        )

    def evaluate(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Sequence[Callback] | Callback | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Return the loss and the metrics on data.

        Args:
            x: inputs, as in `fit`.
            y: targets.
            batch_size: samples a step, 32 by default; it does not change the result but for rounding.
            verbose: as in `fit`.
            sample_weight: the weight of each sample.
            steps: batches to take; None for all.
            callbacks: a callback or a list of them, called as the evaluation goes.
            return_dict: whether a dictionary is returned.

        Returns:
            The loss, or a list of the loss and the metrics; with `return_dict` numbers by name.
        """
        trainer = self._require_trainer("cannot be evaluated", loss=True)
        several = checked(callbacks)
        batch_size, steps = whole_or_none("batch_size", batch_size), whole_or_none("steps", steps)
        verbosity(verbose)
        data = data_from(x, y, sample_weight, batch_size=batch_size, steps=steps)
        return _logs(trainer.test(data, verbose, several), return_dict)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Sequence[Callback] | Callback | None = None,
    ) -> Any:
        """Return the model's outputs as NumPy arrays.

        Args:
            x: inputs, as in `fit`; of batches ``(x, y)``, the targets are left aside.
            batch_size: samples a step, 32 by default; it does not change the result but for rounding.
            verbose: as in `fit`.
            steps: batches to take; None for all.
            callbacks: a callback or a list of them, called as the prediction goes.

        Returns:
            An array of shape (samples, ...); for several outputs a list or a dictionary of them.
        """
        several, shown = checked(callbacks), verbosity(verbose)
        batch_size, steps = whole_or_none("batch_size", batch_size), whole_or_none("steps", steps)
        data = data_from(x, batch_size=batch_size, steps=steps)
        with data.explained():
            self.build_on(data.first().x)
        if may_change_data(self, several):
            data.own(self.place)
        nn = self.nn
        callback = CallbackList(several, self, {"epochs": 1, "steps": data.steps, "verbose": shown})
        each = callback.overrides(*PREDICT_BATCH)
        self.stop_predicting = False
        callback("on_predict_begin")
        size, ahead, parts = 0, data.steps, []
        with ProgressBar(shown == 1, None, self.name) as bar, data.explained():
            bar.begin(data.steps)
            for number, batch in enumerate(data.batches(self.place)):
                if each:
                    callback("on_predict_batch_begin", number)
                if each or samples_in(nn, batch.x) != size:  # the first batch, and a smaller last one
                    size = samples_in(nn, batch.x)
                    outputs, ahead = self._predictor(size, ahead), 1
                parts.append(map_tree(nn.to_numpy, outputs(batch.x)))
                bar.step()
                if each:
                    callback("on_predict_batch_end", number, {"outputs": parts[-1]})
                if self.stop_predicting:
                    break
        callback("on_predict_end")
        return _concatenated(parts)

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Do one step of training on one batch, and return its loss and metrics as `evaluate` does."""
        trainer = self._require_trainer("cannot be trained", loss=True)
        data = _one_batch(x, y, sample_weight)
        return _logs(trainer.train_on_batch(data.batch, class_weight), return_dict)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Return the loss and metrics on one batch as `evaluate` does."""
        trainer = self._require_trainer("cannot be evaluated", loss=True)
        return _logs(trainer.test(_one_batch(x, y, sample_weight), 0, ()), return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """Return the outputs for one batch as NumPy arrays."""
        arrays = as_arrays(x, "x")
        with axes_explained(arrays):
            if not self.built:
                self.build_on(map_tree(lambda a: a[:1], arrays))
            inputs = native_tree(arrays, self.place, copy=True if may_change_data(self) else None)
            outputs = self._predictor(samples_in(self.nn, inputs))
            return map_tree(self.nn.to_numpy, outputs(inputs))

    def export(self, path: Any, format: str | None = None, verbose: Any = "auto") -> None:
        """Write the model to a file or folder that runs without dualnn.

        It computes what the model does in inference, in the model's dtype, for any number of samples, and has
        the weights inside. Inputs have the names of their `dualnn.Input` or keys in a dictionary, else
        ``"input"``, or ``"input_0"`` and so on; outputs those of their layers or keys, else ``"output"``, or
        ``"output_0"`` and so on; a name met again is numbered. What was written is run beside the model
        before it gets its name: a failed export leaves everything as it was.

        Args:
            path: the file or folder; an older export there is replaced.
            format: ``"onnx"`` (a file ``.onnx``), ``"torch_export"`` (a file ``.pt2``) or ``"saved_model"``
                (a folder), of which each needs its framework installed, wherever the model lives; other
                backends may write more. None: as the end of the path's name says.
            verbose: ``"auto"`` (a progress bar on a terminal), 0 (silent), 1 (progress bar).

        Raises:
            BackendNotAvailableError: the framework that writes the format is not installed.
            ImportError: a package that writes the format is not installed.
            OSError: it cannot be written there.
            RuntimeError: a layer of the model cannot be written, or what was written differs from the model.
            ValueError: an unknown format, an unbuilt model whose input is not declared, or one of a dtype
                other than float32 and float64.

        >>> import pathlib, tempfile
        >>> import dualnn as dn
        >>> model = dn.Sequential([dn.Input((4,)), dn.layers.Dense(3)])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "model.pt2"
        ...     model.export(path)
        ...     path.exists()
        True
        """
        from dualnn.exporting import export  # here, as few programs need it, and all it imports

        export(self, path, format, verbose)

    def _predictor(self, size: int, batches: int | None = 1) -> Predict:
        if self._predictors is None:
            self._predictors = Predictors()
        trainer = self._trainer
        wish, precision = (Wish(), Precision()) if trainer is None else (trainer.wish, trainer.precision)
        return self._predictors.get(self, wish, precision, size, batches)

    def _require_trainer(self, what: str, loss: bool = False) -> Trainer:
        if self._trainer is None:
            raise RuntimeError(f"model {self.name!r} {what}: call compile(optimizer, loss) first")
        if loss and self._trainer.goals.loss is None:
            raise RuntimeError(f"model {self.name!r} {what} without a loss: compile(optimizer, loss=...)")
        return self._trainer


def _check_loss_weights(loss_weights: Any) -> None:
    weights = loss_weights.values() if isinstance(loss_weights, dict) else loss_weights
    for weight in weights if isinstance(loss_weights, dict | list | tuple) else [loss_weights]:
        if isinstance(weight, str | metrics_of.Metric) or callable(weight):
            raise TypeError(
                f"loss_weights, the third argument of compile, must be numbers, got {loss_weights!r:.80}; "
                f"metrics are given by their name: compile(optimizer, loss, metrics={loss_weights!r:.80})"
            )
        if not (weight is None or is_number(weight) or backends.owner(weight) is not None):
            raise TypeError(f"loss_weights must be numbers, got {loss_weights!r:.80}")


def _one_batch(x: Any, y: Any, sample_weight: Any) -> ArrayData:
    data = data_from(x, y, sample_weight)
    if not isinstance(data, ArrayData):
        raise TypeError(f"expected the arrays of one batch, got what yields batches: {type(x).__name__}")
    return ArrayData(data.batch, max(1, data.size))


def _logs(logs: dict[str, float], as_dict: bool) -> Any:
    if as_dict:
        return logs
    values = list(logs.values())
    return values[0] if len(values) == 1 else values


def _sample(declared: SymbolicTensor) -> Any:
    shape = declared.shape or ()
    return np.zeros([1 if size is None else size for size in shape], declared.dtype or np.float32)


def _zeros(shape: Any) -> Any:
    if isinstance(shape, dict):
        return {key: _zeros(item) for key, item in shape.items()}
    if any(isinstance(item, tuple | list) for item in shape):
        return [_zeros(item) for item in shape]
    return np.zeros([1 if size is None else size for size in shape], np.float32)


def _concatenated(parts: list[Any]) -> Any:
    if isinstance(parts[0], dict):
        return {key: _concatenated([part[key] for part in parts]) for key in parts[0]}
    if isinstance(parts[0], list | tuple):
        return [_concatenated([part[i] for part in parts]) for i in range(len(parts[0]))]
    return np.concatenate(parts)
