"""Each metric is that of all data at once, by its definition, however the data is cut, weighted and given."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dualnn as dn
from dualnn import metrics as M  # noqa: N812
from tests.conftest import BACKENDS

CLASSES = 3


def mean_of(values):
    """Return a definition: the weighted mean of a value for each sample or step."""

    def definition(t, p, w):
        v = np.asarray(values(t, p), dtype="float64")
        w = np.broadcast_to(w.reshape(w.shape + (1,) * (v.ndim - w.ndim)), v.shape)
        return (v * w).sum() / w.sum() if w.sum() else 0.0

    return definition


def over_last(values):
    return mean_of(lambda t, p: values(t, p).mean(-1) if t.ndim > 1 else values(t, p))


def positives(t, p, w, threshold):
    w = np.broadcast_to(w.reshape(w.shape + (1,) * (t.ndim - w.ndim)), t.shape)
    t, p = t > 0.5, p > threshold
    return (w * (t & p)).sum(), (w * p).sum(), (w * t).sum()


def ratio(a, b):
    return a / b if b else 0.0


def f1_of_classes(t, p, w):
    p = (p == p.max(-1, keepdims=True)) & (np.abs(p) > 1e-9)
    return np.array([f1(t[..., [k]], p[..., [k]].astype(float), w, 0.5) for k in range(p.shape[-1])])


def f1(t, p, w, threshold):
    both, predicted, actual = positives(t, p, w, threshold)
    return ratio(2 * both, predicted + actual)


def r2(t, p, w):
    w = np.broadcast_to(w.reshape(w.shape + (1,) * (t.ndim - w.ndim)), t.shape)
    if not w.sum():
        return 0.0
    total = (w * (t - np.average(t, weights=w)) ** 2).sum()
    return 1 - (w * (t - p) ** 2).sum() / total if total > 1e-20 else 0.0


def cosine(t, p):
    lengths = [np.maximum(np.sqrt((x**2).sum(-1)), 1e-7) for x in (t, p)]
    return (t * p).sum(-1) / lengths[0] / lengths[1]


def top(k):
    return lambda t, p: (p > np.take_along_axis(p, t[..., None], -1)).sum(-1) < k


def squared(t, p):
    return (t - p) ** 2


# name: (metric, kind of targets, definition)
CASES = {
    "mse": (M.MeanSquaredError, "numbers", over_last(squared)),
    "rmse": (M.RootMeanSquaredError, "numbers", lambda *a: over_last(squared)(*a) ** 0.5),
    "mae": (M.MeanAbsoluteError, "numbers", over_last(lambda t, p: np.abs(t - p))),
    "cosine": (M.CosineSimilarity, "vectors", mean_of(cosine)),
    "equal": (M.Accuracy, "rounded", mean_of(lambda t, p: t == p)),
    "binary": (M.BinaryAccuracy, "yes or no", mean_of(lambda t, p: (p > 0.5) == (t > 0.5))),
    "one-hot": (M.CategoricalAccuracy, "one-hot", mean_of(lambda t, p: t.argmax(-1) == p.argmax(-1))),
    "sparse": (M.SparseCategoricalAccuracy, "classes", mean_of(lambda t, p: t == p.argmax(-1))),
    "top 2": (lambda: M.SparseTopKCategoricalAccuracy(2), "classes", mean_of(top(2))),
    "top 2 of one-hot": (
        lambda: M.TopKCategoricalAccuracy(2),
        "one-hot",
        mean_of(lambda t, p: top(2)(t.argmax(-1), p)),
    ),
    "precision": (M.Precision, "yes or no", lambda t, p, w: ratio(*positives(t, p, w, 0.5)[:2])),
    "precisions": (
        lambda: M.Precision([0.25, 0.75]),
        "yes or no",
        lambda t, p, w: np.array([ratio(*positives(t, p, w, at)[:2]) for at in (0.25, 0.75)]),
    ),
    "recalls": (
        lambda: M.Recall([0.25, 0.75]),
        "yes or no",
        lambda t, p, w: np.array([ratio(*positives(t, p, w, at)[::2]) for at in (0.25, 0.75)]),
    ),
    "f1": (lambda: M.F1Score("micro", 0.5), "yes or no", lambda t, p, w: f1(t, p, w, 0.5)),
    "f1 of classes": (M.F1Score, "one-hot", f1_of_classes),
    "macro f1": (lambda: M.F1Score("macro"), "one-hot", lambda *a: f1_of_classes(*a).mean()),
    "r2": (M.R2Score, "one number", r2),
    "a function of ones own": (
        lambda: M.get(lambda t, p: dn.namespace(p).mean(dn.namespace(p).abs(t - p), axis=-1)),
        "vectors",
        over_last(lambda t, p: np.abs(t - p)),
    ),
    "a loss": (
        lambda: M.get(dn.losses.Poisson()),
        "counts",
        over_last(lambda t, p: p - t * np.log(p + 1e-7)),
    ),
}
WITH_RANK_1 = ("numbers", "rounded", "yes or no", "one number", "counts")


def data(kind, rank, size, seed):
    """Return targets and outputs, of shape (size,), (size, columns) or (size, steps, columns)."""
    rng = np.random.default_rng(seed)
    columns = 1 if kind == "one number" else CLASSES
    shape = {1: (size,), 2: (size, columns), 3: (size, 4, columns)}[rank]
    p = rng.normal(size=shape)
    if kind in ("numbers", "one number", "vectors"):
        return rng.normal(size=shape) + 5, p
    if kind == "rounded":
        return np.round(rng.normal(size=shape)), np.round(p)
    if kind == "counts":
        return rng.integers(0, 4, size=shape).astype("float64"), np.abs(p)
    if kind == "yes or no":
        return rng.integers(0, 2, size=shape).astype("float64"), rng.uniform(size=shape)
    classes = rng.integers(0, CLASSES, size=shape[:-1])
    return (classes if kind == "classes" else np.eye(CLASSES)[classes]), rng.uniform(size=shape)


GIVEN = {
    "arrays": lambda nn, x: x,
    "lists": lambda nn, x: x.tolist(),
    "tensors": lambda nn, x: nn.asarray(x),
}


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("case", CASES)
@settings(max_examples=8, deadline=None)
@given(
    st.integers(1, 3),
    st.lists(st.integers(1, 4), min_size=1, max_size=4),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["none", "samples", "column", "steps"]),
    st.sampled_from(sorted(GIVEN)),
)
def test_any_cut_any_weights(name, case, rank, cut, seed, weighting, given_as):
    make, kind, definition = CASES[case]
    if rank == 1 and kind not in WITH_RANK_1:
        rank = 2
    nn = dn.backend(name)
    t, p = data(kind, rank, sum(cut), seed)
    w = np.random.default_rng(seed).integers(0, 3, size=sum(cut)) * 0.5
    if weighting == "steps" and rank == 3:
        w = np.random.default_rng(seed).uniform(size=(sum(cut), 4))
    w = np.ones(sum(cut)) if weighting == "none" else w
    metric, end = make(), np.cumsum(cut)
    for first, last in zip([0, *end], end, strict=False):
        y_true, y_pred = (GIVEN[given_as](nn, x[first:last]) for x in (t, nn.to_numpy(nn.asarray(p))))
        y_pred = nn.asarray(y_pred, dtype="float64") if given_as != "tensors" else y_pred
        part = w[first:last][..., None] if weighting == "column" else w[first:last]
        metric.update_state(y_true, y_pred, None if weighting == "none" else part)
    np.testing.assert_allclose(metric.result(), definition(t, p, w), rtol=1e-11, atol=1e-12)
    whole = make()
    whole.update_state(t, nn.asarray(p), None if weighting == "none" else w)
    np.testing.assert_allclose(metric.result(), whole.result(), rtol=1e-11, atol=1e-12)
    metric.reset_state()
    assert np.all(np.asarray(metric.result()) == 0)


def test_every_metric_is_here():
    tested = {type(make()) for make, _, _ in CASES.values()}
    known = {x for x in vars(M).values() if isinstance(x, type) and issubclass(x, M.Metric)}
    public = {x for x in known if not x.__name__.startswith("_")}
    assert public - tested <= {M.Metric, M.Mean}


@pytest.mark.parametrize("case", [c for c, (_, kind, _) in CASES.items() if kind not in ("vectors",)])
def test_in_a_model_in_evaluate_fit_and_on_batch(backend, case):
    make, kind, definition = CASES[case]
    t, p = data(kind, 2, 11, 0)
    metric = make()
    model = dn.Sequential([dn.layers.Activation("linear")]).on(backend, dtype="float64")
    model.compile("sgd", lambda y_true, y_pred: y_pred[:, 0] * 0.0, metrics=[metric], engine="eager")
    wanted, key = definition(t, p, np.ones(11)), metric.name
    assert key != "loss"
    near = {"rtol": 1e-11, "atol": 1e-12}
    np.testing.assert_allclose(model.evaluate(p, t, 4, return_dict=True)[key], wanted, **near)
    np.testing.assert_allclose(model.test_on_batch(p, t, return_dict=True)[key], wanted, **near)
    np.testing.assert_allclose(model.test_on_batch(p, t)[1], wanted, **near)


def test_1d_data_of_unequal_batches(nn):
    def rmse(*weights):
        metric = M.RootMeanSquaredError()
        metric.update_state(np.zeros(3, "float32"), nn.ones((3,)), *weights[:1])
        metric.update_state(np.zeros(1, "float32"), nn.asarray([3.0]), *weights[1:])
        return metric.result()

    assert rmse() == pytest.approx(3**0.5)
    assert rmse(np.ones(3), [0.5]) == pytest.approx((7.5 / 3.5) ** 0.5)
    loss = dn.losses.MeanSquaredError()
    assert float(loss([0.0, 0.0], nn.asarray([1.0, 3.0]), sample_weight=[1.0, 0.0])) == 0.5


def test_a_function_that_returns_one_number_for_the_batch_has_it_for_each_sample(backend):
    model = dn.Sequential([dn.layers.Activation("linear")]).on(backend)
    model.compile("sgd", "mse", metrics=[lambda t, p: dn.namespace(p).mean(p)], engine="eager")
    x = np.arange(5.0, dtype="float32")[:, None]
    assert model.evaluate(x, x, batch_size=4)[1] == 2.0


def test_classes_beside_one_hot_are_told_apart(nn):
    scores = nn.ones((4, 3))
    for metric in (M.CategoricalAccuracy(), M.Precision(), M.F1Score(), M.get("categorical_crossentropy")):
        with pytest.raises(ValueError, match=r"of one shape, got \(4,\) and \(4, 3\); classes as integers"):
            metric.update_state([0, 1, 2, 0], scores)
    with pytest.raises(ValueError, match="one class a sample"):
        M.SparseCategoricalAccuracy().update_state(np.eye(3)[[0, 1, 2, 0]], scores)


def test_r2_far_from_zero(nn):
    rng = np.random.default_rng(0)
    y = 1.7e9 + rng.normal(size=400)
    p = y + 0.1 * rng.normal(size=400)
    metric = M.R2Score()
    for part in np.split(np.arange(400), [1, 7, 300]):
        metric.update_state(y[part], nn.asarray(p[part]))
    wanted = 1 - ((y - p) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    assert metric.result() == pytest.approx(wanted, rel=1e-9)
    assert M.R2Score()([0.1] * 3, nn.asarray([0.1, 0.2, 0.3], dtype="float64")) == 0.0
    assert np.isnan(M.R2Score()([1.0, np.nan], nn.asarray([1.0, 2.0])))


@pytest.mark.parametrize(
    "make",
    [
        lambda: M.Precision([]),
        lambda: M.Precision([0.5, np.nan]),
        lambda: M.Recall("0.5"),
        lambda: M.Recall([[0.5]]),
        lambda: M.F1Score("mean"),
        lambda: M.F1Score(threshold="0.5"),
    ],
)
def test_wrong_thresholds_and_averages_are_said(make):
    with pytest.raises((ValueError, TypeError), match=r"thresholds|average|threshold"):
        make()


@pytest.mark.parametrize(
    "made",
    [
        dn.metrics.BinaryAccuracy,
        dn.metrics.CategoricalAccuracy,
        dn.metrics.SparseCategoricalAccuracy,
        functools.partial(dn.metrics.TopKCategoricalAccuracy, k=2),
        functools.partial(dn.metrics.SparseTopKCategoricalAccuracy, k=2),
    ],
    ids=["binary", "categorical", "sparse", "top k", "sparse top k"],
)
def test_nan_is_no_right_answer(nn, made):
    metric = made()
    # argmax of a row of NaN is 0, and NaN is not above one half: both would be right here
    y_pred = np.tile(np.asarray([0.4, 0.3, 0.3], np.float32), (4, 1))
    y_pred[1], y_pred[2, 0] = np.nan, np.nan
    y_true = {"sparse": np.zeros(4, np.int64), "binary": np.zeros((4, 3), np.float32)}.get(
        metric.name.split("_")[0], np.eye(3, dtype=np.float32)[np.zeros(4, int)]
    )
    found = float(metric(nn.asarray(y_true), nn.asarray(y_pred)))
    assert found == pytest.approx(8 / 12 if "binary" in metric.name else 0.5)


def test_classes_that_are_integers_have_an_accuracy(nn):
    found = dn.metrics.BinaryAccuracy()(nn.asarray([1, 0, 1, 1]), nn.asarray([1, 0, 0, 1]))
    assert float(found) == 0.75
