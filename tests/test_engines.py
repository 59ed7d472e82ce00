"""The engines of `fit`: the same numbers by each, the rule that chooses, and what shortens a chunk."""

from __future__ import annotations

import logging
import subprocess
import sys

import numpy as np
import pytest

import dualnn as dn
from dualnn.protocol import Work
from dualnn.training.engines import work_of
from dualnn.training.prediction import samples_are_independent

L = dn.layers
RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 6)).astype("float32")
Y = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype("int64")
LOSS = dn.losses.SparseCategoricalCrossentropy(from_logits=True)
ENGINES = [("eager", None), ("step", False), ("epoch", False), ("epoch", True)]
COMPILED = [*ENGINES[1:], pytest.param("step", True, marks=pytest.mark.slow)]
LOOPS = [("eager", None), ("epoch", False), pytest.param("epoch", True, marks=pytest.mark.slow)]


def mlp():
    return dn.Sequential(
        [
            L.Dense(8, activation="tanh", use_bias=False),
            L.BatchNormalization(),
            L.Dropout(0.2),
            L.Dense(2, kernel_regularizer="l2"),
        ]
    )


def fitted(backend, engine, jit, build=mlp, **settings):
    arguments = {"x": X, "y": Y, "epochs": 3, "batch_size": 16, "seed": 1, "verbose": 0}
    arguments |= {key: settings.pop(key) for key in ("epochs", "callbacks", "x", "y") if key in settings}
    model = build().on(backend)
    settings = {"optimizer": dn.optimizers.Adam(0.01), "metrics": ["accuracy"], **settings}
    model.compile(loss=LOSS, engine=engine, jit=jit, **settings)
    return model, model.fit(**arguments)


def assert_same_run(one, other, ulp=32):
    """Compare the weights after 18 steps, each of which may move a weight by the rate of 0.01.

    A step has some dozen roundings, and the optimizer divides a gradient by its own size, so errors are
    in proportion to the way that a weight may have come, or to the weight.
    """
    (model, history), (twin, again) = one, other
    for a, b in zip(model.get_weights(), twin.get_weights(), strict=True):
        scale = np.float32(max(np.abs(a).max(), 18 * 0.01))
        np.testing.assert_allclose(a, b, rtol=0, atol=ulp * np.spacing(scale))
    for name, values in history.history.items():
        np.testing.assert_allclose(values, again.history[name], rtol=ulp * 2**-23)


@pytest.mark.parametrize(("engine", "jit"), COMPILED)
def test_every_engine_gives_the_numbers_of_the_eager_one(backend, engine, jit):
    eager, compiled = fitted(backend, "eager", None), fitted(backend, engine, jit)
    assert (compiled[1].engine, compiled[1].jit) == (engine, jit)
    assert_same_run(eager, compiled)
    model, _ = compiled
    np.testing.assert_allclose(model.evaluate(X, Y, verbose=0), eager[0].evaluate(X, Y, verbose=0), rtol=1e-5)
    np.testing.assert_allclose(model.predict(X), eager[0].predict(X), rtol=1e-4, atol=1e-5)


def test_graphs_of_torch_have_the_bits_of_eager_steps():
    for engine in ("step", "epoch"):
        assert_same_run(fitted("torch", "eager", None), fitted("torch", engine, False), ulp=0)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop", "adagrad", "adamax"])
