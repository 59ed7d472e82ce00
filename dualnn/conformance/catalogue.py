"""The catalogue: all cases, and the check that every public name has one."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections import Counter

from dualnn.conformance import cases
from dualnn.conformance.case import Case


@functools.cache
def by_subject() -> dict[str, list[Case]]:
    """Return the cases by their subject, which is the name of the file that they stand in."""
    subjects = sorted(name for _, name, _ in pkgutil.iter_modules(cases.__path__))
    try:
        return {subject: importlib.import_module(f"{cases.__name__}.{subject}").CASES for subject in subjects}
    except ModuleNotFoundError as error:
        raise ImportError(
            f"the references of the conformance suite need {error.name}; try: pip install 'dualnn[conform]'"
        ) from error


def all_cases() -> list[Case]:
    """Return the cases of all subjects.

    Raises:
        ValueError: two cases have the same id.
    """
    found = [case for of_subject in by_subject().values() for case in of_subject]
    counts = Counter(case.id for case in found)
    twice = sorted(one for one, count in counts.items() if count > 1)
    if twice:
        raise ValueError(f"expected different cases, got twice: {', '.join(twice)}")
    return found
