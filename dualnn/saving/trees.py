"""Trees of numbers, texts and arrays as JSON beside named arrays."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Tree: TypeAlias = Any
"""None, booleans, numbers, texts, arrays, and lists, tuples and dictionaries (by texts) of such."""

_ARRAY, _FLOAT = "__array__", "__float__"


def pack(tree: Tree) -> tuple[Any, dict[str, Array]]:
    """Return what JSON can hold of a tree, and its arrays by the names that stand in their places.

    Tuples become lists, NumPy's numbers Python's.

    Raises:
        TypeError: there is something else in the tree.

    >>> import numpy as np
    >>> text, arrays = pack({"epoch": 3, "weights": [np.zeros(2)]})
    >>> text, arrays["weights.0"].shape
    ({'epoch': 3, 'weights': [{'__array__': 'weights.0'}]}, (2,))
    """
    arrays: dict[str, Array] = {}
    return _packed(tree, "", arrays), arrays


def unpack(text: Any, arrays: dict[str, Array]) -> Tree:
    """Return the tree that `pack` was given.

    Raises:
        ValueError: an array is named that is not there, or that belongs to another place in the tree.

    >>> unpack(*pack({"loss": [float("inf")], "best": None}))
    {'loss': [inf], 'best': None}
    """
    return _unpacked(text, "", arrays)


def _unpacked(text: Any, path: str, arrays: dict[str, Array]) -> Tree:
    if isinstance(text, list):
        return [_unpacked(item, _join(path, str(i)), arrays) for i, item in enumerate(text)]
    if not isinstance(text, dict):
        return text
    if set(text) == {_ARRAY}:
        name = text[_ARRAY]
        if name not in arrays:
            raise ValueError(f"the array {name!r} is missing")
        if name.rstrip("'") != path.rstrip("'"):  # `pack` names an array by its place
            raise ValueError(f"{path}: the array {name!r} belongs to another place")
        return arrays[name]
    if set(text) == {_FLOAT}:
        return float(text[_FLOAT])
    return {key: _unpacked(item, _join(path, key), arrays) for key, item in text.items()}


def _packed(tree: Tree, path: str, arrays: dict[str, Array]) -> Any:
    if isinstance(tree, dict):
        odd = next((key for key in tree if not isinstance(key, str)), None)
        if odd is not None:
            raise TypeError(f"expected texts as the keys of {path or 'the tree'}, got {odd!r}")
        if set(tree) in ({_ARRAY}, {_FLOAT}):  # it would be read as what they stand for
            raise TypeError(f"{path or 'the tree'}: the key {next(iter(tree))!r} has a meaning of its own")
        return {key: _packed(item, _join(path, key), arrays) for key, item in tree.items()}
    if isinstance(tree, list | tuple):
        return [_packed(item, _join(path, str(i)), arrays) for i, item in enumerate(tree)]
    if isinstance(tree, np.ndarray):
        while path in arrays:  # {"a.b": ...} beside {"a": {"b": ...}}
            path += "'"
        arrays[path] = tree
        return {_ARRAY: path}
    if isinstance(tree, np.generic):
        tree = tree.item()
    if isinstance(tree, float) and not math.isfinite(tree):
        return {_FLOAT: str(tree)}  # JSON has no such numbers
    if tree is None or isinstance(tree, bool | int | float | str):
        return tree
    raise TypeError(
        f"{path or 'the tree'}: expected numbers, texts, arrays, and lists and dictionaries of such, "
        f"got {type(tree).__name__}"
    )


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
