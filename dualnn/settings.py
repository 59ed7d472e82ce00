"""The settings that a compiled step has taken for constants, and whether they are still the same.

A compiled step keeps what Python told it while it was traced: numbers, texts, arrays and functions, in the
attributes of layers, losses, metrics and optimizers, of the objects inside them, and in the variables that
their functions take from around them. So all of that is looked through, from the objects that a step uses.
"""

from __future__ import annotations

import argparse
import enum
import functools
import operator
import random
import re
import sys
import types
import zlib
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dualnn import backends
from dualnn import random as of_dualnn
from dualnn.layers import tree
from dualnn.layers.symbolic import SymbolicTensor
from dualnn.names import is_own_module

_PLAIN = frozenset(
    {bool, int, complex, str, bytes, range, slice, type(None), type(Ellipsis), type(NotImplemented)}
)
_OF_OBJECT = re.compile(r" '[^']*'\.")  # in what messages call an attribute of an object with a name
_LISTS = (list, tuple, set, frozenset, deque)
_GENERATORS = (np.random.Generator, np.random.RandomState, random.Random, of_dualnn.Generator)
_OPEN = (types.SimpleNamespace, argparse.Namespace)
"""Python's own objects that people keep settings in; all others are left alone."""

Read = Callable[[], tuple[Any, ...]]


