"""Every kind of data that people bring is accepted on either backend, and bad data is refused."""

from __future__ import annotations

import numpy as np
import pytest

import dualnn as dn

N = 48
X = np.random.default_rng(2).normal(size=(N, 3)).astype("float32")
Y = (X[:, 0] > 0).astype("int64") + (X[:, 1] > 0)


def classifier():
    model = dn.Sequential([dn.layers.Dense(8, activation="tanh"), dn.layers.Dense(3)])
    model.compile(
        dn.optimizers.SGD(0.5),
        dn.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def trained(x, y=None, **kwargs):
    model = classifier()
    kwargs = {"epochs": 2, "shuffle": False, "seed": 4, "verbose": 0, **kwargs}
    history = model.fit(x, y, **kwargs)
    return history.history["loss"], model


@pytest.fixture
def reference(backend):
    return trained(X, Y, batch_size=16)[0]


def torch_tensors():
    torch = pytest.importorskip("torch")
    return torch.from_numpy(X), torch.from_numpy(Y)


def tensorflow_tensors():
    tf = pytest.importorskip("tensorflow")
    return tf.constant(X), tf.constant(Y)


def pandas_frames():
    pd = pytest.importorskip("pandas")
    return pd.DataFrame(X, columns=["a", "b", "c"]), pd.Series(Y)


ARRAYS = {
    "lists": lambda: (X.tolist(), Y.tolist()),
    "float64": lambda: (X.astype("float64"), Y.astype("int32")),
    "columns of labels": lambda: (X, Y[:, None]),
    "pandas": pandas_frames,
    "torch": torch_tensors,
    "tensorflow": tensorflow_tensors,
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_of_every_kind(reference, kind):
    losses, model = trained(*ARRAYS[kind](), batch_size=16)
    assert losses == reference
    x, _ = ARRAYS[kind]()
    assert model.predict(x).shape == (N, 3)


def chunks():
    return [(X[i : i + 16], Y[i : i + 16]) for i in range(0, N, 16)]


def torch_loader():
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(*torch_tensors())
    return torch.utils.data.DataLoader(data, batch_size=16)


def tensorflow_dataset():
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(16)


def keras_dataset(**options):
    keras = pytest.importorskip("keras")

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, i):
            return chunks()[i]

    return Batches(**options)


STREAMS = {
    "function": lambda: lambda: iter(chunks()),
    "PyDataset": keras_dataset,
    "PyDataset with workers": lambda: keras_dataset(workers=2, max_queue_size=1),
    "DataLoader": torch_loader,
    "tf.data.Dataset": tensorflow_dataset,
}


@pytest.mark.parametrize("kind", STREAMS)
def test_batches_of_every_kind(reference, kind):
    losses, model = trained(STREAMS[kind](), validation_data=STREAMS[kind]())
    assert losses == reference
    assert model.predict(STREAMS[kind]()).shape == (N, 3)
    loss, _ = model.evaluate(STREAMS[kind]())
    assert loss == model.evaluate(X, Y, batch_size=16)[0]


def test_a_generator_without_end(reference):
    def endless():
        while True:
            yield from chunks()

    assert trained(endless(), steps_per_epoch=3)[0] == reference


def test_a_generator_is_read_once(backend):
    assert len(trained((c for c in chunks()), epochs=1)[0]) == 1
    with pytest.raises(ValueError, match="for 2 passes, got a generator, which can be read once only"):
        trained(c for c in chunks())
    with pytest.raises(ValueError, match=r"for 2 passes, .* or validation_steps"):
        trained(X, Y, validation_data=(c for c in chunks()))
    same = iter(chunks())
    with pytest.raises(ValueError, match="the data ended before the epoch began"):
        trained(lambda: same)


def test_batches_with_sample_weights(backend):
    weights = np.linspace(0, 2, N).astype("float32")
    with_weights = [(x, y, weights[i * 16 : (i + 1) * 16]) for i, (x, y) in enumerate(chunks())]
    losses, _ = trained(lambda: iter(with_weights))
    assert losses == trained(X, Y, sample_weight=weights, batch_size=16)[0]


def test_batches_of_changing_size(backend):
    sizes = [(X[:5], Y[:5]), (X[5:9], Y[5:9]), (X[9:21], Y[9:21]), (X[21:22], Y[21:22]), (X[22:], Y[22:])]
    losses, _ = trained(lambda: iter(sizes), epochs=3)
    assert losses[-1] < losses[0]


def test_integer_images(backend):
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 1)).astype("uint8")
    model = dn.Sequential([dn.layers.Conv2D(2, 3), dn.layers.Flatten(), dn.layers.Dense(3)])
    model.compile("adam", dn.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(images, np.arange(12) % 3, verbose=0)
    assert model.predict(images).dtype == np.float32


BAD = {
    "different numbers of samples": (
        lambda: (X, Y[:-1]), r"same number of samples everywhere, got \{'x': 48, 'y': 47\}"),
    "no samples": (lambda: (X[:0], Y[:0]), "the data set is empty"),
    "no targets": (lambda: (X, None), "expected targets y"),
    "a label out of range": (lambda: (X, np.where(Y == 2, 7, Y)), r"7"),
    "a negative label": (lambda: (X, Y - 1), r"-1"),
    "words": (lambda: (X, np.asarray(["a"] * N)), "y: expected numbers, got an array of dtype"),
    "ragged rows": (lambda: ([[1.0], [1.0, 2.0]], [0, 1]), "x: expected an array of numbers, got rows of"),
    "one-hot for sparse": (lambda: (X, np.eye(3)[Y]), "CategoricalCrossentropy"),
    "a number": (lambda: (X, 3), "batch axis"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_data_is_refused_before_training(backend, case):
    make, message = BAD[case]
    model = classifier()
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(*make(), verbose=0)
    # nothing half-done is left behind: good data trains as if nothing had been
    history = model.fit(X, Y, seed=4, epochs=2, shuffle=False, batch_size=16, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert model.optimizer.iterations == 6


def test_a_wrong_number_of_features_for_a_built_model(backend):
    _, model = trained(X, Y)
    with pytest.raises(ValueError, match=r"layer 'dense': expected size 3 on axis -1 of its input, got 2"):
        model.fit(X[:, :2], Y, verbose=0)
    with pytest.raises(ValueError, match="expected size 3 on axis -1"):
        model.predict(X[:, :2])


def test_check_finite(backend):
    x = X.copy()
    x[7, 1] = np.nan
    model = classifier()
    with pytest.raises(ValueError, match=r"x: expected finite numbers.* 1 of 48 samples, first in sample 7"):
        model.fit(x, Y, verbose=0, check_finite=True)
    with pytest.raises(ValueError, match="finite"):
        model.fit(lambda: iter([(x, Y)]), verbose=0, check_finite=True)


def test_bad_arguments(backend):
    model = classifier()
    for wrong, message in (
        ({"validation_split": 1.5}, "validation_split must be a number of at least 0 and less than 1"),
        ({"validation_split": 0.999}, "leaves a part empty"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1"),
        ({"verbose": 7}, "verbose must be"),
        ({"validation_data": X}, r"validation_data must be \(x, y\)"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(X, Y, **{"verbose": 0, **wrong})
    with pytest.raises(RuntimeError, match=r"call compile\(optimizer, loss\) first"):
        dn.Sequential([dn.layers.Dense(1)]).fit(X, Y)
    for settings, message in (
        ({"optimizer": "adamm"}, "did you mean .*adam"),
        ({"loss": "mean_square_error"}, "did you mean 'mean_squared_error'"),
        ({"loss": "mse", "metrics": ["acuracy"]}, "did you mean .*accuracy"),
    ):
        with pytest.raises(ValueError, match=message):
            model.compile(**settings)


def test_class_weights_do_not_count_in_validation(backend):
    weighted, plain = (
        trained(X, Y, epochs=1, validation_split=0.5, class_weight=weights)[1]
        for weights in ({0: 100.0}, None)
    )
    loss = weighted.evaluate(X[24:], Y[24:])[0]
    assert weighted.history.history["val_loss"][0] == pytest.approx(
        loss, rel=24 * 2**-24
    )  # 24 samples in float32
    assert weighted.history.history["loss"][0] > 5 * plain.history.history["loss"][0]
    with pytest.raises(TypeError, match="expected a dictionary"):
        trained(X, Y, class_weight="balanced")


def test_steps_limit_arrays_too(backend):
    _, model = trained(X, Y, batch_size=16, steps_per_epoch=1, epochs=2)
    assert model.optimizer.iterations == 2
    assert model.predict(X, batch_size=10, steps=2).shape == (20, 3)


def test_frames_of_mixed_columns(backend):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1] > 0, "c": Y})
    _, model = trained(frame, Y)
    assert model.predict(frame.convert_dtypes()).shape == (N, 3)
    with pytest.raises(TypeError, match="expected numbers"):
        trained(frame.assign(c="word"), Y)


def test_samples_that_are_no_batches_are_refused(backend):
    tf = pytest.importorskip("tensorflow")
    with pytest.raises(ValueError, match="must be made to yield batches"):
        trained(tf.data.Dataset.from_tensor_slices((X, Y)))
    with pytest.raises(ValueError, match="got None"):
        trained(None, Y)
