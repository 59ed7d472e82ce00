"""Random models agree on both backends and with the reference; a planted fault shrinks to a small model."""

from __future__ import annotations

import re

import mpmath
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings

import dualnn as dn
from dualnn.conformance import random_models, reference_layers, references
from dualnn.conformance.random_models import Description, Node, check, models

# The same models in every run. They are not for coverage of lines, so time is no matter of Hypothesis's.
DRAWING = {
    "deadline": None,
    "database": None,
    "derandomize": True,
    "report_multiple_bugs": False,
    "suppress_health_check": list(HealthCheck),
}


@settings(max_examples=30, **DRAWING)
@given(models())
def test_30_models_differ_by_rounding_only(description):
    assert check(description) < 1


@pytest.mark.slow
@settings(max_examples=1000, **DRAWING)
@given(models())
def test_1000_models_differ_by_rounding_only(description):
    assert check(description) < 1


# Random models are made of images and vectors; these have cases of their own (recurrent.py, attention.py).
OF_SEQUENCES = {
    "Attention", "Bidirectional", "GRU", "GlobalAveragePooling1D", "LSTM", "Masking", "MultiHeadAttention",
    "RNN", "SimpleRNN", "TimeDistributed",
}  # fmt: skip
AROUND_OTHERS = {"Checkpoint", "TorchModuleWrapper"}  # the numbers are those of what is inside
# Their numbers in training are those of cases/augmentation.py; they change nothing in inference.
OF_AUGMENTATION = {
    "GaussianDropout", "GaussianNoise", "RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom",
}  # fmt: skip


def test_every_layer_is_drawn_with_every_activation():
    kinds = set()

    @settings(max_examples=600, phases=[Phase.generate], **DRAWING)
    @given(models())
    def draw(description):
        kinds.update(node.layer for node in description.nodes)

    draw()
    own = {"Input", "InputSpec", "Layer"}
    drawn = {name for name in dn.layers.__all__ if name not in own}
    assert kinds == drawn - OF_SEQUENCES - AROUND_OTHERS - OF_AUGMENTATION
    functions = {function.__name__ for function in dn.activations._BY_NAME.values()}
    assert functions == set(reference_layers.ACTIVATIONS)


def test_a_planted_fault_shrinks_to_a_small_model_whose_code_shows_it(monkeypatch, capsys):
    tensorflow = dn.backend("tensorflow")
    exact = tensorflow.gelu
    monkeypatch.setattr(tensorflow, "gelu", lambda x, approximate=False: exact(x, True))

    @settings(max_examples=100, phases=[Phase.generate, Phase.shrink], **DRAWING)
    @given(models())
    def run(description):
        check(description)

    with pytest.raises(AssertionError) as caught:
        run()
    code = str(caught.value)
    assert code.count("dn.layers.") == 1
    assert "activation='gelu'" in code
    assert re.match(r"# tensorflow, float(32|64), in inference: output 0 differs from the reference by", code)
    capsys.readouterr()
    exec(code, {})
    output = capsys.readouterr().out
    assert "step 1, forward of layers.0 (" in output
    assert "ULP" in output
    monkeypatch.undo()
    exec(code, {})
    assert "1 steps without a fault" in capsys.readouterr().out


def test_a_functional_models_code_runs(capsys):
    nodes = (
        Node("Embedding", (("input_dim", 5), ("output_dim", 2)), (1,)),
        Node("Flatten", (), (2,)),
        Node("Concatenate", (), (0, 3)),
        Node("Dense", (("units", 1),), (0,)),
    )
    description = Description(((3,), (2,)), (1,), nodes, ((3,), (2,), (2, 2), (4,), (7,), (1,)), 2, 7)
    assert description.outputs == [4, 5]
    assert not description.sequential
    assert check(description) < 1
    exec(description.code("float64"), {})
    output = capsys.readouterr().out
    assert "tensorflow (cpu, float64): 1 steps without a fault" in output
    assert "embeddings" in output


def test_an_error_is_a_failure_too(monkeypatch):
    monkeypatch.delattr(dn.backend("tensorflow"), "elu")
    node = Node("Activation", (("activation", "elu"),), (0,))
    with pytest.raises(AssertionError, match="AttributeError"):
        check(Description(((3,),), (), (node,), ((3,), (3,)), 1, 0))


def test_the_references_normal_distribution_is_wide():
    mpmath.mp.dps = 30
    points = np.arange(-80, 81) / 8  # exact in binary
    # a few roundings of 64 bits, and as many times the exponent's x**2 / 2 of up to 50
    for x, value in zip(points, references.normal_distribution(points.astype(np.longdouble)), strict=True):
        exact = mpmath.ncdf(float(x))
        high = float(value)
        got = mpmath.mpf(high) + mpmath.mpf(float(value - np.longdouble(high)))
        assert abs(got / exact - 1) < 4 * 50 * float(np.finfo(np.longdouble).eps)


def test_a_layer_without_a_reference_is_refused():
    class Own(dn.Layer):
        def call(self, x):
            return x

    with pytest.raises(NotImplementedError, match="no reference for Own"):
        reference_layers.evaluate(dn.Sequential([Own()]).on("torch"), np.ones((1, 2)))


@pytest.mark.parametrize("training", [False, True])
def test_the_reference_leaves_the_model_as_it_is(backend, training):
    model = dn.Sequential([dn.layers.Dense(3), dn.layers.BatchNormalization(), dn.layers.Dropout(0.5)])
    x = np.random.default_rng(0).normal(size=(4, 2))
    model(x)
    before = [np.array(model.nn.to_numpy(v)) for v in model.variables]
    ((error, allowed),) = random_models.against_reference(model, x, training)
    assert error <= allowed
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(model.nn.to_numpy(variable), value)
