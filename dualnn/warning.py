"""Warnings to users of the library, which name the user's own line."""

from __future__ import annotations

import sys
import warnings

from dualnn.names import is_own_module


def warn(message: str) -> None:
    """Warn of what is probably a mistake: a `UserWarning` of the line outside of the package that led here.

    So it is shown once for each such line, and `warnings.filterwarnings` hides it or makes it an error.

    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warn("that is probably a mistake")
    >>> str(caught[0].message)
    'that is probably a mistake'
    """
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and is_own_module(frame.f_globals.get("__name__")):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, UserWarning, stacklevel=level)
