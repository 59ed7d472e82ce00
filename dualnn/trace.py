"""One pass through a model with everything recorded: each layer's output, and the gradients by them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import optree

from dualnn.layers import context, masks, tree
from dualnn.protocol import Backend, Tensor
from dualnn.training.arrays import leaves, map_tree
from dualnn.training.data import native_tree
from dualnn.training.precision import INITIAL_SCALE, Precision

if TYPE_CHECKING:
    from dualnn.layers.layer import Layer
    from dualnn.training.objective import Objective

Array: TypeAlias = npt.NDArray[Any]


class Disturbance:
    """Multiplies numbers by 1 plus or minus `size`, at random: what one rounding of each may do to them.

    Args:
        size: the relative size, for instance one unit in the last place of a dtype.
        seed: of the signs.

    >>> [round(float(x), 2) for x in abs(Disturbance(0.25, seed=0)(np.ones(3)) - 1)]
    [0.25, 0.25, 0.25]
    """

    def __init__(self, size: float, seed: int) -> None:
        self.size = size
        self._generator = np.random.default_rng(seed)

    def __call__(self, x: Array) -> Array:
        """Return an array disturbed, in its own dtype; one of integers as it is."""
        return x * (1 + x.dtype.type(self.size) * self._signs(x.shape)) if x.dtype.kind == "f" else x

    def tensor(self, nn: Backend, x: Tensor) -> Tensor:
        """Return a tensor disturbed by factors that are constants to differentiation."""
        if not nn.isdtype(x.dtype, "real floating"):
            return x
        factors = 1 + self.size * self._signs(tuple(int(size) for size in x.shape))
        return x * nn.asarray(factors, dtype=x.dtype, device=nn.device(x))

    def _signs(self, shape: tuple[int, ...]) -> Array:
        return self._generator.choice(np.asarray([-1, 1], np.int8), shape)


@dataclass(frozen=True)
class Entry:
    """One recorded tensor.

    Attributes:
        path: where the layer, or the weight, stands in the model; ``""`` is the model itself.
        name: the layer's name; empty for a weight.
        kind: the layer's type; empty for a weight.
        value: the numbers.
        dtype: what they were computed in; NumPy has no bfloat16, so that it is lost in `value`.
    """

    path: str
    name: str
    kind: str
    value: Array
    dtype: str


@dataclass(frozen=True)
class Trace:
    """What one pass through a model has computed.

    Attributes:
        outputs: the layers' outputs in the order in which they were computed.
        loss: the loss, if there was one.
        gradients: the loss's gradients, in the order in which they are computed: by a layer's output, then
            by its weights, from the last layer to the first.
        by_weights: native gradients by the trainable variables, in their order; None where unconnected.
        state: the variables that training does not change by gradient, after the pass.
    """

    outputs: list[Entry]
    loss: Array | None
    gradients: list[Entry]
    by_weights: list[Tensor | None]
    state: list[Tensor]


def trace(
    root: Layer,
    x: Any,
    y: Any = None,
    objective: Objective | None = None,
    *,
    training: bool = False,
    variables: list[Tensor] | None = None,
    disturb: Disturbance | None = None,
    precision: Precision | None = None,
) -> Trace:
    """Run a built model once, eagerly, and leave it as it was.

    Args:
        root: the layer or model.
        x: one batch of inputs, NumPy arrays.
        y: the targets, likewise; they are needed for an objective only.
        objective: the loss whose gradients are taken; None for none.
        training: whether the model is called as in training.
        variables: tensors to run it on in place of its variables, in their order.
        disturb: what the inputs, every layer's output and what it makes of sums are multiplied by, and with
            them the gradients. Meanwhile no other thread may use the backend.
        precision: what the layers compute in; by default what the model is compiled for.

    >>> import dualnn as dn
    >>> model = dn.Sequential([dn.layers.Dense(3), dn.layers.Activation("relu")])
    >>> y = model([[1.0, 2.0]])
    >>> [entry.path for entry in trace(model, np.ones((1, 2))).outputs]
    ['layers.0', 'layers.1', '']
    """
    nn, place = root.nn, root._require_place()
    precision = Precision.of_model(root) if precision is None else precision
    slots = tree.slots(root)
    values = [slot.variable for slot in slots] if variables is None else variables
    values = [nn.stop_gradient(value) for value in values]
    trainable = [i for i, slot in enumerate(slots) if slot.trainable]
    inputs = native_tree(map_tree(disturb, x) if disturb else x, place)
    targets = native_tree(y, place)
    watched = [t for _, t in leaves(inputs) if nn.isdtype(t.dtype, "real floating")]
    watched += [values[i] for i in trainable]
    calls: list[tuple[Layer, Any]] = []
    loss: Tensor | None = None
    scale = INITIAL_SCALE if precision.scales_loss else 1.0  # as `fit` begins: float16 has no small numbers

    def see(layer: Layer, output: Any) -> Any:
        # A copy goes on: the same tensor twice, or one made of the other, as a kernel's outputs and last
        # state may be, would have a gradient that depends on how they are made.
        own = _mapped(nn, lambda y: nn.asarray(y, copy=True), output)
        masks.remember(own, masks.mask_of(output))
        calls.append((layer, own))
        return own

    with (
        context.observed(see),
        _disturbed(root, disturb) if disturb else nullcontext(),
        nn.GradientTape() as tape,
    ):
        tape.watch(watched)
        with precision.bound(slots, values) as now:
            output = precision.output(nn, root(inputs, training=training), place.dtype)
            state = [value for value, slot in zip(now(), slots, strict=True) if not slot.trainable]
        if objective is not None:
            loss, _ = objective.loss(targets, output, None)
            with tree.bound(slots, values):
                for penalty in root.losses:
                    loss = loss + penalty
        scaled = loss * scale if loss is not None and scale != 1.0 else loss
    paths = {id(layer): path for path, layer in tree.walk(root)}
    named = [
        (paths.get(id(layer), "") + name, layer, tensor)
        for layer, output in calls
        for name, tensor in leaves(output)
        if nn.is_tensor(tensor)
    ]
    outputs = [
        Entry(path, layer.name, type(layer).__name__, nn.to_numpy(tensor), nn.dtype_name(tensor.dtype))
        for path, layer, tensor in named
    ]
    if loss is None:
        return Trace(outputs, None, [], [], state)
    floating = [i for i, (_, _, t) in enumerate(named) if nn.isdtype(t.dtype, "real floating")]
    sources = [*(named[i][2] for i in floating), *(values[i] for i in trainable)]
    found = tape.gradient(scaled, sources)
    by_output = dict(zip(floating, found[: len(floating)], strict=True))
    by_weights = [None if g is None else g / scale for g in found[len(floating) :]]

    def entries() -> Iterator[Entry]:
        # The gradient by a shared layer's weight is complete when its first call has been differentiated.
        weights: dict[int, list[Entry]] = {}
        for i, gradient in zip(trainable, by_weights, strict=True):
            value = _array(nn, gradient, values[i])
            lowered = None if slots[i].owner.keeps_precision else precision.compute
            entry = Entry(slots[i].path, "", "", value, lowered or nn.dtype_name(values[i].dtype))
            weights.setdefault(id(slots[i].owner), []).append(entry)
        first = {id(layer): i for i, (_, layer, _) in reversed(list(enumerate(named)))}
        for i, (path, layer, tensor) in reversed(list(enumerate(named))):
            if i in by_output:
                value = _array(nn, by_output[i], tensor)
                value = value if scale == 1.0 else value.astype(np.float32) / np.float32(scale)
                yield Entry(path, layer.name, type(layer).__name__, value, nn.dtype_name(tensor.dtype))
            if first[id(layer)] == i:
                yield from weights.pop(id(layer), [])
        for left_over in weights.values():
            yield from left_over

    return Trace(outputs, nn.to_numpy(loss), list(entries()), by_weights, state)


def numbered(names: Iterable[str]) -> list[tuple[str, int]]:
    """Return names with how often each has come before, so that they tell repeated ones apart.

    >>> numbered(["a", "b", "a"])
    [('a', 0), ('b', 0), ('a', 1)]
    """
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        found.append((name, seen[name]))
        seen[name] += 1
    return found


def _array(nn: Backend, gradient: Tensor | None, like: Tensor) -> Array:
    return nn.to_numpy(nn.zeros_like(like) if gradient is None else gradient)


def _mapped(nn: Backend, function: Callable[[Tensor], Tensor], output: Any) -> Any:
    """Return what a layer returned with `function` applied to its tensors, all else being as it is."""
    return optree.tree_map(lambda y: function(y) if nn.is_tensor(y) else y, output)


_INSIDE = ("mean", "sum", "matmul", "square", "sqrt", "exp", "log", "tanh")
"""The backend's functions with whose results layers and losses go on to compute, so that they may cancel: as
the two ways from a normalisation's input to its output do, the direct one and that by the mean."""


@contextmanager
def _disturbed(root: Layer, disturb: Disturbance) -> Iterator[None]:
    """Disturb every layer's output, and what the functions of the backend return, while the block runs."""
    nn = root.nn

    def around(call: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **kwargs: _mapped(nn, lambda y: disturb.tensor(nn, y), call(*args, **kwargs))

    # A layer's `call` is looked up in its attributes first, so that one there stands before the class's.
    places: list[tuple[dict[str, Any], str, Callable[..., Any]]]
    places = [(vars(layer), "call", layer.call) for _, layer in tree.walk(root)]
    places += [(vars(nn), name, getattr(nn, name)) for name in _INSIDE]
    before = [names.get(name) for names, name, _ in places]
    for names, name, function in places:
        names[name] = around(function)
    try:
        yield
    finally:
        for (names, name, _), old in zip(places, before, strict=True):
            if old is None:
                del names[name]
            else:
                names[name] = old
