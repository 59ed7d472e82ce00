"""Training one model on two backends or devices side by side, up to the first difference that is a fault.

One step of training is a function of the model's state and a batch. So a run that differs from another by
more than rounding has a step in which the two, *given the same state*, differ by more than rounding; and
whatever two runs differ by whose every step agrees in this sense, is rounding that training has carried on.
Therefore each step is judged by itself: both do it from the state of the right one. (Judged by the two
trajectories alone, a fault could hide in the growth of rounding errors, and a ReLU that such errors have
turned over would look like a fault.) The trajectories are run as well, each from its own state, and how far
apart they are is reported.

How far apart two correct computations of one step may be is measured, by what is called Monte Carlo
arithmetic (Parker, 1997): by copies of the step on the left side, in which the inputs, the state and every
layer's output and inner sums, and with them the gradients, are multiplied by 1 plus or minus one unit in
the last place. It shows what a formula or a kink makes of a rounding error: terms that cancel, a ReLU
turned over, Adam's division by the root of a gradient that is nothing but rounding errors. A difference may
be SAFETY times the largest of the copies', times what long sums add: where n terms are added one after the
other, each is subject to up to n roundings, which are off by 1 / sqrt(12) of a unit in the root mean
square, being uniform, and as good as independent (Higham and Mary, 2019): by sqrt(n / 12) units in place of
the copies' one. Such sums make bounds in float32 wide; in float64 the same fault is far outside of them.
"""

from __future__ import annotations

import copy
import itertools
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from dualnn import optimizers, random
from dualnn.backends import available
from dualnn.compare import largest_difference, objective_of, ulp, unit, where
from dualnn.layers import tree
from dualnn.layers.layer import Layer
from dualnn.place import Place
from dualnn.seeds import Seed
from dualnn.trace import Array, Disturbance, numbered, trace
from dualnn.training.arrays import as_arrays, leaves, map_tree
from dualnn.training.batch import Batch, map_batch
from dualnn.training.objective import Goals, Objective
from dualnn.training.precision import Precision

COPIES = 4
"""Disturbed copies of every step."""
SECOND_LOOK = 32
"""More copies, before a difference is called a fault: the first few may all have missed a kink that the right
side's rounding has crossed. A kink so near is crossed by at least one in a few copies."""
SAFETY = 8
"""The largest of a few random errors is exceeded by one more, of a distribution with tails like a normal one,
by less than this factor; as for the trajectories of the conformance suite."""


@dataclass(frozen=True)
class Fault:
    """The first difference that rounding does not explain.

    Attributes:
        step: the number of the step, from 1; 0 is before the first.
        what: which operation it was, ``"forward of layers.2 (BatchNormalization)"``.
        ulp: the largest difference, in units in the last place of the largest number.
        bound: what is allowed, likewise.
    """

    step: int
    what: str
    ulp: float
    bound: float

    def __str__(self) -> str:
        return f"step {self.step}, {self.what}: differs by {self.ulp:.3g} ULP, the bound is {self.bound:.3g}"


@dataclass(frozen=True)
class Step:
    """One step without a fault.

    Attributes:
        number: the number of the step, from 1.
        losses: the loss on the left and on the right, each on its own trajectory.
        weights: how far the trajectories are apart after the step: the largest difference of a weight, in
            units in the last place of the largest weight.
        share: the largest share of its bound that any difference of this step has.
        closest: which operation that was.
    """

    number: int
    losses: tuple[float, float]
    weights: float
    share: float
    closest: str


@dataclass(frozen=True)
class Lockstep:
    """What `lockstep` found; print it for a table.

    Attributes:
        left, right: where the two models live.
        steps: the steps without a fault.
        fault: the first fault, or None.
    """

    left: str
    right: str
    steps: tuple[Step, ...]
    fault: Fault | None = None

    def __str__(self) -> str:
        head = f"{self.left} against {self.right}: {len(self.steps)} steps without a fault"
        rows = [
            f"{'step':>5}   {'left loss':>12}   {'right loss':>12}   {'weights (ULP)':>13}   share of bound"
        ]
        rows += [
            f"{s.number:>5}   {s.losses[0]:>12.6g}   {s.losses[1]:>12.6g}   {s.weights:>13.3g}   "
            f"{s.share:.2f} ({s.closest})"
            for s in self.steps
        ]
        return "\n".join([head, *(rows if self.steps else []), *([str(self.fault)] if self.fault else [])])


