"""Metrics: their formulas in NumPy, over batches and weights, compiled and not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dualnn as dn
from dualnn import losses, metrics
from tests.conftest import BACKENDS

N, K = 50, 7
RNG = np.random.default_rng(0)
CLASSES = RNG.integers(0, K, size=N)
ONE_HOT = np.eye(K)[CLASSES]
SCORES = RNG.normal(size=(N, K))
BINARY = RNG.integers(0, 2, size=(N, 1))
P = RNG.uniform(size=(N, 1))
NUMBERS = RNG.normal(size=(N, 1))
PREDICTED = NUMBERS + 0.5 * RNG.normal(size=(N, 1))
WEIGHTS = RNG.uniform(size=N)
ROUNDED = np.round(NUMBERS)
ROUNDED_PREDICTED = np.round(PREDICTED)


def mean(values, w):
    return np.average(np.asarray(values, float).reshape(N, -1).mean(-1), weights=w)


def top_k(k):
    best = np.argsort(-SCORES, axis=-1)[:, :k]
    return (best == CLASSES[:, None]).any(-1)


def confusion(threshold, w):
    actual, predicted = BINARY[:, 0] == 1, P[:, 0] > threshold
    return [(w * hits).sum() for hits in (actual & predicted, ~actual & predicted, actual & ~predicted)]


def precision(threshold, w):
    tp, fp, _ = confusion(threshold, w)
    return tp / (tp + fp)


def recall(threshold, w):
    tp, _, fn = confusion(threshold, w)
    return tp / (tp + fn)


def f1(threshold, w):
    p, r = precision(threshold, w), recall(threshold, w)
    return 2 * p * r / (p + r)


def r2(w):
    t, p = NUMBERS[:, 0], PREDICTED[:, 0]
    return 1 - (w * (t - p) ** 2).sum() / (w * (t - np.average(t, weights=w)) ** 2).sum()


BINARY_CROSSENTROPY = -(BINARY * np.log(P) + (1 - BINARY) * np.log(1 - P))
ERROR = NUMBERS - PREDICTED

# (metric, y_true, y_pred, the expected value for given weights)
CASES = {
    "accuracy": (
        metrics.Accuracy(),
        ROUNDED,
        ROUNDED_PREDICTED,
        lambda w: mean(ROUNDED == ROUNDED_PREDICTED, w),
    ),
    "binary": (metrics.BinaryAccuracy(), BINARY, P, lambda w: mean((P > 0.5) == BINARY, w)),
    "binary vector": (metrics.BinaryAccuracy(), BINARY[:, 0], P, lambda w: mean((P > 0.5) == BINARY, w)),
    "binary threshold": (
        metrics.BinaryAccuracy(threshold=0.2),
        BINARY,
        P,
        lambda w: mean((P > 0.2) == BINARY, w),
    ),
    "binary signs": (
        metrics.BinaryAccuracy(threshold=0.0),
        2 * BINARY - 1,
        NUMBERS,
        lambda w: mean((NUMBERS > 0) == BINARY, w),
    ),
    "categorical": (
        metrics.CategoricalAccuracy(),
        ONE_HOT,
        SCORES,
        lambda w: mean(SCORES.argmax(-1) == CLASSES, w),
    ),
    "sparse": (
        metrics.SparseCategoricalAccuracy(),
        CLASSES,
        SCORES,
        lambda w: mean(SCORES.argmax(-1) == CLASSES, w),
    ),
    "sparse column": (
        metrics.SparseCategoricalAccuracy(),
        CLASSES[:, None],
        SCORES,
        lambda w: mean(SCORES.argmax(-1) == CLASSES, w),
    ),
    "top 5": (metrics.TopKCategoricalAccuracy(), ONE_HOT, SCORES, lambda w: mean(top_k(5), w)),
    "top 2": (metrics.TopKCategoricalAccuracy(k=2), ONE_HOT, SCORES, lambda w: mean(top_k(2), w)),
    "sparse top 3": (
        metrics.SparseTopKCategoricalAccuracy(k=3),
        CLASSES,
        SCORES,
        lambda w: mean(top_k(3), w),
    ),
    "precision": (metrics.Precision(), BINARY, P, lambda w: precision(0.5, w)),
    "precision vector": (metrics.Precision(0.3), BINARY[:, 0], P, lambda w: precision(0.3, w)),
    "recall": (metrics.Recall(), BINARY, P, lambda w: recall(0.5, w)),
    "recall threshold": (metrics.Recall(0.7), BINARY, P, lambda w: recall(0.7, w)),
    "f1": (metrics.F1Score(), BINARY, P, lambda w: f1(0.5, w)),
    "f1 threshold": (metrics.F1Score(threshold=0.3), BINARY, P, lambda w: f1(0.3, w)),
    "mse": (metrics.MeanSquaredError(), NUMBERS, PREDICTED, lambda w: mean(ERROR**2, w)),
    "rmse": (metrics.RootMeanSquaredError(), NUMBERS, PREDICTED, lambda w: math.sqrt(mean(ERROR**2, w))),
    "mae": (metrics.MeanAbsoluteError(), NUMBERS, PREDICTED, lambda w: mean(np.abs(ERROR), w)),
    "r2": (metrics.R2Score(), NUMBERS, PREDICTED, r2),
    "cosine": (
        metrics.CosineSimilarity(),
        ONE_HOT,
        SCORES,
        lambda w: mean(SCORES[np.arange(N), CLASSES] / np.linalg.norm(SCORES, axis=-1), w),
    ),
    "loss": (metrics.get("binary_crossentropy"), BINARY, P, lambda w: mean(BINARY_CROSSENTROPY, w)),
    "loss object": (
        metrics.get(losses.BinaryCrossentropy(label_smoothing=1.0)),
        BINARY,
        P,
        lambda w: mean(-0.5 * (np.log(P) + np.log(1 - P)), w),
    ),
    "function": (
        metrics.get(lambda y_true, y_pred: y_pred[:, 0] - y_true[:, 0]),
        NUMBERS,
        PREDICTED,
        lambda w: mean(-ERROR, w),
    ),
}
SPLITS = [slice(0, 1), slice(1, 30), slice(30, N)]
EQUAL = np.ones(N)
# The values are computed in float64 by the same formulas in another order of summation: N roundings.
NEAR = N * 2.3e-16


@pytest.mark.parametrize("case", CASES)
def test_stateful(nn, case):
    metric, y_true, y_pred, expected = CASES[case]
    metric.reset_state()
    assert metric.result() == 0 if case != "r2" else True
    for part in SPLITS:
        assert metric.update_state(y_true[part], nn.asarray(y_pred[part])) is None
    assert metric.result() == pytest.approx(expected(EQUAL), rel=NEAR)
    metric.reset_state()
    for part in SPLITS:
        metric.update_state(y_true[part], nn.asarray(y_pred[part]), sample_weight=WEIGHTS[part])
    assert metric.result() == pytest.approx(expected(WEIGHTS), rel=NEAR)
    metric.reset_state()
    value = metric(y_true, nn.asarray(y_pred), WEIGHTS[:, None])
    assert isinstance(value, float)
    assert value == pytest.approx(expected(WEIGHTS), rel=NEAR)


def run(nn, metric, update, batches):
    state = {name: nn.asarray(value) for name, value in metric.initial_state().items()}
    for batch in batches:
        state = update(state, *map(nn.asarray, batch))
    assert all(nn.dtype_name(value.dtype) == "float64" for value in state.values())
    assert all(tuple(value.shape) == () for value in state.values())
    return metric.compute({name: nn.to_numpy(value) for name, value in state.items()})


@pytest.mark.parametrize("case", CASES)
def test_pure_and_compiled(nn, case):
    metric, y_true, y_pred, expected = CASES[case]
    metric.reset_state()

    def plain(state, t, p):
        return metric.update(nn, state, t, p)

    def weighted(state, t, p, w):
        return metric.update(nn, state, t, p, w)

    halves = (slice(0, N // 2), slice(N // 2, N))
    batches = [(y_true[half], y_pred[half]) for half in halves]
    weighted_batches = [(y_true[half], y_pred[half], WEIGHTS[half]) for half in halves]
    for compiled in (lambda f: f, nn.compile):
        assert run(nn, metric, compiled(plain), batches) == pytest.approx(expected(EQUAL), rel=NEAR)
        value = run(nn, metric, compiled(weighted), weighted_batches)
        assert value == pytest.approx(expected(WEIGHTS), rel=NEAR)
    assert metric._state is None  # the pure functions leave the object alone


def test_an_unknown_batch_size_in_a_graph():
    tf = pytest.importorskip("tensorflow")
    nn = dn.backend("tensorflow")
    for case in ("sparse", "mse", "precision", "r2", "top 2"):
        metric, y_true, y_pred, expected = CASES[case]
        shapes = [(None, *y_true.shape[1:]), (None, *y_pred.shape[1:])]
        state = {name: tf.constant(value) for name, value in metric.initial_state().items()}
        specs = [{name: tf.TensorSpec((), tf.float64) for name in state}]
        specs += [tf.TensorSpec(shape, tf.float64) for shape in shapes]
        graph = tf.function(lambda s, t, p, metric=metric: metric.update(nn, s, t, p), input_signature=specs)
        state = graph(state, tf.constant(y_true, tf.float64), tf.constant(y_pred))
        assert metric.compute({k: v.numpy() for k, v in state.items()}) == pytest.approx(
            expected(EQUAL), rel=NEAR
        )


# ------------------------------------------------------------------ Mean


@given(
    batches=st.lists(
        st.lists(st.tuples(st.integers(-100, 100), st.integers(0, 10)), min_size=1, max_size=5),
        min_size=1,
        max_size=4,
    )
)
@pytest.mark.parametrize("name", BACKENDS)
def test_mean_is_numpys(name, batches):
    nn = dn.backend(name)
    metric, weighted = metrics.Mean(), metrics.Mean()
    for batch in batches:
        values, weights = (nn.asarray(part, dtype="float64") for part in zip(*batch, strict=True))
        metric.update_state(values)
        weighted.update_state(values, sample_weight=weights)
    values, weights = np.array([pair for batch in batches for pair in batch], float).T
    # Integers and their products are exact; the quotient is rounded once on both sides.
    assert metric.result() == pytest.approx(values.mean(), rel=2e-15, abs=1e-15)
    expected = (values * weights).sum() / weights.sum() if weights.any() else 0.0
    assert weighted.result() == expected


def test_mean_of_scalars_and_of_rows():
    metric = metrics.Mean()
    metric.update_state(3.0)
    metric.update_state([[1.0, 2.0], [3.0, 4.0]])
    assert metric.result() == 2.6
    metric.reset_state()
    metric.update_state([[1.0, 2.0], [3.0, 4.0]], sample_weight=[1.0, 3.0])
    assert metric.result() == 3.0


def test_a_long_mean_of_float32_loses_nothing(nn):
    # In float32 a sum near 2**24 would not grow by a half any more.
    metric = metrics.Mean()
    metric.update_state(nn.asarray([2.0**24], dtype="float32"))
    for _ in range(10):
        metric.update_state(nn.asarray([0.5], dtype="float32"))
    assert metric.result() == (2**24 + 5) / 11


# ------------------------------------------------------------------ details


def test_ties_and_nans_of_top_k(nn):
    scores = nn.asarray([[1.0, 1.0, 1.0], [3.0, 2.0, 1.0], [math.nan, 0.0, 1.0], [0.0, math.nan, 1.0]])
    metric = metrics.SparseTopKCategoricalAccuracy(k=1)
    assert metric([0, 0, 0, 2], scores) == 0.75  # the NaN is no right answer, all the others are
    assert metrics.SparseTopKCategoricalAccuracy(k=2)([2], scores[1:2]) == 0.0


def test_sequences(nn):
    labels, scores = RNG.integers(0, 3, size=(4, 5)), RNG.normal(size=(4, 5, 3))
    expected = (scores.argmax(-1) == labels).mean(-1)
    assert metrics.SparseCategoricalAccuracy()(labels, nn.asarray(scores)) == pytest.approx(expected.mean())
    w = RNG.uniform(size=4)
    weighted = metrics.SparseCategoricalAccuracy()(labels, nn.asarray(scores), w)
    assert weighted == pytest.approx(np.average(expected, weights=w), rel=1e-14)


def test_empty_counts_give_zero(nn):
    nothing = nn.zeros((3, 1))
    for metric in (metrics.Precision(), metrics.Recall(), metrics.F1Score()):
        assert metric(np.zeros((3, 1)), nothing) == 0.0
    assert metrics.R2Score()(np.ones((3, 1)), nothing) == 0.0
    assert metrics.Mean().result() == 0.0


def test_r2_of_perfect_and_of_mean_predictions(nn):
    assert metrics.R2Score()(NUMBERS, nn.asarray(NUMBERS)) == 1.0
    assert metrics.R2Score()(NUMBERS, nn.asarray(np.full((N, 1), NUMBERS.mean()))) == pytest.approx(
        0, abs=1e-14
    )
    with pytest.raises(ValueError, match=r"one output, got y_pred of shape \(3, 2\)"):
        metrics.R2Score()(np.ones((3, 2)), nn.ones((3, 2)))


def test_wrong_shapes(nn):
    with pytest.raises(ValueError, match="expected y_true and y_pred of one shape"):
        metrics.CategoricalAccuracy()(CLASSES, nn.asarray(SCORES))
    with pytest.raises(
        ValueError, match=r"expected y_true of shape \(50,\), one class a sample, got \(50, 7\)"
    ):
        metrics.SparseCategoricalAccuracy()(ONE_HOT, nn.asarray(SCORES))
    with pytest.raises(ValueError, match="expected y_true and y_pred of one shape"):
        metrics.Precision()(CLASSES, nn.asarray(SCORES))
    with pytest.raises(ValueError, match="expected sample_weight"):
        metrics.BinaryAccuracy()(BINARY, nn.asarray(P), np.ones(3))


def test_tensors_of_two_frameworks():
    a, b = (dn.backend(name).ones((2, 1)) for name in BACKENDS)
    with pytest.raises(TypeError, match="tensors of one framework"):
        metrics.BinaryAccuracy()(a, b)


# ------------------------------------------------------------------ get


@pytest.mark.parametrize(
    ("loss", "shapes", "expected", "threshold"),
    [
        (losses.BinaryCrossentropy(), (None, None), metrics.BinaryAccuracy, 0.5),
        (losses.BinaryCrossentropy(from_logits=True), (None, None), metrics.BinaryAccuracy, 0.0),
        (losses.BinaryCrossentropy(), ((None, 3), (None, 3)), metrics.BinaryAccuracy, 0.5),
        (losses.Hinge(), (None, None), metrics.BinaryAccuracy, 0.0),
        (losses.SquaredHinge(), (None, None), metrics.BinaryAccuracy, 0.0),
        (losses.CategoricalCrossentropy(), (None, None), metrics.CategoricalAccuracy, None),
        (losses.CategoricalHinge(), (None, None), metrics.CategoricalAccuracy, None),
        (losses.SparseCategoricalCrossentropy(), (None, None), metrics.SparseCategoricalAccuracy, None),
        (losses.MeanSquaredError(), ((None,), (None, 1)), metrics.BinaryAccuracy, 0.5),
        (losses.MeanSquaredError(), ((None,), (None, 4)), metrics.SparseCategoricalAccuracy, None),
        (losses.MeanSquaredError(), ((None, 1), (None, 4)), metrics.SparseCategoricalAccuracy, None),
        (None, ((None, 4), (None, 4)), metrics.CategoricalAccuracy, None),
    ],
)
@pytest.mark.parametrize("name", ["accuracy", "acc"])
def test_accuracy_by_the_loss(name, loss, shapes, expected, threshold):
    metric = metrics.get(name, loss, *shapes)
    assert type(metric) is expected
    assert metric.name == name
    assert getattr(metric, "threshold", None) == threshold


def test_get():
    assert metrics.get("mse").name == "mse"
    assert metrics.get("BinaryAccuracy").name == "BinaryAccuracy"
    assert metrics.get("sparse_categorical_crossentropy").name == "sparse_categorical_crossentropy"
    assert metrics.get(metrics.Precision).name == "precision"
    assert metrics.get(losses.Huber()).name == "huber_loss"
    assert metrics.get(losses.mean_squared_error).name == "mean_squared_error"
    assert metrics.get("cosine_similarity")([[1.0, 0.0]], [[1.0, 0.0]]) == 1.0
    metric = metrics.Recall(name="hits")
    assert metrics.get(metric) is metric
    assert metric.name == "hits"
    assert metrics.get("accuracy", losses.BinaryCrossentropy()) is not metrics.get(
        "accuracy", losses.BinaryCrossentropy()
    )


def test_get_fails():
    with pytest.raises(ValueError, match="unknown metric 'precison'; did you mean 'precision'"):
        metrics.get("precison")
    with pytest.raises(ValueError, match="unknown metric 'acuracy'; did you mean 'accuracy'"):
        metrics.get("acuracy")
    with pytest.raises(ValueError, match="which accuracy is meant depends on the loss"):
        metrics.get("accuracy")
    with pytest.raises(TypeError, match="got 3"):
        metrics.get(3)


def test_a_loss_used_as_a_metric_keeps_its_reduction():
    loss = losses.MeanSquaredError(reduction="sum")
    metric = metrics.get(loss)
    assert metric([[0.0], [0.0]], [[1.0], [3.0]]) == 5.0
    assert float(loss([[0.0], [0.0]], [[1.0], [3.0]])) == 10.0
