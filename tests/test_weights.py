"""Weights of classes and of samples: the loss that they mean, and sentences where labels leave it open."""

from __future__ import annotations

import numpy as np
import pytest

import dualnn as dn

L = dn.layers
RNG = np.random.default_rng(0)
X = RNG.normal(size=(16, 4)).astype("float32")
STEPS = RNG.normal(size=(16, 5, 4)).astype("float32")
CLASSES, CLASSES_OF_STEPS = RNG.integers(0, 3, size=16), RNG.integers(0, 3, size=(16, 5))
BY_CLASS = {0: 1.0, 1: 10.0, 2: 0.5}
OF_CLASS = np.array([1.0, 10.0, 0.5])
SPARSE = dn.losses.SparseCategoricalCrossentropy(from_logits=True)
ONE_HOT = dn.losses.CategoricalCrossentropy(from_logits=True)
BINARY = dn.losses.BinaryCrossentropy(from_logits=True)


def first_loss(backend, x, y, units, loss, **options):
    model = dn.Sequential([L.Dense(units, kernel_initializer="ones")]).on(backend)
    model.compile(dn.optimizers.SGD(0.0), loss, engine="eager")
    return model.fit(x, y, seed=0, batch_size=7, verbose=0, **options).history["loss"][0]


@pytest.mark.parametrize(
    ("x", "y", "loss", "labels"),
    [
        (X, CLASSES, SPARSE, CLASSES),
        (X, CLASSES[:, None], SPARSE, CLASSES),
        (X, CLASSES.astype("float32"), SPARSE, CLASSES),
        (X, np.eye(3)[CLASSES], ONE_HOT, CLASSES),
        (STEPS, CLASSES_OF_STEPS, SPARSE, CLASSES_OF_STEPS),
        (STEPS, CLASSES_OF_STEPS[..., None], SPARSE, CLASSES_OF_STEPS),
        (STEPS, np.eye(3)[CLASSES_OF_STEPS], ONE_HOT, CLASSES_OF_STEPS),
    ],
)
def test_class_weights_are_sample_weights(backend, x, y, loss, labels):
    want = first_loss(backend, x, y, 3, loss, sample_weight=OF_CLASS[labels])
    assert first_loss(backend, x, y, 3, loss, class_weight=BY_CLASS) == pytest.approx(want, rel=1e-6)
    batches = [(x[:9], y[:9]), (x[9:], y[9:])]
    model = dn.Sequential([L.Dense(3, kernel_initializer="ones")]).on(backend)
    model.compile(dn.optimizers.SGD(0.0), loss)
    history = model.fit(lambda: iter(batches), class_weight=BY_CLASS, verbose=0).history
    assert history["loss"][0] == pytest.approx(want, rel=1e-6)
    own = RNG.uniform(size=16)
    product = OF_CLASS[labels] * own.reshape(16, *[1] * (labels.ndim - 1))
    got = first_loss(backend, x, y, 3, loss, class_weight=BY_CLASS, sample_weight=own)
    assert got == pytest.approx(first_loss(backend, x, y, 3, loss, sample_weight=product), rel=1e-6)


def test_class_weights_of_one_output_and_of_signs(backend):
    y = CLASSES % 2
    want = first_loss(backend, X, y, 1, BINARY, sample_weight=np.where(y == 1, 5.0, 1.0))
    assert first_loss(backend, X, y, 1, BINARY, class_weight={1: 5}) == pytest.approx(want, rel=1e-6)
    signs = 2 * y - 1
    want = first_loss(backend, X, signs, 1, "hinge", sample_weight=np.where(y == 0, 5.0, 1.0))
    got = first_loss(backend, X, signs[:, None], 1, "hinge", class_weight={-1: 5})
    assert got == pytest.approx(want, rel=1e-6)


def test_class_weights_count_in_training_only(backend):
    model = dn.Sequential([L.Dense(3)]).on(backend)
    model.compile(dn.optimizers.SGD(0.0), SPARSE)
    for held_out in ({"validation_data": (X, CLASSES)}, {"validation_split": 0.5, "shuffle": False}):
        logs = model.fit(X, CLASSES, class_weight={0: 0, 1: 0, 2: 0}, verbose=0, **held_out).history
        assert logs["loss"] == [0.0]
        part = slice(8 if "validation_split" in held_out else 0, None)
        assert logs["val_loss"][0] == pytest.approx(model.evaluate(X[part], CLASSES[part]), rel=1e-6)
    before = model.get_weights()
    assert model.train_on_batch(X, CLASSES, class_weight={0: 0, 1: 0, 2: 0}) == 0.0
    np.testing.assert_array_equal(before[0], model.get_weights()[0])


