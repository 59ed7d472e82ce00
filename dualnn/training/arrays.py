"""NumPy arrays made of whatever people have numbers in: lists, frames, sparse matrices, tensors."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dualnn import backends

Tree: TypeAlias = Any
"""One array, or a tuple, list or dictionary of arrays."""


def is_array(x: Any) -> bool:
    """Whether `x` is an array, a data frame, a sparse matrix or a native tensor."""
    return (
        hasattr(x, "__array__")
        or hasattr(x, "__dlpack__")
        or _is_sparse(x)
        or _is_ragged(x)
        or backends.owner(x) is not None
    )


def holds_numbers(x: Any) -> bool:
    """Whether `x` is an array, or a list, tuple, range or any other sequence or mapping of Python."""
    return is_array(x) or isinstance(x, Sequence | Mapping)


def as_arrays(x: Any, what: str, sparse: bool = False) -> Tree:
    """Return NumPy arrays for what a caller gave as arrays.

    A dictionary or a tuple is a structure of arrays; so is a list, if arrays with a batch axis are in
    it; any other list is an array.

    Args:
        x: the arrays; None stays None.
        what: the name of the argument, for an error's text.
        sparse: whether a sparse matrix may stay one, as `SparseRows`.

    Raises:
        TypeError: they are not made of numbers.

    >>> as_arrays([[1, 2], [3, 4]], "x").shape
    (2, 2)
    """
    if x is None:
        return None
    if isinstance(x, Mapping) and not _is_sparse(x):
        return {key: as_arrays(value, f"{what}[{key!r}]", sparse) for key, value in x.items()}
    if isinstance(x, list | tuple) and _holds_arrays(x):
        return [as_arrays(item, f"{what}[{i}]", sparse) for i, item in enumerate(x)]
    return SparseRows(x) if sparse and _is_sparse(x) and len(x.shape) == 2 else as_array(x, what)


def _holds_arrays(x: list[Any] | tuple[Any, ...]) -> bool:
    """Whether there are arrays in it, dictionaries of arrays, or None where an output has no target."""
    items = [item for item in x if item is not None]
    return bool(items) and all(
        isinstance(item, dict) or (is_array(item) and len(np.shape(item)) > 0) for item in items
    )


def as_array(x: Any, what: str) -> npt.NDArray[Any]:
    """Return one NumPy array of numbers.

    Args:
        x: a NumPy array, a list, a data frame, a sparse matrix, a native tensor of any framework.
        what: the name of the argument, for an error's text.

    Raises:
        TypeError: `x` is not made of numbers.
    """
    if type(x) is np.ndarray and x.dtype.isbuiltin == 1 and x.dtype.kind in "biuf" and x.dtype.itemsize <= 8:
        return x  # the usual case
    nn = backends.owner(x)
    if nn is not None:
        try:
            return nn.to_numpy(x)
        except (TypeError, RuntimeError, NotImplementedError) as error:  # a sparse one, for example
            raise TypeError(
                f"{what}: expected a dense tensor, got one that NumPy cannot hold: {error}"
            ) from error
    if _is_ragged(x):
        raise TypeError(
            f"{what}: expected rows of one length, got a {type(x).__name__}; make them equal with "
            f"x.to_tensor(), which fills the short ones up, and give a Masking layer or sample weights"
        )
    if _is_sparse(x):
        return as_array(x.todense() if not hasattr(x, "toarray") else x.toarray(), what)
    if np.ma.isMaskedArray(x) and np.ma.getmaskarray(x).any():
        raise TypeError(f"{what}: expected numbers, got a masked array; fill what is masked: x.filled(0.0)")
    if _is_frame(x):
        return _frame(x, what)
    try:
        if hasattr(x, "to_numpy"):
            array = _column(x)
        elif hasattr(x, "__dlpack__") and not hasattr(x, "__array__"):
            array = np.from_dlpack(x)
        elif isinstance(x, Sequence) and not isinstance(x, list | tuple | range | str) and not _has_buffer(x):
            array = np.asarray(list(x))  # NumPy would take it for one object
        else:
            array = np.asarray(x)
    except ValueError as error:
        raise TypeError(f"{what}: expected an array of numbers, got rows of different lengths") from error
    if array.dtype == object:
        array = _of_objects(array, x, what)
    return _plain(array, x, what)


class SparseRows:
    """A sparse matrix of SciPy's kind, of which rows are taken as a dense array.

    >>> import numpy as np, scipy.sparse
    >>> rows = SparseRows(scipy.sparse.eye(3))
    >>> rows[np.asarray([2, 0])]
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """

    def __init__(self, matrix: Any) -> None:
        self.matrix = matrix.tocsr()
        self.shape = tuple(matrix.shape)
        self.ndim = len(self.shape)
        self.dtype = self.matrix.dtype
        self.nbytes = int(np.prod(self.shape)) * self.dtype.itemsize
        as_array(self.matrix.data[:1], "x")

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, rows: Any) -> npt.NDArray[Any]:
        return np.asarray(self.matrix[rows].toarray())

    def part(self, rows: slice) -> SparseRows:
        """Return some of the rows, as sparse as they are."""
        return SparseRows(self.matrix[rows])

    def copy(self) -> SparseRows:
        """Return the same rows in memory of their own."""
        return SparseRows(self.matrix.copy())

    def finite(self) -> npt.NDArray[np.bool_]:
        """Return for each row whether all its numbers are finite."""
        bad = np.repeat(np.arange(len(self)), np.diff(self.matrix.indptr))[~np.isfinite(self.matrix.data)]
        found = np.ones(len(self), dtype=bool)
        found[bad] = False
        return found


def _is_sparse(x: Any) -> bool:
    return hasattr(x, "tocsr") and hasattr(x, "shape")


def _is_ragged(x: Any) -> bool:
    return hasattr(x, "ragged_rank") and hasattr(x, "to_tensor")


def _is_frame(x: Any) -> bool:
    return hasattr(x, "columns") and hasattr(x, "dtypes") and hasattr(x, "__getitem__")


def _has_buffer(x: Any) -> bool:
    try:
        memoryview(x)
    except TypeError:
        return False
    return True


def _frame(x: Any, what: str) -> npt.NDArray[Any]:
    """Return a data frame's numbers; columns of different kinds get a common dtype."""
    kinds = {getattr(dtype, "kind", "O") for dtype in x.dtypes}
    if kinds <= set("biuf"):
        array = np.asarray(x.to_numpy())
        if array.dtype.kind in "biuf":
            return _plain(array, x, what)
    found = [as_array(_named(x, i, name), f"{what}[{name!r}]") for i, name in enumerate(x.columns)]
    if not found:
        raise TypeError(f"{what}: expected numbers, got a {type(x).__name__} without columns")
    return np.stack(np.broadcast_arrays(*found), axis=1)


