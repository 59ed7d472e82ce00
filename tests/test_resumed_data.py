"""A resumed run sees the samples that the uninterrupted one would have seen, or says that it cannot."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import dualnn as dn
from dualnn.saving import archive
from dualnn.training.checkpoints import KIND

RNG = np.random.default_rng(0)
X = RNG.normal(size=(48, 4)).astype("float32")
Y = X[:, :1].copy()


class Killed(BaseException):
    """Stands for the end of a process."""


class Kill(dn.callbacks.Callback):
    def __init__(self, at):
        self.left = at

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise Killed


def fit(backend, folder, *data, at=0, resume=False, **options):
    model = dn.Sequential([dn.layers.Dense(1)]).on(backend)
    model.compile("sgd", "mse")
    saving = folder and dn.Checkpoints(folder, every_steps=2)
    options = {"epochs": 3, "seed": 1, "verbose": 0, **options}
    try:
        return model.fit(*data, checkpoint=saving, resume=resume, callbacks=[Kill(at)], **options).history[
            "loss"
        ]
    except Killed:
        return None


def torch_loader(seed=0, size=8):
    torch = pytest.importorskip("torch")
    tensors = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    return torch.utils.data.DataLoader(tensors, size, shuffle=True, generator=generator)


def tensorflow_dataset(seed=3):
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(48, seed=seed).batch(8)


def function(seed=0):
    rng = np.random.default_rng(seed)

    def batches():
        for rows in rng.permutation(48).reshape(6, 8):
            yield X[rows], Y[rows]

    return batches


SOURCES = {"DataLoader": torch_loader, "tf.data": tensorflow_dataset, "function": function}


@pytest.mark.parametrize("at", [4, 6, 9, 13])
@pytest.mark.parametrize("kind", SOURCES)
def test_a_seeded_order_is_gone_on_with(backend, kind, at, tmp_path):
    source = SOURCES[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert fit(backend, tmp_path, source(), at=at) is None
        found = fit(backend, tmp_path, source(), resume=True)
        assert found == fit(backend, None, source())


def test_with_a_number_of_steps_too(backend, tmp_path):
    options = {"steps_per_epoch": 4}
    for name, data, more in (("f", lambda: (function(),), {}), ("a", lambda: (X, Y), {"batch_size": 8})):
        assert fit(backend, tmp_path / name, *data(), at=7, **options, **more) is None
        found = fit(backend, tmp_path / name, *data(), resume=True, **options, **more)
        assert found == fit(backend, None, *data(), **options, **more)


def test_an_order_that_cannot_be_repeated_is_warned_of(backend, tmp_path):
    assert fit(backend, tmp_path, torch_loader(seed=None), at=9) is None
    with pytest.warns(UserWarning, match="the data comes in another order"):
        fit(backend, tmp_path, torch_loader(seed=None), resume=True)


def test_data_in_one_order_is_not_read_again(backend, tmp_path):
    read = []

    def batches():
        for start in range(0, 48, 8):
            read.append(start)
            yield X[start : start + 8], Y[start : start + 8]

    assert fit(backend, tmp_path, batches, at=16) is None
    read.clear()
    fit(backend, tmp_path, batches, resume=True)
    assert len(read) == 6  # the third epoch


DIFFERENCES = {
    "batch_size": ({"batch_size": 16}, "its batch_size is 8, here 16"),
    "shuffle": ({"shuffle": False}, "its shuffle is True, here False"),
    "seed": ({"seed": 2}, "its seed is 1, here 2"),
    "steps_per_epoch": ({"steps_per_epoch": 3}, "its steps_per_epoch is 6, here 3"),
    "validation_split": ({"validation_split": 0.25}, "its samples is 48, here 36"),
    "sample_weight": ({"sample_weight": np.ones(48)}, "its checksum of sample_weight"),
    "validation_data": ({"validation_data": (X, Y)}, "its samples of the validation data is None, here 48"),
}


@pytest.mark.parametrize("what", DIFFERENCES)
def test_a_difference_is_refused(backend, what, tmp_path):
    different, message = DIFFERENCES[what]
    fit(backend, tmp_path, X, Y, at=5, batch_size=8)
    with pytest.raises(ValueError, match=message):
        fit(backend, tmp_path, X, Y, resume=True, **{"batch_size": 8, **different})


def test_other_data_is_refused(backend, tmp_path):
    fit(backend, tmp_path, X, Y, at=5)
    with pytest.raises(ValueError, match="its checksum of x"):
        fit(backend, tmp_path, X[::-1], Y[::-1], resume=True)
    fit(backend, tmp_path / "loader", torch_loader(), at=5)
    with pytest.raises(ValueError, match="its batches is 6, here 3"):
        fit(backend, tmp_path / "loader", torch_loader(size=16), resume=True)
    with pytest.raises(ValueError, match="its seed of the loader is 0, here 7"):
        fit(backend, tmp_path / "loader", torch_loader(seed=7), resume=True)


def test_older_checkpoints_are_read(backend, tmp_path):
    fit(backend, tmp_path, X, Y, at=5)
    for path in tmp_path.glob("*.safetensors"):
        tree = archive.read(path, KIND)
        for name in ("identity", "changed", "checksums"):
            del tree[name]
        archive.write(path, KIND, tree)
    assert fit(backend, tmp_path, X, Y, resume=True) == fit(backend, None, X, Y)


CLASSES = np.arange(48) % 3
OPTIMIZERS = {
    "beta_1": (lambda: dn.optimizers.Adam(0.01), lambda: dn.optimizers.Adam(0.01, beta_1=0.5)),
    "clipnorm": (lambda: dn.optimizers.Adam(0.01), lambda: dn.optimizers.Adam(0.01, clipnorm=0.1)),
    "momentum": (
        lambda: dn.optimizers.SGD(0.01, momentum=0.9),
        lambda: dn.optimizers.SGD(0.01, momentum=0.5),
    ),
    "learning_rate": (lambda: dn.optimizers.SGD(0.01), lambda: dn.optimizers.SGD(0.1)),
    "learning_rate.decay_rate": (
        lambda: dn.optimizers.SGD(dn.schedules.ExponentialDecay(0.1, 10, 0.5)),
        lambda: dn.optimizers.SGD(dn.schedules.ExponentialDecay(0.1, 10, 0.9)),
    ),
}


def classify(backend, folder, at=0, resume=False, rate=0.2, callbacks=(), fit=None, **settings):
    """Return the history of a classifier's run; None if it was killed at step `at`."""
    model = dn.Sequential([dn.layers.Dropout(rate), dn.layers.Dense(3, activation="softmax")]).on(backend)
    given = {"optimizer": "adam", "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
    model.compile(**given | settings)
    saving = folder and dn.Checkpoints(folder, every_steps=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an output that does not fit the loss
        try:
            return model.fit(
                X,
                CLASSES,
                batch_size=8,
                epochs=3,
                seed=0,
                checkpoint=saving,
                resume=resume,
                callbacks=[Kill(at), *callbacks],
                **fit or {},
            ).history
        except Killed:
            return None


@pytest.mark.parametrize("setting", OPTIMIZERS)
def test_another_setting_of_the_optimizer_is_refused(backend, setting, tmp_path):
    before, now = OPTIMIZERS[setting]
    classify(backend, tmp_path, at=8, optimizer=before())
    with pytest.raises(ValueError, match=rf"its optimizer\.{setting} is [0-9.N]"):
        classify(backend, tmp_path, resume=True, optimizer=now())
    # the same settings in objects of their own are the same
    assert classify(backend, tmp_path, resume=True, optimizer=before()) == classify(
        backend, None, optimizer=before()
    )


@pytest.mark.parametrize(
    ("different", "message"),
    [
        (
            {"loss": dn.losses.SparseCategoricalCrossentropy(from_logits=True)},
            "its loss.from_logits is False, here True",
        ),
        ({"loss_weights": 0.5}, "its loss_weights is"),
        ({"metrics": []}, "its metric accuracy is 'SparseCategoricalAccuracy', here None"),
        ({"precision": "mixed_bfloat16"}, "its precision is None, here 'bfloat16'"),
        ({"rate": 0.5}, "its layer layers.0.rate is 0.2, here 0.5"),
        ({"fit": {"class_weight": {0: 1, 1: 2, 2: 3}}}, "its class_weight is"),
    ],
    ids=["loss", "loss_weights", "metrics", "precision", "rate", "class_weight"],
)
def test_another_setting_is_refused(backend, different, message, tmp_path):
    classify(backend, tmp_path, at=8)
    with pytest.raises(ValueError, match=message):
        classify(backend, tmp_path, resume=True, **different)
    whole = classify(backend, None, loss=dn.losses.SparseCategoricalCrossentropy())
    assert classify(backend, tmp_path, resume=True) == whole


class Calmer(dn.callbacks.Callback):
    """Lowers the momentum once."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 0:
            self.model.optimizer.momentum = 0.1
            self.model.layers[0].rate = 0.6


def test_what_a_callback_has_set_is_set_again(backend, tmp_path):
    def run(folder, **how):
        optimizer = dn.optimizers.SGD(0.1, momentum=0.9)
        return classify(backend, folder, optimizer=optimizer, callbacks=[Calmer()], **how)

    run(tmp_path, at=8)
    assert run(tmp_path, resume=True) == run(None)


def test_one_changed_sample_is_seen(backend, tmp_path):
    x = np.tile(X, (100, 1))
    y = x[:, :1].copy()
    fit(backend, tmp_path, x, y, at=5)
    y[3_001] += 1
    with pytest.raises(ValueError, match="its checksum of y"):
        fit(backend, tmp_path, x, y, resume=True)
