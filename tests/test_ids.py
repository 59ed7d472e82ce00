"""An id that an Embedding has no row for: the same error on both backends, in every engine."""

import numpy as np
import pytest

import dualnn as dn

L = dn.layers
ENGINES = [("eager", None), ("step", False), ("epoch", False), ("auto", None)]
MESSAGE = r"layer 'words': expected ids from 0 to 9, as its input_dim is 10, got {}$"


def compiled(backend, engine="auto", jit=None, optimizer="adam"):
    model = dn.Sequential([L.Embedding(10, 2, name="words"), L.Flatten(), L.Dense(1)]).on(backend)
    model.build_on(np.zeros((1, 2), "int64"))
    model.compile(optimizer, "mse", engine=engine, jit=jit)
    return model


def data(bad, dtype="int64", row=5):
    ids = np.arange(16).reshape(8, 2) % 10
    ids = ids.astype(dtype)
    ids[row, 1] = bad
    return ids, np.zeros((8, 1), "float32")


def assert_same(before, model):
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(("engine", "jit"), ENGINES)
@pytest.mark.parametrize("on_nonfinite", ["ignore", "raise", "skip"])
@pytest.mark.parametrize("bad", [10, -1])
def test_fit(backend, engine, jit, on_nonfinite, bad):
    model, good = compiled(backend, engine, jit), compiled(backend, engine, jit)
    good.set_weights(model.get_weights())
    x, y = data(bad)
    given = {"batch_size": 2, "shuffle": False, "verbose": 0, "on_nonfinite": on_nonfinite}
    with pytest.raises(ValueError, match="epoch 1, step 3: " + MESSAGE.format(bad)):
        model.fit(x, y, **given)
    assert model.optimizer.iterations == 2
    good.fit(x[:4], y[:4], **given)
    assert_same(good.get_weights(), model)
    x[5, 1] = 3  # and it goes on as if nothing had been
    model.fit(x, y, **given)
    good.fit(x, y, **given)
    assert_same(good.get_weights(), model)


@pytest.mark.parametrize(("engine", "jit"), ENGINES[:3])
def test_all_else_that_a_model_does(backend, engine, jit):
    model = compiled(backend, engine, jit)
    before = model.get_weights()
    x, y = data(10)
    for act in (
        lambda: model.evaluate(x, y, batch_size=2, verbose=0),
        lambda: model.predict(x, batch_size=2, verbose=0),
        lambda: model.predict_on_batch(x),
        lambda: model.test_on_batch(x, y),
        lambda: model.train_on_batch(x, y),
        lambda: model(x),
        lambda: model.layers[0](model.nn.asarray(x)),
        lambda: model.fit((batch for batch in [(x, y)]), verbose=0),
        lambda: model.fit(x[:4], y[:4], validation_data=(x, y), verbose=0),
    ):
        with pytest.raises(ValueError, match=MESSAGE.format(10)):
            act()
        if model.optimizer.iterations == 0:
            assert_same(before, model)


@pytest.mark.parametrize(
    ("dtype", "bad", "shown"),
    [
        ("int32", -3, "-3"),
        ("int64", -(2**63), str(-(2**63))),  # of which there is no positive
        ("uint8", 200, "200"),
        ("float32", np.nan, "nan"),
        ("float64", np.inf, "inf"),
    ],
)
def test_dtypes(backend, dtype, bad, shown):
    model = compiled(backend, "step", False)
    x, _ = data(bad, dtype)
    with pytest.raises(ValueError, match=MESSAGE.format(shown)):
        model.predict(x, verbose=0)


def test_floating_point_ids_are_cut_off(backend):
    embedding = L.Embedding(3, 2).on(backend)
    x = np.asarray([[0.0, 1.9, 2.0]])
    rows = embedding.nn.to_numpy(embedding(x))
    np.testing.assert_array_equal(rows, embedding.nn.to_numpy(embedding(np.asarray([[0, 1, 2]]))))


def test_a_loop_of_ones_own(backend):
    model = compiled(backend)
    x, _ = data(-1)
    with pytest.raises(ValueError, match=MESSAGE.format(-1)), model.nn.GradientTape():
        model(model.nn.asarray(x), training=True)


class Shifted(dn.Layer):
    """Ids that are computed inside of the model."""

    def __init__(self):
        super().__init__()
        self.words = L.Embedding(10, 2, mask_zero=True, name="words")

    def call(self, x):
        return self.words(self.nn.astype(x, self.nn.int32) + 5)


@pytest.mark.parametrize(("engine", "jit"), ENGINES[:3])
def test_ids_that_a_model_computes(backend, engine, jit):
    model = dn.Sequential([Shifted(), L.GlobalAveragePooling1D(), L.Dense(1)]).on(backend)
    model.build_on(np.zeros((1, 2), "int64"))
    model.compile("sgd", "mse", engine=engine, jit=jit)
    x = np.zeros((4, 2), "int64")
    x[3, 0] = 7
    before = model.get_weights()
    with pytest.raises(ValueError, match=MESSAGE.format(12)):
        model.fit(x, np.zeros((4, 1)), verbose=0)
    assert_same(before, model)


def test_in_machine_code(backend):
    model = compiled(backend, "epoch", True, "sgd")
    x, y = data(10)
    before = model.get_weights()
    with pytest.raises(ValueError, match=MESSAGE.format(10)):
        model.fit(x, y, batch_size=8, verbose=0)
    assert_same(before, model)


def test_inside_of_a_checkpointed_block_the_vector_is_nan(backend):
    block = dn.Sequential([L.Embedding(10, 2, name="words"), L.Flatten()])
    model = dn.Sequential([L.Checkpoint(block), L.Dense(1)]).on(backend)
    model.build_on(np.zeros((1, 2), "int64"))
    model.compile("sgd", "mse", engine="step", jit=False)
    x, y = data(10)
    with pytest.raises(ValueError, match=MESSAGE.format(10)):  # by doing the step again, to find its origin
        model.fit(x, y, batch_size=8, verbose=0, on_nonfinite="raise")
    assert np.isnan(model.fit(x, y, batch_size=8, verbose=0).history["loss"]).all()


@pytest.mark.parametrize("bad", [3, -1])
@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize(("engine", "jit"), ENGINES[:3])
def test_labels_without_a_class(backend, bad, from_logits, engine, jit):
    model = dn.Sequential([L.Dense(3, activation=None if from_logits else "softmax")]).on(backend)
    model.build((None, 2))
    loss = dn.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
    model.compile("sgd", loss, engine=engine, jit=jit)
    x, y = np.ones((4, 2), "float32"), np.asarray([0, 1, 2, bad])
    before = model.get_weights()
    for act in (
        lambda: model.fit(x, y, verbose=0),
        lambda: model.fit(((x, y) for _ in range(1)), verbose=0),
        lambda: model.evaluate(x, y, verbose=0),
        lambda: model.train_on_batch(x, y),
    ):
        with pytest.raises(ValueError, match="a class from 0 to 2"):
            act()
    assert_same(before, model)
