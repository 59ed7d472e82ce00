"""Native tensors as NumPy arrays for as long as they are pickled or copied.

Not every framework's variables can be pickled. So what a state holds of them is taken out, and put back
by pickle itself, on the backend and the device where it was.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy.typing as npt

from dualnn import backends
from dualnn.moving import about, tensors
from dualnn.protocol import Tensor


def portable(state: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of an object's attributes that pickles wherever the objects in it do.

    >>> import pickle
    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> twin = pickle.loads(pickle.dumps(portable({"weight": nn.Variable([1.0, 2.0])})))
    >>> nn.is_variable(twin["weight"]), nn.to_numpy(twin["weight"]).tolist()
    (True, [1.0, 2.0])
    """
    memo: dict[int, Any] = {id(tensor): _Portable(tensor) for tensor in tensors(state)}
    return copy.deepcopy(state, memo)


class _Portable:
    """Stands for a native tensor in a state, and is one again when it has been unpickled or copied."""

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor

    def __reduce__(self) -> tuple[Callable[..., Tensor], tuple[Any, ...]]:
        tensor, nn = self._tensor, backends.namespace(self._tensor)
        variable = about(tensor) if nn.is_variable(tensor) else None
        return _native, (
            nn.name,
            nn.device(tensor),
            nn.dtype_name(tensor.dtype),
            nn.to_numpy(tensor),
            variable,
        )


def _native(
    backend: str, device: str, dtype: str, value: npt.NDArray[Any], variable: dict[str, Any] | None
) -> Tensor:
    nn = backends.backend(backend)
    tensor = nn.asarray(value, dtype=dtype, device=device, copy=True)
    return tensor if variable is None else nn.Variable(tensor, **variable)
