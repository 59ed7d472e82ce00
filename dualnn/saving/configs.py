"""Configurations: objects as JSON that says how to make them again, and objects made from it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from dualnn import arguments
from dualnn.saving import registry

Config = dict[str, Any]
"""What `encode` returned of the arguments of a constructor, by their names."""

_TAG = "$"
_PLAIN = (bool, int, float, str, type(None))


class Given:
    """The arguments that an object was made with, out of sight of those who look for layers in attributes."""

    __slots__ = ("args", "kwargs")

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.args, self.kwargs = args, kwargs


class Configured:
    """What can be made again with the arguments that it was made with: layers, losses, optimizers and so on.

    >>> import dualnn as dn
    >>> config = dn.layers.Dropout(0.5, name="drop").get_config()
    >>> config
    {'rate': 0.5, 'seed': None, 'name': 'drop'}
    >>> dn.layers.Dropout.from_config(config)
    <Dropout 'drop'>
    """

    further_arguments: ClassVar[frozenset[str]] = frozenset()
    """The names of arguments that the constructor takes and does not declare."""
    _given: Given

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:  # noqa: D102 - it does what __new__ always does
        arguments.check(cls, args, kwargs)
        self = super().__new__(cls)
        self.__dict__["_given"] = Given(args, kwargs)  # looked at when it is saved: making it stays cheap
        return self

    def get_config(self) -> Config:
        """Return what `from_config` makes another one of, with the same settings and nothing learned.

        By default it is the arguments of the constructor by their names, in JSON. A setting that was changed
        since counts, if it is an attribute with its argument's name. A class whose constructor takes more
        than the settings may return something else, in which layers, functions and arrays may stand.

        Raises:
            ValueError: a class or function in it is not registered; see `dualnn.saving.register`.
            TypeError: something in it that a file cannot hold.
        """
        config: Config = encode(_with_changes(self, _arguments(self)))
        return config

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Return a new object with the settings that `get_config` returned.

        Raises:
            ValueError: the configuration names what is not registered, or the constructor refuses it.
            TypeError: it is of another class.
        """
        return cls(**decode(config))


@dataclass(frozen=True)
class Reference:
    """What stands for something that is described elsewhere, by its number."""

    number: int


# ------------------------------------------------------------------ from objects to JSON


_Seen = dict[int, tuple[Any, dict[str, Any]]]
"""Objects by their ids, with what they were encoded as; nothing yet while that goes on."""

_seen: ContextVar[_Seen | None] = ContextVar("seen", default=None)
_made: ContextVar[dict[int, Any] | None] = ContextVar("made", default=None)


def encode(x: Any) -> Any:
    """Return JSON, in which arrays may stand, that `decode` makes an equal object of.

    Args:
        x: numbers, texts, None, arrays, slices, objects with ``get_config``, registered classes and
            functions, and lists, tuples and dictionaries of such. What `encode` has returned stays as it is.

    Raises:
        ValueError: a class or a function is not registered, or an object contains itself.
        TypeError: something else.

    >>> import dualnn as dn
    >>> encode([1, (2.0, None), dn.activations.relu])
    [1, {'$': 'tuple', 'items': [2.0, None]}, {'$': 'function', 'name': 'dualnn.activations.relu'}]
    """
    seen = _seen.get()
    return encoded(x)[0] if seen is None else _encode(x, seen)  # part of a larger object, or all of it


def encoded(x: Any) -> tuple[Any, set[int]]:
    """Return what `encode` does, and the ids of the objects that it found."""
    seen: _Seen = {}
    token = _seen.set(seen)
    try:
        tree = _encode(x, seen)
    finally:
        _seen.reset(token)
    return _numbered(tree, {}), set(seen)


