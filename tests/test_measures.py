"""Losses and metrics of a model: of all data at once however it is cut, under names of their own."""

from __future__ import annotations

import contextlib
import json
import warnings

import numpy as np
import pytest

import dualnn as dn

L, M, C = dn.layers, dn.metrics, dn.callbacks
RNG = np.random.default_rng(0)
N = 23
X = RNG.normal(size=(N, 4)).astype("float32")
Y = (X[:, :1] > 0).astype("float32")
W = RNG.uniform(size=N)
# sequences of 1 to 6 steps
LENGTHS = np.arange(N) % 6 + 1
STEPS = RNG.normal(size=(N, 6, 4)).astype("float32") * (np.arange(6) < LENGTHS[:, None])[..., None]
TARGETS = RNG.normal(size=(N, 6, 1)).astype("float32") * LENGTHS[:, None, None]
ENGINES = ["eager", "step", "epoch"]


def dense(backend, *layers, loss="mse", **options):
    model = dn.Sequential([*layers, L.Dense(1, kernel_regularizer=dn.regularizers.L2(0.1))]).on(backend)
    options.setdefault("engine", "eager")
    model.compile(dn.optimizers.SGD(0.0), loss, **options)
    return model


# ------------------------------------------------------------------ divided once, at the end


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean", "mean_with_sample_weight", "sum"])
def test_losses_are_the_same_however_data_is_cut(backend, reduction, weighted, masked):
    model = dense(backend, *[L.Masking()] * masked, loss=dn.losses.MeanSquaredError(reduction))
    model.build((None, 6, 4))
    error = ((model.predict(STEPS) - TARGETS) ** 2)[..., 0].astype("float64")
    present = np.arange(6) < LENGTHS[:, None] if masked else np.ones((N, 6))
    weights = present * (W[:, None] if weighted else 1.0)
    divisor = {"sum": 1.0, "mean_with_sample_weight": weights.sum()}.get(reduction, present.sum())
    penalty = 0.1 * float((model.get_weights()[0].astype("float64") ** 2).sum())
    wanted = (error * weights).sum() / divisor + penalty
    given = W if weighted else None
    for size in (1, 7, N):
        assert model.evaluate(STEPS, TARGETS, size, sample_weight=given) == pytest.approx(wanted, rel=1e-5)
        logs = model.fit(STEPS, TARGETS, size, sample_weight=given, verbose=0).history
        assert logs["loss"][0] == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_losses_of_several_outputs_are_the_same_however_data_is_cut(backend, engine):
    inputs = dn.Input((6, 4))
    a, b = L.Dense(1, name="a")(L.Masking()(inputs)), L.Dense(1, name="b")(inputs)
    model = dn.Model(inputs, {"a": a, "b": b}).on(backend)
    model.compile(
        dn.optimizers.SGD(0.0),
        {"a": "mse", "b": dn.losses.MeanAbsoluteError("mean_with_sample_weight")},
        loss_weights={"b": 3.0},
        engine=engine,
        jit=False,
    )
    targets, weights = {"a": TARGETS, "b": -TARGETS}, {"a": W, "b": 2 * W}
    out = model.predict(STEPS)
    present = np.arange(6) < LENGTHS[:, None]
    of_a = ((out["a"] - TARGETS)[..., 0] ** 2 * W[:, None] * present).sum() / present.sum()
    of_b = (np.abs(out["b"] + TARGETS)[..., 0] * W[:, None]).sum() / (6 * W.sum())
    for size in (5, N):
        logs = model.evaluate(STEPS, targets, size, sample_weight=weights, return_dict=True)
        assert logs == pytest.approx({"loss": of_a + 3 * of_b, "a_loss": of_a, "b_loss": of_b}, rel=1e-5)
        logs = model.fit(STEPS, targets, size, sample_weight=weights, verbose=0).history
        assert logs["loss"][0] == pytest.approx(of_a + 3 * of_b, rel=1e-5)


