"""An extension of Griffe: docstrings as dualnn writes them become the Markdown that the site shows.

Examples that begin with ``>>>`` stand in the text itself, and names in single backticks refer to
something in the scope of the object. So examples are put into code
blocks, and names that are found become links.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_EXAMPLE = re.compile(r"^(?P<indent> *)>>> .*(?:\n(?! *$).*)*", re.MULTILINE)
_DIRECTIVE = re.compile(r" *# doctest: .*$", re.MULTILINE)
_NAME = re.compile(r"(?<!`)`(?P<name>[A-Za-z_][\w.]*)`(?!`)")


class Docstrings(griffe.Extension):
    """Rewrites every docstring once it has been read."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Put examples into code blocks."""
        if obj.docstring:
            obj.docstring.value = _EXAMPLE.sub(_fenced, obj.docstring.value)

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Link names, when everything that they may mean has been read."""
        self._link(pkg)

    def _link(self, obj: griffe.Object) -> None:
        if obj.docstring:
            parts = re.split(r"(^ *```.*?^ *```)", obj.docstring.value, flags=re.MULTILINE | re.DOTALL)
            parts[::2] = [_NAME.sub(lambda match: _linked(obj, match), part) for part in parts[::2]]
            obj.docstring.value = "".join(parts)
        for member in obj.members.values():
            if not member.is_alias:
                self._link(member)


def _fenced(match: re.Match[str]) -> str:
    indent, code = match["indent"], _DIRECTIVE.sub("", match[0])
    return f"{indent}```pycon\n{code}\n{indent}```"


def _linked(obj: griffe.Object, match: re.Match[str]) -> str:
    path = _path(obj, match["name"])
    # an optional reference stays plain code where no page is about what it means
    return (
        f'<autoref optional identifier="{path}"><code>{match["name"]}</code></autoref>' if path else match[0]
    )


def _path(obj: griffe.Object, name: str) -> str | None:
    """Return what a name means in the scope of an object; None for a parameter, or what is no name."""
    first, _, rest = name.partition(".")
    if first == "dualnn":
        return name
    if obj.is_function and any(parameter.name == first for parameter in obj.parameters):
        return None
    try:
        path = obj.resolve(first)
    except griffe.NameResolutionError:
        return None
    return f"{path}.{rest}" if rest else path
