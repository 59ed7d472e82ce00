"""Exporting a model: to a file or folder that runs without dualnn, in the formats that the backends write."""

from __future__ import annotations

import functools
import keyword
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dualnn import backends
from dualnn.compare import largest_difference, unit
from dualnn.layers import context, tree
from dualnn.layers.embedding import Embedding
from dualnn.layers.layer import without_batch
from dualnn.lockstep import COPIES, SAFETY, SECOND_LOOK, of_long_sums
from dualnn.names import unknown
from dualnn.protocol import Exporter, Tensor
from dualnn.trace import Disturbance, Trace, trace
from dualnn.training.arrays import leaves, map_tree
from dualnn.training.precision import Precision
from dualnn.training.progress import ProgressBar, verbosity

if TYPE_CHECKING:
    from dualnn.models.model import Model

Array: TypeAlias = npt.NDArray[Any]

DTYPES = ("float32", "float64")
BATCH = 2
"""Samples of the batch that is traced; tracers take sizes of 0 and 1 for special ones."""
CHECKED = ((1, 3), (3, 2))
"""Batches that are run for the check: the number of samples, and by what other free sizes are multiplied."""


@dataclass(frozen=True)
class ExportedInput:
    """One input of an exported model.

    Attributes:
        name: its name, an identifier.
        shape: its shape; None where a size is free: the batch's, and what `dualnn.Input` left open.
        dtype: the name of its dtype.
        sizes: the sizes of a sample that the model was built on.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    sizes: tuple[int, ...]

    def example(self, batch: int, factor: int) -> tuple[int, ...]:
        """Return a shape with so many samples, whose other free sizes are those seen, times a factor."""
        free = (size * factor if n is None else n for n, size in zip(self.shape[1:], self.sizes, strict=True))
        return (batch, *free)


@dataclass(frozen=True)
class Program:
    """A built model as a function of a list of tensors, for adapters to trace.

    Attributes:
        model: the model, a copy that is the program's own.
        inputs: what it takes.
        outputs: the names of what it returns.
        structure: the inputs' numbers, as the model takes the inputs.
        examples: inputs to trace the model on.
    """

    model: Model
    inputs: tuple[ExportedInput, ...]
    outputs: tuple[str, ...]
    structure: Any
    examples: list[Array]

    def __call__(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Return the outputs of the model in inference."""
        x = map_tree(lambda number: tensors[number], self.structure)
        with context.noting(False):  # what a program does with ids it has no row for is its runtime's affair
            return [tensor for _, tensor in leaves(self.model(x, training=False))]


def export(model: Model, path: Any, format: str | None, verbose: Any) -> None:
    """Write a model to a file or folder that runs without dualnn; see `dualnn.Model.export`."""
    path = Path(path)
    if not model.built:
        model.build()
    backend, format, exporter = _writer(model, path, format)
    _check_path(path, exporter)
    if model.dtype not in DTYPES:
        raise ValueError(
            f"model {model.name!r} computes in {model.dtype}, of which runtimes know little; export a copy: "
            f"model.on(dtype='float32').export(...)"
        )
    with _explained(model, format):
        program = _program(model, backend)
    with (
        ProgressBar(verbosity(verbose) == 1, title=path.name) as bar,
        _replacing(path) as temporary,
        _explained(model, format, _advice(program)),
    ):
        bar.begin(1 + len(CHECKED))
        exporter.write(program, temporary)
        run = exporter.load(program, temporary)
        bar.step()
        if run is None:
            return  # nothing here can run it
        for batch, factor in CHECKED:
            x = [_random(one, batch, factor, model) for one in program.inputs]
            _check(model, program, x, run(x))
            bar.step()


def _writer(model: Model, path: Path, format: str | None) -> tuple[str, str, Exporter]:
    """Return the backend that writes a format, or what the path's name says, the format, and its exporter."""
    known: dict[str, Exporter] = {}
    installed = backends.available()
    for name in sorted(installed, key=lambda name: name != model.backend):  # its own first
        found = getattr(backends.backend(name), "exporters", {})
        for of, exporter in found.items():
            if of == format or (format is None and exporter.suffix == path.suffix):
                return name, of, exporter
        known |= found
    missing = [name for name in backends.registered() if name not in installed]
    if missing:
        how = " or ".join(backends.INSTALL.get(name, f"install {name}") for name in missing)
        wanted = f"the format {format!r}" if format else f"what {path.name!r} is to be"
        raise backends.BackendNotAvailableError(
            f"no backend that is installed writes {wanted}, they write {_listed(known)}; for more formats, "
            f"try: {how}"
        )
    if format is not None:
        raise ValueError(unknown("format", format, known))
    raise ValueError(f"{path}: expected {_listed(known)} by the end of the name, or format=...")


def _listed(known: dict[str, Exporter]) -> str:
    return ", ".join(f"{format!r} ({one.suffix or 'no suffix'})" for format, one in known.items())


