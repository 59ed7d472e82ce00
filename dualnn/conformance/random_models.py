"""Random models: both backends against each other and the reference, and a failure as runnable code.

Hypothesis, which draws the models and shrinks a failure to the smallest one, is needed for development only;
nothing else imports this module.
"""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

import dualnn as dn
from dualnn.conformance.case import Array
from dualnn.conformance.measure import distance
from dualnn.conformance.reference_layers import ACTIVATIONS, evaluate
from dualnn.layers.checks import window_size
from dualnn.layers.layer import Layer
from dualnn.lockstep import SAFETY, lockstep, of_long_sums
from dualnn.trace import Disturbance, trace

DTYPES = ("float32", "float64")
COPIES = 6
MOST_NODES = 8
VOCABULARY = 5


@dataclass(frozen=True)
class Node:
    """One layer of a model.

    Attributes:
        layer: the name of its class in `dualnn.layers`.
        arguments: what it is made with, by name.
        inputs: the numbers of the tensors that it is called on: first the model's inputs, then the nodes'
            outputs. Merging layers take several.
    """

    layer: str
    arguments: tuple[tuple[str, Any], ...]
    inputs: tuple[int, ...]

    def __str__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.arguments)
        return f"dn.layers.{self.layer}({arguments})"


@dataclass(frozen=True)
class Description:
    """A model and its data.

    Attributes:
        inputs: the shapes of a sample of each input; integers are drawn for an input of an embedding.
        integers: the numbers of the inputs that are integers from 0 to `VOCABULARY` - 1.
        nodes: the layers, each after those whose outputs it takes.
        shapes: the shapes of a sample of all tensors: of the inputs and the nodes' outputs.
        batch: the number of samples.
        seed: of the weights, the masks and the data.
    """

    inputs: tuple[tuple[int, ...], ...]
    integers: tuple[int, ...]
    nodes: tuple[Node, ...]
    shapes: tuple[tuple[int, ...], ...]
    batch: int
    seed: int

    @property
    def outputs(self) -> list[int]:
        """The numbers of the tensors that no layer takes: the model's outputs."""
        used = {i for node in self.nodes for i in node.inputs}
        return [i for i in range(len(self.inputs), len(self.shapes)) if i not in used]

    @property
    def sequential(self) -> bool:
        """Whether each layer takes the output of the one before."""
        return len(self.inputs) == 1 and all(node.inputs == (i,) for i, node in enumerate(self.nodes))

    def definition(self) -> str:
        """Return the code that defines ``build``, ``x`` and ``y``."""
        lines = ["import numpy as np", "import dualnn as dn", "", "def build():"]
        if self.sequential:
            lines += ["    return dn.Sequential([", *(f"        {node}," for node in self.nodes), "    ])"]
        else:
            for i, shape in enumerate(self.inputs):
                dtype = ', dtype="int64"' if i in self.integers else ""
                lines.append(f"    t{i} = dn.Input({shape}{dtype})")
            for i, node in enumerate(self.nodes, len(self.inputs)):
                names = ", ".join(f"t{n}" for n in node.inputs)
                given = f"[{names}]" if node.layer in _MERGING else names
                lines.append(f"    t{i} = {node}({given})")
            inputs = _names(range(len(self.inputs)))
            lines.append(f"    return dn.Model({inputs}, {_names(self.outputs)})")
        lines += ["", f"rng = np.random.default_rng({self.seed})"]
        arrays = []
        for i, shape in enumerate(self.inputs):
            size = (self.batch, *shape)
            drawn = f"integers(0, {VOCABULARY}, {size})" if i in self.integers else f"normal(size={size})"
            arrays.append(f"rng.{drawn}")
        targets = [f"rng.normal(size={(self.batch, *self.shapes[i])})" for i in self.outputs]
        lines += [f"x = {_one_or_list(arrays)}", f"y = {_one_or_list(targets)}"]
        return "\n".join(lines) + "\n"

    def code(self, dtype: str = "float32") -> str:
        """Return code that runs by itself: the model, the data, and the comparisons."""
        return f"""{self.definition()}
from dualnn.conformance.random_models import against_reference
from dualnn.lockstep import lockstep

print(lockstep(build, x, y, loss="mse", optimizer="sgd", steps=1, seed={self.seed}, dtype={dtype!r}))
dn.seed({self.seed})
first, second = dn.available()[:2]
model = build().on(first, dtype={dtype!r})
model(x)
print(dn.compare(model, model.on(second), x, y, loss="mse", training=True))
for backend in (first, second):
    for training in (False, True):
        print(backend, training, against_reference(model.on(backend), x, training))
"""

    def build(self) -> tuple[Layer, Any, Any]:
        """Return the model, not built yet, with its inputs and targets, by running its code."""
        names: dict[str, Any] = {}
        exec(self.definition(), names)
        dn.seed(self.seed)
        model: Layer = names["build"]()
        return model, names["x"], names["y"]


