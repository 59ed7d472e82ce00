"""The classes and functions that a file may name: those of dualnn, and those that a user has registered."""

from __future__ import annotations

import functools
import importlib
import inspect
import re
from collections.abc import Callable
from typing import Any, TypeVar, overload

T = TypeVar("T", bound=Callable[..., Any])

_OWN = "dualnn."
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.>-]*")
_MODULES = (
    *("activations", "initializers", "layers", "losses", "metrics", "models"),
    *("optimizers", "regularizers", "schedules"),
)

_registered: dict[str, Any] = {}


@overload
def register(name: T) -> T: ...


@overload
def register(name: str | None = None) -> Callable[[T], T]: ...


def register(name: Any = None) -> Any:
    """Let files name a class or a function of your own, so that models that use it can be saved and loaded.

    A decorator; Keras's word for it is ``register_keras_serializable``. A layer, loss, metric, optimizer,
    initializer or schedule that inherits from dualnn's base class needs nothing else: it is made again with
    the arguments that it was made with. Any other class defines ``get_config``, which returns the arguments
    of its constructor. The program that loads the model registers the class or function under the same name,
    most often by importing the module that defines it.

    Args:
        name: the name in files; by default that of the class or function.

    Raises:
        ValueError: another class or function has the name, or it is no name, or begins with ``dualnn.``.
        TypeError: neither a class nor a function, or a class without ``get_config``.

    >>> import dualnn as dn
    >>> @dn.saving.register("swish_squared")
    ... def swish_squared(x):
    ...     return dn.activations.silu(x) ** 2
    >>> dn.layers.Dense(3, activation=swish_squared).get_config()["activation"]
    {'$': 'function', 'name': 'swish_squared'}
    """
    if not isinstance(name, str | None):
        return register()(name)

    def registered(thing: T) -> T:
        _add(name or thing.__name__, thing)
        return thing

    return registered


def _add(name: str, thing: Any) -> None:
    if not _NAME.fullmatch(name) or name.startswith(_OWN):
        raise ValueError(
            f"expected a name of letters, digits and _ . > - that does not begin with {_OWN!r}, got {name!r}"
        )
    if not (inspect.isclass(thing) or inspect.isfunction(thing)):
        raise TypeError(f"expected a class or a function to register as {name!r}, got {thing!r}")
    if inspect.isclass(thing) and not hasattr(thing, "get_config"):
        raise TypeError(
            f"class {thing.__name__} cannot be registered: expected it to inherit from a class of dualnn "
            f"such as dn.Layer, or to define get_config(self), which returns its constructor's arguments"
        )
    # A definition that is run again, in a notebook or on reload, takes the place of its former self.
    before = _registered.get(name, thing)
    if (before.__module__, before.__qualname__) != (thing.__module__, thing.__qualname__):
        raise ValueError(
            f"the name {name!r} is taken by {before.__module__}.{before.__qualname__}; "
            f"register {thing.__qualname__} under another: @dn.saving.register('another')"
        )
    _registered[name] = thing


def name_of(thing: Any) -> str:
    """Return the name that files have for a class or a function.

    Raises:
        ValueError: it is neither dualnn's own nor registered.
    """
    for names in (_own(), _registered):
        for name, known in names.items():
            if known is thing:
                return name
    what = "class" if inspect.isclass(thing) else "function"
    called = getattr(thing, "__qualname__", repr(thing))
    if "<lambda>" in called:
        raise ValueError(
            "a lambda has no name that a file could hold; "
            "write a function with @dn.saving.register() above it"
        )
    raise ValueError(
        f"the {what} {called} is not registered, so a file cannot name it; "
        f"put @dn.saving.register() above its definition"
    )


def class_named(name: Any) -> type[Any]:
    """Return the class that a file names.

    Raises:
        ValueError: there is no such class.
    """
    found = _named("class", name)
    if not inspect.isclass(found):
        raise ValueError(f"{name!r} is a function, expected a class")
    return found


def function_named(name: Any) -> Callable[..., Any]:
    """Return the function that a file names.

    Raises:
        ValueError: there is no such function.
    """
    found = _named("function", name)
    if inspect.isclass(found):
        raise ValueError(f"{name!r} is a class, expected a function")
    return found  # type: ignore[no-any-return]


def _named(what: str, name: Any) -> Any:
    if not isinstance(name, str):
        raise ValueError(f"expected the name of a {what}, got {name!r:.80}")
    for names in (_own(), _registered):
        if name in names:
            return names[name]
    if name.startswith(_OWN):
        raise ValueError(f"this version of dualnn has no {what} {name[:80]!r} that a file may name")
    known = f"registered are {', '.join(map(repr, _registered))}" if _registered else "nothing is registered"
    raise ValueError(
        f"unknown {what} {name[:80]!r}: import the module that defines it, with "
        f"@dn.saving.register() above it, before loading ({known})"
    )


@functools.cache
def _own() -> dict[str, Any]:
    """Return dualnn's own classes and functions by name: the closed list of what a file may ask for."""
    from dualnn.saving.configs import Configured  # here, as it looks for names in this module

    modules = {name: importlib.import_module(f"{_OWN}{name}") for name in _MODULES}
    classes = {
        f"{_OWN}{module}.{name}": thing
        for module, content in modules.items()
        for name, thing in vars(content).items()
        if inspect.isclass(thing) and issubclass(thing, Configured) and not name.startswith("_")
        if thing.__module__.startswith(f"{_OWN}{module}")
    }
    by_name = {"activations": modules["activations"]._BY_NAME, "losses": modules["losses"].BY_NAME}
    functions = {
        f"{_OWN}{module}.{name}": function
        for module, names in by_name.items()
        for name, function in ((name, getattr(modules[module], name, None)) for name in names)
        if inspect.isfunction(function)
    }
    return classes | functions
