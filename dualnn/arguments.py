"""Arguments of constructors: which a class takes, and whether their values are of the kind that it says."""

from __future__ import annotations

import functools
import importlib
import inspect
import math
import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from dualnn.names import unknown

_FORMER = {
    "lr": "lr is called learning_rate",
    "decay": (
        "decay is no argument any more: learning_rate=dn.schedules.InverseTimeDecay(rate, 1, decay) does the "
        "same, and weight_decay= lets the weights decay"
    ),
    "dtype": (
        "a layer computes in its model's dtype: model.on(dtype='float64'), or "
        "compile(precision='mixed_bfloat16')"
    ),
    "data_format": "images have their channels last on every backend, so there is no data_format",
}
"""What is said of arguments that Keras has, or had, under another name."""
_PASSED_ON = "options"
"""The name of ``**options`` that go on to the constructor of the class above."""


@functools.cache
def accepted(cls: Any) -> Mapping[str, inspect.Parameter] | None:
    """Return the parameters of a class's constructor by name, with those that it passes on as ``**options``.

    None if it takes any keyword.

    >>> import dualnn as dn
    >>> list(accepted(dn.layers.Dropout))
    ['rate', 'seed', 'name']
    """
    found: dict[str, inspect.Parameter] = {}
    for kind in cls.__mro__:
        if "__init__" not in vars(kind):
            continue
        parameters = list(inspect.signature(vars(kind)["__init__"]).parameters.values())[1:]
        open_end = [p for p in parameters if p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
        found |= {p.name: p for p in parameters if p not in open_end and p.name not in found}
        if not open_end:
            return found
        if [p.name for p in open_end] != [_PASSED_ON]:
            return None
    return found


def check(cls: type, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Check the arguments for the constructor of a class of dualnn, before it runs.

    Raises:
        TypeError: a name that it does not take; the message has the nearest ones.
        ValueError: a value of another kind than the parameter's annotation says, or the name of an
            activation, an initializer or a regularizer that is not known.
    """
    if not (args or kwargs) or not str(cls.__init__.__module__).startswith(f"{__package__}."):  # type: ignore[misc]
        return
    parameters = accepted(cls)
    if parameters is None:
        return
    further: frozenset[str] = getattr(cls, "further_arguments", frozenset())
    for name in kwargs:
        if name not in parameters and name not in further:
            reason = _FORMER.get(name) or unknown("argument", name, [*parameters, *sorted(further)])
            raise TypeError(f"{cls.__name__}: {reason}")
    by_position = [p.name for p in parameters.values() if p.kind is not p.KEYWORD_ONLY]
    if len(args) > len(by_position):
        raise TypeError(
            f"{cls.__name__}: expected at most {len(by_position)} arguments by position, "
            f"{', '.join(by_position)}, got {len(args)}"
        )
    for name, value in (*zip(by_position, args, strict=False), *kwargs.items()):
        if name in parameters:
            _check_value(cls.__name__, parameters[name], value)


def _check_value(owner: str, parameter: inspect.Parameter, value: Any) -> None:
    name = parameter.name
    room = next((room for ending, room in _ROOMS.items() if name.endswith(ending)), None)
    if room is not None:
        try:
            importlib.import_module(f"{__package__}.{room}").get(value)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{owner}: {name}: {error}") from None
        return
    kinds = str(parameter.annotation).split(" | ")
    if value is parameter.default or not all(kind in _KINDS for kind in kinds):
        return
    if not any(_KINDS[kind][1](value) for kind in kinds):
        wanted = " or ".join(_KINDS[kind][0] for kind in kinds)
        raise ValueError(f"{owner}: {name} must be {wanted}, got {value!r:.80}")
    least, below = _RANGES.get(name, (-math.inf, None))
    if below is not None and value is not None and not least <= value < below:
        upto = "" if below == math.inf else f" and less than {below}"
        raise ValueError(f"{owner}: {name} must be a number of at least {least}{upto}, got {value!r}")


def is_whole(x: Any) -> bool:
    """Whether `x` is a whole number of Python or NumPy, no boolean."""
    return isinstance(x, int | np.integer) and not isinstance(x, bool)


def is_number(x: Any) -> bool:
    """Whether `x` is a real number of Python or NumPy, no boolean and not NaN."""
    if isinstance(x, np.ndarray) and x.ndim == 0:
        x = x[()]
    return isinstance(x, numbers.Real) and not isinstance(x, bool | np.bool_) and bool(x == x)


def whole(name: str, value: Any, least: int = 1) -> int:
    """Return a whole number of Python or NumPy as an int.

    Raises:
        ValueError: it is none, or less than `least`.

    >>> whole("epochs", -1, 0)
    Traceback (most recent call last):
    ...
    ValueError: epochs must be a whole number of at least 0, got -1
    """
    if not is_whole(value) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r:.80}")
    return int(value)


def whole_or_none(name: str, value: Any, least: int = 1) -> int | None:
    """Return `whole`, or None for None."""
    return None if value is None else whole(name, value, least)


def true_or_false(**given: Any) -> None:
    """Raise ValueError if one of the arguments is neither True nor False."""
    for name, value in given.items():
        if not _KINDS["bool"][1](value):
            raise ValueError(f"{name} must be True or False, got {value!r:.80}")


_ROOMS = {"activation": "activations", "_initializer": "initializers", "_regularizer": "regularizers"}
_RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("initial_learning_rate", "end_learning_rate", "warmup_target"), (0, math.inf)),
    **dict.fromkeys(("dropout", "recurrent_dropout"), (0, 1)),
    "stddev": (0, math.inf),
    "k": (1, math.inf),
    **dict.fromkeys(("patience", "cooldown", "start_from_epoch", "min_lr"), (0, math.inf)),
}
"""The least number, and the one that is too large, of arguments that mean the same wherever they are."""
_KINDS: dict[str, tuple[str, Any]] = {
    "int": ("a whole number", is_whole),
    "float": ("a number", is_number),
    "bool": ("True or False", lambda x: isinstance(x, bool | np.bool_) or (is_whole(x) and x in (0, 1))),
    "str": ("a text", lambda x: isinstance(x, str)),
    "Sequence[float]": (
        "a list of numbers",
        lambda x: isinstance(x, list | tuple | np.ndarray) and all(map(is_number, x)),
    ),
    "None": ("None", lambda x: x is None),
}
