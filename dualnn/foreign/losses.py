"""Losses of PyTorch and of Keras as losses and metrics of dualnn, called as their own library calls them."""

from __future__ import annotations

import copy
import inspect
from typing import Any

from dualnn import losses, metrics
from dualnn.foreign.advice import counterpart, refusal
from dualnn.foreign.recognition import KERAS, LIBRARIES, backend_of, class_names, library, public_name
from dualnn.losses import Labels, StaticShape, same_shape
from dualnn.protocol import Backend, Tensor

_OF_CLASSES = frozenset(
    ("CrossEntropyLoss", "NLLLoss", "MultiMarginLoss", "cross_entropy", "nll_loss", "multi_margin_loss")
)
"""Losses of torch whose target is a class for each vector of the output."""
_COUNT_CLASSES = _OF_CLASSES - {"MultiMarginLoss", "multi_margin_loss"}
"""Those that divide by the weights of the classes, and leave out the class `ignore_index`."""
_OF_CLASS_LISTS = frozenset(("MultiLabelMarginLoss", "multilabel_margin_loss"))
"""Those whose target is the list of a sample's classes."""
_TWINS: dict[str, losses.Loss] = {
    **dict.fromkeys(("BCELoss", "binary_cross_entropy"), losses.BinaryCrossentropy()),
    **dict.fromkeys(
        ("BCEWithLogitsLoss", "binary_cross_entropy_with_logits"), losses.BinaryCrossentropy(from_logits=True)
    ),
    **dict.fromkeys(
        ("MultiLabelSoftMarginLoss", "multilabel_soft_margin_loss"),
        losses.BinaryCrossentropy(from_logits=True),
    ),
    **dict.fromkeys(("SoftMarginLoss", "soft_margin_loss"), losses.Hinge()),
    **dict.fromkeys(  # the labels are classes or probabilities, as the data say
        ("CrossEntropyLoss", "cross_entropy"),
        losses.LossFunctionWrapper(losses.categorical_crossentropy, from_logits=True),
    ),
}
"""The losses of dualnn that take targets and outputs for the same as one of torch does."""
_REDUCTIONS = {"mean": "sum_over_batch_size", "batchmean": "sum_over_batch_size", "sum": "sum"}


class NativeLoss(losses.Loss):
    """A loss that only the tensors of one backend can be given to.

    Args:
        native: the library's loss or function.
        backend: the name of that backend; None if there is none.
        reduction: as in `dualnn.losses.Loss`.
        name: what messages call it.
    """

    def __init__(self, native: Any, backend: str | None, reduction: str | None, name: str) -> None:
        super().__init__(reduction, name)
        self.native, self.backend = native, backend

    def __reduce__(self) -> tuple[Any, ...]:
        return loss, (self.native,)

    def twin(self) -> losses.Loss:
        """Return the loss of dualnn that takes targets and outputs for the same; itself, if there is none."""
        names = class_names(self.native, *LIBRARIES)
        if names and names[0] != public_name(self.native).rpartition(".")[2]:
            return self  # a class of a user's own may take them for anything
        return self._twin(names[0] if names else public_name(self.native).rpartition(".")[2])

    def _twin(self, name: str) -> losses.Loss:
        raise NotImplementedError

    def measure(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Any]:
        """Return the loss, and what it was divided by: by what counts, of the library's weights and masks."""
        return super().measure(y_true, y_pred, sample_weight, self.counted(y_true, y_pred, mask))

    def counted(self, y_true: Any, y_pred: Any, mask: Tensor | None = None) -> Tensor | None:
        """Return how much each value counts, by what the library's loss says and by a mask; None: all 1."""
        return mask

    def check_backend(self, nn: Backend) -> None:
        """Raise a TypeError if the loss does not run on a backend; `fit` asks before it starts."""
        if nn.name == self.backend:
            return
        ours = counterpart(self.native, "losses")
        runs_on = "none of dualnn's backends" if self.backend is None else f"{self.backend!r}"
        where = f"use {ours}, which runs on both" if ours else "see dn.losses for those that run on both"
        raise TypeError(
            f"{public_name(self.native)} runs on {runs_on}, and the model lives on {nn.name!r}: {where}"
        )