def _check_path(path: Path, exporter: Exporter) -> None:
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"{path}: there is no folder {path.parent}; make it first")
    if exporter.suffix:
        if path.suffix != exporter.suffix:
            raise ValueError(f"{path}: expected a name that ends in {exporter.suffix}")
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder; expected the name of a file")
    elif path.exists() and not (path / exporter.landmark).exists() and not _is_empty(path):
        raise FileExistsError(
            f"{path} is there already and no earlier export; remove it, or take another name"
        )


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


# ---------------------------------------------------------------- what is exported


def _program(model: Model, backend: str) -> Program:
    """Return a copy of the model as a program on that backend."""
    twin = model.on(backend, device="cpu")
    structure, inputs = _inputs(model)
    examples = [np.zeros(one.example(BATCH, 2), one.dtype) for one in inputs]
    with twin.nn.inference_mode():
        tensors = [twin.nn.asarray(example, device="cpu") for example in examples]
        with _embedded(twin) as embedded:
            y = twin(map_tree(lambda number: tensors[number], structure), training=False)
    # in some formats inputs and outputs share one space of names
    outputs = twin.output_names or _names(without_batch(y), "output")
    names = _distinct([*(one.name for one in inputs), *outputs])
    for i, tensor in enumerate(tensors):
        inputs[i] = replace(inputs[i], name=names[i])
        if id(tensor) in embedded and examples[i].dtype.kind == "f":
            inputs[i] = replace(inputs[i], dtype="int64")
            examples[i] = examples[i].astype(np.int64)
    return Program(twin, tuple(inputs), tuple(names[len(inputs) :]), structure, examples)


def _inputs(model: Model) -> tuple[Any, list[ExportedInput]]:
    """Return the numbers of the inputs in the structure that the model takes, and what is known of each."""
    shapes, declared = model._input_shape, model.declared_input
    if declared is None:
        names = _names(shapes, "input")
        given = [((None, *shape[1:]), model.dtype, shape[1:]) for shape in _flat(shapes)]
    else:
        if isinstance(shapes, dict) and not isinstance(declared, dict):
            shapes = [shapes[symbol.name] for symbol in _flat(declared)]
        elif isinstance(shapes, dict):
            shapes = {key: shapes[key] for key in declared}
        symbols = _flat(declared)
        names = [symbol.name or name for symbol, name in zip(symbols, _names(declared, "input"), strict=True)]
        given = [
            # samples of a single number may have come without their last axis
            (symbol.shape, symbol.dtype or model.dtype, (*shape[1:], 1)[: len(symbol.shape) - 1])
            for symbol, shape in zip(symbols, _flat(shapes), strict=True)
        ]
    numbers = iter(range(len(given)))
    return _numbered(shapes if declared is None else declared, numbers), [
        ExportedInput(name, *known) for name, known in zip(names, given, strict=True)
    ]


