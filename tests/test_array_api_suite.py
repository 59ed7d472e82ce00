"""The script that runs the public array API suite: what can be tested of it without the suite."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.array_api.run_suite import HERE, expected_failures

SCRIPT = Path(HERE, "run_suite.py")


@pytest.mark.parametrize("backend", ["torch", "tensorflow"])
def test_every_expected_failure_has_a_cause(backend):
    causes = expected_failures(HERE / f"expected_failures_{backend}.txt")
    assert len(causes) > 20
    assert all(node.startswith("array_api_tests/test_") for node in causes)
    assert all(len(cause) > 20 for cause in causes.values())
    assert len(set(causes.values())) < 10


def test_a_path_that_is_not_the_suite(tmp_path):
    done = subprocess.run(
        [sys.executable, SCRIPT, tmp_path, "--backend", "torch"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "expected a checkout of array-api-tests with its submodule array-api" in done.stderr
