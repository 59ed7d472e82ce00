"""Where and how a case is run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dualnn import backends
from dualnn.protocol import Backend


@dataclass(frozen=True)
class Target:
    """Where and how a case is run."""

    backend: str
    device: str
    dtype: str
    mode: str
    """``"eager"`` or ``"compiled"``."""

    def __str__(self) -> str:
        return f"{self.backend} {self.device} {self.dtype} {self.mode}"


def targets(
    names: Iterable[str] | None = None,
    devices: Iterable[str] | None = None,
    dtypes: Iterable[str] = ("float32", "float64"),
    level: str = "quick",
) -> list[Target]:
    """Return where and how to run: every available backend, its devices, dtypes, eagerly and compiled.

    The quick level compiles in float32 only. A backend whose ``compile`` changes nothing is not run twice.
    """
    found = []
    for name in names or backends.available():
        nn = backends.backend(name)
        for device in devices or nn.devices():
            for dtype in dtypes:
                found.append(Target(nn.name, nn.canonical_device(device), dtype, "eager"))
                if _compiles(nn) and (level == "full" or dtype == "float32"):
                    found.append(Target(nn.name, nn.canonical_device(device), dtype, "compiled"))
    return found


def _compiles(nn: Backend) -> bool:
    def function() -> None: ...

    return nn.compile(function) is not function