def _numbered(tree: Any, objects: dict[int, tuple[int, dict[str, Any]]]) -> Any:
    """Return a tree in which an object that stands in several places is described in the first of them."""
    if isinstance(tree, list):
        return [_numbered(item, objects) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if id(tree) in objects:
        number, first = objects[id(tree)]
        first["number"] = number
        return {_TAG: "same", "number": number}
    new: dict[str, Any] = {}
    if tree.get(_TAG) == "object":
        objects[id(tree)] = len(objects), new
    new |= {key: _numbered(value, objects) for key, value in tree.items()}
    return new


def _encode(x: Any, seen: _Seen) -> Any:
    if isinstance(x, np.generic):
        x = x.item()
    if isinstance(x, _PLAIN):
        return x
    if isinstance(x, list):
        return [_encode(item, seen) for item in x]
    if type(x) is tuple:
        return {_TAG: "tuple", "items": [_encode(item, seen) for item in x]}
    if isinstance(x, dict):
        return _encode_dict(x, seen)
    if isinstance(x, np.ndarray) and x.dtype.kind in "biuf":
        return x
    if isinstance(x, slice):
        return {_TAG: "slice", "items": [_encode(item, seen) for item in (x.start, x.stop, x.step)]}
    if x is ...:
        return {_TAG: "ellipsis"}
    if isinstance(x, Reference):
        return {_TAG: "reference", "number": x.number}
    if inspect.isclass(x):
        return {_TAG: "class", "name": registry.name_of(x)}
    if inspect.isfunction(x):
        return {_TAG: "function", "name": registry.name_of(x)}
    if hasattr(x, "get_config"):
        return _encode_object(x, seen)
    raise TypeError(
        f"expected numbers, texts, arrays, layers, registered functions or objects with get_config, "
        f"got {x!r:.80}"
    )


def _encode_dict(x: dict[Any, Any], seen: _Seen) -> Any:
    if _TAG in x:
        if x[_TAG] not in _DECODERS:
            raise ValueError(f"the key {_TAG!r} of a dictionary is reserved for files")
        return x
    if all(isinstance(key, str) for key in x):
        return {key: _encode(value, seen) for key, value in x.items()}
    items = [[_encode(key, seen), _encode(value, seen)] for key, value in x.items()]
    return {_TAG: "dictionary", "items": items}


def _encode_object(x: Any, seen: _Seen) -> Any:
    if id(x) in seen:
        if not seen[id(x)][1]:
            raise ValueError(f"{x!r} contains itself, which a file cannot say")
        return seen[id(x)][1]
    description: dict[str, Any] = {}
    seen[id(x)] = x, description
    name = registry.name_of(type(x))
    try:
        config = _encode(x.get_config(), seen)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{type(x).__name__}: {error}") from error
    description |= {_TAG: "object", "class": name, "config": config}
    return description


def _arguments(x: Configured) -> Config:
    """Return the arguments of an object's constructor by their names, defaults included."""
    signature = inspect.signature(type(x).__init__)
    bound = signature.bind(x, *x._given.args, **x._given.kwargs)
    bound.apply_defaults()
    config: Config = {}
    for parameter in list(signature.parameters.values())[1:]:
        value = bound.arguments[parameter.name]
        if parameter.kind is parameter.VAR_KEYWORD:
            config |= value
        elif parameter.kind is parameter.VAR_POSITIONAL and not value:
            continue
        elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
            raise TypeError(
                f"the constructor of {type(x).__name__} takes arguments that have no name, {parameter}; "
                f"define get_config(self) and from_config(cls, config)"
            )
        else:
            config[parameter.name] = value
    return config


def _with_changes(x: Configured, config: Config) -> Config:
    """Return a configuration with the settings that have changed since, if the constructor keeps them."""
    now = vars(x)
    if isinstance(now.get("name"), str) and "name" in config:
        config = {**config, "name": now["name"]}
    changed = {
        name: now[name]
        for name, value in config.items()
        if name in now and _is_plain(value) and _is_plain(now[name]) and not _equal(value, now[name])
    }
    if changed:
        # An attribute may be something else than the argument of its name: `self.units = 2 * units`.
        try:
            again = vars(type(x)(**{**config, **changed}))
        except Exception:
            return config
        config = config | {name: value for name, value in changed.items() if _equal(again.get(name), value)}
    return config


def _is_plain(x: Any) -> bool:
    """Whether it is a number, a text or None, or a list or tuple of such."""
    return isinstance(x, _PLAIN) or (isinstance(x, list | tuple) and all(map(_is_plain, x)))


def _equal(a: Any, b: Any) -> bool:
    return a is b or (type(a) is type(b) and a == b)


# ------------------------------------------------------------------ from JSON to objects


def decode(x: Any) -> Any:
    """Return what `encode` was given; objects are made anew, of registered classes and dualnn's own only.

    Raises:
        ValueError: it is nothing that `encode` returns, or names what is not registered.

    >>> decode(encode({"sizes": (3, 4), 5: [None]}))
    {'sizes': (3, 4), 5: [None]}
    """
    made = _made.get()
    if made is not None:
        return _decode(x, made)
    with decoding() as made:
        return _decode(x, made)


@contextmanager
def decoding() -> Iterator[dict[int, Any]]:
    """Have several calls of `decode` make one object where their descriptions say that it is the same."""
    made: dict[int, Any] = {}
    token = _made.set(made)
    try:
        yield made
    finally:
        _made.reset(token)


def _decode(x: Any, made: dict[int, Any]) -> Any:
    if isinstance(x, list):
        return [_decode(item, made) for item in x]
    if not isinstance(x, dict):
        return x
    if _TAG not in x:
        return {key: _decode(value, made) for key, value in x.items()}
    entry = _DECODERS.get(x[_TAG]) if isinstance(x[_TAG], str) else None
    if entry is None:
        raise ValueError(f"expected one of {', '.join(_DECODERS)} in a description, got {x[_TAG]!r:.80}")
    keys, decoder = entry
    if not keys <= x.keys() <= keys | {_TAG, *(["number"] if decoder is _object else [])}:
        raise ValueError(
            f"expected {', '.join(sorted(keys))} in the description of a {x[_TAG]}, got {list(x)!r:.80}"
        )
    return decoder(x, made)


def _items(x: Any, made: dict[int, Any]) -> list[Any]:
    if not isinstance(x["items"], list):
        raise ValueError(
            f"expected a list of items in the description of a {x[_TAG]}, got {x['items']!r:.80}"
        )
    return [_decode(item, made) for item in x["items"]]


def _object(x: Any, made: dict[int, Any]) -> Any:
    cls = registry.class_named(x["class"])
    config = _decode(x["config"], made)
    if not isinstance(config, dict):
        raise ValueError(f"expected the settings of {x['class']} by name, got {config!r:.80}")
    thing = cls.from_config(config) if hasattr(cls, "from_config") else cls(**config)
    if "number" in x:
        number = _whole(x["number"])
        if number in made:
            raise ValueError(f"two objects in the description have the number {number}")
        made[number] = thing
    return thing


def _same(x: Any, made: dict[int, Any]) -> Any:
    number = _whole(x["number"])
    if number not in made:
        raise ValueError(f"the description refers to object number {number}, which does not come before")
    return made[number]


def _whole(x: Any) -> int:
    if not isinstance(x, int) or isinstance(x, bool) or x < 0:
        raise ValueError(f"expected a whole number from 0 in a description, got {x!r:.80}")
    return x


_DECODERS: dict[str, tuple[frozenset[str], Any]] = {
    "class": (frozenset({"name"}), lambda x, made: registry.class_named(x["name"])),
    "dictionary": (frozenset({"items"}), lambda x, made: dict(_items(x, made))),
    "ellipsis": (frozenset(), lambda x, made: ...),
    "function": (frozenset({"name"}), lambda x, made: registry.function_named(x["name"])),
    "object": (frozenset({"class", "config"}), _object),
    "reference": (frozenset({"number"}), lambda x, made: Reference(_whole(x["number"]))),
    "same": (frozenset({"number"}), _same),
    "slice": (frozenset({"items"}), lambda x, made: slice(*_items(x, made))),
    "tuple": (frozenset({"items"}), lambda x, made: tuple(_items(x, made))),
}
