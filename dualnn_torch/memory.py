"""Memory between two calls of a graph."""

from __future__ import annotations

import torch

_LARGEST_THAT_COUNTS = 2**25 - 2**16  # bytes: 32 MB, and room for what the allocator adds


def keep_freed_memory():
    """Let the C library keep what a call frees, for the next call to use.

    glibc gives memory back to the system when twice the largest block that was ever freed lies unused, and
    the next call gets it again page by page, which may take longer than the call. Here a block of 32 MB, the
    largest that counts, is freed, so that up to 64 MB are kept from now on (mallopt(3), "dynamic mmap
    threshold"). Nothing is written to the block, so that it takes no memory itself, and what
    ``MALLOC_TRIM_THRESHOLD_`` says goes before.
    """
    torch.empty(_LARGEST_THAT_COUNTS, dtype=torch.uint8)
