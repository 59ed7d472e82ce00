"""Loaders, data sets and generators: what their items are, where an epoch begins, and when they end."""

from __future__ import annotations

import numpy as np
import pytest

import dualnn as dn

torch = pytest.importorskip("torch")
tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 4)).astype("float32")
Y = X[:, :1].copy()
BATCHES = [(X[i : i + 16], Y[i : i + 16]) for i in range(0, 64, 16)]


def model(backend, rate=0.01, **options):
    model = dn.Sequential([dn.layers.Dense(1)]).on(backend)
    model.compile(dn.optimizers.SGD(rate), "mse", **options)
    return model


def losses(backend, *data, **options):
    return model(backend).fit(*data, **{"epochs": 2, "seed": 1, "verbose": 0, **options}).history["loss"]


# ---------------------------------------------------------------- samples and batches


class Images(torch.utils.data.Dataset):
    """Samples that a DataLoader would make batches of."""

    def __len__(self):
        return 64

    def __getitem__(self, i):
        if not 0 <= i < 64:
            raise IndexError
        return {"in": X[i]}["in"], float(Y[i, 0])


class Stream(torch.utils.data.IterableDataset):
    """Samples in an order of their own."""

    def __len__(self):
        return 64

    def __iter__(self):
        return zip(X, Y, strict=True)


class Batches(keras.utils.PyDataset):
    """Batches, and notes of what was asked for."""

    def __init__(self, **options):
        super().__init__(**options)
        self.order, self.said = list(range(4)), []

    def __len__(self):
        return 4

    def __getitem__(self, i):
        return BATCHES[self.order[i]]

    def on_epoch_begin(self):
        self.said.append("begin")

    def on_epoch_end(self):
        self.said.append("end")
        self.order.reverse()


@pytest.mark.parametrize("shuffle", [True, False])
def test_items_of_a_torch_dataset_are_samples(backend, shuffle):
    options = {"batch_size": 24, "shuffle": shuffle}
    expected = losses(backend, X, Y, validation_data=(X, Y), **options)
    tensors = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    assert losses(backend, tensors, validation_data=tensors, **options) == expected
    for samples in (Images(), torch.utils.data.Subset(tensors, range(64))):
        found = losses(backend, samples, validation_data=samples, **options)
        assert found == pytest.approx(expected, rel=1e-5)
    one = model(backend)
    assert one.predict(Images(), batch_size=24).shape == (64, 1)
    assert one.evaluate(Images()) == pytest.approx(one.evaluate(X, Y), rel=1e-5)


def test_items_of_an_iterable_torch_dataset_are_samples(backend):
    expected = losses(backend, X, Y, batch_size=24, shuffle=False)
    assert losses(backend, Stream(), batch_size=24) == pytest.approx(expected, rel=1e-5)
    with pytest.raises(
        ValueError, match=r"expected samples of one shape, got .* DataLoader with a collate_fn"
    ):
        losses(backend, _dataset([(np.ones(2), 0.0), (np.ones(3), 0.0)]))


def _dataset(items):
    class Items(torch.utils.data.Dataset):
        def __len__(self):
            return len(items)

        def __getitem__(self, i):
            return items[i]

    return Items()


@pytest.mark.parametrize("workers", [1, 3])
def test_items_of_a_keras_dataset_are_batches(backend, workers):
    dataset = Batches(workers=workers, max_queue_size=2)
    found = losses(backend, dataset)
    backwards = list(reversed(BATCHES))
    both = iter([BATCHES, backwards])
    assert found == pytest.approx(losses(backend, lambda: next(both)), rel=1e-6)
    assert dataset.said == ["begin", "end"] * 2
    assert model(backend).predict(Batches()).shape == (64, 1)


def test_a_keras_dataset_without_an_end(backend):
    class Endless(Batches):
        num_batches = None

        def __getitem__(self, i):
            return BATCHES[i % 4]

    one = model(backend)
    one.fit(Endless(), steps_per_epoch=3, epochs=2, verbose=0)
    assert one.optimizer.iterations == 6
    with pytest.raises(ValueError, match="steps_per_epoch"):
        one.fit(Endless())
    with pytest.raises(ValueError, match="steps_per_epoch"):
        one.fit(tf.data.Dataset.from_tensor_slices((X, Y)).batch(16).repeat())
    with pytest.warns(UserWarning, match="threads make its batches"):
        one.fit(Batches(use_multiprocessing=True), verbose=0)


def test_what_nobody_knows_is_refused(backend):
    class Own:
        def __len__(self):
            return 4

        def __getitem__(self, i):
            return BATCHES[i]

    one = model(backend)
    for use in (
        lambda: one.fit(Own()),
        lambda: one.predict(Own()),
        lambda: one.fit(X, Y, validation_data=Own()),
    ):
        with pytest.raises(TypeError, match=r"got a Own, of which it is not known .*DataLoader"):
            use()
    with pytest.raises(TypeError, match="expected arrays, or what yields batches, as x, got a int"):
        one.fit(3)


