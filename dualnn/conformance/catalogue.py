"""The catalogue: all cases, and the check that every public name has one."""

from __future__ import annotations

import importlib
import pkgutil

from dualnn.conformance import cases
from dualnn.conformance.case import Case


def all_cases() -> list[Case]:
    """Return the cases of all subjects.

    Raises:
        ValueError: two cases have the same id.
    """
    found: list[Case] = []
    for module in sorted(name for _, name, _ in pkgutil.iter_modules(cases.__path__)):
        found += importlib.import_module(f"{cases.__name__}.{module}").CASES
    ids = [case.id for case in found]
    twice = sorted({one for one in ids if ids.count(one) > 1})
    if twice:
        raise ValueError(f"expected different cases, got twice: {', '.join(twice)}")
    return found
