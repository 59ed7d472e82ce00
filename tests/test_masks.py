"""Masks of sequences: layers hand them on, and what they leave out counts in no loss and no metric."""

from __future__ import annotations

import numpy as np
import pytest

import dualnn as dn
from dualnn.layers.masks import mask_of

L = dn.layers
RNG = np.random.default_rng(0)
LENGTHS = np.array([3, 1, 5, 0, 2, 4, 5, 1])
COUNTS = np.arange(5) < LENGTHS[:, None]
X = np.where(COUNTS[..., None], RNG.normal(size=(8, 5, 3)), 0).astype("float32")
Y = RNG.integers(0, 4, (8, 5))
WEIGHT = RNG.uniform(0.5, 2, (8, 5)).astype("float32")
ENGINES = [("eager", None), ("step", False), ("epoch", False)]
EPS = np.finfo(np.float32).eps


def logits_loss(reduction="sum_over_batch_size"):
    return dn.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction)


def compiled(layers, backend, **settings):
    model = dn.Sequential([*layers, L.Dense(4)]).on(backend)
    settings = {"loss": logits_loss(), "metrics": ["accuracy"], **settings}
    model.compile(dn.optimizers.SGD(0.1), **settings)
    return model


def assert_close(actual, expected):
    """A number is a sum of at most 40 products, each of a few roundings, over at most 4 steps."""
    np.testing.assert_allclose(actual, expected, rtol=0, atol=40 * EPS * max(1.0, np.abs(expected).max()))


# ------------------------------------------------------------------ losses and metrics


@pytest.mark.parametrize(("engine", "jit"), ENGINES)
@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_only_the_steps_that_count_are_trained_on(backend, engine, jit, weight):
    masked = compiled([L.Masking()], backend, engine=engine, jit=jit)
    plain = compiled([], backend, engine=engine, jit=jit)  # on the steps that count, each a sample of its own
    rows = None if weight is None else weight[COUNTS]
    arguments = {"batch_size": 8, "epochs": 4, "shuffle": False, "verbose": 0, "seed": 1}
    plain.build((None, 3))
    masked.build((None, 5, 3))
    masked.set_weights(plain.get_weights())
    history = masked.fit(X, Y, sample_weight=weight, **arguments).history
    expected = plain.fit(
        X[COUNTS], Y[COUNTS], sample_weight=rows, **arguments | {"batch_size": COUNTS.sum()}
    ).history
    for a, b in zip(masked.get_weights(), plain.get_weights(), strict=True):
        assert_close(a, b)
    for name, values in expected.items():
        assert_close(np.array(history[name]), np.array(values))
    assert_close(
        np.array(masked.evaluate(X, Y, sample_weight=weight, verbose=0)),
        np.array(plain.evaluate(X[COUNTS], Y[COUNTS], batch_size=32, sample_weight=rows, verbose=0)),
    )


@pytest.mark.parametrize(
    ("reduction", "expected"),
    [
        ("sum_over_batch_size", lambda v, w: (v * w).sum() / COUNTS.sum()),
        ("mean", lambda v, w: (v * w).sum() / COUNTS.sum()),
        ("sum", lambda v, w: (v * w).sum()),
        ("mean_with_sample_weight", lambda v, w: (v * w).sum() / w.sum()),
    ],
)
def test_reductions(backend, reduction, expected):
    model = compiled([L.Masking()], backend, loss=logits_loss(reduction), metrics=None)
    logits = model.predict(X).astype("float64")
    values = np.log(np.exp(logits).sum(-1)) - np.take_along_axis(logits, Y[..., None], -1)[..., 0]
    for weight in (None, WEIGHT, WEIGHT[:, :1], WEIGHT[:, 0]):
        given = 1.0 if weight is None else weight.reshape(8, -1)
        loss = model.evaluate(X, Y, sample_weight=weight, verbose=0)
        assert_close(np.array(loss), expected(values, COUNTS * given))


