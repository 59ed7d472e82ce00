"""Checks of the arguments that layers take."""

from __future__ import annotations

import math
from typing import Any


def positive_int(name: str, value: Any) -> int:
    """Return `value` if it is a positive whole number, else raise ValueError.

    >>> positive_int("units", -3)
    Traceback (most recent call last):
    ...
    ValueError: units must be a positive whole number, got -3
    """
    if isinstance(value, bool) or not hasattr(value, "__index__") or int(value) < 1:
        raise ValueError(f"{name} must be a positive whole number, got {value!r}")
    return int(value)


def pair(name: str, value: Any) -> tuple[int, int]:
    """Return a size in rows and columns, given as one whole number or two.

    >>> pair("strides", 2)
    (2, 2)
    """
    if isinstance(value, tuple | list):
        if len(value) != 2:
            raise ValueError(f"{name} must be one whole number or two, got {value!r}")
        return positive_int(name, value[0]), positive_int(name, value[1])
    size = positive_int(name, value)
    return size, size


def axis(name: str, value: Any) -> int:
    """Return `value` if it is a whole number, of either sign, else raise ValueError.

    >>> axis("axis", -1)
    -1
    """
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ValueError(f"{name} must be a whole number, the number of one axis, got {value!r}")
    return int(value)


def axes(name: str, value: Any) -> int | tuple[int, ...]:
    """Return the number of an axis, or of several different ones, as they were given, else raise ValueError.

    >>> axes("axis", [-2, -1])
    (-2, -1)
    """
    if not isinstance(value, tuple | list):
        return axis(name, value)
    found = tuple(axis(name, one) for one in value)
    if not found or len(set(found)) < len(found):
        raise ValueError(f"{name} must be a whole number or a list of different ones, got {value!r}")
    return found


def feature_axes(
    layer: str, name: str, value: int | tuple[int, ...], shape: tuple[Any, ...]
) -> tuple[int, ...]:
    """Return axes behind the batch's, counted from the front and in ascending order.

    Raises:
        ValueError: the shape has no such axis, or it is the batch's, or one is named twice.

    >>> feature_axes("normalization", "axis", (-1, 1), (None, 4, 3))
    (1, 2)
    """
    given = value if isinstance(value, tuple) else (value,)
    rank = len(shape)
    found = sorted({one % rank for one in given})
    if any(not -rank <= one < rank for one in given) or len(found) < len(given) or 0 in found:
        raise ValueError(
            f"layer {layer!r}: {name}={value} names no axes of features of an input of shape {shape}, "
            f"whose axis 0 is the batch's"
        )
    return tuple(found)


def number_from_zero(name: str, value: Any) -> float:
    """Return `value` if it is a finite number, 0 or above, else raise ValueError.

    >>> number_from_zero("epsilon", 1e-3)
    0.001
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"{name} must be a finite number of at least 0, got {value!r}")
    return value


def padding(value: Any) -> str:
    """Return ``"valid"`` or ``"same"``, else raise ValueError.

    >>> padding("SAME")
    'same'
    """
    if isinstance(value, str) and value.lower() in ("valid", "same"):
        return value.lower()
    raise ValueError(f"padding must be 'valid' or 'same', got {value!r}")


def fraction(name: str, value: Any) -> float:
    """Return `value` if it lies in 0 <= value < 1, else raise ValueError.

    >>> fraction("rate", 0.5)
    0.5
    """
    if not isinstance(value, int | float) or not 0 <= value < 1:
        raise ValueError(f"{name} must be a number of at least 0 and less than 1, got {value!r}")
    return float(value)


def window_size(size: int | None, window: int, stride: int, padding: str) -> int | None:
    """Return how many windows fit along an axis: the output's size of a convolution or pooling.

    >>> window_size(5, 3, 2, "valid"), window_size(5, 3, 2, "same")
    (2, 3)
    """
    if size is None:
        return None
    if padding == "same":
        return -(-size // stride)
    return (size - window) // stride + 1


def fits(layer: str, shape: tuple[Any, ...], window: tuple[int, int], padding: str) -> None:
    """Raise ValueError if an image of (n, h, w, c) is smaller than one window without padding."""
    if padding == "same":
        return
    for size, extent in zip(shape[1:3], window, strict=True):
        if isinstance(size, int) and size < extent:
            raise ValueError(
                f"layer {layer!r}: the image of {shape[1]}x{shape[2]} is smaller than the window of "
                f"{window[0]}x{window[1]}; use padding='same' or fewer pooling layers before it"
            )
