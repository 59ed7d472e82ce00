"""Where and how a case is run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dualnn import backends
from dualnn.conformance.case import FLOATS, HALVES
from dualnn.protocol import Backend

DTYPES = (*FLOATS, *HALVES)
MODES = ("eager", "compiled", "jit")


@dataclass(frozen=True)
class Target:
    """Where and how a case is run."""

    backend: str
    device: str
    dtype: str
    mode: str
    """``"eager"``, ``"compiled"`` (as a graph) or ``"jit"`` (as machine code: inductor's or XLA's)."""

    def __str__(self) -> str:
        return f"{self.backend} {self.device} {self.dtype} {self.mode}"


def targets(
    names: Iterable[str] | None = None,
    devices: Iterable[str] | None = None,
    dtypes: Iterable[str] = DTYPES,
    level: str = "quick",
) -> list[Target]:
    """Return where and how to run: every available backend, its devices, dtypes, and ways to execute.

    The quick level makes machine code in float32 only. A backend whose ``compile`` changes nothing is not run
    twice, and a dtype that it lacks is left out.
    """
    found = []
    for name in names or backends.available():
        nn = backends.backend(name)
        for device in devices or nn.devices():
            for dtype in (one for one in dtypes if hasattr(nn, one)):
                modes = list(MODES if _compiles(nn) else MODES[:1])
                if level != "full" and dtype != "float32":
                    modes = [mode for mode in modes if mode != "jit"]
                found += [Target(nn.name, nn.canonical_device(device), dtype, mode) for mode in modes]
    return found


def _compiles(nn: Backend) -> bool:
    def function() -> None: ...

    return nn.compile(function) is not function