@pytest.mark.parametrize(
    ("y", "units", "loss", "class_weight", "said"),
    [
        (RNG.integers(0, 2, size=(16, 3)), 3, BINARY, {0: 1.0, 1: 5.0}, "rows that are not one-hot"),
        (X[:, :3], 3, "mse", {0: 1.0, 1: 5.0}, "rows that are not one-hot"),
        (np.abs(X[:, :3]), 3, ONE_HOT, {0: 1.0}, "from 0 to 1|rows that are not one-hot"),
        (X[:, :1], 1, "mse", {0: 5.0}, "class_weight needs classes as integers"),
        (CLASSES, 3, SPARSE, {"0": 1.0}, "class_weight: expected the number of a class as a key.*'0'"),
        (CLASSES, 3, SPARSE, {0.5: 1.0}, "class_weight: expected the number of a class"),
        (CLASSES, 3, SPARSE, {7: 3.0}, "class_weight: no class 7; the classes are 0 to 2"),
        (CLASSES, 3, SPARSE, {-1: 3.0}, "class_weight: no class -1"),
        (CLASSES % 2, 1, BINARY, {2: 3.0}, "class_weight: no class 2"),
        (CLASSES, 3, SPARSE, {0: float("nan")}, r"class_weight\[0\]: expected a finite number.*nan"),
        (CLASSES, 3, SPARSE, {0: float("inf")}, r"class_weight\[0\]: expected a finite number"),
        (CLASSES, 3, SPARSE, {0: -1.0}, r"class_weight\[0\]: expected a finite number of at least 0"),
        (CLASSES, 3, SPARSE, {0: "1"}, r"class_weight\[0\]: expected a finite number"),
    ],
)
def test_what_class_weights_leave_open_is_said(backend, y, units, loss, class_weight, said):
    with pytest.raises(ValueError, match=said):
        first_loss(backend, X, y, units, loss, class_weight=class_weight)
    model = dn.Sequential([L.Dense(units)]).on(backend)
    model.compile("sgd", loss, engine="eager")
    with pytest.raises(ValueError, match=said):
        model.fit(lambda: iter([(X, y)]), class_weight=class_weight, verbose=0)
    with pytest.raises(ValueError, match=said):
        model.train_on_batch(X, y, class_weight=class_weight)


def test_class_weights_of_several_outputs_and_of_no_dictionary(backend):
    inputs = dn.Input((4,))
    model = dn.Model(inputs, {"a": L.Dense(3)(inputs), "b": L.Dense(3)(inputs)}).on(backend)
    model.compile("sgd", SPARSE)
    with pytest.raises(ValueError, match=r"class_weight is for a model with one output.*sample_weight="):
        model.fit(X, {"a": CLASSES, "b": CLASSES}, class_weight=BY_CLASS, verbose=0)
    with pytest.raises(TypeError, match="class_weight: expected a dictionary"):
        first_loss(backend, X, CLASSES, 3, SPARSE, class_weight=[1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("weight", "said"),
    [
        (np.where(np.arange(16) == 3, np.nan, 1.0), r"sample_weight\[3\] = nan"),
        (np.where(np.arange(16) == 3, -1.0, 1.0), r"sample_weight\[3\] = -1.0"),
        (np.where(np.arange(16) == 3, np.inf, 1.0), r"sample_weight\[3\] = inf"),
        (np.ones((16, 4)), "expected a weight for each sample or step"),
        (np.ones((16, 1, 1)), "expected a weight for each sample or step"),
        (np.ones(15), "same number of samples"),
        (np.float32(2.0), "sample_weight: expected an array with a batch axis"),
    ],
)
def test_wrong_sample_weights_are_said(backend, weight, said):
    model = dn.Sequential([L.Dense(3)]).on(backend)
    model.compile("sgd", SPARSE, engine="eager")
    for call in (
        lambda: model.fit(X, CLASSES, sample_weight=weight, verbose=0),
        lambda: model.fit(lambda: iter([(X, CLASSES, weight)]), verbose=0),
        lambda: model.evaluate(X, CLASSES, sample_weight=weight),
        lambda: model.train_on_batch(X, CLASSES, sample_weight=weight),
        lambda: model.test_on_batch(X, CLASSES, sample_weight=weight),
        lambda: model.fit(X, CLASSES, validation_data=(X, CLASSES, weight), verbose=0),
    ):
        with pytest.raises(ValueError, match=said):
            call()


def test_sample_weights_of_samples_in_columns_and_of_steps(backend):
    model = dn.Sequential([L.Dense(3)]).on(backend)
    model.compile("sgd", SPARSE, engine="eager")
    w = RNG.uniform(size=16)
    wanted = model.evaluate(X, CLASSES, sample_weight=w)
    assert model.evaluate(X, CLASSES, sample_weight=w[:, None]) == wanted
    assert model.evaluate(X, CLASSES, sample_weight=w.tolist()) == wanted
    of_steps = np.repeat(w[:, None], 5, axis=1)
    model = dn.Sequential([L.Dense(3)]).on(backend)
    model.compile("sgd", SPARSE, engine="eager")
    wanted = model.evaluate(STEPS, CLASSES_OF_STEPS, sample_weight=w)
    for same in (w[:, None], of_steps, of_steps[..., None]):
        assert model.evaluate(STEPS, CLASSES_OF_STEPS, sample_weight=same) == pytest.approx(wanted, rel=1e-6)
