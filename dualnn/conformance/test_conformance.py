"""The suite as tests: ``pytest --pyargs dualnn.conformance``, a test for each case and target.

``DUALNN_CONFORMANCE_LEVEL=full`` chooses the level.
"""

from __future__ import annotations

import os

import pytest

from dualnn.conformance import catalogue, names, runner
from dualnn.conformance.case import Case
from dualnn.conformance.target import Target, targets

LEVEL = os.environ.get("DUALNN_CONFORMANCE_LEVEL", "quick")
TARGETS = targets(level=LEVEL)
IN_MACHINE_CODE = {
    target.dtype: set(runner.in_machine_code(catalogue.all_cases(), LEVEL, target.dtype))
    for target in TARGETS
}


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize(
    "case", runner.selected(catalogue.all_cases(), level=LEVEL), ids=lambda case: case.id
)
def test_case(case: Case, target: Target) -> None:
    """Nothing that is measured of the case is out of bounds or in error."""
    if target.mode == "jit" and case not in IN_MACHINE_CODE[target.dtype]:
        pytest.skip("the full level makes machine code of it")
    results = list(runner.run_cases([case], [target], LEVEL))
    bad = [
        f"{r.kind}: {r.error:.3g} ULP, {r.bound:.3g} allowed; {r.detail}"
        for r in results
        if r.status in runner.BAD
    ]
    assert not bad, "\n".join(bad)
    missing = [r.detail for r in results if r.status == runner.MISSING]
    if missing and len(missing) == len(results):
        pytest.skip(missing[0])


def test_every_public_name_has_a_case() -> None:
    """The catalogue is complete."""
    assert names.untested(catalogue.all_cases(), {target.backend for target in TARGETS}) == []
