"""Disagreements that are the frameworks' own: listed with their cause, and shown in every report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dualnn.conformance.runner import Target


@dataclass(frozen=True)
class Known:
    """A disagreement of one framework with what is expected.

    Attributes:
        case: the case's id.
        backend: whose it is.
        cause: what the framework does, in a sentence.
        link: where that is documented or reported; empty if nowhere.
        kinds: what of the case it concerns; all if empty.
        modes: how the case is run where it shows; all if empty.
    """

    case: str
    backend: str
    cause: str
    link: str = ""
    kinds: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()


KNOWN: list[Known] = [
    Known(
        "gelu: left tail",
        "torch",
        "computes 1 + erf, which cancels for negative x: a third of the digits are left at -4, none at -6",
        "https://github.com/pytorch/pytorch/issues/187806",
    ),
    Known(
        "gelu: special values",
        "torch",
        "gives NaN for infinity in float32, where oneDNN computes it",
        "https://github.com/pytorch/pytorch/issues/185770",
    ),
    Known(
        "softmax: of NaN",
        "tensorflow",
        "gives 0 for the other entries of a row with NaN in float32, where oneDNN computes it",
    ),
    Known(
        "max_pool2d: NaN",
        "tensorflow",
        "leaves NaN out on a CPU, but for channels that a vector instruction computes",
        "https://github.com/tensorflow/tensorflow/issues/125965",
    ),
    Known(
        "max_pool2d: infinities",
        "tensorflow",
        "starts from the lowest finite number on a CPU, which is larger than minus infinity",
        "https://github.com/tensorflow/tensorflow/issues/2501",
    ),
    Known(
        "conv2d: of no images",
        "tensorflow",
        "gives the image's shape instead of the output's in float32, where oneDNN computes it",
    ),
]


def cause(case: str, kind: str, target: Target) -> str | None:
    """Return why a case disagrees on a target, or None if no reason is known."""
    for one in KNOWN:
        if (
            (one.case, one.backend) == (case, target.backend)
            and kind in (one.kinds or (kind,))
            and target.mode in (one.modes or (target.mode,))
        ):
            return f"{one.cause} ({one.link})" if one.link else one.cause
    return None
