"""Models: layers that can be compiled, trained, evaluated and saved."""

from dualnn.models.model import Model
from dualnn.models.sequential import Sequential

__all__ = ["Model", "Sequential"]
