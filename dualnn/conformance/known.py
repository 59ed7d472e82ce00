"""Disagreements that are the frameworks' own: listed with their cause, and shown in every report."""

from __future__ import annotations

from dataclasses import dataclass

from dualnn.conformance.target import Target


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
        dtypes: in which it shows; all if empty.
    """

    case: str
    backend: str
    cause: str
    link: str = ""
    kinds: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()


_INDUCTOR = "https://github.com/pytorch/pytorch/blob/v2.13.0/torch/_inductor/codegen/cpp.py"

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
        "max_pool2d: NaN",
        "tensorflow",
        "leaves NaN out on a CPU, but for channels that a vector instruction computes",
        "https://github.com/tensorflow/tensorflow/issues/125965",
    ),
    *(
        Known(
            f"layers.MaxPooling2D: NaN, behind Conv2D and relu, of {what}",
            "tensorflow",
            "leaves NaN out on a CPU, but for channels that a vector instruction computes",
            "https://github.com/tensorflow/tensorflow/issues/125965",
        )
        for what in ("a sample", "the kernel", "the bias")
    ),
    Known(
        "max_pool2d: infinities",
        "tensorflow",
        "starts from the lowest finite number on a CPU, which is larger than minus infinity",
        "https://github.com/tensorflow/tensorflow/issues/2501",
    ),
    Known(
        "maximum: gradient at ties",
        "tensorflow",
        "gives the gradient at ties to the first argument, where PyTorch shares it",
        "https://github.com/tensorflow/swift-apis/issues/479",
    ),
    Known(
        "minimum: gradient at ties",
        "tensorflow",
        "gives the gradient at ties to the first argument, where PyTorch shares it",
        "https://github.com/tensorflow/swift-apis/issues/479",
    ),
    Known(
        "pow: gradient of the power 0 at 0",
        "tensorflow",
        "multiplies the exponent 0 by x**-1, which is infinite at 0: NaN",
        "https://github.com/tensorflow/tensorflow/issues/35011",
    ),
    Known(
        "where: gradient with an infinite slope not taken",
        "torch",
        "multiplies the slope of what is not taken by 0; inf * 0 is NaN",
        "https://github.com/pytorch/pytorch/issues/187297",
    ),
    Known(
        "prod: complex",
        "tensorflow",
        "differentiates the cumprod in its gradient without conjugates",
        "https://github.com/tensorflow/tensorflow/issues/12514",
        kinds=("second derivative",),
    ),
    Known(
        "prod: with a zero",
        "tensorflow",
        "divides by the factors where it differentiates the cumprod in its gradient, by 0 with result 0",
        "https://github.com/tensorflow/tensorflow/issues/61117",
        kinds=("second derivative",),
    ),
    Known(
        "linalg.det: complex",
        "tensorflow",
        "multiplies the gradient by the determinant and not by its conjugate",
        "https://github.com/tensorflow/tensorflow/blob/v2.21.0/tensorflow/python/ops/linalg_grad.py",
        kinds=("gradient",),
    ),
    Known(
        "linalg.slogdet: complex",
        "tensorflow",
        "takes the sign of a complex determinant for a constant",
        "https://github.com/tensorflow/tensorflow/blob/v2.21.0/tensorflow/python/ops/linalg_grad.py",
        kinds=("gradient",),
    ),
    Known(
        "linalg.svd: complex",
        "torch",
        "looks at numbers in its gradient, to refuse losses that depend on a phase: no graph can hold that",
        "https://github.com/pytorch/pytorch/blob/v2.13.0/torch/csrc/autograd/FunctionsManual.cpp",
        kinds=("gradient",),
        modes=("compiled",),
    ),
    Known(
        "linalg.det: gradient at a singular matrix",
        "torch",
        "multiplies the inverse of a matrix close by with the determinant 0: zeros for the cofactors",
        "https://github.com/pytorch/pytorch/issues/104675",
    ),
    Known(
        "linalg.det: gradient at a singular matrix",
        "tensorflow",
        "inverts the matrix, which is an error",
        "https://github.com/tensorflow/tensorflow/issues/119477",
    ),
    Known(
        "gelu: whole range",
        "torch",
        "computes 1 + erf, which cancels for negative x, and overflows where x * (1 + erf) does",
        "https://github.com/pytorch/pytorch/issues/187806",
        kinds=("forward",),
    ),
    Known(
        "gelu: special values, in a graph",
        "torch",
        "gives NaN for infinity in float32, where oneDNN computes it",
        "https://github.com/pytorch/pytorch/issues/185770",
    ),
    Known(
        "erf: whole range",
        "torch",
        "computes erf of 16 bits by a polynomial whose error is relative to 1, not to the result",
        dtypes=("bfloat16", "float16"),
    ),
    *(
        Known(name, "torch", cause, _INDUCTOR, kinds=("forward",), modes=("jit",))
        for name, cause in {
            "acosh: whole range": "overflows in SLEEF's function, which inductor calls, for large numbers",
            "atanh: whole range": "is log((1 + x) / (1 - x)) / 2 in inductor's kernels, 0 for small x",
            "erf: whole range": "is a polynomial in inductor's kernels, whose error is relative to 1",
            "expm1: whole range": "is exp(x) - 1 in inductor's kernels, which is 0 for small x",
            "elu: whole range": "is made of exp(x) - 1 in inductor's kernels, which is 0 for small x",
            "selu: whole range": "is made of exp(x) - 1 in inductor's kernels, which is 0 for small x",
        }.items()
    ),
    Known(
        "layers.MultiHeadAttention: NaN, by itself, of the kernel",
        "torch",
        "gives 0 for a row of scores that are NaN, in its attention kernel for CPUs",
    ),
    *(
        Known(
            name,
            "tensorflow",
            "adds log(1 / 2) to the argument in XLA's kernels, which rounds it",
            kinds=("forward",),
            modes=("jit",),
        )
        for name in ("cosh: whole range", "sinh: whole range")
    ),
    *(
        Known(
            name,
            "tensorflow",
            "divides by a hyperbolic function of the result, which magnifies its rounding",
            kinds=("gradient",),
        )
        for name in ("acosh: whole range", "asinh: whole range")
    ),
    Known(
        "tanh: whole range",
        "tensorflow",
        "is a quotient of polynomials in Eigen's kernels, off by up to 8 units in the last place close to 1",
        kinds=("forward",),
    ),
    Known(
        "erf: whole range",
        "tensorflow",
        "is a quotient of polynomials in Eigen's kernels, off by up to 5 units in the last place close to 1",
        kinds=("forward",),
        dtypes=("float32",),
    ),
    Known(
        "activations.mish: whole range",
        "tensorflow",
        "is one kernel of oneDNN in graphs of float32, which gives 0 from about -14 down",
        kinds=("forward",),
        modes=("compiled",),
    ),
    *(
        Known(
            f"{name}: subnormal numbers",
            "tensorflow",
            "takes numbers below the normal ones for 0 in its kernels",
        )
        for name in ("ceil", "divide", "floor", "log", "log10", "log2", "reciprocal", "sign", "sqrt")
    ),
    *(
        Known(
            f"{name}: slopes, in a graph",
            "tensorflow",
            "gives the gradient at ties to the first argument, where PyTorch shares it",
            "https://github.com/tensorflow/swift-apis/issues/479",
        )
        for name in ("maximum", "minimum")
    ),
]


def cause(case: str, kind: str, target: Target) -> str | None:
    """Return why a case disagrees on a target, or None if no reason is known."""
    for one in KNOWN:
        if (
            (one.case, one.backend) == (case, target.backend)
            and kind in (one.kinds or (kind,))
            and target.mode in (one.modes or (target.mode,))
            and target.dtype in (one.dtypes or (target.dtype,))
        ):
            return f"{one.cause} ({one.link})" if one.link else one.cause
    return None