class Settings:
    """What is set in some objects at the moment: equal settings compare as equal.

    Native tensors count by identity: a compiled step reads the value that they have when it is called.

    Args:
        roots: the objects, by what messages call them.
        left_out: what messages call that is not looked at.

    Attributes:
        generators: the random generators of NumPy and Python that were met, by what messages call them.
        drawing: the names of the functions met that take something from NumPy's or Python's ``random``.

    >>> import dualnn as dn
    >>> loss = dn.losses.Huber(delta=1.0)
    >>> before = Settings({"loss": loss})
    >>> before.hold()
    True
    >>> loss.kwargs["delta"] = 2.0
    >>> before.hold(), Settings({"loss": loss}).difference(before)
    (False, "Huber 'huber_loss'.kwargs['delta']")
    """

    def __init__(self, roots: Mapping[str, Any], left_out: Collection[str] = ()) -> None:
        self._left_out = left_out
        self.generators: dict[str, Any] = {}
        self.drawing: list[str] = []
        self._tokens: list[Any] = []
        self._labels: list[str] = []
        self._numbers: dict[int, int] = {}  # of the objects met so far, by their ids
        self._classes: set[type] = set()
        self._kept: list[Any] = []  # what an id stands for, so that it stands for nothing else
        self._parts: list[tuple[Read, tuple[Any, ...]]] = []
        self._arrays: list[tuple[Any, tuple[Any, ...]]] = []
        for label, root in roots.items():
            self._follow(label, root)

    def hold(self) -> bool:
        """Return whether nothing was set since: a quick look, which may say no where all is equal."""
        try:
            return all(
                len(now := read()) == len(seen) and all(map(operator.is_, now, seen))
                for read, seen in self._parts
            ) and all(_content(array) == content for array, content in self._arrays)
        except (KeyError, AttributeError, ValueError, RuntimeError):  # something is there no more
            return False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Settings) and self._tokens == other._tokens

    __hash__ = None  # type: ignore[assignment]  # they are compared, one after the other

    def difference(self, other: Settings) -> str:
        """Return what messages call the first setting that is another one here."""
        for label, token, before in zip(self._labels, self._tokens, other._tokens, strict=False):
            if token != before:
                return label
        longer = max(self, other, key=lambda settings: len(settings._tokens))
        return longer._labels[min(len(self._tokens), len(other._tokens))]

    def set_since(self, before: Settings) -> tuple[set[str], str | None]:
        """Return what messages call the settings that are others here, and the first number among them."""
        now, then = self._by_label(), before._by_label()
        labels = [label for label, tokens in now.items() if then.get(label) != tokens]
        # a number that an object has from its class at first
        numbers = [x for x in labels if _is_number(then.get(x) or then.get(_OF_OBJECT.sub(".", x, count=1)))]
        return set(labels), next(iter(numbers), None)

    def _by_label(self) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for label, token in zip(self._labels, self._tokens, strict=True):
            found.setdefault(label, []).append(token)
        return found

    # ------------------------------------------------------------------ following

    def _note(self, label: str, *token: Any) -> None:
        self._labels.append(label)
        self._tokens.append(token)

    def _follow(self, label: str, x: Any) -> None:
        kind = type(x)
        if label in self._left_out:
            return
        if kind in _PLAIN:
            self._note(label, kind, x)
        elif kind is float:
            self._note(label, kind, x.hex())  # in which NaN is itself, and -0.0 is not 0.0
        elif isinstance(x, enum.Enum):
            self._note(label, kind, x.name)
        elif isinstance(x, np.generic):
            self._note(label, x.dtype.str, x.tobytes())
        elif isinstance(x, int | float | complex | str | bytes):  # of a class that inherits from one of these
            self._note(label, id(kind), repr(x))
            self._kept.append(kind)
        elif id(x) in self._numbers:
            self._note(label, "again", self._numbers[id(x)])
        else:
            self._numbers[id(x)] = len(self._kept)
            self._kept.append(x)
            self._follow_object(label, x)

    def _follow_object(self, label: str, x: Any) -> None:
        if isinstance(x, np.ndarray):
            content = _content(x)
            self._arrays.append((x, content))
            self._note(label, *content)
        elif isinstance(x, types.MethodType):
            self._note(label, types.MethodType)
            self._follow(label, x.__self__)
            self._follow(label, x.__func__)
        elif isinstance(x, types.FunctionType):
            self._follow_function(label, x)
        elif isinstance(x, functools.partial):
            self._note(label, type(x))
            for part in (x.func, x.args, x.keywords):
                self._follow(label, part)
        elif isinstance(x, staticmethod | classmethod):
            self._follow(label, x.__func__)
        elif isinstance(x, property):
            self._follow(label, x.fget)
        elif isinstance(x, type):
            self._note(label, id(x))
            self._follow_class(x)
        elif isinstance(x, dict):
            self._watch(lambda: (*x, *x.values()))
            self._note(label, type(x), len(x))
            for key, value in list(x.items()):
                self._follow_key(label, key)
                self._follow(f"{label}[{key!r}]", value)
        elif isinstance(x, _LISTS):
            if not isinstance(x, tuple | frozenset):
                self._watch(lambda: tuple(x))
            self._note(label, type(x), len(x))
            for i, value in enumerate(tuple(x)):
                self._follow(f"{label}[{i}]", value)
        elif isinstance(x, _GENERATORS):
            self.generators[label] = x
            self._note(label, id(x))
        elif isinstance(x, types.BuiltinMethodType) and not isinstance(x.__self__, types.ModuleType):
            self._note(label, x.__name__)
            self._follow(label, x.__self__)
        elif isinstance(x, types.ModuleType | SymbolicTensor) or backends.owner(x) is not None:
            self._note(label, id(x))  # a symbolic tensor never changes, and leads to all of a long graph
        else:
            self._follow_attributes(label, x)

    def _follow_key(self, label: str, key: Any) -> None:
        self._note(label, key if type(key) in _PLAIN else id(key))
        self._kept.append(key)

    def _follow_attributes(self, label: str, x: Any) -> None:
        kind: Any = type(x)
        fields: dict[str, Any] | None = getattr(x, "__dict__", None)
        slots = _slots(kind)
        if (fields is None and not slots) or (_is_pythons(kind.__module__) and not isinstance(x, _OPEN)):
            self._note(label, id(x))
            return
        name = getattr(x, "name", None)
        label = f"{kind.__name__} {name!r}" if isinstance(name, str) else kind.__name__
        self._note(label, id(kind))
        self._kept.append(kind)
        is_setting = _is_setting_of_others if _is_installed(kind.__module__) else bool
        left_out = _left_out(kind)
        if fields is not None:
            names = [name for name in fields if name not in left_out and is_setting(name)]
            if not isinstance(x, tree.Node):  # else `tree.version` tells
                self._watch_named(fields, names, all_of_it=True)
            self._follow_named(label, fields, names)
        held = [name for name in slots if name not in left_out and is_setting(name) and hasattr(x, name)]
        if held:
            self._watch(lambda: tuple([getattr(x, name) for name in held]))
        for name in held:
            self._follow(f"{label}.{name}", getattr(x, name))
        self._follow_class(kind)

    def _follow_named(self, label: str, fields: Mapping[str, Any], names: Iterable[str]) -> None:
        for name in names:
            self._follow(f"{label}.{name}", fields[name])

    def _follow_class(self, kind: type) -> None:
        """Follow the attributes of a class of the user's, and of those that it inherits from."""
        for one in kind.__mro__:
            if one in self._classes or _is_ours(one.__module__) or _is_installed(one.__module__):
                continue
            self._classes.add(one)
            fields = vars(one)
            names = [
                name
                for name, value in fields.items()
                if isinstance(value, types.FunctionType) or name.strip("_") == name.lstrip("_")
            ]
            self._watch_named(fields, names)
            self._follow_named(one.__name__, fields, names)

    def _follow_function(self, label: str, function: types.FunctionType) -> None:
        module, name, code = function.__module__ or "", function.__qualname__, function.__code__
        self._note(label, id(code))
        self._kept.append(code)
        if _is_installed(module):
            return
        if not _is_ours(module):
            self._watch(lambda: (function.__code__, function.__defaults__, function.__kwdefaults__))
            self._follow(f"a default of {name}", function.__defaults__)
            self._follow(f"a default of {name}", function.__kwdefaults__)
            self._watch_named(function.__dict__, list(function.__dict__), all_of_it=True)
            self._follow_named(name, function.__dict__, list(function.__dict__))
            self._follow_globals(function)
        for variable, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            self._follow_cell(f"{variable!r}, which {name} takes from around it,", cell)

    def _follow_globals(self, function: types.FunctionType) -> None:
        outside, names = function.__globals__, _names_in(function.__code__)
        found = [name for name in names if name in outside]
        if "random" in names or any(_draws(outside[name]) for name in found):
            self.drawing.append(function.__qualname__)
        modules = [outside[name] for name in found if isinstance(outside[name], types.ModuleType)]
        values = [name for name in found if not isinstance(outside[name], types.ModuleType)]
        self._watch_named(outside, values)
        for name in values:
            self._follow(f"the global variable {name!r}", outside[name])
        for module in modules:
            # one of the user's may have settings
            if not (_is_ours(module.__name__) or _is_installed(module.__name__)):
                fields = vars(module)
                inside = [
                    name
                    for name in names
                    if name in fields and not isinstance(fields[name], types.ModuleType)
                ]
                self._watch_named(fields, inside)
                self._follow_named(module.__name__, fields, inside)

    def _follow_cell(self, label: str, cell: Any) -> None:
        try:
            value = cell.cell_contents
        except ValueError:  # nothing was put there yet
            return
        self._watch(lambda: (cell.cell_contents,))
        self._follow(label, value)

    # ------------------------------------------------------------------ watching

    def _watch(self, read: Read) -> None:
        self._parts.append((read, read()))

    def _watch_named(self, fields: Mapping[str, Any], names: list[str], all_of_it: bool = False) -> None:
        if all_of_it:  # so a new name is noticed, too
            if names:
                values = operator.itemgetter(*names, names[0])
                self._watch(lambda: (len(fields), *values(fields)))
            else:
                self._watch(lambda: (len(fields),))
        elif names:
            some = operator.itemgetter(*names, names[0])
            self._watch(lambda: some(fields))


