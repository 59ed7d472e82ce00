"""The command line, run in this process as the console script runs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dualnn import cli


@pytest.fixture
def dualnn(monkeypatch, capsys):
    """Run the command with arguments; return its exit code, standard output and standard error."""
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["dualnn", *arguments])
        with pytest.raises(SystemExit) as exited:
            cli.main()
        return exited.value.code or 0, *capsys.readouterr()

    return run


def test_run_on_one_backend(dualnn, backend):
    code, out, err = dualnn("run", "iris", "--backend", backend, "--epochs", "2")
    assert code == 0
    assert err == ""
    assert backend in out
    assert "test accuracy" in out
    assert "agree" not in out


def test_run_on_the_default_backend(dualnn, backend):
    code, out, _ = dualnn("run", "iris", "--epochs", "1")
    assert code == 0
    assert backend in out


def test_run_on_both(dualnn):
    code, out, err = dualnn("run", "iris", "--backend", "both", "--epochs", "2", "--dtype", "float64")
    assert code == 0
    assert err == ""
    assert "torch" in out
    assert "tensorflow" in out
    assert "how far the two agree, in float64" in out
    (initial,) = (line for line in out.splitlines() if "bit-identical" in line)
    assert "yes" in initial


def test_plot(dualnn, tmp_path):
    path = tmp_path / "curves.png"
    code, out, _ = dualnn("run", "iris", "--backend", "both", "--epochs", "2", "--plot", str(path))
    assert code == 0
    assert path.read_bytes().startswith(b"\x89PNG")
    assert "curves.png" in out


def test_assignment(dualnn, backend, tmp_path):
    path = tmp_path / "report.html"
    code, out, err = dualnn(
        "assignment", "iris", "--backend", backend, "--quick", "--epochs", "2", "--report", str(path)
    )
    assert code == 0
    assert err == ""
    assert f"iris on {backend}: 3 networks, 3-fold cross-validation" in out
    assert "tested once" in out
    assert "report.html" in out
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.slow
def test_assignment_on_both(dualnn):
    code, out, _ = dualnn("assignment", "iris", "--backend", "both", "--quick", "--epochs", "1")
    assert code == 0
    assert "Both backends tried the same 3 networks" in out


def test_quiet(dualnn):
    assert dualnn("assignment", "iris", "--quick", "--epochs", "1", "--quiet") == (0, "", "")
    assert dualnn("run", "iris", "--epochs", "1", "--quiet") == (0, "", "")


def test_versions_import_no_framework():
    code = """
import sys
from dualnn import cli
sys.argv = ["dualnn", "--version"]
try:
    cli.main()
finally:
    assert not {"torch", "tensorflow", "matplotlib"} & set(sys.modules)