def test_losses_in_16_bits_are_computed_in_32(nn):
    y_true, y_pred = [[0.0, 300.0]] * 3000, nn.asarray([[0.0, 0.0]] * 3000, dtype="float16")
    for loss in (dn.losses.MeanSquaredError(), dn.losses.mean_squared_error):
        value = loss(y_true, y_pred)
        assert nn.dtype_name(value.dtype) == "float32"
        assert float(nn.to_numpy(value).reshape(-1)[0]) == 45000.0
    zeros = nn.zeros((2, 3), dtype="float16")
    assert M.CosineSimilarity()(zeros, zeros) == 0.0
    p = nn.asarray([[1.0], [0.0]], dtype="float16")
    assert float(dn.losses.BinaryCrossentropy()([[0.0], [1.0]], p)) == pytest.approx(-np.log(1e-7), rel=0.01)


def test_a_float16_model_with_a_regularizer_trains(backend):
    model = dense(backend).on(backend, dtype="float16")
    model.compile(dn.optimizers.SGD(0.1), "mse", engine="eager")
    losses = model.fit(X, Y, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_log_cosh_of_small_and_large_errors(nn):
    errors = np.array([1e-12, 1e-4, 0.5, 0.999, 1.001, 3.0, 500.0])
    small = np.minimum(errors, 100.0)  # cosh(e) is 1 + 2 * sinh(e / 2)**2
    wanted = np.where(errors < 100, np.log1p(2 * np.sinh(small / 2) ** 2), errors - np.log(2))
    found = nn.to_numpy(dn.losses.log_cosh(np.zeros((7, 1)), nn.asarray(errors[:, None])))
    np.testing.assert_allclose(found, wanted, rtol=1e-13)
    slope = nn.grad(lambda e: nn.sum(dn.losses.log_cosh(nn.zeros((7, 1), dtype="float64"), e)))
    np.testing.assert_allclose(nn.to_numpy(slope(nn.asarray(-errors[:, None])))[:, 0], -np.tanh(errors))


def test_a_loss_needs_a_number(backend):
    with pytest.raises(ValueError, match="reduction='none' gives one a sample"):
        dense(backend, loss=dn.losses.MeanSquaredError(reduction="none")).evaluate(X, Y)
    with pytest.raises(ValueError, match="the function returns one number for the whole batch"):
        dense(backend, loss=lambda t, p: dn.namespace(p).sum(t - p)).evaluate(X, Y, sample_weight=W)


# ------------------------------------------------------------------ several outputs


def two(backend, kind=dict, loss="mse", **options):
    inputs = dn.Input((4,))
    p, q = L.Dense(1, name="p")(inputs), L.Dense(1, name="q")(inputs)
    model = dn.Model(inputs, {"p": p, "q": q} if kind is dict else [p, q]).on(backend)
    model.compile(dn.optimizers.SGD(0.1), loss, engine="eager", **options)
    return model


def test_only_what_has_a_loss_or_a_metric_needs_a_target(backend):
    model = two(backend, loss={"p": "mse"})
    assert set(model.fit(X, {"p": Y}, verbose=0).history) == {"loss", "p_loss"}
    assert len(model.train_on_batch(X, {"p": Y})) == 2
    assert set(two(backend, list, ["mse", None]).fit(X, [Y, None], verbose=0).history) == {"loss", "p_loss"}
    model = two(backend, loss={"p": "mse"}, metrics={"q": ["mae"]})
    with pytest.raises(ValueError, match=r"which have a loss or a metric, got none for \['q'\]"):
        model.fit(X, {"p": Y}, verbose=0)
    logs = model.evaluate(X, {"p": Y, "q": Y}, return_dict=True)
    assert logs["q_mae"] == pytest.approx(np.abs(model.predict(X)["q"] - Y).mean(), rel=1e-6)
    with pytest.raises(ValueError, match=r"y: no outputs \['r'\]; the outputs are \['p', 'q'\]"):
        model.fit(X, {"p": Y, "r": Y}, verbose=0)
    with pytest.raises(ValueError, match=r"y: expected arrays for the 2 outputs \['p', 'q'\], got 1"):
        two(backend, list).fit(X, Y, verbose=0)
    with pytest.raises(ValueError, match="loss: expected one for at least one of the outputs"):
        two(backend, loss={"p": None}).fit(X, {"p": Y}, verbose=0)


@pytest.mark.parametrize("kind", [dict, list])
def test_each_output_may_have_weights_of_its_own(backend, kind):
    model = two(backend, kind, weighted_metrics={"p": ["mae"], "q": ["mae"]})
    y, w = ({"p": Y, "q": -Y}, {"p": W}) if kind is dict else ([Y, -Y], [W, None])
    out = model.predict(X)
    p, q = (out["p"], out["q"]) if kind is dict else out
    wanted = {"p_loss": ((p - Y)[:, 0] ** 2 * W).mean(), "q_loss": ((q + Y) ** 2).mean()}
    wanted |= {"p_mae": np.average(np.abs(p - Y)[:, 0], weights=W), "q_mae": np.abs(q + Y).mean()}
    logs = model.evaluate(X, y, 7, sample_weight=w, return_dict=True)
    assert {name: logs[name] for name in wanted} == pytest.approx(wanted, rel=1e-5)
    batches = lambda: iter([(X[:9], *cut(y, w, slice(9))), (X[9:], *cut(y, w, slice(9, None)))])  # noqa: E731
    assert model.evaluate(batches, return_dict=True) == pytest.approx(logs, rel=1e-6)
    one = model.evaluate(X, y, sample_weight=W, return_dict=True)
    assert one["q_loss"] == pytest.approx(((q + Y)[:, 0] ** 2 * W).mean(), rel=1e-5)
    with pytest.raises(ValueError, match=r"sample_weight: (expected arrays for the 2|no) outputs"):
        model.evaluate(X, y, sample_weight={"r": W} if kind is dict else [W, W, W])


def cut(y, w, rows):
    if isinstance(y, dict):
        return {k: v[rows] for k, v in y.items()}, {k: v[rows] for k, v in w.items()}
    return [v[rows] for v in y], [v if v is None else v[rows] for v in w]


def test_nested_outputs_and_tuples(backend):
    class Nested(dn.Model):
        def __init__(self, form):
            super().__init__()
            self.p, self.q, self.form = L.Dense(1), L.Dense(1), form

        def call(self, x):
            p, q = self.p(x), self.q(x)
            return (p, q) if self.form == "tuple" else {"a": {"p": p}, "q": q}

    model = Nested("tuple").on(backend)
    model.compile("sgd", ["mse", "mae"], engine="eager")
    assert set(model.fit(X, (Y, Y), verbose=0).history) == {"loss", "output_0_loss", "output_1_loss"}
    model = Nested("dict").on(backend)
    model.compile("sgd", {"a": {"p": "mse"}, "q": "mae"}, engine="eager")
    assert set(model.fit(X, {"a": {"p": Y}, "q": Y}, verbose=0).history) == {"loss", "a_p_loss", "q_loss"}


# ------------------------------------------------------------------ names


def names(backend, **options):
    model = dense(backend, **options)
    w = W if options.get("weighted_metrics") else None
    return list(model.fit(X, Y, sample_weight=w, validation_data=(X, Y), verbose=0).history)


def test_metrics_of_one_name_are_told_apart(backend):
    def loss(y_true, y_pred):
        return dn.namespace(y_pred).mean(y_pred, axis=-1) * 0 + 7.0

    def check(expected, **options):
        assert names(backend, **options) == [*expected, *(f"val_{name}" for name in expected)]

    check(["loss", "precision", "precision_1", "mse"], metrics=[M.Precision(0.1), M.Precision(0.9), "mse"])
    check(["loss", "mae", "weighted_mae"], metrics=["mae"], weighted_metrics=["mae"])
    check(["loss", "mae", "weighted_mae", "weighted_mae_1"], metrics=["mae"], weighted_metrics=["mae"] * 2)
    check(["loss", "loss_1"], metrics=[loss])
    check(["loss", "val_loss_1"], metrics=[M.MeanAbsoluteError(name="val_loss")])
    check(["loss", "mae", "val_mae_1"], metrics=["mae", M.MeanAbsoluteError(name="val_mae")])
    check(["loss", "x_1", "x", "x_2"], metrics=[M.Precision(name=n) for n in ("x_1", "x", "x")])
    taken = [M.Recall(name=name) for name in ("learning_rate", "epoch")]
    check(["loss", "learning_rate_1", "epoch_1"], metrics=taken)


def test_names_of_several_outputs(backend):
    options = {"metrics": {"p": ["mae", M.MeanAbsoluteError(name="loss")]}, "weighted_metrics": {"p": "mae"}}
    logs = two(backend, **options).evaluate(X, {"p": Y, "q": Y}, return_dict=True)
    assert list(logs) == ["loss", "p_loss", "q_loss", "p_mae", "p_loss_1", "p_weighted_mae"]


# ------------------------------------------------------------------ which way is better


class Rising(dn.metrics.Metric):
    sums = ("n",)

    def update(self, nn, state, y_true, y_pred, sample_weight=None):
        return {"n": state["n"] + 1}

    def compute(self, state):
        return float(state["n"])


@pytest.mark.parametrize(
    ("metric", "monitor", "up"),
    [
        (M.BinaryAccuracy(name="hits"), "val_hits", True),
        (M.Precision(name="p"), "p", True),
        (M.F1Score(name="x"), "val_x", True),
        (M.R2Score(name="x"), "val_x", True),
        (M.CosineSimilarity(name="angle"), "val_angle", True),
        (M.MeanAbsoluteError(name="accuracy"), "val_accuracy", False),
        (M.RootMeanSquaredError(name="recall"), "recall", False),
        (dn.losses.CosineSimilarity(name="cosine"), "val_cosine", False),
        (M.MeanMetricWrapper(dn.losses.huber, name="precision"), "precision", False),
        ("accuracy", "val_accuracy", True),
        ("mse", "val_loss", False),
    ],
)
def test_metrics_say_which_way_is_better(metric, monitor, up):
    model = dense("torch", metrics=[metric])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for callback in (C.EarlyStopping(monitor), C.ReduceLROnPlateau(monitor), best_only(monitor)):
            model.fit(X, Y, validation_data=(X, Y), callbacks=[callback], verbose=0)
            assert callback._monitor.improves(0.5, than=0.25) is up


def best_only(monitor, **options):
    class NoFile(C.ModelCheckpoint):
        def _path(self, epoch, logs):
            raise FileNotFoundError

        def on_epoch_end(self, epoch, logs=None):
            with contextlib.suppress(FileNotFoundError):
                super().on_epoch_end(epoch, logs)

    return NoFile("w.safetensors", monitor, save_best_only=True, **options)


def test_weighted_metrics_and_those_of_several_outputs_say_it_too():
    model = two("torch", weighted_metrics={"q": [M.Precision(name="x"), M.Precision(name="x")]})
    stop = C.EarlyStopping("val_q_weighted_x")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = {"p": Y, "q": Y}
        model.fit(X, y, validation_data=(X, y), callbacks=[stop, C.EarlyStopping("val_q_loss")], verbose=0)
    assert stop._monitor.improves(0.5, than=0.25)


@pytest.mark.parametrize(("name", "guess"), [("hits", "less"), ("my_accuracy", "more")])
def test_what_no_metric_says_is_guessed_by_the_name_with_a_warning(name, guess):
    model = dense("torch", metrics=[Rising(name=name)])
    for make in (C.EarlyStopping, C.ReduceLROnPlateau, best_only):
        said = f"whether more or less of 'val_{name}' is better; by its name {guess} .* mode='max'"
        callback = make(f"val_{name}")
        twice = [callback, callback]
        with pytest.warns(UserWarning, match=said) as caught:
            model.fit(X, Y, validation_data=(X, Y), callbacks=twice, verbose=0)
        assert len(caught) == 1
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            options = {"validation_data": (X, Y), "verbose": 0}
            model.fit(X, Y, callbacks=[make(f"val_{name}", mode="max")], **options)


def test_a_metric_of_ones_own_says_it():
    class Hits(Rising):
        direction = "up"

    class Wrong(Rising):
        direction = "rising"

    stop = C.EarlyStopping("hits")
    dense("torch", metrics=[Hits(name="hits")]).fit(X, Y, callbacks=[stop], verbose=0)
    assert stop._monitor.improves(0.5, than=0.25)
    with pytest.raises(ValueError, match="expected the metric's direction 'up' or 'down', got 'rising'"):
        dense("torch", metrics=[Wrong(name="w")]).fit(X, Y, callbacks=[C.EarlyStopping("w")], verbose=0)


@pytest.mark.parametrize("metric", [M.BinaryAccuracy(name="hits"), M.Precision(name="hits")])
def test_the_best_epoch_is_restored(backend, metric):
    model = dn.Sequential([L.Dense(1, activation="sigmoid")]).on(backend)
    model.compile(dn.optimizers.SGD(0.5), "bce", metrics=[metric])
    stop = C.EarlyStopping("val_hits", patience=3, restore_best_weights=True)
    history = model.fit(X, Y, epochs=20, validation_data=(X, Y), callbacks=[stop], seed=0, verbose=0).history
    assert stop.best == max(history["val_hits"])
    assert model.evaluate(X, Y, return_dict=True)["hits"] == pytest.approx(stop.best)


# ------------------------------------------------------------------ metrics with several numbers


@pytest.mark.parametrize("engine", ENGINES)
def test_metrics_with_a_number_for_each_class_or_threshold(backend, engine, tmp_path):
    labels = np.eye(3, dtype="float32")[RNG.integers(0, 3, N)]
    model = dn.Sequential([L.Dense(3, activation="softmax")]).on(backend)
    metrics = [M.F1Score(), M.Precision([0.2, 0.5]), M.F1Score("macro", name="macro")]
    model.compile(
        dn.optimizers.SGD(0.0), "categorical_crossentropy", metrics=metrics, engine=engine, jit=False
    )
    log = C.JSONLinesLogger(tmp_path / "log.jsonl")
    table = C.CSVLogger(tmp_path / "log.csv")
    logs = model.fit(X, labels, batch_size=7, callbacks=[log, table], verbose=2).history
    p = model.predict(X)
    hits = (p == p.max(-1, keepdims=True)) & (labels == 1)
    f1 = 2 * hits.sum(0) / ((p == p.max(-1, keepdims=True)).sum(0) + labels.sum(0))
    np.testing.assert_allclose(logs["f1_score"][0], f1, rtol=1e-12)
    assert logs["macro"][0] == pytest.approx(f1.mean())
    precision = [((p > t) & (labels == 1)).sum() / max((p > t).sum(), 1) for t in (0.2, 0.5)]
    np.testing.assert_allclose(logs["precision"][0], precision, rtol=1e-12)
    assert json.loads((tmp_path / "log.jsonl").read_text())["f1_score"] == pytest.approx(f1.tolist())
    with pytest.raises(ValueError, match="expected one number to monitor, 'f1_score' has 3"):
        model.fit(X, labels, callbacks=[C.EarlyStopping("f1_score")], verbose=0)
