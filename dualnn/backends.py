"""Finding the adapters, and the default one.

Adapters are found by the entry-point group ``dualnn.backends``. An entry point's name is the import
name of the adapter's framework, and its value is the adapter module:

    [project.entry-points."dualnn.backends"]
    torch = "dualnn_torch"
    tensorflow = "dualnn_tf"

This is the only module of the core that knows a framework's name, and only for its help texts.
"""

from __future__ import annotations

import functools
import importlib.util
import os
from typing import TYPE_CHECKING, Any, cast

from dualnn.defaults import FLOATING, defaults
from dualnn.names import unknown
from dualnn.protocol import Backend

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINT_GROUP = "dualnn.backends"
ENVIRONMENT_VARIABLE = "DUALNN_BACKEND"
ALIASES = {"tf": "tensorflow", "pytorch": "torch"}
INSTALL = {
    "torch": "pip install 'dualnn[torch]'",
    "tensorflow": "pip install 'dualnn[tensorflow]'",
}


class BackendNotAvailableError(ImportError):
    """A backend that is known but cannot be imported; the message says how to install it."""


def backend(name: str | None = None) -> Backend:
    """Return a backend: the array namespace and neural primitives of one framework.

    Args:
        name: ``"torch"``, ``"tensorflow"`` (or ``"tf"``), or the name of another registered
            adapter. None: the default, set by `use` or by the environment variable
            ``DUALNN_BACKEND``, else the first backend that is installed.

    Raises:
        ValueError: no adapter has this name.
        BackendNotAvailableError: the adapter's framework is not installed, or is broken.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> float(nn.sum(nn.asarray([1.0, 2.0])))
    3.0
    """
    if name is None:
        name = defaults.backend or os.environ.get(ENVIRONMENT_VARIABLE) or _first_installed()
    loaded = _loaded.get(name)
    return loaded if loaded is not None else _load(name)


def use(name: str | None = None, *, device: str | None = None, dtype: str | None = None) -> Backend:
    """Set the default backend, device and floating-point dtype, and return the backend.

    What is not named stays as it is.

    Args:
        name: a backend, as in `backend`.
        device: where this backend makes tensors and models: ``"cpu"``, ``"cuda"``, ``"cuda:1"``.
        dtype: the dtype of weights and of tensors made of Python floats, on all backends:
            ``"float32"`` (at first), ``"float64"``, ``"float16"``, ``"bfloat16"``.

    Raises:
        ValueError: an unknown backend or dtype, or a device that this machine does not have.
        BackendNotAvailableError: the framework is not installed, or is broken.

    >>> import dualnn as dn
    >>> nn = dn.use(dtype="float64")
    >>> nn.dtype_name(nn.zeros(3).dtype)
    'float64'
    >>> nn = dn.use(dtype="float32")
    """
    nn = backend(name)
    device = None if device is None else nn.canonical_device(device)
    if dtype is not None and dtype not in FLOATING:
        raise ValueError(unknown("floating-point dtype", dtype, FLOATING))
    if name is not None:
        defaults.backend = nn.name
    if device is not None:
        defaults.devices[nn.name] = device
    if dtype is not None:
        defaults.dtype = dtype
    return nn


def available() -> tuple[str, ...]:
    """Return the names of the backends whose framework is installed; none is imported.

    >>> import dualnn as dn
    >>> set(dn.available()) <= set(dn.backends.registered())
    True
    """
    return tuple(name for name in registered() if importlib.util.find_spec(name) is not None)


def registered() -> tuple[str, ...]:
    """Return the names of all registered adapters, installed frameworks or not.

    >>> import dualnn as dn
    >>> "torch" in dn.backends.registered()
    True
    """
    return tuple(_entry_points())


def packages() -> tuple[str, ...]:
    """Return the names of the packages that the registered adapters are in.

    >>> import dualnn as dn
    >>> "dualnn_torch" in dn.backends.packages()
    True
    """
    return tuple(point.module.partition(".")[0] for point in _entry_points().values())


def owner(x: Any) -> Backend | None:
    """Return the backend whose framework made the object `x`, or None.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> dn.backends.owner(nn.zeros(3)) is nn
    True
    >>> dn.backends.owner([1, 2, 3]) is None
    True
    """
    cls = type(x)
    if cls not in _owners:  # what is a tensor is a matter of its class
        _owners[cls] = _find_owner(x)
    return _owners[cls]


def namespace(*tensors: Any) -> Backend:
    """Return the one backend that all native tensors among the arguments belong to.

    Raises:
        TypeError: tensors of two frameworks, or no native tensor at all.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> dn.namespace(nn.ones(2), 3.0) is nn
    True
    """
    found = {nn.name: nn for nn in map(owner, tensors) if nn is not None}
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        names = " and ".join(sorted(found))
        raise TypeError(
            f"expected tensors of one framework, got tensors of {names}; "
            f"convert them with backend.asarray(x), which takes a tensor of either"
        )
    kinds = ", ".join(type(x).__name__ for x in tensors)
    raise TypeError(
        f"expected at least one native tensor, got {kinds}; make one with dn.backend().asarray(x)"
    )


def as_tensors(*values: Any) -> tuple[Any, ...]:
    """Return the backend that native tensors among the values belong to, and all values as its tensors.

    Arrays keep their dtype; Python numbers, and lists of them, take the default one of their kind. Without
    any native tensor the backend is the default one.

    Raises:
        TypeError: tensors of two frameworks, or no numbers.

    >>> import dualnn as dn
    >>> nn, x, y = as_tensors(dn.backend().ones(2), [1.0, 3.0])
    >>> nn.to_numpy(x + y).tolist()
    [2.0, 4.0]
    """
    native = [x for x in values if owner(x) is not None]
    nn = namespace(*native) if native else backend()
    device = nn.device(native[0]) if native else defaults.devices.get(nn.name)
    return (nn, *(x if nn.is_tensor(x) else nn.asarray(x, device=device) for x in values))


_loaded: dict[str, Backend] = {}


def _load(name: str) -> Backend:
    name = ALIASES.get(name.lower(), name.lower())
    if name in _loaded:
        return _loaded[name]
    points = _entry_points()
    if name not in points:
        raise ValueError(unknown("backend", name, points))
    try:
        nn = cast(Backend, points[name].load())
    except Exception as error:  # a broken framework raises whatever it likes
        install = INSTALL.get(name, "install its framework")
        missing = isinstance(error, ModuleNotFoundError) and error.name == name
        state = "is not installed" if missing else f"cannot be imported ({error})"
        raise BackendNotAvailableError(f"the backend {name!r} {state}; try: {install}") from error
    _loaded[name] = nn
    return nn


@functools.cache
def _entry_points() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points  # here, since it takes longer to import than the rest

    # torch and tensorflow first, in the order of the help texts; then any other by name
    points = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
    first = [name for name in INSTALL if name in points]
    return {name: points[name] for name in (*first, *sorted(set(points) - set(first)))}


def _first_installed() -> str:
    names = available()
    if not names:
        commands = " or ".join(INSTALL.values())
        raise BackendNotAvailableError(f"no backend is installed; try: {commands}")
    return names[0]


_owners: dict[type, Backend | None] = {}


def _find_owner(x: Any) -> Backend | None:
    # A tensor's class, or one it inherits from, lives in a module under the framework's import name.
    roots = (base.__module__.partition(".")[0] for base in type(x).__mro__)
    root = next((root for root in roots if root in _entry_points()), None)
    nn = None if root is None else backend(root)
    return nn if nn is not None and nn.is_tensor(x) else None
