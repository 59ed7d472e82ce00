"""A hook of MkDocs: the lessons, which lie outside of the documentation's folder, become pages of it.

A lesson is a Python file in cells (``# %%``). Each becomes a page with its text and its code; if the
environment variable ``DUALNN_RUN_LESSONS`` is 1, it is executed, and what it prints and draws stands
below each cell. That takes minutes, so it is off by default, and the page says so.
"""

from __future__ import annotations

import base64
import importlib.util
import logging
import os
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import jupytext
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

log = logging.getLogger("mkdocs.hooks.lessons")
LESSONS = Path(__file__).parent.parent / "lessons"
SWITCH = "DUALNN_RUN_LESSONS"
FORMULA = re.compile(r"(?P<code>`[^`]*`)|(?P<mark>\$\$?)(?P<tex>[^$]+)(?P=mark)")
NOT_RUN = f"""
!!! note "Without outputs"
    This page was built without running the lesson; `{SWITCH}=1 mkdocs build` runs it, and shows what it
    prints and draws.
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each lesson, the pictures that it draws, and its place in the navigation."""
    run = os.environ.get(SWITCH, "0") == "1"
    for lesson in sorted(LESSONS.glob("[0-9]*.py")):
        notebook = jupytext.read(lesson)
        if run:
            _execute(lesson.name, notebook)
        page, pictures = _page(lesson, notebook, run)
        files.append(File.generated(config, f"lessons/{lesson.stem}.md", content=page))
        for name, picture in pictures.items():
            files.append(File.generated(config, f"lessons/{name}", content=picture))
        _navigation(config).append(f"lessons/{lesson.stem}.md")
    return files


def on_serve(server: Any, config: MkDocsConfig, builder: Any) -> Any:
    """Build again when a lesson changes."""
    if LESSONS.is_dir():
        server.watch(str(LESSONS))
    return server


def _navigation(config: MkDocsConfig) -> list[Any]:
    """Return the section of the navigation that holds the lessons."""
    section: list[Any] = next(part["Lessons"] for part in config.nav or [] if "Lessons" in part)
    return section


def _execute(name: str, notebook: Any) -> None:
    # these start a process; they are only needed if lessons are run
    from nbclient import NotebookClient
    from nbformat.v4 import new_code_cell

    started = time.perf_counter()
    notebook.cells.insert(0, new_code_cell("%matplotlib inline"))  # a figure is a picture, pyplot or not
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, kernel_name="python3", timeout=1800).execute(cwd=folder)
    del notebook.cells[0]
    log.info("%s ran for %.0f s", name, time.perf_counter() - started)


def _page(lesson: Path, notebook: Any, run: bool) -> tuple[str, dict[str, bytes]]:
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(FORMULA.sub(_formula, cell.source))
        elif cell.cell_type == "code" and cell.source.strip():
            parts.append(_fence("python", cell.source))
            for text, picture in map(_output, cell.get("outputs", ())):
                if picture is not None:
                    name = f"{lesson.stem}-{len(pictures) + 1}.png"
                    pictures[name] = picture
                    text = f"![What this cell draws]({name})"
                parts.append(text)
    if not run:
        parts.insert(1, NOT_RUN)
    return "\n\n".join(filter(None, parts)), pictures


def _formula(match: re.Match[str]) -> str:
    """Return a formula as MathML, which browsers draw; without the converter, as it is written."""
    if match["code"]:
        return match["code"]
    if importlib.util.find_spec("latex2mathml") is None:
        return f"`{match['tex'].strip()}`"
    from latex2mathml.converter import convert

    mathml = convert(match["tex"], display="block" if match["mark"] == "$$" else "inline")
    return " ".join(mathml.split())


def _output(output: Any) -> tuple[str, bytes | None]:
    """Return the Markdown of what a cell has put out, or a picture."""
    if output.output_type == "stream":
        # what frameworks say on the standard error is not of the lesson
        return (_fence("text", output.text) if output.name == "stdout" else ""), None
    data = output.get("data", {})
    if "image/png" in data:
        return "", base64.b64decode(data["image/png"])
    return _fence("text", data["text/plain"]) if "text/plain" in data else "", None


def _fence(language: str, text: str) -> str:
    ticks = "```" if "```" not in text else "````"
    return f"{ticks}{language}\n{text.rstrip()}\n{ticks}"