def _named(x: Any, i: int, name: Any) -> Any:
    return x.iloc[:, i] if hasattr(x, "iloc") else x[name]  # two columns of pandas may have one name


def _column(x: Any) -> npt.NDArray[Any]:
    """Return the numbers of a pandas or polars series; what is missing in it becomes NaN."""
    array = np.asarray(x.to_numpy())
    kind = getattr(getattr(x, "dtype", None), "kind", "O")
    if array.dtype == object and kind in "biuf":
        return np.asarray(x.to_numpy(dtype=np.float64, na_value=np.nan))
    return array


def _of_objects(array: npt.NDArray[Any], x: Any, what: str) -> npt.NDArray[Any]:
    """Return the numbers that an array of Python objects holds: numbers, or arrays of one shape."""
    if array.ndim == 0:
        raise TypeError(f"{what}: expected an array of numbers, got {type(x).__name__}")
    for place, item in zip(np.ndindex(array.shape), array.flat, strict=True):
        if not isinstance(item, numbers.Number | np.bool_ | np.ndarray | list | tuple):
            at = place[0] if len(place) == 1 else place
            raise TypeError(
                f"{what}: expected numbers, got {item!r}, a {type(item).__name__}, at {at}{_advice(item)}"
            )
    try:
        found = np.asarray(array.tolist())
        return found.astype(np.float64) if found.dtype == object else found  # of decimals, for example
    except (ValueError, TypeError) as error:
        raise TypeError(f"{what}: expected an array of numbers, got rows of different lengths") from error


def _plain(array: npt.NDArray[Any], x: Any, what: str) -> npt.NDArray[Any]:
    """Return the array in a dtype that every backend takes: at most 8 bytes, in this machine's order.

    Raises:
        TypeError: it does not hold real numbers.
    """
    dtype, kind = array.dtype, array.dtype.kind
    if (
        dtype.type.__module__.partition(".")[0] == "ml_dtypes"
    ):  # bfloat16 and smaller, which NumPy does not know
        return array.astype(np.float32 if "float" in dtype.name else np.int32)
    if kind not in "biuf":
        raise TypeError(f"{what}: expected numbers, got {_described(array, x)}")
    if not dtype.isnative:
        return array.astype(dtype.newbyteorder("="))
    return array.astype(np.float64) if kind == "f" and dtype.itemsize > 8 else array


def _described(array: npt.NDArray[Any], x: Any) -> str:
    dtype, kind = array.dtype, array.dtype.kind
    named = type(x).__name__ if not isinstance(x, np.ndarray | list | tuple) else "array"
    advice = ""
    if dtype.names:
        advice = f" with the fields {', '.join(dtype.names)}; give a dictionary {{name: x[name]}} of inputs"
    elif kind == "c":
        advice = "; give real and imaginary parts as two features: np.stack([x.real, x.imag], -1)"
    elif kind in "mM":
        advice = "; make numbers of the times, for example of seconds"
    elif kind in "USOTV":
        advice = _advice("")
    return (
        f"an {named} of dtype {dtype}{advice}" if named == "array" else f"a {named} of dtype {dtype}{advice}"
    )


def _advice(item: Any) -> str:
    return "; make numbers of the texts, for example one column per category" if isinstance(item, str) else ""


def leaves(x: Tree, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the arrays of a structure with their names."""
    if isinstance(x, dict):
        for key, value in x.items():
            yield from leaves(value, f"{name}[{key!r}]")
    elif isinstance(x, list | tuple):
        for i, value in enumerate(x):
            yield from leaves(value, f"{name}[{i}]")
    elif x is not None:
        yield name, x


def map_tree(function: Callable[[Any], Any], x: Tree) -> Tree:
    """Return the structure with `function` applied to every array; None stays."""
    if type(x) is np.ndarray:  # the usual case
        return function(x)
    if x is None:
        return None
    if isinstance(x, dict):
        return {key: map_tree(function, value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return [map_tree(function, item) for item in x]
    return function(x)
