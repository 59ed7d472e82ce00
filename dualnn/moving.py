"""Moving a model to another backend, device or dtype."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from dualnn import backends
from dualnn.layers import tree
from dualnn.place import Place
from dualnn.protocol import Tensor

if TYPE_CHECKING:
    from dualnn.layers.layer import Layer


def moved(layer: Layer, backend: str | None, device: str | None, dtype: str | None) -> Any:
    """Return a copy of a layer or model at another place; see `Layer.on`.

    Everything native goes along: variables, the optimizer's slots, tensors kept as attributes.
    """
    old = layer._place
    if backend is None and old is not None:
        backend = old.backend
    same_backend = old is not None and backends.backend(backend).name == old.backend
    if device is None and old is not None and same_backend:
        device = old.device
    if dtype is None and old is not None:
        dtype = old.dtype
    place = Place.of(backend, device, dtype)
    for _, part in tree.walk(layer):
        part.check_place(place)
    layer._seed_source()  # it must exist before the copy is made, so that both share it
    memo = {id(tensor): _native(tensor, place) for tensor in tensors(layer)}
    twin = copy.deepcopy(layer, memo)
    for _, part in tree.walk(twin):
        part.__dict__["_place"] = place
    return twin


def tensors(root: Any) -> list[Tensor]:
    """Return all native tensors that are reached through attributes and containers, each once."""
    found: dict[int, Tensor] = {}
    seen: set[int] = set()
    stack = [root]
    while stack:
        x = stack.pop()
        if id(x) in seen:
            continue
        seen.add(id(x))
        if backends.owner(x) is not None:
            found[id(x)] = x
        elif isinstance(x, dict):
            stack.extend(x.values())
        elif isinstance(x, list | tuple | set):
            stack.extend(x)
        elif type(x).__module__ != "builtins" and hasattr(x, "__dict__") and not isinstance(x, type):
            stack.extend(vars(x).values())
    return list(found.values())


def _native(x: Tensor, place: Place) -> Tensor:
    owner = backends.namespace(x)
    nn = place.nn
    value = owner.to_numpy(x)
    dtype = place.dtype if owner.isdtype(x.dtype, "real floating") else owner.dtype_name(x.dtype)
    tensor = nn.asarray(value, dtype=dtype, device=place.device, copy=True)
    if owner.is_variable(x):
        return nn.Variable(tensor, **about(x))
    return tensor


def about(variable: Tensor) -> dict[str, Any]:
    """Return what else than a value a variable is made of."""
    return {
        "trainable": tree.trains(variable),
        # a native variable that somebody else has made does not know these
        "name": getattr(variable, "name", None),
        "outputs_first": getattr(variable, "outputs_first", False),
    }
