"""Importing TensorFlow without the notices that it prints at every start.

They come from C++ code on file descriptor 2, some of them whatever TF_CPP_MIN_LOG_LEVEL says.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys

NOTICES = (
    "All log messages before absl::InitializeLog() is called are written to STDERR",
    "oneDNN custom operations are on.",
    "This TensorFlow binary is optimized to use available CPU instructions",
    "To enable the following instructions:",
)


@contextlib.contextmanager
def quiet():
    """Leave the notices out of what is printed on file descriptor 2; all else is printed at the end.

    Another process does it, so that what is printed last is seen even if this process crashes.
    """
    grep = shutil.which("grep")
    if grep is None:
        yield
        return
    sys.stderr.flush()
    stderr = os.dup(2)
    command = [grep, "--text", "--invert-match", "--fixed-strings", "\n".join(NOTICES)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=stderr) as process:
        os.dup2(process.stdin.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
with contextlib.nullcontext() if "tensorflow" in sys.modules else quiet():
    import tensorflow  # noqa: F401