def lockstep(
    model: Layer | Callable[[], Layer],
    x: Any,
    y: Any,
    *,
    loss: Any,
    optimizer: Any = "adam",
    backends: Sequence[str | tuple[str, str]] | None = None,
    steps: int = 10,
    batch_size: int = 32,
    seed: int = 0,
    dtype: str = "float32",
    bound: float | None = None,
) -> Lockstep:
    """Train two copies of a model from one seed on the same batches, and compare all that each step computes.

    That is, in this order: every layer's output, the loss, its gradients by every layer's output and weight,
    what the layers set (moving averages), the new weights, and the optimizer's moments. The steps run
    eagerly, with the batches that `Model.fit` takes with this seed, in the precision that the model is
    compiled for. The model itself stays as it is.

    Args:
        model: a layer or model, or a function that makes one. It starts with the weights that it has; if it
            is not built yet, each side makes them for itself.
        x: inputs, as arrays.
        y: targets, likewise.
        loss: a name, a loss or a function; for several outputs a list or a dictionary of them.
        optimizer: a name, or an optimizer, which is copied and begins anew.
        backends: two names of backends, or pairs of a backend's and a device's name. None: the first two
            that are installed.
        steps: how many steps at most.
        batch_size: samples a step.
        seed: fixes the shuffles and masks, and the initial weights of a model that is not built.
        dtype: of both sides.
        bound: the largest difference that is allowed, in units in the last place of the largest number of
            each tensor. None: derived for each, as the module's text says.

    Returns:
        The steps done, how far the two came apart, and the first fault, if there was one.

    Raises:
        ValueError: not two backends, targets that do not fit the outputs, or the two sides' models differ in
            their layers.

    >>> import numpy as np
    >>> import dualnn as dn
    >>> model = dn.Sequential([dn.layers.Dense(4, activation="tanh"), dn.layers.Dense(1)])
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> here = dn.backend().name
    >>> report = lockstep(model, x, x**2, loss="mse", backends=(here, here), steps=3)
    >>> report.fault is None, len(report.steps)
    (True, 3)
    """
    backends = available()[:2] if backends is None else backends
    if len(backends) != 2:
        raise ValueError(f"expected two backends, got {list(backends)}")
    root = model if isinstance(model, Layer) else model()
    if not root.built:
        root.__dict__["_seed"] = Seed(seed)
    data = Batch(as_arrays(x, "x"), as_arrays(y, "y"))
    left, right = (_Side(root, place, dtype, optimizer, Goals(loss), data) for place in backends)
    report = Lockstep(left.where, right.where, ())
    own, state = left.initial_state(), right.initial_state()
    if [name for name, _ in own.numbers(left)] != [name for name, _ in state.numbers(right)]:
        raise ValueError("expected two models of the same layers, got different ones")
    for (name, a), (_, b) in zip(own.numbers(left), state.numbers(right), strict=True):
        if a.tobytes() != b.tobytes():
            fault = Fault(0, f"initial value of {name}", largest_difference(a, b) / unit(a), 0.0)
            return Lockstep(report.left, report.right, (), fault)
    done: list[Step] = []
    for number, batch in zip(range(1, steps + 1), _batches(data, batch_size, seed), strict=False):
        new, found = right.step(state, batch, number)
        judged = _Judge(left, state, batch, number, bound)
        share, closest = 0.0, ""
        for i, operation in judged.known(found):
            difference, allowed = judged.difference(i, operation.value), judged.allowed(i)
            if not difference <= allowed:
                allowed = judged.allowed(i, SECOND_LOOK)
            if not difference <= allowed:
                last_place = unit(operation.value)
                fault = Fault(number, operation.what, difference / last_place, allowed / last_place)
                return Lockstep(report.left, report.right, tuple(done), fault)
            if difference > share * allowed:
                share, closest = difference / allowed, operation.what
        own, here = left.step(own, batch, number)
        losses = (_loss(here), _loss(found))
        done.append(Step(number, losses, ulp(own.weights(left), new.weights(right)), share, closest))
        state = new
    return Lockstep(report.left, report.right, tuple(done))


