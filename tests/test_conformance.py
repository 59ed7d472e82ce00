"""The conformance suite itself: that it catches faults, tells what it should, and takes any backend."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

import dualnn as dn
from dualnn import cli
from dualnn.conformance import catalogue, conform, export, html, known, measure, names, record, runner
from dualnn.conformance.case import ExactCase, FunctionCase, TrajectoryCase
from dualnn.conformance.cases import thresholds
from dualnn.conformance.formats import rounded
from dualnn.conformance.target import MODES, targets

BACKENDS = ("torch", "tensorflow")
EPS = float(np.finfo(np.float32).eps)


@pytest.fixture(scope="module")
def small():
    """A report of a few cases on both backends."""
    return conform(
        BACKENDS, modes=["eager", "compiled"], select=["sqrt: whole", "losses.huber", "losses.Huber"]
    )


def function(**changes):
    case = {
        "name": "exp",
        "run": lambda nn, x: nn.exp(x),
        "reference": np.exp,
        "inputs": (np.array([0.5, 1.0, 2.0]),),
        "roundings": 4,
        "scale": "ulp",
        "reason": "a test",
    }
    return FunctionCase(**(case | changes))


def statuses(case, backend, **where):
    places = [t for t in targets([backend], **where) if t.mode == "eager"]
    return {(r.kind, r.target.dtype): r.status for r in runner.run_case(case, places)}


# ------------------------------------------------------------------------------- measuring


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ulp_is_numpys_spacing(dtype):
    x = np.array([1.0, 1.5, 2.0, 0.75, 1e-10, 12345.0], dtype)
    np.testing.assert_array_equal(measure.ulp(x, dtype).astype(dtype), np.spacing(x))


def test_the_reference_has_more_digits_than_the_bounds_need():
    x = np.linspace(0.1, 2, 7)
    case = function(name="f", run=None, reference=lambda x: np.exp(x) * np.sin(x), inputs=(x,))
    weights = measure.weights_like(x)
    gradient = weights * np.exp(x) * (np.sin(x) + np.cos(x))
    second = 2 * weights**2 * np.exp(x) * np.cos(x)
    first = measure.expected_gradient(case, "float64")
    np.testing.assert_allclose(first.values[0].astype(float), gradient, rtol=1e-14)
    np.testing.assert_allclose(
        measure.expected_second(case, "float64").values[0].astype(float), second, rtol=1e-10
    )


def test_bounds_grow_with_the_condition():
    case = function(
        run=None, reference=lambda x: np.sum(x), inputs=(np.array([1e8, 1.0, -1e8]),), scale="stable"
    )
    (allowed,) = measure.expected_forward(case, "float32").allowed
    assert float(allowed) == pytest.approx(4 * EPS * 2e8, rel=1e-3)  # and not 4 eps of the result, 1


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("wrong", "kinds"),
    [
        (lambda nn, x: nn.exp(x) * (1 + 8e-7), {"forward"}),
        (lambda nn, x: nn.exp(x) + 0 * nn.stop_gradient(x), set()),
        (
            lambda nn, x: nn.exp(nn.stop_gradient(x)) + x - nn.stop_gradient(x),
            {"gradient", "second derivative"},
        ),
        (lambda nn, x: nn.exp(x)[:2], {"forward", "gradient", "second derivative"}),
    ],
)
def test_what_a_function_case_catches(backend, wrong, kinds):
    found = statuses(function(run=wrong), backend, dtypes=["float32"])
    assert {kind for (kind, _), status in found.items() if status in runner.BAD} >= kinds
    if not kinds:
        assert set(found.values()) == {"passed"}


@pytest.mark.parametrize(
    ("got", "wanted", "same"),
    [
        ([0.0], [0.0], True),
        ([0.0], [-0.0], False),
        ([np.nan], [np.nan], True),
        ([np.inf], [-np.inf], False),
        ([1.0], [1.0 + 1e-6], False),
        ([1.0, 2.0], [1.0], False),
    ],
)
def test_exact_cases_are_exact(got, wanted, same):
    case = ExactCase(
        name="x",
        run=lambda nn, dtype: {"x": nn.asarray(got, dtype=dtype)},
        expected={"x": wanted},
        reason="a test",
    )
    assert set(statuses(case, "torch").values()) == ({"passed"} if same else {"out of bounds"})


def test_a_trajectory_may_drift_as_far_as_its_rounding_errors_do():
    def reference(steps, disturb):
        x = np.array([0.3, 0.4], np.longdouble)
        states = [x]
        for _ in range(steps):
            x = disturb(x - 0.1 * np.sin(x))
            states.append(x)
        return np.array(states)

    def run(rate):
        def run(nn, dtype, device, steps):
            x = nn.asarray([0.3, 0.4], dtype=dtype)
            states = [nn.to_numpy(x)]
            for _ in range(steps):
                x = x - rate * nn.sin(x)
                states.append(nn.to_numpy(x))
            return np.array(states)

        return run

    def case(rate):
        return TrajectoryCase(name="t", run=run(rate), reference=reference, roundings=4, reason="a test")

    assert set(statuses(case(0.1), "torch").values()) == {"passed"}
    assert statuses(case(0.1 * (1 + 1e-5)), "torch")["trajectory", "float64"] == "out of bounds"
    assert statuses(case(0.1 * (1 + 1e-3)), "torch")["trajectory", "float32"] == "out of bounds"


# ------------------------------------------------------------------------------- completeness


def test_a_public_name_without_a_case_fails(monkeypatch):
    assert names.untested(catalogue.all_cases(), BACKENDS) == []

    def cube(x):
        return x**3

    cube.__module__ = "dualnn.activations"
    monkeypatch.setattr(dn.activations, "cube", cube, raising=False)
    assert names.untested(catalogue.all_cases(), BACKENDS) == ["activations.cube"]


def test_without_the_library_of_the_references(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpmath", None)
    for module in [name for name in sys.modules if name.startswith("dualnn.conformance.cases.")]:
        monkeypatch.delitem(sys.modules, module)
    catalogue.by_subject.cache_clear()
    with pytest.raises(ImportError, match=r"need mpmath; try: pip install 'dualnn\[conform\]'"):
        catalogue.all_cases()
    monkeypatch.undo()
    catalogue.by_subject.cache_clear()


def test_every_case_gives_its_reason():
    assert all(len(case.reason) > 10 for case in catalogue.all_cases())


# ------------------------------------------------------------------------------- the report


def test_report(small):
    assert small.passed
    assert {r.target.backend for r in small.results} == set(BACKENDS)
    assert {"forward", "gradient", "second derivative"} <= {r.kind for r in small.results}
    assert all(r.share <= 1 for r in small.results)
    assert ("sqrt: whole range", "forward", "float32") in small.differences()


def test_json_and_junit(small, tmp_path):
    fault = replace(small.results[0], status="out of bounds", error=float("inf"), detail="a < b")
    report = replace(small, results=(fault, *small.results[1:]))
    export.save_json(report, tmp_path / "r.json")
    export.save_junit(report, tmp_path / "r.xml")
    document = json.loads((tmp_path / "r.json").read_text())
    assert document["passed"] is False
    assert len(document["results"]) == len(report.results)
    assert document["results"][0]["error"] is None
    suites = ElementTree.parse(tmp_path / "r.xml").getroot().findall("testsuite")
    assert sum(int(suite.get("tests")) for suite in suites) == len(report.results)
    (failure,) = [failure for suite in suites for failure in suite.iter("failure")]
    assert failure.get("message").endswith("a < b")


def test_html_needs_nothing_else(small):
    page = html.page(small)
    assert "Nothing is out of bounds" in page
    assert page.count("<svg") >= 1
    assert "http" not in page.split("</svg>")[-1]
    assert "<script" not in page


def test_record_and_compare(small, tmp_path):
    file = tmp_path / "record.npz"
    record.save(small, file)
    compared = list(record.compared(small, file))
    assert len(compared) >= len(small.results)
    assert all(r.status == "passed" for r in compared)
    first = next(r for r in small.results if r.kind == "forward" and r.case == "sqrt: whole range")
    far = replace(first, outputs=tuple(y * (1 + 20 * EPS) for y in first.outputs))
    changed = replace(small, results=tuple(far if r is first else r for r in small.results))
    bad = [r for r in record.compared(changed, file) if r.status in runner.BAD]
    assert {r.case for r in bad} == {"sqrt: whole range"}
    assert any("against" in r.kind for r in bad)


def test_known_disagreements_stay_known_against_a_record(tmp_path):
    report = conform(
        BACKENDS,
        select=["linalg.det: complex", "linalg.slogdet: complex"],
        dtypes=["float32"],
        modes=["eager"],
    )
    record.save(report, tmp_path / "record.npz")
    compared = list(record.compared(report, tmp_path / "record.npz"))
    assert {r.status for r in compared} == {"passed", "known"}


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 truncated"])
def test_a_record_that_is_none(small, tmp_path, content):
    file = tmp_path / "record.npz"
    file.write_bytes(content)
    with pytest.raises(ValueError, match="expected a record made by"):
        list(record.compared(small, file))


def test_known_disagreements_are_shown_and_do_not_fail(monkeypatch):
    case = function(run=lambda nn, x: nn.exp(x) * 1.1, derivatives=0)
    monkeypatch.setattr(known, "KNOWN", [known.Known("exp", "torch", "it is a test", "https://example.org")])
    assert set(statuses(case, "torch").values()) == {"known"}
    assert set(statuses(case, "tensorflow").values()) == {"out of bounds"}


def test_what_a_backend_lacks_is_missing(monkeypatch):
    nn = dn.backend("torch")
    monkeypatch.delattr(nn, "tan")
    report = conform(["torch"], select=["tan: "], modes=["eager"])
    assert any(r.name == "tan" and r.detail == "torch has no tan" for r in report.missing)
    assert report.passed


def test_fail_fast_and_unknown_names(monkeypatch):
    monkeypatch.setattr(dn.backend("torch"), "cos", dn.backend("torch").sin)
    report = conform(["torch"], select=["cos: ", "exp: "], modes=["eager"], fail_fast=True)
    assert report.stopped
    assert not report.passed
    with pytest.raises(ValueError, match="select cases"):
        conform(["torch"], select=["no such case"])
    with pytest.raises(ValueError, match="'quick' or 'full'"):
        conform(["torch"], level="slow")


# ------------------------------------------------------------------------------- the command


def test_command(tmp_path):
    page, document = tmp_path / "r.html", tmp_path / "r.json"
    arguments = [
        "conform",
        "--select",
        "exp: ",
        "--mode",
        "eager",
        "--jobs",
        "1",
        "--report",
        str(page),
        "--json",
        str(document),
    ]
    done = CliRunner().invoke(cli.app, arguments)
    assert done.exit_code == 0, done.output
    assert "0 out of bounds" in done.output.replace("\n", " ")
    assert page.exists()
    assert document.exists()


def test_command_fails_on_a_fault(monkeypatch):
    monkeypatch.setattr(dn.backend("torch"), "exp", dn.backend("torch").expm1)
    done = CliRunner().invoke(cli.app, ["conform", "--select", "exp: ", "--mode", "eager", "--jobs", "1"])
    assert done.exit_code == 1
    assert "Out of bounds" in done.output


def test_several_processes_find_the_same(small):
    report = conform(
        BACKENDS, modes=["eager", "compiled"], select=["sqrt: whole", "losses.huber", "losses.Huber"], jobs=2
    )
    key = lambda r: (r.case, r.kind, str(r.target))  # noqa: E731
    assert sorted(map(key, report.results)) == sorted(map(key, small.results))
    errors = {key(r): r.error for r in small.results}
    assert all(r.error == errors[key(r)] for r in report.results)


# ------------------------------------------------------------------------------- a new backend


def test_a_third_backend_takes_the_exam(tmp_path):
    # In a process of its own: a backend of NumPy owns NumPy's arrays, wherever they come from.
    here = Path(__file__).parent
    script = (
        "import json, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "from dualnn.conformance import conform\n"
        "report = conform(['numpy'])\n"
        "print(json.dumps([[r.case, r.kind, r.status, r.detail] for r in report.results]))\n"
    )
    path = os.pathsep.join([str(here / "numpy_backend"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert [r for r in results if r[2] in runner.BAD] == []
    passed = {case for case, _, status, _ in results if status == "passed"}
    names = {case.partition(":")[0] for case in passed}
    assert {"exp", "sum", "matmul", "sigmoid", "softmax"} <= names
    missing = {detail for _, _, status, detail in results if status == "missing"}
    assert {"numpy has no grad", "numpy has no conv2d"} <= missing


@pytest.mark.parametrize("mode", MODES)
def test_every_known_disagreement_shows(mode):
    # One that a framework has mended is to be taken off the list. What shows everywhere shows eagerly.
    listed = [one for one in known.KNOWN if mode in (one.modes or ("eager",))]
    report = conform(BACKENDS, select=[one.case for one in listed], modes=[mode], level="full")
    shown = {(r.case, r.target.backend) for r in report.known}
    assert [one.case for one in listed if (one.case, one.backend) not in shown] == []


# ------------------------------------------------------------------------------- its page

PAGE = (Path(__file__).parent.parent / "docs" / "conformance.md").read_text()


def test_the_page_lists_every_known_disagreement():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ")]
    listed = [one for one in known.KNOWN if any(one.case in row and one.cause in row for row in rows)]
    assert [one.case for one in listed] == [one.case for one in known.KNOWN]


def test_the_pages_code_runs(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(code, {})
    assert capsys.readouterr().out == "True []\n"


# ------------------------------------------------------------------------------- thresholds

SOURCES = ("dualnn", "dualnn_torch", "dualnn_tf")
# Rooms in which no number of a user's network is computed.
ELSEWHERE = {
    "conformance", "benchmark", "native_loops", "plots", "diagnostics", "assignments", "datasets", "trace"
}  # fmt: skip


def constants():
    """Return the numbers that are named at the top of a module, as ``module.NAME``."""
    root = Path(dn.__file__).parent.parent
    for source in SOURCES:
        for path in sorted((root / source).rglob("*.py")):
            module = ".".join(path.relative_to(root).with_suffix("").parts)
            if ELSEWHERE & set(module.split(".")):
                continue
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.Assign) and is_number(node.value):
                    yield from (f"{module}.{n.id}" for t in node.targets for n in named(t) if n.id.isupper())


def compared_with():
    """Return the modules of the adapters in which a size is compared with a number as it stands."""
    root = Path(dn.__file__).parent.parent
    for path in (path for source in SOURCES[1:] for path in sorted((root / source).rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare):
                sides = [node.left, *node.comparators]
                numbers = [s.value for s in sides if isinstance(s, ast.Constant) and type(s.value) is int]
                yield from (f"{path.stem}, {number}" for number in numbers if number > 16)


def test_a_threshold_has_a_name():
    assert list(compared_with()) == []


def named(target):
    return [target] if isinstance(target, ast.Name) else getattr(target, "elts", [])


def is_number(node):
    """Return whether an expression is numbers alone, as ``2 * 2**30`` or ``9.0, 0.5``."""
    parts = [part for part in ast.walk(node) if isinstance(part, ast.expr)]
    kinds = (ast.Constant, ast.BinOp, ast.UnaryOp, ast.Tuple)
    return all(isinstance(part, kinds) for part in parts) and all(
        type(part.value) in (int, float) for part in parts if isinstance(part, ast.Constant)
    )


def test_every_threshold_has_cases_on_both_sides():
    found = set(constants())
    explained = {*thresholds.THRESHOLDS, *thresholds.NO_SIZES}
    assert found - explained == set(), "name it in cases/thresholds.py, with the cases on its two sides"
    assert {name for name in explained - found if hasattr_of(name) is None} == set()


def hasattr_of(name):
    module, _, constant = name.rpartition(".")
    return getattr(importlib.import_module(module), constant, None)


@pytest.mark.parametrize("name", thresholds.THRESHOLDS)
def test_the_cases_of_a_threshold_exist(name):
    patterns = thresholds.THRESHOLDS[name]
    found = [[c.id for c in runner.selected(catalogue.all_cases(), [p], "full")] for p in patterns]
    assert all(found)
    assert sum(map(len, found)) >= 2


def test_bfloat16_is_rounded_to_even_as_by_torch():
    generator = np.random.default_rng(0)
    x = (generator.normal(size=2000) * 10.0 ** generator.integers(-30, 30, 2000)).astype(np.float32)
    x = np.concatenate([x, np.float32([1 + 2**-8, 1 + 3 * 2**-8, np.inf, -np.inf, -0.0])])
    nn = dn.backend("torch")
    np.testing.assert_array_equal(rounded(x, "bfloat16"), nn.to_numpy(nn.asarray(x, dtype="bfloat16")))
    assert np.isnan(rounded(np.array([np.nan]), "bfloat16")).all()


# ------------------------------------------------------------------------------- random models


def test_random_models_as_a_command(monkeypatch):
    done = CliRunner().invoke(cli.app, ["conform", "--random", "3", "--seed", "7", "--jobs", "1"])
    assert done.exit_code == 0, done.output
    assert "3 random models from the seeds 7 to 7" in done.output
    assert "0 unexplained" in done.output
    nn = dn.backend("tensorflow")
    monkeypatch.setattr(nn, "matmul", lambda x, y, true=nn.matmul: true(x, y) * 1.001)
    monkeypatch.setattr(nn, "linear", lambda *x, true=nn.linear: true(*x) * 1.001)
    done = CliRunner().invoke(cli.app, ["conform", "--random", "10", "--jobs", "1"])
    assert done.exit_code == 1
    assert "def build():" in done.output
    assert "1 unexplained, whose code is above" in done.output
