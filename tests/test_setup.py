"""What is imported when, and what is said when a framework is missing or broken."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import dualnn as dn

# Makes the frameworks of a set look as if they were not installed.
HIDE = """
import importlib.abc, importlib.util, sys

class Hidden(importlib.abc.MetaPathFinder):
    def __init__(self, names):
        self.names = names

    def find_spec(self, fullname, path=None, target=None):
        if fullname.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None

def hide(*names):
    sys.meta_path.insert(0, Hidden(names))
    find_spec = importlib.util.find_spec
    importlib.util.find_spec = lambda name, package=None: (
        None if name.partition(".")[0] in names else find_spec(name, package)
    )
"""


def python(code, **environment):
    """Run code in a fresh interpreter and return what it prints."""
    env = {key: value for key, value in os.environ.items() if key != "DUALNN_BACKEND"} | environment
    done = subprocess.run(
        [sys.executable, "-c", HIDE + textwrap.dedent(code)], capture_output=True, text=True, env=env
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_dualnn_imports_no_framework_and_nothing_slow():
    heavy = {"torch", "tensorflow", "keras", "typer", "rich", "matplotlib", "sklearn", "scipy"}
    assert python(f"import dualnn, sys; print(sorted({heavy} & set(sys.modules)))") == "[]"


def test_importing_one_backend_leaves_the_other():
    print_loaded = "print(sorted({'torch', 'tensorflow'} & set(sys.modules)))"
    assert python(f"import dualnn; dualnn.backend('torch'); {print_loaded}") == "['torch']"
    assert python(f"import dualnn; dualnn.backend('tf'); {print_loaded}") == "['tensorflow']"


def test_without_any_framework():
    code = """
        hide("torch", "tensorflow", "keras")
        import dualnn as dn
        print(dn.available())
        try:
            dn.backend()
        except ImportError as error:
            print(error)
        """
    assert python(code).splitlines() == [
        "()",
        "no backend is installed; try: pip install 'dualnn[torch]' or pip install 'dualnn[tensorflow]'",
    ]


@pytest.mark.parametrize("name", ["torch", "tensorflow"])
def test_a_missing_framework(name):
    code = f"""
        hide({name!r})
        import dualnn as dn
        print({name!r} in dn.available())
        try:
            dn.backend({name!r})
        except dn.BackendNotAvailableError as error:
            print(error)
        """
    assert python(code).splitlines() == [
        "False",
        f"the backend {name!r} is not installed; try: pip install 'dualnn[{name}]'",
    ]


@pytest.mark.parametrize("name", ["torch", "tensorflow"])
def test_a_broken_framework(name, tmp_path):
    (tmp_path / f"{name}.py").write_text("raise OSError('libgomp.so.1: cannot open shared object file')")
    code = f"""
        import dualnn as dn
        print({name!r} in dn.available())
        try:
            dn.backend({name!r})
        except dn.BackendNotAvailableError as error:
            print(error)
        """
    assert python(code, PYTHONPATH=str(tmp_path)).splitlines() == [
        "True",
        f"the backend {name!r} cannot be imported (libgomp.so.1: cannot open shared object file); "
        f"try: pip install 'dualnn[{name}]'",
    ]


def test_an_unknown_backend():
    with pytest.raises(ValueError, match=r"unknown backend 'torhc'; did you mean 'torch'\? Known: "):
        dn.backend("torhc")


def test_available():
    assert set(dn.available()) == {"torch", "tensorflow"}


@pytest.mark.parametrize(
    ("value", "name"), [("torch", "torch"), ("tensorflow", "tensorflow"), ("tf", "tensorflow")]
)
def test_the_environment_variable(value, name):
    assert python("import dualnn; print(dualnn.backend().name)", DUALNN_BACKEND=value) == name


def test_use_outranks_the_environment_variable():
    code = "import dualnn; dualnn.use('torch'); print(dualnn.backend().name)"
    assert python(code, DUALNN_BACKEND="tensorflow") == "torch"


def test_a_wrong_environment_variable():
    code = """
        import dualnn as dn
        try:
            dn.backend()
        except ValueError as error:
            print(error)
        """
    assert python(code, DUALNN_BACKEND="jax").startswith("unknown backend 'jax'")


def test_both_frameworks_share_a_process_in_either_order():
    for order in (("torch", "tensorflow"), ("tensorflow", "torch")):
        code = f"""
            import dualnn as dn
            print([float(dn.backend(name).sum(dn.backend(name).ones(3))) for name in {order}])
            """
        assert python(code) == "[3.0, 3.0]"


@pytest.mark.parametrize("package", ["dualnn", "dualnn_torch", "dualnn_tf"])
def test_the_packages_are_typed(package):
    assert (Path(dn.__file__).parents[1] / package / "py.typed").is_file()


def test_the_lock_installs_anywhere():
    lock = Path(dn.__file__).parents[1] / "requirements.lock"
    lines = [line for line in lock.read_text().splitlines() if not line.startswith("#")]
    # pins of released versions: no index, no folder, no version for one kind of device
    assert all(line.count("==") == 1 and not set(line) & set(" +/:@") for line in lines)
    assert {"torch", "tensorflow-cpu"} <= {line.partition("==")[0] for line in lines}


def test_the_core_names_no_framework_but_in_the_help_texts_of_backends():
    core = Path(dn.__file__).parent
    naming = [
        str(path.relative_to(core))
        for path in core.rglob("*.py")
        if re.search(r"\b(torch|pytorch|tensorflow|tf)\b", path.read_text(), flags=re.IGNORECASE)
    ]
    # The list of disagreements is about frameworks; the cases name sources of formulas and of accuracies.
    about_them = {"conformance/known.py"} | {name for name in naming if name.startswith("conformance/cases/")}
    # Objects that users bring from a framework are known by the names of their classes, and sentences say
    # what to write instead.
    about_them |= {name for name in naming if name.startswith("foreign/")}
    about_them |= {f"layers/{name}.py" for name in ("layer", "symbolic", "torch_module_wrapper")}
    about_them |= {f"training/{name}.py" for name in ("data", "logits", "sources")}
    about_them |= {"losses.py", "metrics.py", "saving/endings.py"}
    assert sorted(set(naming) - about_them) == ["backends.py"]
