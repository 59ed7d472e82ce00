"""Run the public array API test suite (github.com/data-apis/array-api-tests) on a backend.

    git clone --recurse-submodules https://github.com/data-apis/array-api-tests
    pip install -r array-api-tests/requirements.txt
    python tests/array_api/run_suite.py array-api-tests --backend tensorflow

The failures that are expected stand in ``expected_failures_torch.txt`` and
``expected_failures_tensorflow.txt``, each under its cause. The exit status is 0 if there is no other.
``--backend numpy`` runs NumPy's own namespace, which has no such list, as a point of reference.
Whatever follows ``--`` goes to pytest: ``-- -n 2``, ``-- -k linalg``, ``-- -x``.
"""

from __future__ import annotations

import argparse
import collections
import importlib.util
import itertools
import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
MODULES = {"torch": "dualnn_torch", "tensorflow": "dualnn_tf", "numpy": "numpy"}
NEEDED = {"ndindex": "ndindex", "pytest_jsonreport": "pytest-json-report", "hypothesis": "hypothesis"}


class Results:
    """A pytest plugin that counts the outcomes."""

    def __init__(self) -> None:
        self.outcomes: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if hasattr(report, "wasxfail"):
            outcome = "failed as expected" if report.skipped else "passed"
        else:
            outcome = report.outcome
        if report.when == "call" or outcome in ("failed", "skipped", "failed as expected"):
            self.outcomes[report.nodeid] = outcome

    def nodes(self, outcome: str) -> list[str]:
        return sorted(node for node, its in self.outcomes.items() if its == outcome)


def is_of_the_array_object(node: str) -> bool:
    """Return whether a test is of an operator, a method or an attribute, not of the namespace's functions."""
    marks = ("test_array_object", "test_dunder", "[array_", "[__", "_method_")
    return any(mark in node for mark in marks)


def expected_failures(file: Path) -> dict[str, str]:
    """Return the cause of each test: the first sentence of the comment above its paragraph."""
    causes = {}
    for paragraph in file.read_text().split("\n\n"):
        lines = paragraph.splitlines()
        comment = " ".join(line[1:].strip() for line in lines if line.startswith("#"))
        causes |= {line: comment.split(". ")[0].rstrip(".") for line in lines if not line.startswith("#")}
    return causes


def run(suite: Path, backend: str, max_examples: int, shape_objects: bool, arguments: list[str]) -> int:
    """Run the suite, print the counts, and return pytest's exit status."""
    os.environ["ARRAY_API_TESTS_MODULE"] = MODULES[backend]
    os.environ["ARRAY_API_TESTS_VERSION"] = "2025.12"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    file = HERE / f"expected_failures_{backend}.txt"
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no_shrinking",
        "--max-examples",
        str(max_examples),
        "--disable-deadline",
    ]
    if file.exists():
        options += ["--xfails-file", str(file)]
    if shape_objects:
        options += ["-p", "shape_objects"]
    results = Results()
    os.chdir(suite)
    sys.path[:0] = [str(suite), str(HERE)]
    status = pytest.main([*options, *arguments, "--rootdir", ".", "array_api_tests"], plugins=[results])
    print(f"\n{MODULES[backend]}, {max_examples} examples a test:")
    for outcome in ("passed", "failed as expected", "failed", "skipped"):
        print(f"{len(results.nodes(outcome)):6,} {outcome}")
    for kind, is_of_object in (("the namespace's functions", False), ("the native array object", True)):
        nodes = {node for node in results.outcomes if is_of_the_array_object(node) == is_of_object}
        passed = nodes.intersection(results.nodes("passed"))
        print(f"{len(passed):6,} of {len(nodes):,} tests of {kind} passed")
    if file.exists():
        print("Expected failures by cause:")
        causes = expected_failures(file)
        failed = collections.Counter(causes[node] for node in results.nodes("failed as expected"))
        for cause in dict.fromkeys(causes.values()):
            print(f"{failed[cause]:6} {cause}")
    return int(status)


def main() -> int:
    """Read the command line and run the suite."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("suite", type=Path, help="a checkout of array-api-tests, with its submodule")
    parser.add_argument("--backend", choices=MODULES, required=True)
    parser.add_argument("--max-examples", type=int, default=100, help="examples a test (default 100)")
    parser.add_argument(
        "--strict-tuples",
        action="store_true",
        help="run the suite as it is, though its ndindex takes no shape objects, which the standard allows",
    )
    own = list(itertools.takewhile(lambda argument: argument != "--", sys.argv[1:]))
    options, for_pytest = parser.parse_args(own), sys.argv[len(own) + 2 :]
    suite = options.suite.resolve()
    if not (suite / "array_api_tests").is_dir() or not any((suite / "array-api").glob("*")):
        parser.error(f"expected a checkout of array-api-tests with its submodule array-api, got {suite}")
    missing = [package for module, package in NEEDED.items() if not importlib.util.find_spec(module)]
    if missing:
        parser.error(f"the suite needs {', '.join(missing)}: pip install -r {suite / 'requirements.txt'}")
    shape_objects = options.backend == "tensorflow" and not options.strict_tuples
    return run(suite, options.backend, options.max_examples, shape_objects, for_pytest)


if __name__ == "__main__":
    sys.exit(main())