def test_weighted_and_other_metrics(backend):
    model = dn.Sequential([L.Masking(), L.Dense(1)]).on(backend)
    y = RNG.normal(size=(8, 5, 1)).astype("float32")
    model.compile(
        "sgd", "mse", metrics=[dn.metrics.Precision(0.0)], weighted_metrics=[dn.metrics.MeanAbsoluteError()]
    )
    logs = model.evaluate(X, y, sample_weight=WEIGHT, verbose=0, return_dict=True)
    predicted = model.predict(X)[..., 0]
    error = np.abs(predicted - y[..., 0]) * COUNTS
    weight = WEIGHT * COUNTS
    assert_close(logs["mean_absolute_error"], (error * weight).sum() / weight.sum())
    positive, actual = (predicted > 0) & COUNTS, y[..., 0] > 0.5
    assert logs["precision"] == pytest.approx((positive & actual).sum() / positive.sum(), rel=1e-15)


@pytest.mark.parametrize(("engine", "jit"), ENGINES)
def test_a_batch_without_any_step_changes_nothing(backend, engine, jit):
    model = compiled([L.Masking()], backend, engine=engine, jit=jit)
    model.build((None, 5, 3))
    before = model.get_weights()
    history = model.fit(0 * X, Y, epochs=2, verbose=0).history
    assert history["loss"] == [0.0, 0.0]
    assert history["accuracy"] == [0.0, 0.0]
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_each_output_has_its_own_mask(backend):
    inputs = dn.Input((5, 3))
    masked, plain = L.Dense(4, name="masked")(L.Masking()(inputs)), L.Dense(4, name="plain")(inputs)
    model = dn.Model(inputs, [masked, plain]).on(backend)
    model.compile("sgd", logits_loss(), metrics=[["accuracy"], ["accuracy"]])
    logs = model.evaluate(X, [Y, Y], verbose=0, return_dict=True)
    outputs = model.predict(X)
    right = [output.argmax(-1) == Y for output in outputs]
    names = [name for name in logs if name.endswith("accuracy")]
    assert logs[names[0]] == pytest.approx(right[0][COUNTS].mean(), rel=1e-15)
    assert logs[names[1]] == pytest.approx(right[1].mean(), rel=1e-15)


def test_targets_without_an_axis_for_the_values_are_refused(backend):
    model = dn.Sequential([L.Masking(), L.Dense(1)]).on(backend)
    model.compile("sgd", "mse", engine="eager")
    with pytest.raises(ValueError, match="of the loss") as caught:
        model.fit(X, Y.astype("float32"), epochs=1, verbose=0)
    assert "has a mask of shape (8, 5), which is a weight for each step" in "".join(caught.value.__notes__)


# ------------------------------------------------------------------ layers


@pytest.fixture
def masked(nn):
    """Two sequences with masks, (True, False, False) and (True, True, False), and one without."""
    masking = L.Masking().on(nn.name)
    short, long = ([[[1.0, 2.0]] * n + [[0.0, 0.0]] * (3 - n)] for n in (1, 2))
    return masking(short), masking(long), nn.ones((1, 3, 2))


def mask_after(nn, layer, inputs, **options):
    mask = mask_of(layer.on(nn.name)(inputs, **options))
    return None if mask is None else nn.to_numpy(mask).tolist()


@pytest.mark.parametrize(
    "make",
    [
        lambda: L.Dense(2),
        lambda: L.Activation("tanh"),
        lambda: L.Dropout(0.5),
        lambda: L.LayerNormalization(),
        lambda: L.BatchNormalization(),
        lambda: L.LSTM(2, return_sequences=True),
        lambda: L.TimeDistributed(L.Dense(2)),
    ],
)
def test_masks_go_through(nn, masked, make):
    for training in (False, True):
        assert mask_after(nn, make(), masked[1], training=training) == [[True, True, False]]