class KerasLoss(NativeLoss):
    """A loss of Keras, or a function of its module of losses, on the backend that Keras was started with."""

    def __init__(self, native: Any) -> None:
        reduction = getattr(native, "reduction", "sum_over_batch_size")
        name = getattr(native, "name", None) or public_name(native).rpartition(".")[2]
        super().__init__(native, backend_of(native), reduction, name)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return what Keras computes: one value a sample."""
        return getattr(self.native, "call", self.native)(y_true, y_pred)

    def counted(self, y_true: Any, y_pred: Any, mask: Tensor | None = None) -> Tensor | None:
        """Return what is no label of the class to ignore, and what a mask leaves; None: all."""
        ignored = self._setting("ignore_class")
        if ignored is None:
            return mask
        nn, target, output = losses.class_indices(y_true, y_pred)
        counted = nn.astype(target != int(ignored), output.dtype)
        return counted if mask is None else counted * losses.aligned_weight(nn, mask, counted)

    def _arguments(self, nn: Backend, y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, Tensor]:
        if isinstance(self.twin(), losses.SparseCategoricalCrossentropy):
            return y_true, y_pred  # Keras takes a column of classes itself, of any dtype
        return super()._arguments(nn, y_true, y_pred)

    def _twin(self, name: str) -> losses.Loss:
        ours = losses.BY_NAME.get(name.replace("Focal", "").replace("_focal", ""))
        if ours is None:
            return self
        settings: dict[str, Any] = {"from_logits": True} if self._setting("from_logits") else {}
        return losses.get(ours(**settings) if isinstance(ours, type) else ours)

    def _setting(self, name: str) -> Any:
        config = self.native.get_config() if hasattr(self.native, "get_config") else {}
        return _setting(self.native, name, config.get(name))


class TorchLoss(NativeLoss):
    """A loss of PyTorch, of a class or a function, which is given the output first and the target second.

    The target gets the dtype and the shape that torch asks for: whole classes of shape (n, ...), or numbers
    in the shape of the output. Classes are along the last axis of the output, as everywhere in dualnn, and
    torch is given them along axis 1.
    """

    def __init__(self, native: Any) -> None:
        self._names = frozenset((*class_names(native, "torch"), public_name(native).rpartition(".")[2]))
        self._torch_reduction = str(_setting(native, "reduction", "mean"))
        name = public_name(native).rpartition(".")[2]
        super().__init__(native, "torch", _REDUCTIONS.get(self._torch_reduction, "mean"), name)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return one value a sample, without the weight of its class."""
        nn, y_true, y_pred = losses.operands(y_true, y_pred)
        target, output = self._operands(nn, y_true, y_pred)
        try:
            values = _without_reduction(self.native, nn, output)(output, target)
        except (RuntimeError, ValueError, IndexError) as error:
            error.add_note(
                f"({self.name} was given the output of shape {tuple(output.shape)} and, as torch wants it, "
                f"the target of shape {tuple(target.shape)} and dtype {nn.dtype_name(target.dtype)})"
            )
            raise
        if len(values.shape) and self._torch_reduction == "batchmean":
            values = nn.sum(values, axis=tuple(range(1, len(values.shape))))
        counted = None if len(values.shape) == 0 else self._counted(nn, target, output)
        return values if counted is None else values / nn.where(counted == 0.0, 1.0, counted)

    def _arguments(self, nn: Backend, y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, Tensor]:
        return y_true, y_pred  # `call` gives them the shapes that torch asks for

    def _twin(self, name: str) -> losses.Loss:
        return _TWINS.get(name, self)

    def counted(self, y_true: Any, y_pred: Any, mask: Tensor | None = None) -> Tensor | None:
        """Return how much each value counts by the weight of its class, and by a mask; None: all 1."""
        nn, y_true, y_pred = losses.operands(y_true, y_pred)
        counted = self._counted(nn, *self._operands(nn, y_true, y_pred))
        if counted is None or mask is None:
            return mask if counted is None else counted
        return counted * losses.aligned_weight(nn, mask, counted)

    def _counted(self, nn: Backend, target: Tensor, output: Tensor) -> Tensor | None:
        if not self._names & _COUNT_CLASSES or nn.isdtype(target.dtype, "real floating"):
            return None
        ignored = target == _setting(self.native, "ignore_index", -100)
        counted = nn.astype(nn.logical_not(ignored), output.dtype)
        weight = _setting(self.native, "weight", None)
        if weight is None:
            return counted
        weight = nn.asarray(weight, dtype=output.dtype, device=nn.device(output))
        classes = nn.reshape(nn.where(ignored, 0, target), (-1,))
        return counted * nn.reshape(nn.take(weight, classes, axis=0), nn.shape(target))

    def check(self, y_true: Labels, y_pred_shape: StaticShape) -> None:
        """Raise a ValueError if these targets cannot be right, in the words of dualnn's own losses."""
        if not self._names & (_OF_CLASSES | _OF_CLASS_LISTS):
            losses.MeanSquaredError(name=self.name).check(y_true, y_pred_shape)
        elif self._names & _OF_CLASSES and not self._is_of_probabilities(y_true.shape, y_pred_shape):
            ignored = y_true == _setting(self.native, "ignore_index", -100)
            some_class = y_true[~ignored].flat[0] if not ignored.all() else 0
            labels = y_true.copy()
            labels[ignored] = some_class
            losses.SparseCategoricalCrossentropy(name=self.name).check(labels, y_pred_shape)

    def _operands(self, nn: Backend, y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, Tensor]:
        if self._names & _OF_CLASS_LISTS:
            return nn.astype(y_true, nn.int64), y_pred
        if not self._names & _OF_CLASSES:
            _, target, output = same_shape(y_true, y_pred)
            return target, output
        if self._is_of_probabilities(tuple(y_true.shape), tuple(y_pred.shape)):
            target = nn.astype(y_true, y_pred.dtype)
            return _classes_first(nn, target), _classes_first(nn, y_pred)
        _, target, output = losses.class_indices(y_true, y_pred)
        return target, _classes_first(nn, output)

    def _is_of_probabilities(self, true_shape: StaticShape, pred_shape: StaticShape) -> bool:
        """Whether the target has a probability for each class, which the cross-entropy alone takes."""
        probabilities = self._names & {"CrossEntropyLoss", "cross_entropy"}
        return bool(probabilities) and len(true_shape) == len(pred_shape) and true_shape[-1] == pred_shape[-1]


