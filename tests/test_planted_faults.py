"""Faults planted in an adapter or in the core: the conformance suite must catch each, and name it."""

from __future__ import annotations

import pytest

import dualnn as dn
from dualnn.conformance import conform
from dualnn.training import precision, step


def bad_names(backend, *select):
    report = conform([backend], select=select, modes=["eager"])
    assert report.results
    return {result.name for result in report.bad}


@pytest.fixture
def plant(nn, monkeypatch):
    """Put `make(the true function)` in the place of a function of the backend."""

    def plant(name, make):
        monkeypatch.setattr(nn, name, make(getattr(nn, name)))

    return plant


def test_without_a_fault_nothing_is_named(backend):
    assert bad_names(backend, "layers.BatchNormalization", "conv2d", "avg_pool2d", "optimizers.SGD") == set()


def test_a_wrong_epsilon(backend, monkeypatch):
    call = dn.layers.BatchNormalization.call

    def with_another(self, *arguments, **keywords):
        monkeypatch.setattr(self, "epsilon", 1.1 * self.epsilon)
        return call(self, *arguments, **keywords)

    monkeypatch.setattr(dn.layers.BatchNormalization, "call", with_another)
    assert bad_names(backend, "layers.BatchNormalization") == {"layers.BatchNormalization"}


def test_swapped_parts(nn, backend, plant):
    plant("concat", lambda concat: lambda arrays, **kw: concat(list(arrays)[::-1], **kw))
    assert {"concat", "layers.Concatenate"} <= bad_names(backend, "concat", "Concatenate")


def test_a_missing_division_by_n(nn, backend, plant):
    plant("mean", lambda mean: lambda x, **kw: nn.sum(x, **kw))
    found = bad_names(backend, "mean", "losses.MeanSquaredError", "layers.GlobalAveragePooling2D")
    assert {"mean", "losses.MeanSquaredError", "layers.GlobalAveragePooling2D"} <= found


@pytest.mark.parametrize("name", ["conv2d", "max_pool2d", "avg_pool2d"])
def test_padding_that_is_off_by_one(nn, backend, plant, name):
    def make(function):
        def shifted(x, *arguments, padding, **keywords):
            if padding == "same":
                x = nn.roll(x, 1, axis=1)
            return function(x, *arguments, padding=padding, **keywords)

        return shifted

    plant(name, make)
    assert name in bad_names(backend, name)


def test_padded_pixels_that_are_counted(nn, backend, plant):
    def make(avg_pool2d):
        def counting(x, /, *, pool_size, strides, padding):
            ones = avg_pool2d(nn.ones_like(x), pool_size=pool_size, strides=strides, padding=padding)
            rows = nn.shape(x)[1]
            share = 1.0 if rows % strides[0] == 0 or padding == "valid" else 0.5
            return avg_pool2d(x, pool_size=pool_size, strides=strides, padding=padding) * ones * share

        return counting

    plant("avg_pool2d", make)
    assert "avg_pool2d" in bad_names(backend, "avg_pool2d")


def test_a_momentum_of_one_minus_m(backend, monkeypatch):
    def follow(self, moving, batch):
        batch = self.nn.stop_gradient(self.nn.reshape(batch, (-1,)))
        return moving * (1.0 - self.momentum) + batch * self.momentum

    monkeypatch.setattr(dn.layers.BatchNormalization, "_follow", follow)
    assert bad_names(backend, "layers.BatchNormalization") == {"layers.BatchNormalization"}


def test_a_momentum_of_one_minus_m_of_sgd(backend, monkeypatch):
    init = dn.optimizers.SGD.__init__

    def flipped(self, *arguments, **keywords):
        init(self, *arguments, **keywords)
        self.momentum = 1 - self.momentum

    monkeypatch.setattr(dn.optimizers.SGD, "__init__", flipped)
    assert bad_names(backend, "optimizers.SGD") == {"optimizers.SGD"}


def test_an_epsilon_of_adam(backend, monkeypatch):
    init = dn.optimizers.Adam.__init__

    def other(self, *arguments, **keywords):
        init(self, *arguments, **keywords)
        self.epsilon = self.epsilon / 10

    monkeypatch.setattr(dn.optimizers.Adam, "__init__", other)
    assert "optimizers.Adam" in bad_names(backend, "optimizers.Adam")


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("gelu", lambda gelu: lambda x, approximate=False: gelu(x, approximate=True)),
        ("sigmoid", lambda sigmoid: lambda x: sigmoid(x * (1 + 3e-6))),
        ("softmax", lambda softmax: lambda x, axis=-1: softmax(x, axis=0)),
        ("logsumexp", lambda lse: lambda x, **kw: lse(x, **kw) + 1e-5),
        ("argmax", lambda argmax: lambda x, **kw: argmax(-x, **kw)),
        ("std", lambda std: lambda x, correction=0.0, **kw: std(x, correction=1.0, **kw)),
        ("floor_divide", lambda f: lambda x1, x2: f(x1, x2) + (x1 < 0)),
        ("cumulative_sum", lambda f: lambda x, **kw: f(x, **kw) - x),
        ("sort", lambda f: lambda x, descending=False, **kw: f(x, descending=not descending, **kw)),
        ("stop_gradient", lambda f: lambda x: x),
    ],
)
def test_a_function_that_is_another_one(backend, plant, name, make):
    plant(name, make)
    assert name in bad_names(backend, name)