def of_long_sums(terms: float) -> float:
    """Return how many units in the last place n terms may be off by when they are added up in any order.

    >>> of_long_sums(5), of_long_sums(1200)
    (1.0, 10.0)
    """
    return max(1.0, math.sqrt(terms / 12))


@dataclass(frozen=True)
class _Operation:
    what: str
    value: Array
    terms: float
    """The most terms that a sum in this operation may have."""


_Numbers: TypeAlias = "list[tuple[str, Array]]"


@dataclass(frozen=True)
class _State:
    """What a step changes, as NumPy arrays, so that either side can begin with it."""

    variables: list[Array]
    moments: list[dict[str, Array]]

    def disturbed(self, disturb: Disturbance) -> _State:
        return _State(
            [disturb(value) for value in self.variables],
            [{name: disturb(value) for name, value in one.items()} for one in self.moments],
        )

    def numbers(self, side: _Side) -> _Numbers:
        return list(zip(side.paths, self.variables, strict=True))

    def weights(self, side: _Side) -> Array:
        floating = [value.ravel() for value in self.variables if value.dtype.kind == "f"]
        return np.concatenate(floating or [np.zeros(0)])


class _Side:
    """One of the two: a copy of the model at a place, and its step as a function of the state."""

    def __init__(
        self,
        root: Layer,
        place: str | tuple[str, str],
        dtype: str,
        optimizer: Any,
        goals: Goals,
        data: Batch,
    ) -> None:
        backend, device = (place, None) if isinstance(place, str) else place
        self.model: Layer = root.on(backend, device=device, dtype=dtype)
        if not self.model.built:
            self.model(map_tree(lambda a: a[:1], data.x))
        self.optimizer = copy.deepcopy(optimizers.get(optimizer))
        self.objective: Objective = objective_of(self.model, data.y, goals)
        self.objective.check(data, self.model._output_shape)
        self.slots = tree.slots(self.model)
        self.paths = [slot.path for slot in self.slots]
        layers = {id(layer): path for path, layer in tree.walk(self.model)}
        self._owners = {slot.path: layers[id(slot.owner)] for slot in self.slots}
        self.fan_in: dict[str, int] = {}
        for slot in self.slots:
            path = self._owners[slot.path]
            self.fan_in[path] = max(self.fan_in.get(path, 1), math.prod(tuple(slot.variable.shape)[:-1]))
        self.where = where(self.model)

    def owner(self, path: str) -> str:
        """Return the path of the layer that has a variable; of a layer its own."""
        return self._owners.get(path, path)

    def initial_state(self) -> _State:
        nn = self.model.nn
        trainable = [slot.variable for slot in self.slots if slot.trainable]
        moments = self.optimizer.init(nn, trainable)
        return _State(
            [np.array(nn.to_numpy(slot.variable)) for slot in self.slots],
            [{name: nn.to_numpy(value) for name, value in one.items()} for one in moments],
        )

    def step(
        self, state: _State, batch: Batch, number: int, disturb: Disturbance | None = None
    ) -> tuple[_State, list[_Operation]]:
        """Return the next state, and all that was computed, in that order."""
        model, nn = self.model, self.model.nn
        place: Place = model._require_place()
        if disturb:
            state = state.disturbed(disturb)
        values = [nn.asarray(value, device=place.device) for value in state.variables]
        seen = trace(
            model, batch.x, batch.y, self.objective, training=True, variables=values, disturb=disturb
        )
        trainable = [i for i, slot in enumerate(self.slots) if slot.trainable]
        other = [i for i, slot in enumerate(self.slots) if not slot.trainable]
        numbers = self.optimizer.scalars_of(number - 1)
        scalars = {
            name: nn.asarray(value, dtype=place.dtype, device=place.device) for name, value in numbers.items()
        }
        old = [
            {key: nn.asarray(value, device=place.device) for key, value in one.items()}
            for one in state.moments
        ]
        gradients = [None if g is None else nn.stop_gradient(g) for g in seen.by_weights]
        weights, moments = self.optimizer.update(nn, [values[i] for i in trainable], gradients, old, scalars)
        for i, value in zip([*trainable, *other], [*weights, *seen.state], strict=True):
            values[i] = value
        new = _State(
            [nn.to_numpy(nn.stop_gradient(value)) for value in values],
            [{key: nn.to_numpy(value) for key, value in one.items()} for one in moments],
        )
        assert seen.loss is not None
        terms = {
            e.path: max(e.value.size / (e.value.shape or (1,))[-1], self.fan_in.get(e.path, 1))
            for e in seen.outputs
            if e.value.size
        }
        operations = [
            _Operation(f"forward of {_called(e.path, e.kind)}", e.value, terms.get(e.path, 1))
            for e in seen.outputs
        ]
        operations.append(_Operation("the loss", seen.loss, seen.outputs[-1].value.size))
        for e in seen.gradients:
            what = f"output of {_called(e.path, e.kind)}" if e.kind else e.path
            operations.append(_Operation(f"gradient of {what}", e.value, terms.get(self.owner(e.path), 1)))
        for what, i, value in [
            *(("update", i, new.variables[i]) for i in [*other, *trainable]),
            *((key, i, v) for i, one in zip(trainable, new.moments, strict=True) for key, v in one.items()),
        ]:
            path = self.paths[i]
            operations.append(_Operation(f"{what} of {path}", value, terms.get(self.owner(path), 1)))
        return new, operations