def test_batch_statistics_are_of_the_steps_that_count(nn):
    masked, plain = (L.BatchNormalization(momentum=0.5, epsilon=0.01).on(nn.name) for _ in range(2))
    y = nn.to_numpy(masked(L.Masking().on(nn.name)(X), training=True))
    assert_close(y[COUNTS], nn.to_numpy(plain(X[COUNTS], training=True)))
    for a, b in zip(masked.get_weights(), plain.get_weights(), strict=True):
        assert_close(a, b)
    nothing = nn.to_numpy(masked(L.Masking().on(nn.name)(0 * X), training=True))
    np.testing.assert_array_equal(nothing, np.zeros_like(X))


def test_masks_of_several_tensors_are_kerass(nn, masked):
    short, long, free = masked
    assert mask_after(nn, L.Add(), [short, long]) == [[True, True, False]]
    assert mask_after(nn, L.Add(), [short, free]) is None
    assert mask_after(nn, L.Concatenate(), [short, long]) == [[True, True, False]]
    assert mask_after(nn, L.Concatenate(), [short, free]) == [[True, True, True]]
    assert mask_after(nn, L.Concatenate(), [free, free]) is None
    both = L.Concatenate(axis=1)
    assert mask_after(nn, both, [short, long]) == [[True, False, False, True, True, False]]
    assert mask_after(nn, both, [short, free]) == [[True, False, False, True, True, True]]


def test_a_lost_mask_is_said(nn, masked):
    with pytest.warns(UserWarning, match="does not say supports_masking"):
        L.Flatten().on(nn.name)(masked[0])


@pytest.mark.parametrize(
    "make",
    [
        lambda: L.LSTM(2, return_sequences=True),
        lambda: L.GRU(2, go_backwards=True),
        lambda: L.Bidirectional(L.SimpleRNN(2)),
        lambda: L.GlobalAveragePooling1D(),
    ],
)
def test_nan_in_steps_that_do_not_count_is_in_no_output_and_no_gradient(nn, make):
    counts = np.array([[1, 1, 0, 0], [1, 1, 1, 1]], bool)
    x = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")
    layer, found = make(), []
    for padding in (0.0, np.nan):
        given = nn.asarray(np.where(counts[..., None], x, np.float32(padding)))
        layer(given, mask=counts)
        with nn.GradientTape() as tape:
            y = layer(given, mask=counts)
            total = nn.sum(nn.square(y))
        found.append(
            [nn.to_numpy(g) for g in (y, *tape.gradient(total, layer.trainable_variables))]
            if layer.weights
            else [nn.to_numpy(y)]
        )
    for without, with_nan in zip(*found, strict=True):
        np.testing.assert_array_equal(with_nan, without)


def test_attention_leaves_nan_aside_that_does_not_count(nn):
    counts = np.array([[1, 1, 0], [1, 1, 1]], bool)
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    padded = np.where(counts[..., None], x, np.float32(np.nan))
    expected, y = (nn.to_numpy(L.Attention()([x, value], mask=[None, counts])) for value in (x, padded))
    np.testing.assert_array_equal(y, expected)


def test_multi_head_attention_leaves_nan_aside_that_does_not_count(nn):
    counts = np.array([[1, 1, 0], [1, 1, 1]], bool)
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    layer = L.MultiHeadAttention(2, 3).on(nn.name)
    given = {
        "itself": lambda p: ((p, p), {"query_mask": counts, "value_mask": counts}),
        "values": lambda p: ((x, p), {"value_mask": counts}),
        "keys": lambda p: ((x, x, p), {"key_mask": counts}),
        "both": lambda p: ((x, p), {"key_mask": counts, "return_attention_scores": True}),
    }
    for make in given.values():
        found = []
        for padding in (0.0, np.nan):
            args, options = make(nn.asarray(np.where(counts[..., None], x, np.float32(padding))))
            layer(*args, **options)
            with nn.GradientTape() as tape:
                y = layer(*args, **options)
                y = y[0] if isinstance(y, tuple) else y
                total = nn.sum(nn.square(y))
            found.append([nn.to_numpy(g) for g in (y, *tape.gradient(total, layer.trainable_variables))])
        for without, with_nan in zip(*found, strict=True):
            np.testing.assert_array_equal(with_nan, without)


