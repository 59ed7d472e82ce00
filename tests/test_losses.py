"""Losses: Keras's formulas in NumPy's float64, stable at the extremes, and clear about wrong targets."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dualnn as dn
from dualnn import losses
from dualnn.fast_paths import generic
from tests.conftest import BACKENDS

N, K = 40, 5
RNG = np.random.default_rng(0)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


# Inputs by their kind: numbers, positive numbers, probabilities, logits and labels, of shape (N, K).
NUMBERS = RNG.normal(size=(N, K))
OTHER_NUMBERS = RNG.normal(size=(N, K))
POSITIVE = RNG.uniform(0.1, 3, size=(N, K))
COUNTS = RNG.integers(0, 5, size=(N, K))
LOGITS = RNG.normal(scale=3, size=(N, K))
BINARY = RNG.integers(0, 2, size=(N, K))
SIGNS = 2 * BINARY - 1
CLASSES = RNG.integers(0, K, size=N)
ONE_HOT = np.eye(K)[CLASSES]
SOFT = softmax(RNG.normal(size=(N, K)))
P = softmax(LOGITS)
SIGMOID = 1 / (1 + np.exp(-LOGITS))
EPS = 1e-7


def clip(p):
    return np.clip(p, EPS, 1 - EPS)


def binary(t, p):
    return -(t * np.log(clip(p)) + (1 - t) * np.log(1 - clip(p))).mean(-1)


def binary_logits(t, x):
    return (softplus(x) - t * x).mean(-1)


def huber(e, delta):
    return np.where(np.abs(e) <= delta, e**2 / 2, delta * np.abs(e) - delta**2 / 2).mean(-1)


def cosine(t, p):
    return -(t * p).sum(-1) / np.sqrt((t**2).sum(-1) * (p**2).sum(-1))


def log_softmax(x):
    return x - x.max(-1, keepdims=True) - np.log(np.exp(x - x.max(-1, keepdims=True)).sum(-1, keepdims=True))


def smooth(t, s, n):
    return t * (1 - s) + s / n


# (loss, y_true, y_pred, the expected value of each sample)
CASES = {
    "mse": (losses.MeanSquaredError(), NUMBERS, OTHER_NUMBERS, ((NUMBERS - OTHER_NUMBERS) ** 2).mean(-1)),
    "mae": (losses.MeanAbsoluteError(), NUMBERS, OTHER_NUMBERS, np.abs(NUMBERS - OTHER_NUMBERS).mean(-1)),
    "mape": (
        losses.MeanAbsolutePercentageError(),
        POSITIVE,
        NUMBERS,
        100 * np.abs((POSITIVE - NUMBERS) / POSITIVE).mean(-1),
    ),
    "mape of zero": (
        losses.MeanAbsolutePercentageError(),
        np.zeros((N, K)),
        NUMBERS,
        100 * np.abs(NUMBERS / EPS).mean(-1),
    ),
    "msle": (
        losses.MeanSquaredLogarithmicError(),
        COUNTS,
        NUMBERS,
        ((np.log1p(np.maximum(COUNTS, EPS)) - np.log1p(np.maximum(NUMBERS, EPS))) ** 2).mean(-1),
    ),
    "huber": (losses.Huber(), NUMBERS, OTHER_NUMBERS, huber(OTHER_NUMBERS - NUMBERS, 1.0)),
    "huber delta": (losses.Huber(0.25), NUMBERS, OTHER_NUMBERS, huber(OTHER_NUMBERS - NUMBERS, 0.25)),
    "log_cosh": (losses.LogCosh(), NUMBERS, OTHER_NUMBERS, np.log(np.cosh(OTHER_NUMBERS - NUMBERS)).mean(-1)),
    "binary": (losses.BinaryCrossentropy(), BINARY, SIGMOID, binary(BINARY, SIGMOID)),
    "binary soft": (losses.BinaryCrossentropy(), SOFT, SIGMOID, binary(SOFT, SIGMOID)),
    "binary saturated": (losses.BinaryCrossentropy(), BINARY, 1 - BINARY, np.full(N, -math.log(EPS))),
    "binary smoothed": (
        losses.BinaryCrossentropy(label_smoothing=0.2),
        BINARY,
        SIGMOID,
        binary(smooth(BINARY, 0.2, 2), SIGMOID),
    ),
    "binary logits": (
        losses.BinaryCrossentropy(from_logits=True),
        BINARY,
        LOGITS,
        binary_logits(BINARY, LOGITS),
    ),
    "binary logits smoothed": (
        losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.2),
        BINARY,
        LOGITS,
        binary_logits(smooth(BINARY, 0.2, 2), LOGITS),
    ),
    "categorical": (losses.CategoricalCrossentropy(), ONE_HOT, P, -(ONE_HOT * np.log(clip(P))).sum(-1)),
    "categorical not normalised": (
        losses.CategoricalCrossentropy(),
        SOFT,
        POSITIVE,
        -(SOFT * np.log(POSITIVE / POSITIVE.sum(-1, keepdims=True))).sum(-1),
    ),
    "categorical smoothed": (
        losses.CategoricalCrossentropy(label_smoothing=0.2),
        ONE_HOT,
        P,
        -(smooth(ONE_HOT, 0.2, K) * np.log(clip(P))).sum(-1),
    ),
    "categorical logits": (
        losses.CategoricalCrossentropy(from_logits=True),
        SOFT,
        LOGITS,
        -(SOFT * log_softmax(LOGITS)).sum(-1),
    ),
    "sparse": (losses.SparseCategoricalCrossentropy(), CLASSES, P, -np.log(clip(P))[np.arange(N), CLASSES]),
    "sparse not normalised": (
        losses.SparseCategoricalCrossentropy(),
        CLASSES,
        POSITIVE,
        -np.log(POSITIVE / POSITIVE.sum(-1, keepdims=True))[np.arange(N), CLASSES],
    ),
    "sparse logits": (
        losses.SparseCategoricalCrossentropy(from_logits=True),
        CLASSES,
        LOGITS,
        -log_softmax(LOGITS)[np.arange(N), CLASSES],
    ),
    "kld": (losses.KLDivergence(), SOFT, P, (SOFT * np.log(SOFT / np.clip(P, EPS, 1))).sum(-1)),
    "poisson": (losses.Poisson(), COUNTS, POSITIVE, (POSITIVE - COUNTS * np.log(POSITIVE + EPS)).mean(-1)),
    "hinge": (losses.Hinge(), SIGNS, NUMBERS, np.maximum(1 - SIGNS * NUMBERS, 0).mean(-1)),
    "hinge of 0 and 1": (losses.Hinge(), BINARY, NUMBERS, np.maximum(1 - SIGNS * NUMBERS, 0).mean(-1)),
    "squared_hinge": (
        losses.SquaredHinge(),
        SIGNS,
        NUMBERS,
        (np.maximum(1 - SIGNS * NUMBERS, 0) ** 2).mean(-1),
    ),
    "categorical_hinge": (
        losses.CategoricalHinge(),
        ONE_HOT,
        NUMBERS,
        np.maximum(((1 - ONE_HOT) * NUMBERS).max(-1) - (ONE_HOT * NUMBERS).sum(-1) + 1, 0),
    ),
    "cosine": (losses.CosineSimilarity(), NUMBERS, OTHER_NUMBERS, cosine(NUMBERS, OTHER_NUMBERS)),
    "cosine of zero": (losses.CosineSimilarity(), NUMBERS, np.zeros((N, K)), np.zeros(N)),
}
INPUT_SIZE = max(np.abs(x).max() for x in (NUMBERS, OTHER_NUMBERS, POSITIVE, COUNTS, LOGITS))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_formula(nn, case, dtype):
    loss, y_true, y_pred, expected = CASES[case]
    loss = type(loss)(**loss.kwargs, reduction="none")
    values = loss(nn.asarray(y_true), nn.asarray(y_pred, dtype=dtype))
    assert nn.dtype_name(values.dtype) == dtype
    eps = np.finfo(dtype).eps
    # Rounding the inputs changes a value by their size times its slope; the slope of a logarithm is
    # 1 / p, so log(1 - p) of a saturated p = 1 - 1e-7 has an error of eps / 1e-7.
    slope = 1 / EPS if "saturated" in case else 100 if "mape" in case else 10
    tolerance = 16 * eps * (np.abs(expected) + slope * INPUT_SIZE)
    np.testing.assert_array_less(np.abs(nn.to_numpy(values) - expected), tolerance)


@pytest.mark.parametrize("case", CASES)
def test_reductions_and_weights(nn, case):
    loss, y_true, y_pred, expected = CASES[case]
    y_true, y_pred = nn.asarray(y_true), nn.asarray(y_pred, dtype="float64")
    weight = RNG.uniform(0, 2, size=N)

    def value(reduction, sample_weight=None):
        reduced = type(loss)(**loss.kwargs, reduction=reduction)(y_true, y_pred, sample_weight)
        return nn.to_numpy(reduced)

    near = {"rtol": 1e-7, "atol": 1e-12}  # the formula is tested above; here the way it is reduced
    np.testing.assert_allclose(value("sum_over_batch_size"), expected.mean(), **near)
    np.testing.assert_allclose(value("mean"), expected.mean(), **near)
    np.testing.assert_allclose(value("sum"), expected.sum(), **near)
    np.testing.assert_allclose(value(None), expected, **near)
    for weights in (weight, weight[:, None], nn.asarray(weight), weight.tolist()):
        np.testing.assert_allclose(value("sum_over_batch_size", weights), (expected * weight).mean(), **near)
    np.testing.assert_allclose(value("sum", weight), (expected * weight).sum(), **near)
    np.testing.assert_allclose(value("none", weight), expected * weight, **near)
    weighted_mean = (expected * weight).sum() / weight.sum()
    np.testing.assert_allclose(value("mean_with_sample_weight", weight), weighted_mean, **near)
    assert value("mean_with_sample_weight", np.zeros(N)) == 0


def test_weights_of_samples_or_of_values(nn):
    y = np.zeros((4, 3, 2))
    p = nn.asarray(RNG.normal(size=(4, 3, 2)))
    values = (nn.to_numpy(p) ** 2).mean(-1)
    loss = losses.MeanSquaredError(reduction="sum")
    samples, steps = RNG.uniform(size=4), RNG.uniform(size=(4, 3))
    assert float(loss(y, p, samples)) == pytest.approx((values * samples[:, None]).sum(), rel=1e-14)
    assert float(loss(y, p, steps)) == pytest.approx((values * steps).sum(), rel=1e-14)
    assert float(loss(y, p, steps[..., None])) == pytest.approx((values * steps).sum(), rel=1e-14)
    for wrong in (np.ones(3), np.ones((3, 4)), np.ones((4, 3, 2))):
        with pytest.raises(ValueError, match=r"expected sample_weight of the shape \(4, 3\)"):
            loss(y, p, wrong)


# ------------------------------------------------------------------ shapes


@pytest.mark.parametrize("case", ["mse", "mae", "huber", "binary", "binary logits", "hinge", "poisson"])
def test_a_column_and_a_vector_are_the_same_numbers(nn, case):
    loss = CASES[case][0]
    t, p = BINARY[:, 0].astype(float), SIGMOID[:, 0]
    expected = float(loss(t[:, None], nn.asarray(p[:, None])))
    for true, pred in ((t, p[:, None]), (t[:, None], p), (t, p)):
        # The sums may be made in another order: N additions and a division.
        assert float(loss(true, nn.asarray(pred))) == pytest.approx(expected, rel=N * 2.3e-16)


def test_values_of_a_column_and_a_vector(nn):
    t, p = nn.asarray(NUMBERS[:, 0]), nn.asarray(OTHER_NUMBERS[:, :1])
    assert tuple(losses.mean_squared_error(t, p).shape) == (N,)
    assert tuple(losses.mean_squared_error(p, t).shape) == (N,)
    deep = nn.asarray(NUMBERS[:, :, None])
    assert tuple(losses.mean_squared_error(nn.asarray(NUMBERS), deep).shape) == (N,)
    assert tuple(losses.mean_squared_error(deep, nn.asarray(NUMBERS)).shape) == (N,)


@pytest.mark.parametrize(
    "shapes", [((4,), (4, 4)), ((4, 1), (4, 3)), ((4, 3), (4, 1)), ((1, 3), (4, 3)), ((), ())]
)
def test_other_shapes_never_broadcast(nn, shapes):
    true, pred = (nn.zeros(shape) for shape in shapes)
    for function in (losses.mean_squared_error, losses.binary_crossentropy, losses.categorical_crossentropy):
        with pytest.raises(ValueError, match="expected y_true and y_pred of one shape"):
            function(true, pred)


@pytest.mark.parametrize(
    "labels", [CLASSES, CLASSES[:, None], CLASSES.astype("int32"), CLASSES.astype(float)]
)
def test_sparse_labels_of_any_kind(nn, labels):
    loss, _, y_pred, expected = CASES["sparse logits"]
    assert float(loss(labels, nn.asarray(y_pred))) == pytest.approx(expected.mean(), rel=1e-14)


def test_sparse_labels_of_sequences(nn):
    labels, logits = RNG.integers(0, 3, size=(2, 4)), RNG.normal(size=(2, 4, 3))
    values = losses.sparse_categorical_crossentropy(labels, nn.asarray(logits), from_logits=True)
    expected = -np.take_along_axis(log_softmax(logits), labels[..., None], -1)[..., 0]
    np.testing.assert_allclose(nn.to_numpy(values), expected, rtol=1e-14)
    with pytest.raises(
        ValueError, match=r"expected y_true of shape \(2, 4\), one class a sample, got \(2,\)"
    ):
        losses.sparse_categorical_crossentropy(labels[:, 0], nn.asarray(logits))


def test_a_class_that_half_precision_cannot_count(nn):
    # bfloat16 holds integers up to 256 only, so labels must not be cast to the dtype of the logits.
    logits = np.zeros((1, 1000), np.float32)
    logits[0, 777] = 100.0
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    assert float(loss([777], nn.asarray(logits, dtype="bfloat16"))) == 0.0


# ------------------------------------------------------------------ arguments of other kinds


def test_arrays_and_lists(nn):
    t, p = [[1.0, 2.0]], [[3.0, 2.0]]
    native = nn.asarray(p)
    for true, pred in (
        (t, native),
        (np.asarray(t), native),
        (native, t),
        (t, p),
        (np.asarray(t), np.asarray(p)),
    ):
        loss = losses.MeanSquaredError()(true, pred)
        assert nn.is_tensor(loss)
        assert float(loss) == 2.0
    assert float(losses.MeanSquaredError()([1, 2], [3, 2])) == 2.0  # integers are numbers, too


def test_the_dtype_of_the_prediction_decides(nn):
    for dtype in ("float32", "float64"):
        loss = losses.MeanSquaredError()(np.zeros((2, 1)), nn.zeros((2, 1), dtype=dtype))
        assert nn.dtype_name(loss.dtype) == dtype


def test_tensors_of_two_frameworks():
    a, b = (dn.backend(name).ones((2, 1)) for name in BACKENDS)
    with pytest.raises(TypeError, match="tensors of one framework, got tensors of tensorflow and torch"):
        losses.MeanSquaredError()(a, b)


# ------------------------------------------------------------------ stability


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logits_at_the_extremes(nn, dtype):
    x = np.array([[-800.0], [-30.0], [-1e-3], [0.0], [1e-3], [30.0], [800.0]], dtype)
    for t in (0.0, 1.0):
        values = losses.binary_crossentropy(np.full_like(x, t), nn.asarray(x), from_logits=True)
        expected = softplus((-x if t else x).astype("float64"))[:, 0]
        # A softplus within 4 units in the last place, also where it is as small as exp(-30).
        info = np.finfo(dtype)
        np.testing.assert_allclose(nn.to_numpy(values), expected, rtol=4 * info.eps, atol=info.tiny)


def test_softmax_logits_at_the_extremes(nn):
    x = nn.asarray([[1e4, 0.0, -1e4]])
    for t, expected in enumerate([0.0, 1e4, 2e4]):
        assert float(losses.SparseCategoricalCrossentropy(from_logits=True)([t], x)) == expected
        one_hot = np.eye(3)[[t]]
        assert float(losses.CategoricalCrossentropy(from_logits=True)(one_hot, x)) == expected


def gradient(nn, loss, y_true, y_pred):
    p = nn.Variable(nn.asarray(y_pred))
    with nn.GradientTape() as tape:
        value = loss(y_true, p)
    return nn.to_numpy(tape.gradient(value, p))


def test_gradients_by_logits(nn):
    logits = np.vstack([LOGITS, np.zeros((1, K)), np.full((1, K), 500.0), np.full((1, K), -500.0)])
    n = len(logits)
    zero_one = np.vstack([BINARY, BINARY[:3]])
    classes = np.concatenate([CLASSES, [0, 1, 2]])
    sigmoid = 1 / (1 + np.exp(-np.clip(logits, -700, 700)))
    near = {"rtol": 1e-12, "atol": 1e-17}
    by_logit = gradient(nn, losses.BinaryCrossentropy(from_logits=True), zero_one, logits)
    np.testing.assert_allclose(by_logit, (sigmoid - zero_one) / (n * K), **near)
    expected = (softmax(logits) - np.eye(K)[classes]) / n
    sparse = gradient(nn, losses.SparseCategoricalCrossentropy(from_logits=True), classes, logits)
    np.testing.assert_allclose(sparse, expected, **near)
    dense = gradient(nn, losses.CategoricalCrossentropy(from_logits=True), np.eye(K)[classes], logits)
    np.testing.assert_allclose(dense, expected, **near)


def test_gradient_of_the_cosine_of_zero_is_finite(nn):
    assert np.all(np.isfinite(gradient(nn, losses.CosineSimilarity(), NUMBERS, np.zeros((N, K)))))


def test_gradient_by_probabilities(nn):
    by_p = gradient(nn, losses.BinaryCrossentropy(), BINARY, SIGMOID)
    expected = (SIGMOID - BINARY) / (SIGMOID * (1 - SIGMOID)) / (N * K)
    np.testing.assert_allclose(by_p, expected, rtol=1e-11)


@pytest.mark.parametrize("case", CASES)
def test_compiled_with_the_same_value(nn, case):
    loss, y_true, y_pred, expected = CASES[case]
    compiled = nn.compile(lambda t, p: loss(t, p))
    value = float(compiled(nn.asarray(y_true), nn.asarray(y_pred, dtype="float64")))
    assert value == pytest.approx(expected.mean(), rel=1e-7, abs=1e-12)


# ------------------------------------------------------------------ losses of one's own


def test_a_function_gets_both_in_one_dtype(nn):
    def quartic(y_true, y_pred):
        return nn.mean((y_true - y_pred) ** 4, axis=-1)

    loss = losses.get(quartic)
    assert loss.name == "quartic"
    assert float(loss(np.array([[1], [2]]), nn.asarray([[1.0], [0.0]]))) == 8.0
    assert float(losses.LossFunctionWrapper(losses.huber, delta=0.5)([[0.0]], [[1.0]])) == 0.375


def test_a_subclass(nn):
    class Quartic(losses.Loss):
        def call(self, y_true, y_pred):
            return nn.mean((y_true - y_pred) ** 4, axis=-1)

    assert float(Quartic()(np.array([[1], [2]]), nn.asarray([[1.0], [0.0]]))) == 8.0
    assert float(Quartic("sum", name="q")(np.array([[1], [2]]), nn.asarray([[1.0], [0.0]]))) == 16.0
    Quartic().check(np.zeros((3, 2)), (None, 7))  # of a loss of one's own nothing is known


# ------------------------------------------------------------------ check


@given(
    n=st.integers(1, 5),
    k=st.integers(2, 5),
    column=st.booleans(),
    dtype=st.sampled_from(["int64", "uint8", "float32"]),
)
def test_check_lets_right_targets_pass(n, k, column, dtype):
    rng = np.random.default_rng(n * k)
    classes = rng.integers(0, k, size=(n, 1) if column else n).astype(dtype)
    losses.SparseCategoricalCrossentropy().check(classes, (None, k))
    losses.CategoricalCrossentropy().check(np.eye(k)[rng.integers(0, k, size=n)], (None, k))
    zero_one = rng.integers(0, 2, size=(n, 1) if column else n).astype(dtype)
    losses.BinaryCrossentropy().check(zero_one, (None, 1))
    losses.BinaryCrossentropy().check(zero_one == 1, (n, 1))
    losses.MeanSquaredError().check(zero_one, (None, 1))
    losses.MeanSquaredError().check(rng.normal(size=(n, k)), (None, k))
    losses.MeanSquaredError().check(rng.normal(size=(n, 3, k)), (None, None, k))


SPARSE, DENSE = losses.SparseCategoricalCrossentropy(), losses.CategoricalCrossentropy()
MSE, BINARY_LOSS = losses.MeanSquaredError(), losses.BinaryCrossentropy()


@pytest.mark.parametrize(
    ("loss", "y_true", "shape", "message"),
    [
        (
            MSE,
            np.zeros((5, 2)),
            (None, 3),
            r"mean_squared_error: expected y_true of the shape \(None, 3\) .* output, got \(5, 2\)$",
        ),
        (MSE, np.zeros(5), (None, 3), r"got \(5,\)"),
        (MSE, np.zeros((5, 1)), (4, 1), r"got \(5, 1\)"),
        (MSE, np.array(["a", "b"]), (None, 1), r"expected numbers in y_true, got an array of dtype <U1"),
        (
            BINARY_LOSS,
            np.array([0, 1, 2, 1]),
            (None, 1),
            r"binary_crossentropy: expected a label from 0 to 1, got y_true\[2\] = 2$",
        ),
        (
            BINARY_LOSS,
            np.array([[1], [-1]]),
            (None, 1),
            r"labels -1 and 1 are for Hinge, got y_true\[1, 0\] = -1",
        ),
        (BINARY_LOSS, np.array([0.5, math.nan]), (None, 1), r"y_true\[1\] = nan"),
        (
            BINARY_LOSS,
            np.array([0, 1, 2]),
            (None, 3),
            "for one class a sample use SparseCategoricalCrossentropy",
        ),
        (
            DENSE,
            np.array([0, 1, 2]),
            (None, 3),
            r"expected y_true of the shape \(None, 3\) .*, got \(3,\); for integer labels use SparseCateg",
        ),
        (DENSE, np.array([[0], [1]]), (None, 3), r"got \(2, 1\); for integer labels use SparseCateg"),
        (DENSE, np.zeros((4, 1)), (None, 1), "an output for each class, two or more.*use BinaryCrossentropy"),
        (DENSE, np.array([[0, 3]]), (None, 2), r"expected a label from 0 to 1, got y_true\[0, 1\] = 3"),
        (
            SPARSE,
            np.eye(3),
            (None, 3),
            r"expected y_true of shape \(None,\), one class a sample, as the model's output is \(None, 3\), "
            r"got \(3, 3\); for one-hot labels use CategoricalCrossentropy, or y_true.argmax\(-1\)",
        ),
        (SPARSE, np.zeros((4, 2)), (None, 3), r"got \(4, 2\)$"),
        (
            SPARSE,
            np.array([0, 3, 1, 3]),
            (None, 3),
            r"expected a class from 0 to 2, as the model has 3 outputs, got y_true\[1\] = 3$",
        ),
        (SPARSE, np.array([1, 3, 2]), (None, 3), r"the labels start from 1: subtract 1, got y_true\[1\] = 3"),
        (SPARSE, np.array([0, 1, -1]), (None, 3), r"expected a class from 0 to 2.*got y_true\[2\] = -1"),
        (SPARSE, np.array([0.0, 1.5]), (None, 3), r"expected an integer class, got y_true\[1\] = 1.5"),
        (SPARSE, np.array([0.0, math.nan]), (None, 3), r"expected an integer class, got y_true\[1\] = nan"),
        (SPARSE, np.array([0, 1]), (None, 1), "for one output use BinaryCrossentropy"),
        (SPARSE, np.array(["cat", "dog"]), (None, 2), r"np.unique\(y_true, return_inverse=True\)"),
    ],
)
def test_check_names_what_is_wrong(loss, y_true, shape, message):
    with pytest.raises(ValueError, match=message):
        loss.check(y_true, shape)


# ------------------------------------------------------------------ get, and wrong arguments


def test_get():
    for name in ("mse", "MSE", "mean_squared_error", "MeanSquaredError", losses.MeanSquaredError):
        assert type(losses.get(name)) is losses.MeanSquaredError
    loss = losses.Huber(0.5)
    assert losses.get(loss) is loss
    with pytest.raises(
        ValueError, match="unknown loss 'mean_square_error'; did you mean 'mean_squared_error'"
    ):
        losses.get("mean_square_error")
    with pytest.raises(TypeError, match="got None"):
        losses.get(None)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: losses.MeanSquaredError(reduction="avg"), "unknown reduction 'avg'"),
        (lambda: losses.Huber(delta=0.0), "positive delta, got 0.0"),
        (lambda: losses.BinaryCrossentropy(label_smoothing=1.5), "label_smoothing from 0 to 1, got 1.5"),
        (
            lambda: losses.CategoricalCrossentropy(label_smoothing=-0.5),
            "label_smoothing from 0 to 1, got -0.5",
        ),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("label", [5, -1, -100])
@pytest.mark.parametrize("reduction", ["none", "sum_over_batch_size"])
def test_a_label_out_of_range_in_an_own_loop_is_an_error(nn, label, reduction):
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction)
    words = r"out of (bounds|range)|outside the valid range|not in \[0, 2\)"  # of the frameworks
    with pytest.raises(Exception, match=words):
        loss(nn.asarray([label]), nn.asarray([[0.1, 0.2]]))


# ------------------------------------------------------------------ the fused kernel


@pytest.mark.parametrize("reduction", ["none", "mean"])
@pytest.mark.parametrize("shape", [(), (4,), (4, 1), (2, 3), (0,)])
def test_the_kernel_and_the_formula_agree(nn, shape, reduction):
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction)
    samples = shape[:1] if shape == (4, 1) else shape
    labels, logits = RNG.integers(0, K, size=shape), RNG.normal(size=(*samples, K))
    x = nn.asarray(logits)

    def value(x):
        return nn.sum(loss(labels, x))

    by_kernel = loss(labels, x), nn.grad(value)(x), nn.grad(lambda x: nn.sum(nn.grad(value)(x) ** 2))(x)
    with generic():
        by_formula = loss(labels, x), nn.grad(value)(x), nn.grad(lambda x: nn.sum(nn.grad(value)(x) ** 2))(x)
    # 4 roundings for each of exp, sum, log and difference, 4 times as many for each derivative: of numbers
    # up to 10 in size
    for bits, a, b in zip((16, 64, 256), by_kernel, by_formula, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(nn.to_numpy(a), nn.to_numpy(b), rtol=0, atol=bits * 10 * 2.3e-16)


@pytest.mark.parametrize("row", [[np.nan, 2, 3], [np.inf, 2, 3], [-np.inf, 2, 3], [-np.inf] * 3])
def test_the_kernel_and_the_formula_agree_at_the_limits(nn, row):
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")
    labels, x = nn.asarray([0, 1]), nn.asarray([row, row], dtype="float64")

    def results():
        return nn.to_numpy(loss(labels, x)), nn.to_numpy(nn.grad(lambda x: nn.sum(loss(labels, x)))(x))

    by_kernel = results()
    with generic():
        by_formula = results()
    for a, b in zip(by_kernel, by_formula, strict=True):
        np.testing.assert_allclose(a, b, rtol=64 * 2.3e-16)


def test_a_mean_of_more_samples_than_half_precision_can_count(nn):
    # torch sums up in float32, TensorFlow's mean is NaN
    labels, logits = np.zeros(100_000, int), nn.zeros((100_000, 2), dtype="float16")
    by_kernel = losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits)
    with generic():
        by_formula = losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits)
    roundings = 3 * 64  # of a sum in pieces of 64, on the three levels that 100,000 terms have
    for value in (by_kernel, by_formula):
        np.testing.assert_allclose(nn.to_numpy(value), np.log(2.0), rtol=roundings * 2.0**-24)


def test_a_call_of_the_users_own_is_not_passed_over(nn):
    class Doubled(losses.SparseCategoricalCrossentropy):
        def call(self, y_true, y_pred):
            return 2.0 * super().call(y_true, y_pred)

    x = nn.asarray([[0.0, 0.0]], dtype="float64")
    assert float(Doubled(from_logits=True)([1], x)) == pytest.approx(2 * math.log(2), rel=1e-15)


def test_the_jacobian_of_the_losses_of_samples(nn):
    x = nn.asarray(LOGITS[:3])
    with nn.GradientTape() as tape:
        tape.watch(x)
        values = losses.sparse_categorical_crossentropy(CLASSES[:3], x, from_logits=True)
    expected = np.eye(3)[:, :, None] * (P[:3] - ONE_HOT[:3])
    np.testing.assert_allclose(nn.to_numpy(tape.jacobian(values, x)), expected, atol=64 * 2.3e-16)