class LossMetric(metrics.Metric):
    """The mean of a native loss over all samples.

    Args:
        loss: the loss.
    """

    sums = metrics.Mean.sums

    def __init__(self, loss: NativeLoss) -> None:
        super().__init__(loss.name)
        self._loss, self._mean = loss, metrics.Mean()

    def check_backend(self, nn: Backend) -> None:
        """Raise a TypeError if the loss does not run on a backend."""
        self._loss.check_backend(nn)

    def update(
        self, nn: Backend, state: Any, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> Any:
        """Return the state after one more batch, as `dualnn.metrics.Metric.update` says."""
        values = self._loss.call(y_true, y_pred)
        if len(values.shape) == 0:
            raise ValueError(
                f"{self.name} gives one number for a batch, of which no mean over samples follows"
            )
        counted = self._loss.counted(y_true, y_pred)
        if counted is not None:
            weight = None if sample_weight is None else losses.aligned_weight(nn, sample_weight, values)
            sample_weight = counted if weight is None else counted * weight
        return self._mean.update(nn, state, values, sample_weight)

    def _aligned(self, nn: Backend, y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, Tensor]:
        return self._loss._arguments(nn, y_true, y_pred)

    def compute(self, state: Any) -> Any:
        """Return the mean."""
        return self._mean.compute(state)


def loss(x: Any) -> losses.Loss | None:
    """Return a library's loss as one of dualnn's; None for what is no library's.

    Raises:
        TypeError: an object or a function that is no loss, or whose arguments are others than an output and
            a target.
    """
    origin = library(x)
    if origin is None:
        return None
    if origin in KERAS:
        names = class_names(x, *KERAS)
        if "Loss" in names:
            return KerasLoss(x() if isinstance(x, type) else x)
        if not names and ".losses" in _module(x):
            return KerasLoss(x)
    if origin == "torch":
        x = x() if isinstance(x, type) and "_Loss" in class_names(x, "torch") else x
        if "_Loss" in class_names(x, "torch"):
            _check_torch_loss(x)
            return TorchLoss(x)
        if _is_loss_function(x):
            return TorchLoss(x)
    raise _refusal(x, "losses", "a loss")


def metric(x: Any) -> metrics.Metric | None:
    """Return a library's loss as one of dualnn's metrics; None for what is no library's.

    Raises:
        TypeError: one of the library's metrics, or anything else that is no loss.
    """
    if library(x) is None:
        return None
    if "Metric" not in class_names(x, "torchmetrics", *KERAS):
        if library(x) in KERAS and not class_names(x, *KERAS) and ".metrics" in _module(x):
            return LossMetric(KerasLoss(x))
        try:
            native = loss(x)
        except TypeError:
            raise _refusal(x, "metrics", "a metric") from None
        if isinstance(native, NativeLoss):
            return LossMetric(native)
    raise _refusal(x, "metrics", "a metric")


def _classes_first(nn: Backend, x: Tensor) -> Tensor:
    """Return a tensor (n, ..., classes) as (n, classes, ...)."""
    rank = len(x.shape)
    return x if rank < 3 else nn.permute_dims(x, (0, rank - 1, *range(1, rank - 1)))


def _refusal(x: Any, room: str, expected: str) -> TypeError:
    error = refusal(x, room, expected)
    name = public_name(x)
    if library(x) == "torchmetrics":
        error.args = (
            f"{error}; torchmetrics keeps its sums in itself, where a compiled step cannot have them: ask it "
            f"after the training, {name}(...)(torch.as_tensor(model.predict(x)), torch.as_tensor(y))",
        )
    elif counterpart(x, room) is None:
        error.args = (
            f"expected {expected}, got {name}, of whose arguments it is not known which is the target; say "
            f"it: def f(y_true, y_pred): return {name}(...), with one value a sample",
        )
    return error


def _check_torch_loss(x: Any) -> None:
    if any(parameter.requires_grad for parameter in x.parameters()):
        raise TypeError(
            f"{public_name(x)} has weights of its own, which would not be trained; "
            f"keep it in a layer, as dn.layers.TorchModuleWrapper, and give its value to add_loss"
        )
    if not _takes_two(x.forward):
        raise TypeError(
            f"{public_name(x)} takes {', '.join(inspect.signature(x.forward).parameters)}, and a loss here "
            f"an output and a target; compute it in a layer, and give its value to add_loss"
        )


def _is_loss_function(x: Any) -> bool:
    if _module(x) != "torch.nn.functional" or class_names(x, "torch"):
        return False
    return list(inspect.signature(x).parameters)[1:2] == ["target"] and _takes_two(x)


def _takes_two(function: Any) -> bool:
    try:
        inspect.signature(function).bind(None, None)
    except TypeError:
        return False
    return True


def _without_reduction(native: Any, nn: Backend, like: Tensor) -> Any:
    """Return the loss as a function that gives one value a sample or a number, by its present settings."""
    if not class_names(native, "torch"):
        takes = "reduction" in inspect.signature(native).parameters
        return (lambda output, target: native(output, target, reduction="none")) if takes else native
    tensors = (*native.parameters(), *native.buffers())
    device = nn.device(like)
    if any(nn.device(tensor) != device for tensor in tensors):
        native = copy.deepcopy(native).to(device)
    native = copy.copy(native)
    native.reduction = "none"
    return native


def _setting(native: Any, name: str, default: Any) -> Any:
    keywords = getattr(native, "keywords", None)  # of a functools.partial
    return keywords.get(name, default) if isinstance(keywords, dict) else getattr(native, name, default)


def _module(x: Any) -> str:
    return str(getattr(getattr(x, "func", x), "__module__", ""))