# ------------------------------------------------------------------------------- in ways that hide


def caught(backend, *select, modes=("eager",), **where):
    """Return the names of what is out of bounds, run in these modes."""
    report = conform([backend], select=select, modes=modes, **where)
    assert {result.target.mode for result in report.results} >= set(modes)
    return {result.name for result in report.bad}


def is_traced(backend, x):
    """Return whether a graph is being made at the moment."""
    if backend == "tensorflow":
        return not hasattr(x, "numpy")
    from torch.utils._python_dispatch import _get_current_dispatch_mode

    return _get_current_dispatch_mode() is not None


def is_machine_code(backend, x):
    """Return whether a graph for machine code is being made at the moment."""
    if backend == "tensorflow":
        from dualnn_tf.sums import traced_for_xla

        return traced_for_xla()
    from torch._subclasses import FakeTensor

    return (
        isinstance(x, FakeTensor)
        or isinstance(getattr(x, "value", None), FakeTensor)
        or "fake" in repr(x)[:300].lower()
    )


def test_machine_code_alone(nn, backend, plant, monkeypatch):
    plant("relu", lambda relu: lambda x: relu(x) + 1e-5 if is_machine_code(backend, x) else relu(x))
    plant("exp", lambda exp: lambda x: exp(x) * (1 + 2e-6 if is_machine_code(backend, x) else 1.0))

    def one_sided(maximum):
        def fault(x1, x2):
            if is_machine_code(backend, x1):
                return nn.where(x1 >= x2, x1, x2)
            return maximum(x1, x2)

        return fault

    plant("maximum", one_sided)
    select = ("relu: whole", "exp: whole", "maximum: slopes", "tanh: whole")
    assert caught(backend, *select, modes=["jit"]) >= {"relu", "exp"}
    assert "relu" not in caught(backend, "relu: whole")


def test_a_product_of_float64_in_float32_in_graphs(nn, backend, plant):
    def make(matmul):
        def narrow(x1, x2):
            if not is_traced(backend, x1) or nn.dtype_name(x1.dtype) != "float64":
                return matmul(x1, x2)
            return nn.astype(matmul(nn.astype(x1, "float32"), nn.astype(x2, "float32")), "float64")

        return narrow

    plant("matmul", make)
    assert "matmul" in caught(backend, "matmul", modes=["compiled"])
    assert "matmul" not in caught(backend, "matmul", dtypes=["float32"])


def test_a_correction_of_the_bias_that_stops_after_1000_steps(backend, monkeypatch):
    for name in ("scalars", "scalars_of_many"):
        true = getattr(dn.optimizers.Adam, name)
        monkeypatch.setattr(
            dn.optimizers.Adam, name, lambda self, step, *n, true=true: true(self, min(step, 1_000), *n)
        )
    assert caught(backend, "optimizers.Adam: after", "optimizers.Adam: epsilon") == {"optimizers.Adam"}


def test_a_wrong_update_of_many_numbers(nn, backend, monkeypatch):
    update = dn.optimizers.Optimizer._updated

    def fault(self, nn, variables, gradients, *more, **keywords):
        large = [g is not None and nn.shape(g)[0] > 50_000 for g in gradients]
        gradients = [g * (1 + 1e-4) if big else g for g, big in zip(gradients, large, strict=True)]
        return update(self, nn, variables, gradients, *more, **keywords)

    monkeypatch.setattr(dn.optimizers.Optimizer, "_updated", fault)
    found = caught(backend, "optimizers.*numbers*", "optimizers.SGD: momentum")
    assert found >= {f"optimizers.{name}" for name in ("SGD", "Adam", "RMSprop", "Adagrad", "Adamax")}


@pytest.mark.parametrize("loss", ["mean_squared_error", "mean_absolute_error"])
def test_a_loss_and_metric_that_average_over_steps(nn, backend, monkeypatch, loss):
    true = getattr(dn.losses, loss)

    def over_steps(y_true, y_pred):
        _, t, y = dn.losses.same_shape(y_true, y_pred)
        error = nn.square(t - y) if loss == "mean_squared_error" else nn.abs(t - y)
        return nn.mean(error, axis=1) if len(y.shape) == 3 else true(y_true, y_pred)

    monkeypatch.setattr(dn.losses, loss, over_steps)
    metric = "MeanSquaredError" if loss == "mean_squared_error" else "MeanAbsoluteError"
    found = caught(backend, f"metrics.{metric}: three", f"losses.{metric}: three axes, weights of steps")
    assert f"metrics.{metric}" in found