@contextmanager
def _embedded(model: Model) -> Iterator[set[int]]:
    """Yield the identities of all tensors that embeddings are called on while the block runs."""
    found: set[int] = set()
    layers = [layer for _, layer in tree.walk(model) if isinstance(layer, Embedding)]

    def noting(call: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        def noted(x: Tensor) -> Tensor:
            found.add(id(x))
            return call(x)

        return noted

    # a layer's `call` is looked up in its attributes first
    for layer in layers:
        vars(layer)["call"] = noting(layer.call)
    try:
        yield found
    finally:
        for layer in layers:
            del vars(layer)["call"]


def _flat(x: Any) -> list[Any]:
    """Return the shapes or symbols of a structure; a tuple is a shape."""
    if isinstance(x, dict):
        return [leaf for item in x.values() for leaf in _flat(item)]
    return [leaf for item in x for leaf in _flat(item)] if isinstance(x, list) else [x]


def _numbered(x: Any, numbers: Iterator[int]) -> Any:
    """Return the structure with a number in the place of each leaf, as `_flat` counts them."""
    if isinstance(x, dict):
        return {key: _numbered(item, numbers) for key, item in x.items()}
    return [_numbered(item, numbers) for item in x] if isinstance(x, list) else next(numbers)


def _names(x: Any, what: str) -> list[str]:
    """Return a name for each leaf: its key in a dictionary, or what it is, numbered if there are several."""
    count = len(_flat(x))
    if isinstance(x, dict) and len(x) == count:
        return [str(key) for key in x]
    return [what] if count == 1 else [f"{what}_{i}" for i in range(count)]


def _distinct(names: Sequence[str]) -> list[str]:
    """Return names as identifiers; one met again is numbered.

    >>> _distinct(["x", "left side", "x"])
    ['x', 'left_side', 'x_1']
    """
    found: list[str] = []
    for name in names:
        name = re.sub(r"\W", "_", name)
        if not name.isidentifier() or keyword.iskeyword(name):
            name = f"_{name}"
        first, number = name, 0
        while name in found:
            number += 1
            name = f"{first}_{number}"
        found.append(name)
    return found


# ---------------------------------------------------------------- writing


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Yield where to write. If the block succeeds, it gets the name `path`; else nothing has changed."""
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".exporting", dir=path.absolute().parent))
    new, old = folder / path.name, folder / f"{path.name}.old"
    try:
        yield new
        _sync(new)
        if not path.is_dir():
            os.replace(new, path)
            return
        os.rename(path, old)  # no system replaces a folder that has files in it
        try:
            os.rename(new, path)
        except BaseException:
            os.rename(old, path)
            raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sync(path: Path) -> None:
    # on the disk before it has its name: after a loss of power there must be the old one or the new one
    for file in [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]:
        with open(file, "rb") as opened:
            os.fsync(opened.fileno())


@contextmanager
def _explained(model: Model, format: str, advice: str = "") -> Iterator[None]:
    """Make one sentence of what a framework has to say."""
    try:
        yield
    except (ImportError, OSError):
        raise
    except Exception as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        reason = str(cause).strip().partition("\n")[0] or type(cause).__name__
        raise RuntimeError(
            f"model {model.name!r} cannot be exported as {format!r}: {reason}{advice}"
        ) from error


def _advice(program: Program) -> str:
    """Return what may help if a model cannot be exported as it is."""
    if any(None in one.shape[1:] for one in program.inputs):
        return " (not every layer can leave sizes of samples open in every format: name them in dn.Input)"
    if program.model.dtype == "float64":
        return " (runtimes have not everything in float64: model.on(dtype='float32').export(...))"
    return ""


# ---------------------------------------------------------------- checking


def _random(one: ExportedInput, batch: int, factor: int, model: Model) -> Array:
    """Return random numbers as an input; integers that every embedding of the model has a row for."""
    generator = np.random.default_rng(batch)
    shape = one.example(batch, factor)
    if one.dtype in DTYPES:
        return generator.normal(size=shape).astype(one.dtype)
    rows = [layer.input_dim for _, layer in tree.walk(model) if isinstance(layer, Embedding)]
    return generator.integers(0, min(rows, default=2), shape).astype(one.dtype)


def _check(model: Model, program: Program, x: list[Array], outputs: list[Array]) -> None:
    """Hold what was written against the model itself.

    How far apart the two may be follows from the model, as in `dualnn.lockstep`: from how far its outputs
    move when all that it computes is moved by one unit in the last place, and from the length of its sums.

    Raises:
        RuntimeError: it differs by more than rounding explains.
    """
    given = map_tree(lambda number: x[number], program.structure)
    traced = functools.partial(trace, model, given, precision=Precision())  # a program computes in no other
    expected = traced()
    terms = _most_terms(model, expected)
    eps = float(np.finfo(model.dtype).eps)
    values = _outputs(expected)
    spread = [0.0] * len(values)

    def allowed(i: int) -> float:
        value = values[i]
        if value.dtype.kind != "f":
            return 0.0
        floor = eps * float(np.max(np.abs(value[np.isfinite(value)]), initial=0.0))
        least = float(np.finfo(value.dtype).smallest_normal)  # kernels flush smaller numbers to zero
        return SAFETY * of_long_sums(terms) * (spread[i] + floor) + least

    differences = [largest_difference(a, np.asarray(b)) for a, b in zip(values, outputs, strict=True)]
    for copies in (range(COPIES), range(COPIES, COPIES + SECOND_LOOK)):
        for copy in copies:
            disturbed = _outputs(traced(disturb=Disturbance(eps, seed=copy)))
            moved = map(largest_difference, values, disturbed)
            spread = [max(pair) for pair in zip(spread, moved, strict=True)]
        if all(difference <= allowed(i) for i, difference in enumerate(differences)):
            return
    i = next(i for i, difference in enumerate(differences) if not difference <= allowed(i))
    last_place = unit(values[i])
    raise RuntimeError(
        f"it does not compute what the model does: the output {program.outputs[i]!r}, of shape "
        f"{outputs[i].shape}, is {differences[i] / last_place:.3g} ULP from the model's, of shape "
        f"{values[i].shape}, and rounding explains {allowed(i) / last_place:.3g}"
    )


def _outputs(seen: Trace) -> list[Array]:
    # those of the model itself, which has the path ""
    return [entry.value for entry in seen.outputs if entry.path == "" or entry.path.startswith("[")]


def _most_terms(model: Model, seen: Trace) -> float:
    """Return the most terms that a sum in the model may have, as `dualnn.lockstep` counts them."""
    rows = (entry.value.size / (entry.value.shape or (1,))[-1] for entry in seen.outputs if entry.value.size)
    fan_in = (float(np.prod(tuple(slot.variable.shape)[:-1])) for slot in tree.weight_slots(model))
    return max((*rows, *fan_in), default=1.0)
