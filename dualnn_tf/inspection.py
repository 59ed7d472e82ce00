"""The inspection functions of the array API standard."""

from __future__ import annotations

from dualnn.inspection import NamespaceInfo


class __array_namespace_info__(NamespaceInfo):  # noqa: N801 (the name that the standard gives it)
    """What the array namespace offers."""

    backend = "tensorflow"
    max_dimensions = 8