def test_a_mean_kept_in_16_bits(nn, backend, plant):
    def make(mean):
        def stuck(x, **keywords):
            if nn.dtype_name(x.dtype) != "bfloat16":
                return mean(x, **keywords)
            total = nn.minimum(nn.sum(x, **keywords), nn.asarray(256.0, dtype="bfloat16"))
            count = nn.sum(nn.ones_like(x), **keywords)
            return total / count

        return stuck

    plant("mean", make)
    assert caught(backend, "mean: 16 bits", dtypes=["bfloat16"]) == {"mean"}


def test_a_counter_of_32_bits(backend, monkeypatch):
    bits = dn.random.bits

    def short(xp, key, counter_start, shape, device=None):
        return bits(xp, key, counter_start % 2**32, shape, device)

    monkeypatch.setattr(dn.random, "bits", short)
    found = caught(backend, "random.bits: from", "random.Generator: far")
    assert found == {"random.bits", "random.Generator"}


def test_a_mask_that_repeats_after_2_to_the_31_calls(backend, monkeypatch):
    fold = dn.random.fold
    monkeypatch.setattr(dn.random, "fold", lambda xp, key, data: fold(xp, key, data % 2**31))
    assert "layers.Dropout" in caught(backend, "masks of far calls")


def test_a_loss_scale_that_grows_a_step_early(backend, monkeypatch):
    monkeypatch.setattr(precision, "GROWTH_STEPS", 1_999)
    assert caught(backend, "Model.fit: loss scale") == {"Model.fit"}


def test_a_loss_scale_that_overflowing_steps_do_not_reset(backend, monkeypatch):
    true = precision.next_loss_scale

    def fault(nn, state, finite):
        new = true(nn, state, finite)
        return {**new, "good": nn.where(finite, new["good"], state["good"])}

    monkeypatch.setattr(step, "next_loss_scale", fault)
    assert caught(backend, "Model.fit: loss scale") == {"Model.fit"}


def test_an_epsilon_beside_the_root_in_graphs(nn, backend, monkeypatch):
    call = dn.layers.LayerNormalization.call

    def fault(self, x):
        y = call(self, x)
        return y * (1 + 1e-5) if is_traced(backend, x) else y

    monkeypatch.setattr(dn.layers.LayerNormalization, "call", fault)
    found = caught(backend, "layers.LayerNormalization", modes=["compiled"], dtypes=["float64"])
    assert found == {"layers.LayerNormalization"}


def test_padding_that_counts_in_windows_that_are_no_squares(nn, backend, plant):
    def make(avg_pool2d):
        def counting(x, /, *, pool_size, strides, padding):
            given = {"pool_size": pool_size, "strides": strides, "padding": padding}
            y = avg_pool2d(x, **given)
            if pool_size[0] == pool_size[1] or padding == "valid":
                return y
            padded = nn.shape(y)[1] * strides[0] + pool_size[0] - strides[0] > nn.shape(x)[1]
            return y * (0.75 if padded else 1.0)

        return counting

    plant("avg_pool2d", make)
    assert caught(backend, "avg_pool2d", dtypes=["float32"]) == {"avg_pool2d"}


def test_gradients_of_repeated_ids_that_are_dropped(nn, backend, plant):
    def make(take):
        def fault(x, indices, /, *, axis=None):
            taken = take(x, indices, axis=axis)
            if len(indices.shape) != 1 or axis != 0 or len(x.shape) != 2:
                return taken
            earlier = nn.tril(nn.equal(indices[:, None], indices[None, :]), k=-1)
            first = nn.logical_not(nn.any(earlier, axis=1))
            return nn.where(nn.expand_dims(first, axis=1), taken, nn.stop_gradient(taken))

        return fault

    plant("take", make)
    assert "take" in caught(backend, "take: of 2,0", dtypes=["float32"])


def test_dropout_that_scales_in_the_wrong_phase(nn, backend, monkeypatch):
    call = dn.layers.Dropout.call

    def fault(self, x, training=False):
        y = call(self, x, training)
        return y * (1.0 - self.rate) if training else y

    monkeypatch.setattr(dn.layers.Dropout, "call", fault)
    assert "layers.Dropout" in caught(backend, "layers.Dropout")