def against_reference(model: Layer, x: Any, training: bool) -> list[tuple[float, float]]:
    """Return the largest error of each output of a built model, and what rounding allows.

    It allows what `dualnn.lockstep` does: SAFETY times the most by which the outputs of the reference change
    when the inputs, the weights and the layers' outputs change by one unit in the last place; more if sums
    are long.

    Raises:
        NotImplementedError: a layer without a reference.

    >>> model = dn.Sequential([dn.layers.Dense(2, use_bias=False)])
    >>> y = model([[1.0, 2.0]])
    >>> [(error, allowed)] = against_reference(model, np.ones((1, 2)), training=False)
    >>> error <= allowed < 1e-5
    True
    """
    place = model._require_place()
    info = np.finfo(place.dtype)
    x = [_rounded(a, place.dtype) for a in x] if isinstance(x, list) else _rounded(x, place.dtype)
    seen = trace(model, x, training=training)
    outputs = [entry.value for entry in seen.outputs if entry.path == "" or entry.path.startswith("[")]
    terms = _most_terms(model, x)
    with np.errstate(all="ignore"):
        expected = evaluate(model, x, training)
        spread = [0.0] * len(expected)
        for copy in range(COPIES):
            disturbed = evaluate(model, x, training, Disturbance(float(info.eps), seed=copy))
            for i, (a, b) in enumerate(zip(expected, disturbed, strict=True)):
                spread[i] = max(spread[i], float(np.max(distance(a, b), initial=0)))
    found = []
    for output, value, width in zip(outputs, expected, spread, strict=True):
        if output.shape != value.shape:
            raise AssertionError(f"expected an output of shape {value.shape}, got {output.shape}")
        largest = float(np.max(np.abs(np.where(np.isfinite(value), value, 0)), initial=0))
        allowed = SAFETY * of_long_sums(terms) * (width + info.eps * largest) + info.smallest_normal
        found.append((float(np.max(distance(output, value), initial=0)), float(allowed)))
    return found


def check(description: Description) -> float:
    """Compare both backends with each other and with the reference, in float32 and float64.

    Forward as in training and otherwise, against the reference; one step of training on one backend against
    the other: every layer's output and gradient, every weight's gradient and its new value.

    Returns:
        The largest share of its bound that any difference has.

    Raises:
        AssertionError: a difference that is not rounding, or an error; its message is code that shows it.

    >>> node = Node("Dense", (("units", 2),), (0,))
    >>> check(Description(((3,),), (), (node,), ((3,), (2,)), batch=2, seed=0)) < 1
    True
    """
    share = 0.0
    for dtype in DTYPES:
        model, x, y = description.build()
        try:
            for backend in dn.available()[:2]:
                here = model.on(backend, dtype=dtype)
                here(x)
                for training in (False, True):
                    for i, (error, allowed) in enumerate(against_reference(here, x, training)):
                        share = max(share, error / allowed)
                        if not error <= allowed:
                            mode = "in training" if training else "in inference"
                            raise _failure(
                                description,
                                dtype,
                                f"{backend}, {dtype}, {mode}: output {i} differs from the reference by "
                                f"{error:.3g}, allowed is {allowed:.3g}",
                            )
            seed = description.seed
            report = lockstep(model, x, y, loss="mse", optimizer="sgd", steps=1, seed=seed, dtype=dtype)
        except AssertionError:
            raise
        except Exception as error:
            raise _failure(description, dtype, f"{type(error).__name__}: {error}") from error
        if report.fault is not None:
            raise _failure(description, dtype, f"{report.left} against {report.right}: {report.fault}")
        share = max(share, report.steps[0].share)
    return share


def _failure(description: Description, dtype: str, what: str) -> AssertionError:
    comment = "\n".join(f"# {line}" for line in what.splitlines())
    return AssertionError(f"{comment}\n{description.code(dtype)}")


def _rounded(array: Array, dtype: str) -> Array:
    return array.astype(dtype) if array.dtype.kind == "f" else array


def _most_terms(model: Layer, x: Any) -> float:
    # the longest sum of a forward pass: over a kernel, or over the numbers of a batch
    kernels = [math.prod(tuple(weight.shape)[:-1]) for weight in model.weights]
    sizes = [a.size for a in (x if isinstance(x, list) else [x])]
    return float(max(*kernels, *sizes, 1))