@pytest.mark.parametrize("jit", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_every_optimizer_in_a_loop(backend, optimizer, jit):
    runs = [
        fitted(backend, engine, jit if engine == "epoch" else None, optimizer=optimizer, epochs=2)
        for engine in ("eager", "epoch")
    ]
    assert_same_run(*runs, ulp=64)


def test_a_layer_used_twice_in_a_loop(backend):
    # TensorFlow's optimizer of graphs breaks the sum of its two gradients inside of loops
    def shared():
        inputs = dn.Input((6,))
        x = L.Dense(8, activation="tanh")(inputs)
        twice = L.Dense(8)
        return dn.Model(inputs, L.Dense(2)(L.Add()([twice(x), twice(x * 0.5)])))

    eager, loop = (fitted(backend, *engine, shared) for engine in (("eager", None), ("epoch", False)))
    # how far one rounding of the inputs goes in 18 steps: a step of 40 roundings has several times that
    moved, _ = fitted(backend, "eager", None, shared, x=np.nextafter(X, np.float32(np.inf)))
    model, twin = eager[0], loop[0]
    for a, b, c in zip(model.get_weights(), twin.get_weights(), moved.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=8 * np.abs(a - c).max())


def test_sample_weights_and_several_epochs_of_few_rows(backend):
    model, _ = fitted(backend, "epoch", False, x=X[:5], y=Y[:5], epochs=4)  # less than one whole batch
    twin, _ = fitted(backend, "eager", None, x=X[:5], y=Y[:5], epochs=4)
    for a, b in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


# ------------------------------------------------------------------ the rule


def test_the_rule_counts_the_whole_run(backend):
    _, short = fitted(backend, "auto", None, epochs=1)
    assert short.engine == {"torch": "eager", "tensorflow": "epoch"}[backend]
    assert "6 steps" in short.engine_reason
    assert not short.jit


def test_a_setting_overrides_the_rule(backend):
    _, history = fitted(backend, "auto", False, epochs=1)
    assert not history.jit
    _, history = fitted(backend, "step", None, epochs=1)
    assert (history.engine, history.engine_reason) == ("step", "as asked for")


def test_the_choice_is_logged(backend, caplog):
    caplog.set_level(logging.INFO, logger="dualnn")
    fitted(backend, "epoch", False, epochs=1)
    assert "sequential runs by engine 'epoch': as asked for" in caplog.text


@pytest.mark.parametrize("engine", ["step", "epoch"])
def test_the_history_says_what_ran_where_the_choice_cannot_be_compiled(backend, engine):
    class LooksAtValues(L.Layer):
        def call(self, x):
            return x if float(self.nn.sum(x)) > 1e9 else -x

    model = dn.Sequential([LooksAtValues(), L.Dense(3)]).on(backend)
    model.compile("adam", LOSS, engine=engine)
    history = model.fit(X, Y, epochs=1, verbose=0)
    assert (history.engine, history.jit) == ("eager", False)
    assert history.engine_reason == "as asked for, but it could not be compiled"


def test_contradictions_are_refused():
    model = mlp()
    with pytest.raises(ValueError, match="unknown engine 'fast'"):
        model.compile(loss=LOSS, engine="fast")
    with pytest.raises(ValueError, match="contradicts"):
        model.compile(loss=LOSS, engine="epoch", run_eagerly=True)
    with pytest.raises(ValueError, match="contradicts"):
        model.compile(loss=LOSS, engine="eager", jit=True)
    with pytest.raises(ValueError, match="jit must be"):
        model.compile(loss=LOSS, jit="yes")


# ------------------------------------------------------------------ callbacks


def test_a_callback_for_each_batch_shortens_the_chunk_and_says_so(backend):
    class Count(dn.callbacks.Callback):
        batches = 0

        def on_train_batch_end(self, batch, logs=None):
            assert np.isfinite(logs["loss"])
            self.batches += 1

    count = Count()
    run = fitted(backend, "epoch", False, callbacks=[count])
    assert count.batches == 18
    assert run[1].engine == "step"
    assert "Count asked for each batch" in run[1].engine_reason
    assert_same_run(run, fitted(backend, "epoch", False))


@pytest.mark.parametrize(("engine", "jit"), [("eager", None), ("step", False), ("epoch", False)])
def test_training_stops_inside_of_an_epoch(backend, engine, jit):
    class Stop(dn.callbacks.Callback):
        def on_train_chunk_end(self, batch, logs=None):
            self.model.stop_training = True

    model, history = fitted(backend, engine, jit, callbacks=[Stop()])
    assert len(history.epoch) == 1
    assert model.optimizer.iterations == (5 if engine == "epoch" else 1)  # the last batch is a smaller one


@pytest.mark.parametrize(("engine", "jit"), ENGINES)
def test_a_guard_against_nan(backend, engine, jit, caplog):
    guard = dn.callbacks.TerminateOnNaN()
    x = X.copy()
    x[40] = np.nan
    _, history = fitted(backend, engine, jit, x=x, callbacks=[guard])
    assert len(history.epoch) == 1
    assert guard.stopped_at is not None
    assert guard.stopped_at[0] == 0
    assert history.engine == engine  # the guard costs no other engine
    assert "training stops" in caplog.text


# ------------------------------------------------------------------ gradient accumulation


@pytest.mark.parametrize(("engine", "jit"), ENGINES)
def test_accumulated_gradients_are_those_of_one_large_batch(backend, engine, jit):
    def plain():
        return dn.Sequential([L.Dense(8, activation="tanh"), L.Dense(2)])

    def run(batch_size, every):
        model = plain().on(backend)
        optimizer = dn.optimizers.Adam(0.01, gradient_accumulation_steps=every)
        model.compile(optimizer, LOSS, engine=engine, jit=jit)
        model.fit(X[:64], Y[:64], batch_size=batch_size, epochs=3, seed=1, shuffle=False, verbose=0)
        return model

    small, large = run(8, 4), run(32, None)
    assert small.optimizer.iterations == 24
    for a, b in zip(small.get_weights(), large.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=16 * np.spacing(np.abs(a).max()))


def test_accumulation_in_an_own_loop(nn):
    w = nn.Variable([1.0, 2.0])
    optimizer = dn.optimizers.SGD(0.5, gradient_accumulation_steps=2)
    optimizer.apply([nn.asarray([1.0, 0.0])], [w])
    assert nn.to_numpy(w).tolist() == [1.0, 2.0]
    optimizer.apply([nn.asarray([3.0, 2.0])], [w])
    assert nn.to_numpy(w).tolist() == [0.0, 1.5]
    with pytest.raises(ValueError, match="at least 2"):
        dn.optimizers.SGD(0.5, gradient_accumulation_steps=1)


# ------------------------------------------------------------------ mixed precision


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize(("engine", "jit"), LOOPS)
def test_mixed_precision_learns_and_keeps_its_weights(backend, precision, engine, jit):
    model, history = fitted(backend, engine, jit, precision=precision, epochs=20)
    exact, reference = fitted(backend, "eager", None, epochs=20)
    assert {w.dtype.name for w in model.get_weights()} == {"float32"}
    assert model.predict(X).dtype == np.float32
    # 8 bits of significand: half a percent a product, much less on average
    assert history.history["loss"][-1] == pytest.approx(reference.history["loss"][-1], rel=0.05)
    assert not np.array_equal(model.predict(X), exact.predict(X))


def test_layers_compute_in_sixteen_bits(nn):
    seen = {}

    class Look(dn.Layer):
        def call(self, x):
            seen[self.name] = nn.dtype_name(x.dtype)
            return x

    model = dn.Sequential(
        [L.Dense(4), Look("after_dense"), L.LayerNormalization(), Look("after_norm"), L.Dense(2)]
    )
    model.compile("sgd", LOSS, engine="eager", precision="bf16-mixed")
    model.fit(X, Y, epochs=1, verbose=0)
    assert seen["after_dense"] == "bfloat16"
    with pytest.raises(ValueError, match="unknown precision"):
        model.compile("sgd", LOSS, precision="float8")


@pytest.mark.parametrize(("engine", "jit"), LOOPS)
def test_a_step_that_overflows_changes_nothing_and_halves_the_scale(backend, engine, jit):
    x = np.full((4, 1), 10.0, "float32")  # a gradient of 200, which times 2**15 is beyond float16
    model = dn.Sequential([L.Dense(1, kernel_initializer="ones")]).on(backend)
    model.compile(dn.optimizers.SGD(1e-4), "mse", precision="mixed_float16", engine=engine, jit=jit)
    model.fit(x, np.zeros((4, 1)), batch_size=4, epochs=1, verbose=0)
    assert model.get_weights()[0].item() == 1.0
    model.fit(x, np.zeros((4, 1)), batch_size=4, epochs=40, verbose=0)
    assert 0.0 < model.get_weights()[0].item() < 1.0  # the scale has come down far enough


# ------------------------------------------------------------------ gradient checkpointing


@pytest.mark.parametrize(("engine", "jit"), LOOPS)
def test_checkpointed_blocks_have_the_same_numbers(backend, engine, jit):
    def build(wrap):
        def block():
            inner = dn.Sequential(
                [
                    L.Dense(8, activation="tanh", use_bias=False),
                    L.BatchNormalization(),
                    L.Dropout(0.2, seed=3),
                ]
            )
            return L.Checkpoint(inner) if wrap else inner

        model = dn.Sequential([block(), block(), L.Dense(2)]).on(backend)
        model.build((None, 6))
        return model

    plain, checkpointed = build(False), build(True)
    checkpointed.set_weights(plain.get_weights())
    runs = []
    for model in (plain, checkpointed):
        model.compile(dn.optimizers.Adam(0.01), LOSS, engine=engine, jit=jit)
        runs.append((model, model.fit(X, Y, epochs=3, batch_size=16, shuffle=False, verbose=0)))
    assert_same_run(*runs)


def test_checkpoint_in_an_own_loop(nn):
    block = dn.Sequential([L.Dense(8, activation="tanh"), L.Dropout(0.5), L.Dense(2)])
    model = L.Checkpoint(block)
    model(X)
    weights = model.get_weights()
    losses = []
    for layer in (model, block):
        layer.set_weights(weights)
        nn.assign(block.layers[1].drawn, 0)
        for _ in range(3):
            with nn.GradientTape() as tape:
                loss = LOSS(nn.asarray(Y), layer(nn.asarray(X), training=True))
            for variable, gradient in zip(
                layer.trainable_variables, tape.gradient(loss, layer.trainable_variables), strict=True
            ):
                nn.assign_sub(variable, 0.1 * gradient)
        losses.append(nn.to_numpy(nn.stop_gradient(loss)).item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_gradients_through_a_checkpoint(nn):
    def cube(x):
        return x * x * x

    assert float(nn.grad(nn.checkpoint(cube))(nn.asarray(2.0))) == 12.0
    assert float(nn.grad(nn.grad(nn.checkpoint(cube)))(nn.asarray(2.0))) == 12.0
    with pytest.raises(TypeError, match="expected a layer"):
        L.Checkpoint("dense")


def test_a_checkpointed_copy_trains_at_once(backend):
    model = dn.Sequential([L.Checkpoint(dn.Sequential([L.Dense(8, activation="tanh")])), L.Dense(2)])
    model.build((None, 6))
    copy = model.on(backend)
    before = copy.get_weights()
    copy.compile(dn.optimizers.SGD(0.1), LOSS, engine="eager")
    copy.fit(X, Y, epochs=1, verbose=0)  # nothing has called it outside of a step
    assert all(np.abs(a - b).max() > 0 for a, b in zip(before, copy.get_weights(), strict=True))
    assert len(copy.layers[0].layer.weights) == 2


def test_an_overflow_leaves_moving_statistics_alone(backend):
    model = dn.Sequential([L.Dense(1, kernel_initializer="ones"), L.BatchNormalization(), L.Dense(1)]).on(
        backend
    )
    model.compile(dn.optimizers.SGD(0.1), "mse", precision="mixed_float16", engine="eager")
    x = np.full((4, 1), 1e5, "float32")  # infinite in float16
    model.fit(x, np.zeros((4, 1)), batch_size=4, epochs=1, verbose=0)
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_a_model_that_has_predicted_much_is_run_as_a_graph_with_the_same_bits():
    calls = []

    class Counted(L.Dense):
        def call(self, x):
            calls.append(len(x))
            return super().call(x)

    model = dn.Sequential([Counted(5, activation="relu"), L.LayerNormalization(), L.Dense(2)]).on("torch")
    first = [model.predict_on_batch(X[:3]) for _ in range(100)]
    assert len(calls) >= 100
    for _ in range(200):
        model.predict_on_batch(X[:3])
    calls.clear()
    np.testing.assert_array_equal(model.predict_on_batch(X[:3]), first[0])
    assert calls == []
    model.layers[-1].kernel = np.zeros((5, 2))  # the graph has the variables, not what they were
    assert np.ptp(model.predict_on_batch(X[:3]), axis=0).max() == 0.0
    assert calls == []
    copy = model.on("torch")
    copy.predict_on_batch(X[:3])
    assert calls == [3]


def test_a_model_is_run_as_a_graph_for_the_sizes_of_batches_that_come_often():
    model = mlp().on("torch")
    for _ in range(300):
        model.predict_on_batch(X[:3])
    sizes = []
    call, model.layers[0].call = model.layers[0].call, lambda x: (sizes.append(len(x)), call(x))[1]
    for size in (3, 4, 5, 3):
        model.predict_on_batch(X[:size])
    assert set(sizes) == {3, 4, 5}  # the layer has changed, so the graph was made anew
    sizes.clear()
    for size in (3, 4, 5, 3):
        model.predict_on_batch(X[:size])
    assert sizes == [4, 5]


class Counted(L.Conv2D):
    """A convolution of somebody else's, which may do what it likes with a batch."""

    def call(self, x):
        self.sizes.append(len(x))
        return super().call(x)


def test_the_work_of_recurrent_layers_is_counted_for_each_step():
    model = dn.Sequential([L.Bidirectional(L.LSTM(3, return_sequences=True)), L.GRU(2), L.Dense(5)])
    model.build((None, 7, 4))
    work = work_of(model, batch_size=10)
    each_step = 2 * (4 + 3) * 12 + (6 + 2) * 6 + 2 * 6  # the two biases of a GRU look like a matrix
    assert work.multiply_adds == 10 * (7 * each_step + 2 * 5)
    assert work.sequence == 7


def test_the_work_of_a_cell_of_ones_own_is_counted_for_each_step():
    class Cell(dn.Layer):
        state_size = 3

        def __init__(self):
            super().__init__()
            self.dense = L.Dense(3)

        def call(self, x, states):
            output = self.dense(dn.backend().concat([x, states[0]], axis=-1))
            return output, [output]

    model = dn.Sequential([L.Bidirectional(L.RNN(Cell(), return_sequences=True)), L.RNN(Cell()), L.Dense(5)])
    model.build((None, 7, 4))
    work = work_of(model, batch_size=10)
    assert work.multiply_adds == 10 * (7 * (2 * (4 + 3) + (6 + 3)) * 3 + 3 * 5)
    assert work.sequence == 7


@pytest.mark.parametrize(("sequence", "jit"), [(64, True), (65, False)])
def test_long_recurrences_are_not_predicted_by_the_loops_of_xla(sequence, jit):
    nn = pytest.importorskip("dualnn_tf")
    work = Work(165_000_000, frozenset({"dense", "recurrence"}), trains=False, sequence=sequence)
    assert nn.choose_engine(work, 1_000, None).jit is jit
    assert not nn.choose_engine(work, 999, None).jit


@pytest.mark.parametrize("samples", [1, 80])  # in a loop, and one step after the other
@pytest.mark.parametrize("layer", ["LSTM", "GRU"])
def test_recurrences_in_machine_code_predict_what_eager_ones_do(layer, samples):
    x = RNG.normal(size=(samples, 9, 4)).astype("float32")
    model = dn.Sequential([getattr(L, layer)(8)]).on("tensorflow")
    model.compile(engine="eager")
    expected = model.predict_on_batch(x)
    model.compile(jit=True)
    # nine steps of some dozen roundings each of numbers below 1, which the gates never enlarge
    np.testing.assert_allclose(model.predict_on_batch(x), expected, rtol=0, atol=9 * 24 * 2**-24)


def test_large_images_are_predicted_in_parts_where_samples_are_independent():
    images = RNG.normal(size=(250, 28, 28, 1)).astype("float32")

    def model(layer):
        return dn.Sequential([layer(32, 3, activation="relu"), L.MaxPooling2D(), L.Flatten(), L.Dense(10)])

    dn.seed(0)
    parts = model(L.Conv2D).on("torch")
    with pytest.MonkeyPatch.context() as patch:
        sizes = []
        call = L.Conv2D.call
        patch.setattr(L.Conv2D, "call", lambda self, x: (sizes.append(len(x)), call(self, x))[1])
        predicted = parts.predict(images, batch_size=250, verbose=0)
    assert sizes[1:] == [64, 64, 64, 58]  # the first call has built the model
    whole = model(Counted).on("torch")
    whole.layers[0].sizes = []
    whole.build((None, 28, 28, 1))
    whole.set_weights(parts.get_weights())
    whole.layers[0].sizes.clear()
    # a sum of 5,408 products of order 0.01 in another order: its roundings add up to some 1e-6
    np.testing.assert_allclose(
        whole.predict(images, batch_size=250, verbose=0), predicted, rtol=1e-5, atol=1e-5
    )
    assert whole.layers[0].sizes == [250]


def test_what_operators_do_with_a_batch_is_not_known():
    inputs = dn.Input((28, 28, 1))
    x = L.Conv2D(32, 3)(inputs)
    assert samples_are_independent(dn.Model(inputs, L.Flatten()(x)))
    assert not samples_are_independent(dn.Model(inputs, L.Flatten()(x - x[:1])))
    one = dn.Sequential([L.Dense(3)])
    one.build((None, 4))
    assert samples_are_independent(one)
    rows = dn.Input((4,))
    joined = dn.Model(rows, L.Concatenate(axis=0)([rows, rows]))
    joined.build()
    assert not samples_are_independent(joined)


def test_short_runs_by_graphs_import_no_compiler():
    code = """
import sys
import numpy as np
import dualnn as dn

model = dn.Sequential([dn.layers.Dense(4, activation="relu"), dn.layers.Dense(1)]).on("torch")
model.compile("adam", "mse")
history = model.fit(np.ones((64, 3)), np.ones((64, 1)), batch_size=8, epochs=30, verbose=0)
model.predict(np.ones((3000, 3)), batch_size=10, verbose=0)
print(history.engine, "torch._dynamo" in sys.modules)
"""
    pytest.importorskip("torch")
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["epoch", "False"]
