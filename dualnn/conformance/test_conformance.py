"""The suite as tests: ``pytest --pyargs dualnn.conformance``, a test for a few cases on all targets.

``DUALNN_CONFORMANCE_LEVEL=full`` chooses the level. Tests of machine code take half a minute each, and are
marked slow.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import metadata
from typing import Any

import pytest

from dualnn import backends, fast_paths
from dualnn.conformance import catalogue, names, runner
from dualnn.conformance.case import Case
from dualnn.conformance.runner import Result
from dualnn.conformance.suite import CHUNK, CHUNK_OF_JIT
from dualnn.conformance.target import Target, targets

LEVEL = os.environ.get("DUALNN_CONFORMANCE_LEVEL", "quick")
TARGETS = targets(level=LEVEL)
OURS = metadata.distribution("dualnn").entry_points.select(group=backends.ENTRY_POINT_GROUP).names
"""The backends that lack nothing; another adapter may, and passes."""


def parts(cases: list[Case], size: int) -> Iterator[list[Case]]:
    """Yield what is compiled together."""
    for start in range(0, len(cases), size):
        yield cases[start : start + size]


def of_subjects() -> Iterator[Any]:
    """Yield a few cases of one subject each, with the names of the first and the last."""
    for subject, cases in catalogue.by_subject().items():
        for part in parts(runner.selected(cases, level=LEVEL), CHUNK):
            yield pytest.param(part, id=f"{subject}: {part[0].name} to {part[-1].name}")


def in_machine_code() -> Iterator[Any]:
    """Yield what is compiled together, for each target that is machine code."""
    chosen = runner.selected(catalogue.all_cases(), level=LEVEL)
    for target in (target for target in TARGETS if target.mode == "jit"):
        for part in parts(runner.in_machine_code(chosen, LEVEL, target.dtype), CHUNK_OF_JIT):
            yield pytest.param(part, target, id=f"{target}: {part[0].name} to {part[-1].name}")


def faults(cases: list[Case], where: list[Target]) -> list[str]:
    """Return what is out of bounds or in error, in words."""
    return [
        f"{r.case}, {r.kind}, {r.target}: {r.error:.3g} ULP, {r.bound:.3g} allowed; {r.detail}"
        for r in runner.run_cases(cases, where, LEVEL)
        if r.status in runner.BAD or is_lacking(r)
    ]


def is_lacking(result: Result) -> bool:
    """Return whether an adapter of dualnn's own lacks something; fast kernels are for who has them."""
    return (
        result.status == runner.MISSING
        and result.target.backend in OURS
        and result.target.mode == "eager"
        and result.name not in fast_paths.NAMES
    )


@pytest.mark.parametrize("cases", list(of_subjects()))
def test_cases(cases: list[Case]) -> None:
    """Nothing that is measured of the cases is out of bounds or in error, eagerly and in graphs."""
    found = faults(cases, [target for target in TARGETS if target.mode != "jit"])
    assert not found, "\n".join(found)


@pytest.mark.slow
@pytest.mark.parametrize(("cases", "target"), list(in_machine_code()))
def test_machine_code(cases: list[Case], target: Target) -> None:
    """Nothing that is measured of these cases is out of bounds or in error as machine code."""
    found = faults(cases, [target])
    assert not found, "\n".join(found)


def test_every_public_name_has_a_case() -> None:
    """The catalogue is complete."""
    assert names.untested(catalogue.all_cases(), {target.backend for target in TARGETS}) == []