# ---------------------------------------------------------------- where an epoch begins


def generator():
    yield from BATCHES


def loader():
    tensors = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    return torch.utils.data.DataLoader(tensors, batch_size=16)


SOURCES = {
    "function": lambda: generator,
    "DataLoader": loader,
    "tf.data": lambda: tf.data.Dataset.from_tensor_slices((X, Y)).batch(16),
    "PyDataset": lambda: keras_in_order(),
    "TensorDataset": lambda: torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y)),
    "arrays": lambda: (X, Y),
}


def keras_in_order():
    dataset = Batches()
    dataset.on_epoch_end = lambda: None
    return dataset


@pytest.mark.parametrize("kind", SOURCES)
def test_validation_begins_anew_each_time(backend, kind):
    one, data = model(backend, rate=0.0), SOURCES[kind]()
    options = {"validation_batch_size": 16} if kind in ("TensorDataset", "arrays") else {}
    history = one.fit(X, Y, validation_data=data, validation_steps=3, epochs=3, verbose=0, **options)
    value = one.evaluate(X[:48], Y[:48], batch_size=16)
    assert history.history["val_loss"] == pytest.approx([value] * 3, rel=1e-5)


@pytest.mark.parametrize("kind", SOURCES)
def test_training_goes_on_where_it_was_and_begins_anew_at_the_end(backend, kind):
    data = SOURCES[kind]()
    given = data if kind == "arrays" else (data,)
    options = {"batch_size": 16, "shuffle": False} if kind in ("TensorDataset", "arrays") else {}
    one, twin = model(backend), model(backend)
    history = one.fit(*given, steps_per_epoch=3, epochs=3, seed=1, verbose=0, **options)
    assert history.epoch == [0, 1, 2]
    assert one.optimizer.iterations == 9
    twin.fit(iter(BATCHES * 3), steps_per_epoch=9, epochs=1, seed=1, verbose=0)
    for a, b in zip(one.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


@pytest.mark.parametrize("engine", ["eager", "epoch"])
def test_shuffled_arrays_are_all_seen_before_any_is_seen_again(backend, engine):
    seen = []
    one = model(backend, engine=engine)
    x = np.arange(60, dtype="float32")[:, None]
    data = dn.training.data.ArrayData(dn.training.batch.Batch(x, x), 16, 3, goes_on=True)
    assert [len(part) for part in data.rows(start=3)] == [1, 2]  # the last 12, and then from the first on

    class See(dn.callbacks.Callback):
        def on_train_chunk_end(self, batch, logs=None):
            seen.append(self.model.optimizer.iterations)

    one.fit(x, x, batch_size=16, steps_per_epoch=3, epochs=4, seed=1, verbose=0, callbacks=[See()])
    assert seen[-1] == 12
    twin = model(backend, engine="eager")
    twin.fit(x, x, batch_size=16, epochs=3, seed=1, verbose=0)  # the same twelve steps
    for a, b in zip(one.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4)


def test_evaluate_and_predict_begin_at_the_first_batch(backend):
    one = model(backend)
    for kind in SOURCES:
        given = SOURCES[kind]() if kind == "arrays" else (SOURCES[kind](),)
        size = {"batch_size": 16} if kind in ("TensorDataset", "arrays") else {}
        values = [one.evaluate(*given, steps=2, **size) for _ in range(2)]
        assert values == pytest.approx([one.evaluate(X[:32], Y[:32], batch_size=16)] * 2, rel=1e-5)
        for _ in range(2):
            np.testing.assert_allclose(one.predict(given[0], steps=2, **size), one.predict(X[:32]), rtol=1e-5)


@pytest.mark.parametrize("kind", SOURCES)
def test_fewer_batches_than_steps(backend, kind):
    one = model(backend)
    given = SOURCES[kind]() if kind == "arrays" else (SOURCES[kind](),)
    size = {"batch_size": 16} if kind in ("TensorDataset", "arrays") else {}
    with pytest.warns(UserWarning, match="the data ended after 4 of 6 steps"):
        value = one.evaluate(*given, steps=6, **size)
    assert value == pytest.approx(one.evaluate(X, Y, batch_size=16), rel=1e-5)


def test_validation_data_that_can_be_read_once(backend):
    one = model(backend)
    with pytest.warns(UserWarning, match="validation data has ended"):
        history = one.fit(X, Y, validation_data=generator(), validation_steps=2, epochs=4, verbose=0)
    assert len(history.history["val_loss"]) == 2
    assert len(history.epoch) == 4
