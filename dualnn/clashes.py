"""Shared libraries that end the process when they are loaded after another one: loaded so that they do not.

One framework's library and triton, which the compiler of another one imports where it is installed, each hold
a copy of LLVM whose symbols have the same names. The framework's are visible to all that is loaded later, so
that triton's library would register its options with the framework's copy, where they are already: "LLVM
ERROR: inconsistency in registered CommandLine options". A library that is bound to its own symbols first does
not meet the others.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ExtensionFileLoader, ModuleSpec, PathFinder
from types import ModuleType

CLASHING = frozenset({"triton._C.libtriton"})
"""The modules whose library has symbols that a framework's library has, too."""


class _OwnSymbolsFirst(ExtensionFileLoader):
    """Loads a module whose library looks for symbols in itself before it looks in those loaded before."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        before = sys.getdlopenflags()
        sys.setdlopenflags(os.RTLD_NOW | os.RTLD_LOCAL | os.RTLD_DEEPBIND)
        try:
            return super().create_module(spec)
        finally:
            sys.setdlopenflags(before)


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname in CLASHING else None
        if spec is None or not isinstance(spec.loader, ExtensionFileLoader):
            return None
        loader: Loader = _OwnSymbolsFirst(fullname, spec.loader.path)
        spec.loader = loader
        return spec


def prevent() -> None:
    """Have clashing libraries loaded apart from others, whoever imports them and in whatever order."""
    is_there = any(isinstance(finder, _Finder) for finder in sys.meta_path)
    if hasattr(os, "RTLD_DEEPBIND") and not is_there:  # only Linux has both libraries
        sys.meta_path.insert(0, _Finder())
