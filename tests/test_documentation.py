"""The documentation is true: the site builds without a broken link, its code runs, its commands exist.

README.md's code is run by test_readme.py; its commands are looked at here.
"""

from __future__ import annotations

import contextlib
import doctest
import functools
import importlib
import importlib.util
import inspect
import io
import os
import re
import shlex
import subprocess
import sys
import textwrap
import tomllib
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import typer.main

import dualnn as dn
from dualnn import assignments, cli

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = {str(path.relative_to(ROOT)): path for path in sorted(DOCS.rglob("*.md"))}

FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^(?P=indent)```$", re.DOTALL | re.M
)
SETUP = re.compile(r"<!-- setup\n(?P<code>.*?)-->", re.DOTALL)
VARIES = re.compile(r"\s*(<!-- numbers vary -->\s*)?")  # between a block and what it prints
NUMBER = re.compile(r"\d+(\.\d+)?(e[+-]\d+)?")
NOT_RUN = re.compile(r"<!-- not run: (?P<reason>[^>]+) -->\s*$")

# Blocks of Python that a page says cannot run here. Another one needs a reason there, and its number here.
NOT_RUN_BLOCKS = {"docs/benchmark.md": 1}


@dataclass(frozen=True)
class Block:
    """A block of code of a page; what it prints, if the page says; and why it is not run, if it is not."""

    language: str
    code: str
    line: int
    prints: str | None = None
    numbers_vary: bool = False
    not_run: str | None = None


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text()
    found: list[Block] = []
    end = 0
    for match in sorted([*FENCE.finditer(text), *SETUP.finditer(text)], key=lambda match: match.start()):
        line = text.count("\n", 0, match.start()) + 2
        code = textwrap.dedent(match["code"])
        if match.re is SETUP:  # what a page does not show, for code that takes its names for granted
            found.append(Block("python", code, line))
            continue
        before = text[end : match.start()]
        printed = VARIES.fullmatch(before)
        if match["language"] == "text" and printed and found and found[-1].language == "python":
            found[-1] = replace(found[-1], prints=code, numbers_vary=bool(printed[1]))
        else:
            reason = NOT_RUN.search(before)
            found.append(Block(match["language"], code, line, not_run=reason and reason["reason"]))
        end = match.end()
    return found


def python_blocks(page: Path) -> list[Block]:
    return [block for block in blocks_of(page) if block.language == "python"]


# ------------------------------------------------------------------ code

WITH_CODE = [name for name, page in PAGES.items() if any(not b.not_run for b in python_blocks(page))]


@pytest.mark.parametrize("name", WITH_CODE)
def test_the_code_of_a_page_runs(name, backend, tmp_path, monkeypatch):
    for module in ("sklearn", "matplotlib"):
        pytest.importorskip(module)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DUALNN_BACKEND", backend)
    dn.random.seed(0)
    names = {"__name__": "__main__"}
    for block in python_blocks(PAGES[name]):
        if block.not_run:
            continue
        source = "\n" * (block.line - 1) + block.code  # a traceback then names the line of the page
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(source, name, "exec"), names)
        if block.prints is not None:
            assert_printed(block, printed.getvalue(), name)


def assert_printed(block, printed, name):
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    checker, expected = doctest.OutputChecker(), doctest.Example("", block.prints)
    if block.numbers_vary:  # the machine's rounding: only the words are compared
        expected, printed = doctest.Example("", NUMBER.sub("1", block.prints)), NUMBER.sub("1", printed)
    if not checker.check_output(expected.want, printed, flags):
        difference = checker.output_difference(expected, printed, flags)
        pytest.fail(f"{name}, line {block.line}: {difference}", pytrace=False)


def test_no_block_of_code_hides():
    not_run = {name: sum(bool(b.not_run) for b in python_blocks(page)) for name, page in PAGES.items()}
    assert {name: count for name, count in not_run.items() if count} == NOT_RUN_BLOCKS
    languages = {block.language for page in PAGES.values() for block in blocks_of(page)}
    assert languages <= {
        "python",
        "sh",
        "text",
        "toml",
        "",
    }  # without a language: a drawing, or a list of commands


def test_a_wrong_output_is_found():
    with pytest.raises(pytest.fail.Exception, match=r"page\.md, line 3"):
        assert_printed(Block("python", "", 3, "0.9...\n"), "0.8123\n", "page.md")
    with pytest.raises(pytest.fail.Exception):
        assert_printed(Block("python", "", 3, "loss 0.5\n", numbers_vary=True), "loss nan\n", "page.md")


# ------------------------------------------------------------------ commands


def commands():
    for name, page in {"README.md": ROOT / "README.md", **PAGES}.items():
        for block in blocks_of(page):
            if block.language == "sh":
                lines = block.code.replace("\\\n", " ").splitlines()
                yield from ((name, line) for line in lines if line.split("#")[0].strip())


@functools.cache
def known_commands():
    return typer.main.get_command(cli.app).commands


def check_dualnn(words):
    if words in (["--version"], ["--help"]):
        return
    command = known_commands()[words[0]]
    options = {name for parameter in command.params for name in parameter.opts} | {"--help"}
    assert {word for word in words if word.startswith("-")} <= options
    if words[0] == "run":
        assert words[1] in assignments.ASSIGNMENTS


def check_pip(words):
    assert words[0] == "install"
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for named in re.findall(r"\[(.+?)\]", " ".join(words)):
        assert set(named.split(",")) <= set(extras)


def check_make(words):
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(words) <= set(targets)


def check_python(words):
    if "/" in words[0]:  # a script of the reader's, train.py, may have any name
        assert (ROOT / words[0]).is_file()


def check_pytest(words):
    assert words[0] == "--pyargs"
    assert importlib.util.find_spec(words[1])


CHECKS = {
    "dualnn": check_dualnn,
    "pip": check_pip,
    "make": check_make,
    "python": check_python,
    "pytest": check_pytest,
}


@pytest.mark.parametrize(("name", "line"), list(commands()))
def test_a_command_exists(name, line):
    words = shlex.split(line, comments=True)
    while re.fullmatch(r"[A-Z_]+=.*", words[0]):
        variable = words.pop(0).partition("=")[0]
        assert any(f'"{variable}"' in source.read_text() for source in ROOT.glob("dualnn/**/*.py"))
    CHECKS[words[0]](words[1:])


# ------------------------------------------------------------------ the site


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder that the site was built into."""
    for module in ("mkdocs", "material", "mkdocstrings", "jupytext"):
        pytest.importorskip(module)
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "DUALNN_RUN_LESSONS": "0"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_the_site_has_every_page(site):
    for name in PAGES:
        assert (site / Path(name).relative_to("docs").with_suffix(".html")).is_file()
    for lesson in (ROOT / "lessons").glob("[0-9]*.py"):
        assert (site / "lessons" / f"{lesson.stem}.html").is_file()


def test_the_site_needs_nothing_from_elsewhere(site):
    loaded = re.compile(r"<(?:script|img|iframe)[^>]+src=\"([^\"]+)|<link[^>]+href=\"([^\"]+)")
    for page in site.rglob("*.html"):
        urls = ["".join(pair) for pair in loaded.findall(page.read_text())]
        assert urls
        assert not [url for url in urls if re.match(r"(https?:)?//", url)]


def public_names():
    """Return what a user may write behind ``dn.``: the name, and where the class or function is defined."""
    for name in [*dn.__all__, "sklearn"]:
        member = getattr(dn, name)
        if is_function_or_class(member):
            yield f"dn.{name}", defined_at(member)
            continue
        for inner, value in vars(member).items():
            exported = getattr(member, "__all__", None)
            is_public = (
                defined_at(value).startswith(member.__name__) if exported is None else inner in exported
            )
            if is_public and is_function_or_class(value) and not inner.startswith("_"):
                yield f"dn.{name}.{inner}", defined_at(value)


def is_function_or_class(value):
    return inspect.isclass(value) or inspect.isfunction(value)


def defined_at(value):
    return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}"


def test_every_public_name_is_on_a_page_of_the_api(site):
    # the inventory lists all that has a heading; the lines after its fourth are compressed
    inventory = zlib.decompress((site / "objects.inv").read_bytes().split(b"\n", 4)[4]).decode()
    entries = [line.split(" ") for line in inventory.splitlines()]
    documented = {name for name, _, _, url, *_ in entries if url.startswith("api/")}
    missing = sorted(name for name, defined in public_names() if defined not in documented)
    assert not missing, f"add to a page of docs/api: {', '.join(missing)}"