"""
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert set(lines) == {"dualnn", "torch", "tensorflow"}
    assert all(version[0].isdigit() for version in lines.values())


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "iris", "--backend", "torhc"], 1, "unknown backend 'torhc'; did you mean 'torch'?"),
        (["run", "iris", "--device", "abacus"], 1, "abacus"),
        (["run", "iris", "--plot", "/no/such/folder/curves.png", "--epochs", "1"], 1, "/no/such/folder"),
        (["run", "iris", "--plot", "curves.xyz", "--epochs", "1"], 1, "xyz"),
        (["run", "mnist", "--data-dir", "/no/such/folder"], 1, "'mnist' is not in /no/such/folder"),
        (["run", "irsi"], 1, "unknown assignment 'irsi'; did you mean 'iris'?"),
        (["assignment", "irsi"], 1, "unknown assignment 'irsi'; did you mean 'iris'?"),
        (["assignment", "iris", "--backend", "torhc"], 1, "unknown backend 'torhc'; did you mean 'torch'?"),
        (["assignment", "iris", "--report", "/no/such/folder/report.html"], 1, "/no/such/folder"),
        (["assignment", "iris", "--report", "/"], 1, "/ is a folder; give the name of a file"),
        (["assignment", "mnist", "--data-dir", "/no/such/folder"], 1, "'mnist' is not in /no/such/folder"),
        (["assignment", "iris", "--epochs", "0"], 2, "--epochs"),
        (["run", "iris", "--dtype", "int8"], 1, "unknown floating-point dtype 'int8'"),
        (["run", "iris", "--epochs", "0"], 2, "--epochs"),
        (["walk"], 2, "walk"),
        (["run", "iris", "--report", "x.html"], 2, "No such option: --report"),
        (["assignment", "iris", "--report", "x.pdf"], 1, "x.pdf: the report is a page of HTML"),
    ],
)
def test_errors_are_one_sentence(dualnn, arguments, code, message):
    got, out, err = dualnn(*arguments)
    assert got == code
    assert out == ""
    assert message in err
    assert "Traceback" not in err
    if code == 1:
        assert err.startswith("dualnn: ")
        assert err.count("\n") == 1


def test_help_is_asked_for_as_everywhere(dualnn):
    for arguments in (["-h"], ["--help"], ["run", "-h"], ["compare", "-h"]):
        code, out, err = dualnn(*arguments)
        assert (code, err) == (0, "")
        assert "Usage:" in out
    out = subprocess.run(
        [sys.executable, "-m", "dualnn", "-h"], check=True, capture_output=True, text=True
    ).stdout
    assert "compare" in out


OWN = """
import dualnn as dn

def build():
    return dn.Sequential([dn.layers.Dense(3)])

def sized(n):
    return build()

def forgotten():
    build()

def kind():
    return dn.Sequential

def raises():
    raise KeyError("boom")

def negative():
    return dn.layers.Dense(-3)

class Attribute(dn.Model):
    def call(self, x):
        return x.no_such_thing

def late():
    return Attribute()
"""


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("own_modle:build", "there is no module 'own_modle', here or among those installed"),
        ("own_model:biuld", "module 'own_model': unknown function 'biuld'; did you mean 'build'?"),
        ("own_model", "expected module:function, as one imports it, got 'own_model'"),
        ("own_model.py:build", "expected module:function, as one imports it, got 'own_model.py:build'"),
        ("own_model:sized", "own_model:sized must be a function without arguments that returns a model"),
        ("own_model:forgotten", "to return a dualnn model, got None; end the function with return model"),
        ("own_model:kind", "to return a dualnn model, got the class Sequential"),
        ("own_model:raises", "own_model.py:17: KeyError: 'boom'"),
        ("own_model:negative", "own_model.py:20: ValueError: units must be a positive whole number, got -3"),
        ("own_model:late", "own_model.py:24: AttributeError: "),
        ("own_import:build", "own_import.py:1: ModuleNotFoundError: No module named 'no_such_thing'"),
        ("own_syntax:build", "own_syntax.py:1: SyntaxError: "),
    ],
)
def test_compare_says_what_is_wrong_with_ones_own_code(dualnn, tmp_path, monkeypatch, target, message):
    (tmp_path / "own_model.py").write_text(OWN)
    (tmp_path / "own_import.py").write_text("import no_such_thing")
    (tmp_path / "own_syntax.py").write_text("def build(:")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("own_model", None)
    code, out, err = dualnn("compare", target, "--input", "4,5")
    assert (code, out) == (1, "")
    assert message in err
    assert err.startswith("dualnn: ")
    assert err.count("\n") == 1


def test_the_progress_bar_on_a_terminal(dualnn, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes standard error for a terminal
    monkeypatch.setenv("TTY_INTERACTIVE", "1")
    _, _, err = dualnn("run", "iris", "--epochs", "2")
    assert "iris on " in err
    assert "2/2" in err
    _, _, err = dualnn("assignment", "iris", "--quick", "--epochs", "2")
    assert "the best multi-layer network" in err  # the last step; others may pass between two pictures
    assert "%" in err
