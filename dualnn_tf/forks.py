"""What becomes of TensorFlow in a process that was forked from one where it has run: it waits forever.

Its threads are not in the new process, and the first operation waits for them. So in the new process the
adapter raises an error, whatever is asked of it.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType

from tensorflow.python.eager import context


class _Forked(ModuleType):
    """The adapter in a process where TensorFlow cannot run."""

    def __getattribute__(self, name):
        if name.startswith("__"):  # what Python itself asks of a module
            return super().__getattribute__(name)
        raise RuntimeError(
            "TensorFlow had run before this process was forked from another one, which leaves its threads "
            "behind, so that it would wait for them forever; start processes by 'spawn' or 'forkserver', or "
            "in joblib by its default 'loky'"
        )


_has_run = False


def _look():
    global _has_run
    # before its first operation TensorFlow has no threads, and then works on either side
    _has_run = getattr(context.context(), "_initialized", True)


def _leave():
    if _has_run:
        sys.modules[__package__].__class__ = _Forked


if hasattr(os, "register_at_fork"):  # Windows has no forks
    os.register_at_fork(before=_look, after_in_child=_leave)
