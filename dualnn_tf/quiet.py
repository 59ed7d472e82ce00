"""Importing TensorFlow without the notices that it prints at every start.

They come from C++ code on file descriptor 2, some of them whatever TF_CPP_MIN_LOG_LEVEL says.
All else that the import prints, an error above all, is printed once the import is done.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile

NOTICES = (
    b"All log messages before absl::InitializeLog() is called are written to STDERR",
    b"oneDNN custom operations are on.",
    b"This TensorFlow binary is optimized to use available CPU instructions",
    b"To enable the following instructions:",
)


@contextlib.contextmanager
def quiet():
    """Hold back what is printed on file descriptor 2, and print it at the end without the notices."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            for line in held:
                if not any(notice in line for notice in NOTICES):
                    os.write(2, line)


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
with contextlib.nullcontext() if "tensorflow" in sys.modules else quiet():
    import tensorflow  # noqa: F401