def _is_number(tokens: list[Any] | None) -> bool:
    return bool(tokens) and tokens[0][0] in (int, float, complex)  # type: ignore[index]


def _content(array: Any) -> tuple[Any, ...]:
    if array.dtype.hasobject:
        return array.dtype.str, array.shape, tuple(map(id, array.ravel().tolist()))
    return (
        array.dtype.str,
        array.shape,
        zlib.crc32(np.ascontiguousarray(array).view(np.uint8).reshape(-1).data),
    )


@functools.cache
def _slots(kind: type) -> tuple[str, ...]:
    found = (vars(one).get("__slots__", ()) for one in kind.__mro__)
    names = (name for slots in found for name in ((slots,) if isinstance(slots, str) else slots))
    return tuple(name for name in names if not name.startswith("__"))


@functools.cache
def _left_out(kind: type) -> frozenset[str]:
    """Return the names of attributes that record what has happened: they are no settings."""
    return frozenset({"_given"}).union(*(vars(one).get("diary", ()) for one in kind.__mro__))


@functools.cache
def _names_in(code: types.CodeType) -> tuple[str, ...]:
    inner = (_names_in(one) for one in code.co_consts if isinstance(one, types.CodeType))
    return tuple(dict.fromkeys((*code.co_names, *(name for names in inner for name in names))))


def _draws(x: Any) -> bool:
    """Return whether it is a module or function of random numbers of NumPy or Python."""
    name = x.__name__ if isinstance(x, types.ModuleType) else getattr(x, "__module__", None)
    owner = getattr(x, "__self__", None)
    return name in ("random", "numpy.random") or isinstance(owner, _GENERATORS)


def _is_setting_of_others(name: str) -> bool:
    """Return whether an attribute of a class that neither dualnn nor the user has written is looked at.

    Modules of a framework may hold others in ``_modules``, and are told before a call whether it trains.
    """
    return name == "_modules" or (name != "training" and not name.startswith("_"))


def _is_ours(module: str) -> bool:
    return is_own_module(module) or module.partition(".")[0] in _adapters()


@functools.cache
def _adapters() -> frozenset[str]:
    return frozenset(backends.packages())


def _is_pythons(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names


def _is_installed(module: str) -> bool:
    """Return whether a module is Python's own or was installed, so that its user does not change it."""
    return _is_package_installed(module.partition(".")[0])


@functools.cache
def _is_package_installed(root: str) -> bool:
    file = getattr(sys.modules.get(root), "__file__", None)
    places = {"site-packages", "dist-packages"}
    return _is_pythons(root) or not (_is_ours(root) or file is None or places.isdisjoint(Path(file).parts))
