"""The two adapters are twins: the same files, names and parameters, and all that the protocol asks for."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

import dualnn as dn
from dualnn.fast_paths import NAMES
from dualnn.protocol import ArrayNamespace, Backend, FastPaths

ONLY_ONE_HAS = {
    "sums_in_gradients.py",  # torch adds up in pieces, and in at least float32, in its gradients
    "quiet.py",  # TensorFlow prints notices when it is imported
    "forks.py",  # and has threads, which a forked process lacks
    "complex_functions.py",  # most of its functions of complex numbers are wrong at infinities
    "fused_updates.py",  # TensorFlow has no kernel that updates several variables: ONLY_TORCH_FUSES
    "graphs.py",  # tf.function does for TensorFlow what this does for torch: traces, and calls without Python
    "rewriting.py",  # as TensorFlow's own optimizer of graphs does
    "memory.py",  # TensorFlow frees larger blocks by itself while it is imported
    "lstm_in_graphs.py",  # torch's LSTM keeps what a gradient in a graph needs only while torch records
}
ONLY_TORCH_FUSES = {
    "simple_rnn",  # TensorFlow has no such kernel
    "lstm",  # BlockLSTMV2 is as fast as the unrolled formula for small sequences, half as fast for large ones
    "gru",  # TensorFlow has a kernel for one step only
    "scaled_dot_product_attention",  # TensorFlow has no such kernel
    "layer_normalization",  # TensorFlow has no such kernel
    "readable",  # NumPy reads all tensors of TensorFlow
    "relu_in_place",  # a tensor of TensorFlow never changes
    "adam_update",  # TensorFlow's kernel is for one variable, whose value a step gets and returns as a tensor
    "sgd_update",  # likewise
    "all_finite",  # TensorFlow's formula takes little time; the largest number of a NaN is not NaN in XLA
}
ONLY_TENSORFLOW_FUSES = {
    "variable_in_loop",  # torch reads a variable in a microsecond, and the update of a step is in its memory
}
ONLY_TORCH_CALLS = {
    "functional_call",  # a tf.Module cannot be called with other values than those of its variables
}
TORCH, TENSORFLOW = dn.backend("torch"), dn.backend("tensorflow")


def _files(nn):
    return {path.name for path in Path(nn.__file__).parent.glob("*.py")} - ONLY_ONE_HAS


def _public(nn):
    return {
        name for name, value in vars(nn).items() if not name.startswith("_") and not inspect.ismodule(value)
    }


def _parameters(function):
    """Names and defaults; None for a function of C code, which does not tell them."""
    try:
        parameters = inspect.signature(function, follow_wrapped=False).parameters.values()
    except (TypeError, ValueError):
        return None
    return [(one.name, one.default) for one in parameters if one.kind is not one.VAR_KEYWORD]


def _comparable():
    names = sorted(name for name in _public(TORCH) & _public(TENSORFLOW) if callable(getattr(TORCH, name)))
    return [name for name in names if _parameters(getattr(TORCH, name)) is not None]


def _protocol_functions():
    functions = {**vars(ArrayNamespace), **vars(Backend)}
    return sorted(name for name, value in functions.items() if inspect.isfunction(value) and name[0] != "_")


def _protocol_attributes():
    annotations = {**ArrayNamespace.__annotations__, **Backend.__annotations__}
    return sorted(annotations)


def test_same_files():
    assert _files(TORCH) == _files(TENSORFLOW)


def test_same_public_names():
    assert _public(TORCH) - ONLY_TORCH_FUSES - ONLY_TORCH_CALLS == _public(TENSORFLOW) - ONLY_TENSORFLOW_FUSES


@pytest.mark.parametrize("name", _comparable())
def test_same_parameters(name):
    assert _parameters(getattr(TORCH, name)) == _parameters(getattr(TENSORFLOW, name))


@pytest.mark.parametrize("extension", ["linalg", "fft"])
def test_same_extensions(extension):
    torch, tensorflow = getattr(TORCH, extension), getattr(TENSORFLOW, extension)
    assert torch.__all__ == tensorflow.__all__
    for name in torch.__all__:
        assert _parameters(getattr(torch, name)) in (None, _parameters(getattr(tensorflow, name)))


@pytest.mark.parametrize("name", sorted(NAMES))
def test_parameters_of_fast_paths(nn, name):
    if hasattr(nn, name):
        assert _parameters(getattr(nn, name)) == _parameters(getattr(FastPaths, name))[1:]  # without self


@pytest.mark.parametrize("name", _protocol_attributes())
def test_attribute_of_the_protocol(nn, name):
    assert hasattr(nn, name)


@pytest.mark.parametrize("name", _protocol_functions())
def test_function_of_the_protocol(nn, name):
    expected = _parameters(getattr(Backend, name))
    actual = _parameters(getattr(nn, name))
    assert actual is None or actual == expected[1:]  # without self