def test_label_smoothing_by_the_number_of_steps(nn, backend, monkeypatch):
    true = dn.losses.categorical_crossentropy

    def fault(y_true, y_pred, *arguments, label_smoothing=0.0, **keywords):
        loss = true(y_true, y_pred, *arguments, label_smoothing=label_smoothing, **keywords)
        return loss * 1.01 if label_smoothing and len(y_pred.shape) == 3 else loss

    monkeypatch.setattr(dn.losses, "categorical_crossentropy", fault)
    found = caught(backend, "losses.CategoricalCrossentropy: smoothed, three axes", dtypes=["float64"])
    assert found == {"losses.CategoricalCrossentropy"}


def test_norms_of_all_gradients_for_the_norm_of_each(backend, monkeypatch):
    init = dn.optimizers.Optimizer.__init__

    def fault(self, *arguments, clipnorm=None, global_clipnorm=None, **keywords):
        init(self, *arguments, clipnorm=None, global_clipnorm=clipnorm or global_clipnorm, **keywords)

    monkeypatch.setattr(dn.optimizers.Optimizer, "__init__", fault)
    found = caught(backend, "optimizers.*: clipnorm", "optimizers.*: global_clipnorm", dtypes=["float64"])
    assert {"optimizers.SGD", "optimizers.Adam"} <= found


def test_a_schedule_that_is_a_step_late(backend, monkeypatch):
    rate = dn.optimizers.Optimizer._rate
    monkeypatch.setattr(dn.optimizers.Optimizer, "_rate", lambda self, step: rate(self, max(step - 1, 0)))
    assert "optimizers.SGD" in caught(backend, "optimizers.SGD: schedule")


def test_nesterov_without_the_look_ahead(backend, monkeypatch):
    init = dn.optimizers.SGD.__init__

    def plain(self, *arguments, **keywords):
        init(self, *arguments, **keywords)
        self.nesterov = False

    monkeypatch.setattr(dn.optimizers.SGD, "__init__", plain)
    assert caught(backend, "optimizers.SGD: nesterov", dtypes=["float64"]) == {"optimizers.SGD"}


def test_an_unbiased_moving_variance(nn, backend, monkeypatch):
    follow = dn.layers.BatchNormalization._follow

    def fault(self, moving, batch):
        is_variance = moving is self.moving_variance
        return follow(self, moving, batch * (4 / 3) if is_variance else batch)

    monkeypatch.setattr(dn.layers.BatchNormalization, "_follow", fault)
    assert "layers.BatchNormalization" in caught(backend, "layers.BatchNormalization", dtypes=["float64"])


def test_a_gru_whose_reset_takes_the_other_bias(nn, backend, monkeypatch):
    monkeypatch.setattr(
        dn.layers.GRU,
        "input_bias",
        lambda self: self.bias[1] if self.reset_after and self.bias is not None else self.bias,
    )
    found = caught(
        backend, "layers.GRU: by the formula", "layers.GRU: reset", "layers.GRU", dtypes=["float64"]
    )
    assert "layers.GRU" in found


def test_a_mask_that_is_only_a_large_number(nn, backend, plant):
    def make(where):
        def fault(condition, x1, x2, /):
            low = x2 if not nn.is_tensor(x2) else None
            return where(condition, x1, -30.0 if low is not None and low < -1e4 else x2)

        return fault

    plant("where", make)
    assert "layers.Attention" in caught(backend, "layers.Attention: 16", "layers.Attention")


def test_sums_of_metrics_that_go_on_in_the_next_evaluation(backend, monkeypatch):
    monkeypatch.setattr(dn.metrics.Metric, "initial_state", _with_a_rest(dn.metrics.Metric.initial_state))
    assert "Model.evaluate" in caught(backend, "Model.evaluate: metrics of numbers, three axes, engine eager")


def _with_a_rest(initial_state):
    calls = []

    def fault(self):
        calls.append(1)
        return {name: value + float(len(calls) > 5) for name, value in initial_state(self).items()}

    return fault


def test_nan_that_relu_hides_behind_dense(nn, backend, plant):
    plant("relu", lambda relu: lambda x: nn.where(x > 0, relu(x), nn.zeros_like(x)))
    found = caught(backend, "layers.Dense: NaN, relu", "activations.relu: NaN", dtypes=["float32"])
    assert found == {"layers.Dense", "activations.relu"}


def test_a_sum_of_many_numbers_in_a_graph(nn, backend, plant):
    plant(
        "scan",
        lambda scan: lambda f, init, xs, **more: scan(f, init, xs[: min(64, xs.shape[0])], **more),
    )
    assert "scan" in caught(backend, "scan: 63 steps of 3", "scan: 65 steps of 3", dtypes=["float32"])


def test_a_pool_of_many_numbers(nn, backend, plant):
    def make(max_pool2d):
        def fault(x, **given):
            y = max_pool2d(x, **given)
            return y if x.shape[1] * x.shape[2] < 20_000 else nn.roll(y, 1, axis=2)

        return fault

    plant("max_pool2d", make)
    assert caught(backend, "max_pool2d: of", dtypes=["float32"]) == {"max_pool2d"}