def _names(numbers: Any) -> str:
    return _one_or_list([f"t{i}" for i in numbers])


def _one_or_list(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"[{', '.join(items)}]"


# ------------------------------------------------------------------ drawing

_MERGING = ("Add", "Concatenate")
_KERNELS = (
    "glorot_uniform", "he_normal", "lecun_uniform", "orthogonal", "ones", "truncated_normal", "zeros"
)  # fmt: skip
_VECTORS = ("zeros", "random_normal", "ones", "random_uniform")
_ACTIVATIONS = st.sampled_from([None, *sorted(ACTIVATIONS)])
_PENALTIES = (None, "l2", "l1", "l1_l2")


@st.composite
def models(draw: st.DrawFn) -> Description:
    """Draw a random valid model with its data, simple ones first.

    >>> isinstance(models(), st.SearchStrategy)
    True
    """
    inputs = [draw(_input_shapes())]
    integers: list[int] = []
    if draw(st.booleans()):
        inputs.append((draw(st.integers(1, 4)),))
        integers.append(1)
    shapes, nodes = list(inputs), []
    for i in integers:
        node = Node("Embedding", (("input_dim", VOCABULARY), ("output_dim", draw(st.integers(1, 4)))), (i,))
        nodes.append(node)
        shapes.append((*shapes[i], dict(node.arguments)["output_dim"]))
    for _ in range(draw(st.integers(1, MOST_NODES))):
        # the newest tensor first, so that small draws make chains
        at = [i for i in reversed(range(len(shapes))) if i not in integers]
        node, shape = _node(draw, draw(st.sampled_from(at)), at, shapes)
        nodes.append(node)
        shapes.append(shape)
    used = {i for node in nodes for i in node.inputs}
    if 0 not in used:  # every input is used
        nodes.append(Node("Flatten", (), (0,)))
        shapes.append((math.prod(shapes[0]),))
    return Description(
        tuple(inputs), tuple(integers), tuple(nodes), tuple(shapes), draw(st.integers(1, 4)), draw(_SEEDS)
    )


_SEEDS = st.integers(0, 2**16)


@st.composite
def _input_shapes(draw: st.DrawFn) -> tuple[int, ...]:
    rank = draw(st.sampled_from([1, 3, 2]))
    size = st.integers(1, 7)
    if rank == 3:
        return draw(size), draw(size), draw(st.integers(1, 4))
    return tuple(draw(size) for _ in range(rank))


def _node(
    draw: st.DrawFn, source: int, others: list[int], shapes: list[tuple[int, ...]]
) -> tuple[Node, tuple[int, ...]]:
    shape = shapes[source]
    kinds = [
        "Dense",
        "Activation",
        "BatchNormalization",
        "LayerNormalization",
        "Dropout",
        "Flatten",
        "Reshape",
    ]
    if len(shape) == 3:
        kinds += ["Conv2D", "MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D"]
    kind = draw(st.sampled_from([*kinds, *_MERGING]))
    if kind in _MERGING:
        return _merged(draw, kind, source, others, shapes)
    arguments, new = _ARGUMENTS[kind](draw, shape)
    # arguments that are the defaults are not printed
    defaults = inspect.signature(getattr(dn.layers, kind)).parameters
    kept = tuple((name, value) for name, value in arguments.items() if defaults[name].default != value)
    return Node(kind, kept, (source,)), new


def _merged(
    draw: st.DrawFn, kind: str, source: int, others: list[int], shapes: list[tuple[int, ...]]
) -> tuple[Node, tuple[int, ...]]:
    shape = shapes[source]
    if kind == "Add":
        fitting = [i for i in others if shapes[i] == shape]
    else:
        fitting = [i for i in others if shapes[i][:-1] == shape[:-1]]
    partners = draw(st.lists(st.sampled_from(fitting), min_size=1, max_size=2))
    chosen = (source, *partners)
    if kind == "Add":
        return Node(kind, (), chosen), shape
    return Node(kind, (), chosen), (*shape[:-1], sum(shapes[i][-1] for i in chosen))


def _dense(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[dict[str, Any], tuple[int, ...]]:
    units = draw(st.integers(1, 5))
    arguments = {
        "units": units,
        "activation": draw(_ACTIVATIONS),
        "use_bias": draw(st.sampled_from([True, False])),
        "kernel_initializer": draw(st.sampled_from([*_KERNELS, "identity"])),
        "kernel_regularizer": draw(st.sampled_from(_PENALTIES)),
    }
    if arguments["use_bias"]:
        arguments["bias_initializer"] = draw(st.sampled_from(_VECTORS))
        arguments["bias_regularizer"] = draw(st.sampled_from(_PENALTIES))
    return arguments, (*shape[:-1], units)


def _conv2d(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[dict[str, Any], tuple[int, ...]]:
    padding = draw(st.sampled_from(["same", "valid"]))
    sizes, dilations = [], []
    for size in shape[:2]:
        kernel = draw(st.integers(1, min(3, size) if padding == "valid" else 3))
        widest = (size - 1) // (kernel - 1) if padding == "valid" and kernel > 1 else 2
        sizes.append(kernel)
        dilations.append(draw(st.integers(1, min(2, widest))))
    # a layer takes strides or a dilation, not both
    strides = [1, 1] if max(dilations) > 1 else [draw(st.integers(1, 3)) for _ in range(2)]
    groups = draw(st.sampled_from([g for g in range(1, shape[2] + 1) if shape[2] % g == 0]))
    filters = groups * draw(st.integers(1, 3))
    arguments = {
        "filters": filters,
        "kernel_size": tuple(sizes),
        "strides": tuple(strides),
        "padding": padding,
        "dilation_rate": tuple(dilations),
        "groups": groups,
        "activation": draw(_ACTIVATIONS),
        "use_bias": draw(st.sampled_from([True, False])),
        "kernel_initializer": draw(st.sampled_from(_KERNELS)),
        "kernel_regularizer": draw(st.sampled_from(_PENALTIES)),
    }
    new = [
        window_size(size, (kernel - 1) * dilation + 1, stride, padding)
        for size, kernel, stride, dilation in zip(shape, sizes, strides, dilations, strict=False)
    ]
    return arguments, (*(int(n or 0) for n in new), filters)


def _pooling(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[dict[str, Any], tuple[int, ...]]:
    padding = draw(st.sampled_from(["valid", "same"]))
    pool = [draw(st.integers(1, min(3, size) if padding == "valid" else 3)) for size in shape[:2]]
    strides = [draw(st.integers(1, 3)) for _ in range(2)]
    new = [window_size(n, p, s, padding) for n, p, s in zip(shape, pool, strides, strict=False)]
    arguments = {"pool_size": tuple(pool), "strides": tuple(strides), "padding": padding}
    return arguments, (*(int(n or 0) for n in new), shape[2])


def _global_pooling(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[dict[str, Any], tuple[int, ...]]:
    keepdims = draw(st.booleans())
    return {"keepdims": keepdims}, (1, 1, shape[2]) if keepdims else (shape[2],)


def _normalization(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[dict[str, Any], tuple[int, ...]]:
    arguments = {
        "axis": draw(st.sampled_from([-1, *range(1, len(shape))])),
        "epsilon": draw(st.sampled_from([1e-3, 1e-5])),
        "center": draw(st.sampled_from([True, False])),
        "scale": draw(st.sampled_from([True, False])),
        "gamma_initializer": draw(st.sampled_from(["ones", "random_normal"])),
        "beta_initializer": draw(st.sampled_from(_VECTORS)),
        "gamma_regularizer": draw(st.sampled_from(_PENALTIES)),
    }
    return arguments, shape


def _activation(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[dict[str, Any], tuple[int, ...]]:
    return {"activation": draw(_ACTIVATIONS) or "linear"}, shape


def _dropout(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[dict[str, Any], tuple[int, ...]]:
    return {"rate": draw(st.sampled_from([0.5, 0.0, 0.1, 0.25]))}, shape


def _flatten(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[dict[str, Any], tuple[int, ...]]:
    return {}, (math.prod(shape),)


def _reshape(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[dict[str, Any], tuple[int, ...]]:
    size = math.prod(shape)
    first = draw(st.sampled_from([n for n in range(1, size + 1) if size % n == 0]))
    rest = size // first
    second = draw(st.sampled_from([n for n in range(1, rest + 1) if rest % n == 0]))
    new = draw(st.sampled_from([(size,), (first, rest), (first, second, rest // second)]))
    return {"target_shape": new}, new


_ARGUMENTS: dict[str, Any] = {
    "Dense": _dense,
    "Conv2D": _conv2d,
    "MaxPooling2D": _pooling,
    "AveragePooling2D": _pooling,
    "GlobalAveragePooling2D": _global_pooling,
    "BatchNormalization": _normalization,
    "LayerNormalization": _normalization,
    "Activation": _activation,
    "Dropout": _dropout,
    "Flatten": _flatten,
    "Reshape": _reshape,
}