@pytest.mark.parametrize("trainable", [True, False])
def test_batch_normalization_leaves_nan_aside_that_does_not_count(nn, trainable):
    counts = np.array([[1, 1, 0], [1, 1, 1]], bool)
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    found = []
    for padding in (0.0, np.nan):
        layer = L.BatchNormalization().on(nn.name)
        given = nn.asarray(np.where(counts[..., None], x, np.float32(padding)))
        layer(nn.zeros((1, 1, 4)))
        layer.trainable = trainable
        with nn.GradientTape() as tape:
            tape.watch(given)
            weights = [layer.gamma, layer.beta]
            tape.watch(weights)
            y = layer(given, mask=counts, training=True)
            total = nn.sum(nn.square(nn.where(nn.expand_dims(nn.asarray(counts), axis=-1), y, 0.0)))
        gradients = tape.gradient(total, [given, *weights])
        found.append([nn.to_numpy(g) for g in (*gradients, layer.moving_mean, layer.moving_variance)])
        assert np.isfinite(nn.to_numpy(y)).all()
    for without, with_nan in zip(*found, strict=True):
        np.testing.assert_array_equal(with_nan, without)


class Spoiled(dn.Layer):
    """Make NaN of the steps that do not count, as a division by a sequence's length may."""

    supports_masking = True

    def call(self, x, mask=None):
        return self.nn.where(self.nn.expand_dims(mask, axis=-1), x, self.nn.zeros_like(x) + np.nan)


@pytest.mark.parametrize(
    ("loss", "activation", "metrics"),
    [
        ("mse", None, ["mae", "cosine_similarity"]),
        ("categorical_crossentropy", "softmax", ["accuracy", dn.metrics.Precision(0.3)]),
        ("binary_crossentropy", "sigmoid", ["accuracy", "kl_divergence"]),
        (lambda y, p: dn.backends.namespace(p).mean(p / y, axis=-1), "sigmoid", []),
    ],
)
@pytest.mark.parametrize("engine", ["eager", "epoch"])
@pytest.mark.parametrize("where", ["targets", "outputs"])
def test_nan_in_steps_that_do_not_count_is_in_no_loss_and_no_metric(
    backend, loss, activation, metrics, engine, where
):
    if where == "targets" and str(loss).endswith("crossentropy"):
        pytest.skip("labels are checked on the host, which refuses NaN wherever it stands")
    labels = np.eye(4, dtype="float32")[Y] * 0.9 + 0.025
    found = []
    for spoiled in (False, True):
        parts = [L.Masking(), L.Dense(4, activation=activation)]
        model = dn.Sequential([*parts, *([Spoiled()] if spoiled and where == "outputs" else [])]).on(backend)
        model.compile(
            dn.optimizers.SGD(0.1), loss, metrics=metrics, weighted_metrics=["mse"], engine=engine, jit=False
        )
        model.build((None, 5, 3))
        initial = found[0][0] if found else model.get_weights()
        model.set_weights(initial)
        padding = np.nan if spoiled and where == "targets" else 1.0
        y = np.where(COUNTS[..., None], labels, np.float32(padding))
        history = model.fit(X, y, epochs=2, batch_size=4, shuffle=False, verbose=0).history
        found.append(
            (initial, history, model.evaluate(X, y, verbose=0, return_dict=True), model.get_weights())
        )
    (_, history, logs, weights), (_, other, others, trained) = found
    assert np.isfinite([*logs.values()]).all()
    for a, b in zip(
        [*history.values(), *logs.values(), *weights],
        [*other.values(), *others.values(), *trained],
        strict=True,
    ):
        np.testing.assert_allclose(b, a, rtol=1e-6)