@dataclass
class _Judge:
    """What the left side computes from the right side's state, and how uncertain that is."""

    left: _Side
    state: _State
    batch: Batch
    number: int
    bound: float | None
    copies: int = 0
    spread: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        _, found = self.left.step(self.state, self.batch, self.number)
        self.expected = [operation.value for operation in found]
        self.numbers = {key: i for i, key in enumerate(numbered(operation.what for operation in found))}
        # what is computed from a long sum has its error
        longest = itertools.accumulate((operation.terms for operation in found), max)
        self.sums = [of_long_sums(terms) for terms in longest]
        compute = Precision.of_model(self.left.model).compute or self.left.model.dtype
        self.eps = 2.0**-7 if compute == "bfloat16" else float(np.finfo(compute).eps)
        self.spread = [0.0] * len(self.expected)
        if self.bound is None:
            self._look(COPIES)

    def known(self, found: list[_Operation]) -> Iterator[tuple[int, _Operation]]:
        """Yield those operations that the left side does by themselves, too, with their numbers there.

        What one side has a fused kernel for is seen in what comes out of it.
        """
        for key, operation in zip(numbered(operation.what for operation in found), found, strict=True):
            if key in self.numbers:
                yield self.numbers[key], operation

    def difference(self, i: int, value: Array) -> float:
        return largest_difference(self.expected[i], value)

    def allowed(self, i: int, more: int = 0) -> float:
        """Return the largest difference of an operation that is no fault, after so many more copies."""
        value = self.expected[i]
        if value.dtype.kind != "f":
            return 0.0
        if self.bound is not None:
            return self.bound * unit(value)
        if more and self.copies == COPIES:
            self._look(more)
        # no number can be known better than it is rounded; kernels flush the smallest ones to zero
        floor = self.eps * float(np.max(np.abs(value[np.isfinite(value)]), initial=0.0))
        return SAFETY * self.sums[i] * (self.spread[i] + floor) + float(np.finfo(value.dtype).smallest_normal)

    def _look(self, copies: int) -> None:
        for copy_number in range(self.copies, self.copies + copies):
            disturb = Disturbance(self.eps, seed=copy_number)
            _, found = self.left.step(self.state, self.batch, self.number, disturb)
            for i, operation in self.known(found):
                self.spread[i] = max(self.spread[i], largest_difference(self.expected[i], operation.value))
        self.copies += copies


def _batches(data: Batch, batch_size: int, seed: int) -> Iterator[Batch]:
    size = len(next(value for _, value in leaves(data.x)))
    for epoch in range(2**62):
        order = random.Generator(random.key(seed, "shuffle", epoch)).permutation(size)
        for start in range(0, size, batch_size):
            yield map_batch(operator.itemgetter(order[start : start + batch_size]), data)


def _called(path: str, kind: str) -> str:
    return f"{path or 'the model'} ({kind})"


def _loss(operations: list[_Operation]) -> float:
    return float(next(operation.value for operation in operations if operation.what == "the loss"))
