"""Losses and metrics of a user's own are given targets and outputs of one shape, or there is an error."""

import numpy as np
import pytest

import dualnn as dn

Y = np.asarray([1.0, 2.0, 4.0, 8.0], "float32")


def squares(y_true, y_pred):
    return (y_true - y_pred) ** 2


class Squares(dn.losses.Loss):
    def call(self, y_true, y_pred):
        return (y_true - y_pred) ** 2


class LargestError(dn.metrics.Metric):
    sums = ("largest",)

    def update(self, nn, state, y_true, y_pred, sample_weight=None):
        error = nn.astype(nn.max(nn.abs(y_true - y_pred)), nn.float64)
        return {"largest": nn.maximum(state["largest"], error)}

    def compute(self, state):
        return float(state["largest"])


def model_of_zeros(backend, layers, shape, **compiled):
    model = dn.Sequential(layers).on(backend)
    model.build(shape)
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    model.compile(dn.optimizers.SGD(0.0), **compiled)
    return model


@pytest.mark.parametrize("loss", [squares, Squares()])
@pytest.mark.parametrize("engine", ["eager", "epoch"])
@pytest.mark.parametrize("weight", [None, np.asarray([1, 1, 0, 0], "float32")])
def test_targets_beside_outputs_of_one_column(backend, loss, engine, weight):
    made = {"loss": loss, "engine": engine, "jit": False, "metrics": [squares, LargestError(name="largest")]}
    model = model_of_zeros(backend, [dn.layers.Dense(1)], (None, 2), **made)
    x = np.ones((4, 2))
    mean, weighted = 21.25, 21.25 if weight is None else 1.25
    logs = model.fit(x, Y, sample_weight=weight, batch_size=2, shuffle=False, verbose=0).history
    assert logs["loss"] == [pytest.approx(weighted)]
    assert logs["squares"] == [pytest.approx(mean)]
    assert logs["largest"] == [8.0]
    assert model.evaluate(x, Y, verbose=0)[:2] == pytest.approx([mean, mean])
    assert model.train_on_batch(x, Y)[0] == pytest.approx(mean)


def test_sequences_and_several_outputs(backend):
    inputs = dn.Input((3, 2))
    dense = dn.layers.Dense(1)(inputs)
    mean = dn.layers.GlobalAveragePooling1D()(dense)
    model = dn.Model(inputs, [dense, mean]).on(backend)
    model.build((None, 3, 2))
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    model.compile("sgd", [squares, Squares()])
    steps = np.arange(12.0, dtype="float32").reshape(4, 3)
    expected = [np.mean(steps**2), np.mean(Y**2)]
    assert model.evaluate(np.ones((4, 3, 2)), [steps, Y], verbose=0)[1:3] == pytest.approx(expected)


@pytest.mark.parametrize("loss", [squares, Squares(), dn.losses.MeanSquaredError()])
def test_called_by_hand(nn, loss):
    loss = dn.losses.get(loss)
    y_pred = nn.zeros((4, 1))
    assert float(loss(Y, y_pred)) == pytest.approx(21.25)
    assert float(loss(Y[:, None], nn.zeros((4,)))) == pytest.approx(21.25)
    with nn.GradientTape() as tape:
        tape.watch(y_pred)
        value = loss(Y, y_pred)
    np.testing.assert_allclose(nn.to_numpy(tape.gradient(value, y_pred)), -Y[:, None] / 2)


@pytest.mark.parametrize(("true", "pred"), [((3,), (3, 3)), ((3, 1), (3, 2)), ((2, 3), (2, 2, 3))])
@pytest.mark.parametrize("what", [squares, Squares(), LargestError()])
def test_shapes_that_fit_by_broadcasting_alone_are_an_error(nn, what, true, pred):
    what = what if isinstance(what, dn.metrics.Metric) else dn.losses.get(what)
    with pytest.raises(ValueError, match="of one shape") as caught:
        what(np.zeros(true, "float32"), nn.zeros(pred))
    assert str(true) in str(caught.value)
    assert str(pred) in str(caught.value)


def test_classes_as_integers_have_a_shape_of_their_own(nn):
    def loss(y_true, y_pred):
        return dn.losses.sparse_categorical_crossentropy(y_true, y_pred)

    y_pred = np.full((3, 3), 1 / 3, "float32")
    for labels in (np.asarray([0, 1, 2]), np.asarray([[0], [1], [2]])):
        assert float(dn.losses.get(loss)(labels, nn.asarray(y_pred))) == pytest.approx(np.log(3), rel=1e-5)
