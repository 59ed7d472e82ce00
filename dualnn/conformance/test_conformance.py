"""The suite as tests: ``pytest --pyargs dualnn.conformance``, a test for each case and target.

``DUALNN_CONFORMANCE_LEVEL=full`` chooses the level. Of machine code, which takes seconds beside the
functions' own, a test has many cases, and is marked slow.
"""

from __future__ import annotations

import os

import pytest

from dualnn.conformance import catalogue, names, runner
from dualnn.conformance.case import Case
from dualnn.conformance.runner import Result
from dualnn.conformance.suite import CHUNK_OF_JIT
from dualnn.conformance.target import Target, targets

LEVEL = os.environ.get("DUALNN_CONFORMANCE_LEVEL", "quick")
TARGETS = targets(level=LEVEL)
CASES = runner.selected(catalogue.all_cases(), level=LEVEL)


def chunks() -> list[tuple[Target, list[Case]]]:
    """Return what is compiled together, for each target that is machine code."""
    found = []
    for target in (target for target in TARGETS if target.mode == "jit"):
        cases = runner.in_machine_code(CASES, LEVEL, target.dtype)
        found += [(target, cases[i : i + CHUNK_OF_JIT]) for i in range(0, len(cases), CHUNK_OF_JIT)]
    return found


def out_of_bounds(results: list[Result]) -> str:
    """Return the results that are out of bounds or in error, in words."""
    return "\n".join(
        f"{r.case}, {r.kind}: {r.error:.3g} ULP, {r.bound:.3g} allowed; {r.detail}"
        for r in results
        if r.status in runner.BAD
    )


@pytest.mark.parametrize("target", [target for target in TARGETS if target.mode != "jit"], ids=str)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_case(case: Case, target: Target) -> None:
    """Nothing that is measured of the case is out of bounds or in error."""
    results = list(runner.run_cases([case], [target], LEVEL))
    bad = out_of_bounds(results)
    assert not bad, bad
    missing = [r.detail for r in results if r.status == runner.MISSING]
    if missing and len(missing) == len(results):
        pytest.skip(missing[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "cases"), chunks(), ids=lambda value: str(value) if isinstance(value, Target) else value[0].id
)
def test_machine_code(target: Target, cases: list[Case]) -> None:
    """Nothing that is measured of these cases is out of bounds or in error."""
    bad = out_of_bounds(list(runner.run_cases(cases, [target], LEVEL)))
    assert not bad, bad


def test_every_public_name_has_a_case() -> None:
    """The catalogue is complete."""
    assert names.untested(catalogue.all_cases(), {target.backend for target in TARGETS}) == []
