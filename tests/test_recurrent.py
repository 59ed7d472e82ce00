"""Loops, and the recurrent layers against Keras: outputs, states, masks, dropout, kernels and formulas."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest

import dualnn as dn
from dualnn.fast_paths import generic
from dualnn.layers import masks, tree

L = dn.layers
RNG = np.random.default_rng(8)
BATCH, STEPS, FEATURES, UNITS = 3, 5, 4, 3
X = RNG.normal(size=(BATCH, STEPS, FEATURES))
MASK = np.array([[1, 1, 1, 0, 0], [0, 1, 0, 1, 1], [0, 0, 0, 0, 0]], bool)
CELLS = {"SimpleRNN": {}, "LSTM": {}, "GRU": {}, "GRU of the paper": {"reset_after": False}}


def close(actual, expected, roundings, eps=2.0**-52):
    """So many roundings of numbers of order one, each of which may change the others of its step as much."""
    scale = max(np.abs(expected).max(), 1.0)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=roundings * eps * scale)


# sums of products of an input and of a state with a bias, and four elementary functions of 4 ULP, a step
ROUNDINGS = STEPS * (FEATURES + UNITS + 2 + 16)


def arrays(nn, results):
    return [nn.to_numpy(y) for y in (results if isinstance(results, (tuple, list)) else [results])]


# ------------------------------------------------------------------------------- scan


def decay(nn):
    def step(carry, x):
        h = nn.tanh(carry["h"] * 0.5 + x["a"])
        return {"h": h, "n": carry["n"] + x["k"]}, {"h": h, "none": None}

    return step


def decayed(a, reverse):
    h, outputs = np.zeros(a.shape[1]), np.zeros_like(a)
    for t in reversed(range(len(a))) if reverse else range(len(a)):
        h = outputs[t] = np.tanh(h * 0.5 + a[t])
    return h, outputs


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("unroll", [False, True, None])
@pytest.mark.parametrize("compiled", [False, True])
def test_scan(nn, reverse, unroll, compiled):
    def run(a, k):
        first = {"h": nn.zeros(2, dtype="float64"), "n": 0}
        return nn.scan(decay(nn), first, {"a": a, "k": k}, reverse=reverse, unroll=unroll)

    a = RNG.normal(size=(4, 2))
    run = nn.compile(run) if compiled else run
    last, outputs = run(nn.asarray(a), nn.arange(4))
    h, expected = decayed(a, reverse)
    close(nn.to_numpy(outputs["h"]), expected, 4 * 6)
    close(nn.to_numpy(last["h"]), h, 4 * 6)
    assert int(last["n"]) == 6
    assert outputs["none"] is None


def test_scan_without_outputs_trains(nn):
    """A step of training with a tape inside, as the loop over an epoch."""
    data = nn.asarray(RNG.normal(size=(20, 8, 3)))

    def epoch(w, data):
        def step(w, x):
            with nn.GradientTape() as tape:
                tape.watch(w)
                loss = nn.mean(nn.square(nn.matmul(x, w) - 1.0))
            return w - 0.1 * tape.gradient(loss, w), None

        return nn.scan(step, w, data)

    start = nn.zeros((3, 1), dtype="float64")
    eager, none = epoch(start, data)
    compiled = epoch if nn.name == "torch" else nn.compile(epoch)
    assert none is None
    close(nn.to_numpy(compiled(start, data)[0]), nn.to_numpy(eager), 20 * (3 + 8 + 8))


def test_scan_is_differentiable_twice(nn):
    a = nn.asarray(RNG.normal(size=(4, 2)))

    def loss(a):
        first = {"h": nn.zeros(2, dtype="float64"), "n": 0}
        return nn.sum(nn.scan(decay(nn), first, {"a": a, "k": nn.arange(4)})[1]["h"])

    def steepness(a):
        return nn.sum(nn.square(nn.grad(loss)(a)))

    eager = nn.to_numpy(nn.grad(steepness)(a))
    close(nn.to_numpy(nn.compile(nn.grad(steepness))(a)), eager, 16 * 4 * 6)
    assert np.abs(eager).max() > 0.1


@pytest.mark.parametrize(
    ("f", "init", "xs", "error", "message"),
    [
        (lambda c, x: c, 0.0, [1.0], TypeError, "returns .carry, y."),
        (lambda c, x: (c[None], None), 0.0, [1.0], TypeError, "carry like the one before"),
        (lambda c, x: ((c, c), None), 0.0, [1.0], TypeError, "carry like the one before"),
        (lambda c, x: (c, x), 0.0, {"a": [1.0], "b": [1.0, 2.0]}, ValueError, "one length"),
        (lambda c, x: (c, x), 0.0, 1.0, ValueError, "without axes"),
        (lambda c, x: (c, x), 0.0, None, ValueError, "at least one tensor"),
        (lambda c, x: (c, x), 0.0, [], ValueError, "at least one step"),
    ],
)
@pytest.mark.parametrize("compiled", [False, True])
def test_scan_says_what_is_wrong(nn, f, init, xs, error, message, compiled):
    if isinstance(xs, dict):
        xs = {name: nn.asarray(x) for name, x in xs.items()}
    elif xs is not None:
        xs = nn.asarray(xs)

    def run():
        return nn.scan(f, init, xs)

    with pytest.raises(error, match=message):
        (nn.compile(run) if compiled else run)()


def test_split_says_what_is_wrong(nn):
    with pytest.raises(ValueError, match="multiple of 2, got 3"):
        nn.split(nn.zeros(3), 2)


# ------------------------------------------------------------------------------- Keras


def both(name, options, x, backend, **call):
    """Outputs of Keras and of dualnn with the same weights, none of which is zero."""
    keras = pytest.importorskip("keras")
    name = name.split()[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = getattr(keras.layers, name)(UNITS, dtype="float64", **options)
        theirs(x, **call)
        generator = np.random.default_rng(5)
        weights = [generator.normal(size=w.shape) / 2 for w in theirs.get_weights()]
        theirs.set_weights(weights)
        expected = theirs(x, **call)
    ours = getattr(L, name)(UNITS, **options).on(backend, dtype="float64")
    ours(x, **call)
    ours.set_weights(weights)
    expected = expected if isinstance(expected, (tuple, list)) else [expected]
    return [np.asarray(y) for y in expected], arrays(ours.nn, ours(x, **call))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    ("sequences", "states", "backwards", "masked", "initial"),
    [one for i, one in enumerate(itertools.product([False, True], repeat=5)) if i % 3 == 0],
)
def test_like_keras(backend, cell, sequences, states, backwards, masked, initial):
    options = {
        **CELLS[cell],
        "return_sequences": sequences,
        "return_state": states,
        "go_backwards": backwards,
    }
    call = {"mask": MASK} if masked else {}
    if initial:
        states = [RNG.normal(size=(BATCH, UNITS)) for _ in range(2 if cell == "LSTM" else 1)]
        call["initial_state"] = states
    expected, actual = both(cell, options, X, backend, **call)
    assert len(actual) == len(expected)
    for ours, theirs in zip(actual, expected, strict=True):
        close(ours, theirs, ROUNDINGS)


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        ("SimpleRNN", {"activation": "relu", "use_bias": False}),
        ("SimpleRNN", {"activation": "elu"}),
        ("LSTM", {"recurrent_activation": "hard_sigmoid", "use_bias": False}),
        ("LSTM", {"unroll": True}),
        ("GRU", {"activation": "softsign", "use_bias": False}),
    ],
)
def test_settings_like_keras(backend, cell, options):
    (expected,), (actual,) = both(cell, options, X, backend)
    close(actual, expected, ROUNDINGS)


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_initial_weights_like_keras(backend, cell):
    layer = getattr(L, cell)(UNITS)
    layer(X)
    kernel, recurrent, bias = layer.get_weights()
    limit = np.sqrt(6 / sum(kernel.shape))
    assert np.abs(kernel).max() <= limit
    close(recurrent @ recurrent.T, np.eye(UNITS), 4 * UNITS * 4, eps=2.0**-23)
    assert bias.shape == {"LSTM": (4 * UNITS,), "GRU": (2, 3 * UNITS)}[cell]
    assert bias.sum() == {"LSTM": UNITS, "GRU": 0}[cell]


# ------------------------------------------------------------------------------- kernels and formulas


@pytest.mark.parametrize("cell", ["SimpleRNN", "LSTM", "GRU"])
def test_kernel_and_formula_have_one_gradient(nn, cell):
    layer = getattr(L, cell)(UNITS, return_sequences=True, return_state=True)
    x = nn.asarray(X, dtype="float32")
    layer(x)

    def gradients():
        with nn.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x)
            total = sum(nn.sum(nn.square(y)) for y in outputs)
        return [nn.to_numpy(g) for g in tape.gradient(total, [x, *layer.trainable_variables])]

    fused = gradients()
    with generic():
        by_formula = gradients()
    for a, b in zip(fused, by_formula, strict=True):
        close(a, b, 4 * ROUNDINGS * UNITS * STEPS, eps=2.0**-23)


@pytest.mark.parametrize("cell", ["SimpleRNN", "LSTM", "GRU"])
def test_second_derivatives(nn, cell):
    layer = getattr(L, cell)(UNITS)
    x = nn.asarray(X, dtype="float32")
    layer(x)

    def steepness(x):
        return nn.sum(nn.square(nn.grad(lambda x: nn.sum(layer(x)))(x)))

    fused = nn.to_numpy(nn.grad(steepness)(x))
    with generic():
        by_formula = nn.to_numpy(nn.grad(steepness)(x))
    assert np.abs(fused).max() > 1e-3
    np.testing.assert_array_equal(fused, by_formula)


@pytest.mark.parametrize("cell", ["SimpleRNN", "LSTM", "GRU"])
def test_torchs_own_ways_to_run(cell):
    torch = pytest.importorskip("torch")
    layer = getattr(L, cell)(UNITS).on("torch")
    x = torch.tensor(X, dtype=torch.float32)
    expected = layer(x).detach()
    with torch.no_grad():
        # torch may take another kernel for a product here, such as a batched one in the GRU
        close(layer(x).numpy(), expected.numpy(), ROUNDINGS, eps=2.0**-23)
    gradients = torch.autograd.grad(layer(x).sum(), layer.trainable_variables)
    layer(x).sum().backward()
    for variable, gradient in zip(layer.trainable_variables, gradients, strict=True):
        assert torch.equal(variable.grad, gradient)

    from torch.fx.experimental.proxy_tensor import make_fx

    slots = tree.slots(layer)

    def gradients_of(x, *weights):
        with torch.enable_grad():
            weights = [weight.detach().requires_grad_() for weight in weights]
            with tree.bound(slots, weights):
                return torch.autograd.grad(layer(x).sum(), weights)

    weights = [variable.detach() for variable in layer.trainable_variables]
    with torch.no_grad():
        graph = make_fx(gradients_of, tracing_mode="fake", _allow_non_fake_inputs=True)(x, *weights)
        for traced, gradient in zip(graph(x, *weights), gradients, strict=True):
            close(traced.numpy(), gradient.numpy(), 4 * ROUNDINGS, eps=2.0**-23)


def test_tensorflows_own_ways_to_run():
    tf = pytest.importorskip("tensorflow")
    layer = L.LSTM(UNITS).on("tensorflow", dtype="float64")
    x = tf.constant(X)
    expected = layer(x).numpy()

    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(layer(x))
        return tape.gradient(y, x)

    eager = gradient(x).numpy()
    unknown = tf.TensorSpec((None, None, FEATURES), x.dtype)
    for options in ({}, {"jit_compile": True}, {"input_signature": [unknown]}):
        close(tf.function(layer, autograph=False, **options)(x).numpy(), expected, ROUNDINGS)
        close(tf.function(gradient, autograph=False, **options)(x).numpy(), eager, 4 * ROUNDINGS)


# ------------------------------------------------------------------------------- dropout


@pytest.mark.parametrize("cell", ["SimpleRNN", "LSTM", "GRU"])
def test_dropout_is_the_same_on_both_backends(cell):
    layer = getattr(L, cell)(UNITS, dropout=0.5, recurrent_dropout=0.3, seed=4, return_sequences=True)
    on_torch = layer.on("torch", dtype="float64")
    on_torch(X)
    on_tensorflow = on_torch.on("tensorflow")
    results = [
        [arrays(one.nn, one(X, training=True))[0] for _ in range(2)] for one in (on_torch, on_tensorflow)
    ]
    for ours, theirs in zip(*results, strict=True):
        close(ours, theirs, ROUNDINGS)
    assert np.abs(results[0][0] - results[0][1]).max() > 0.01, "each call draws anew"
    assert np.abs(results[0][0] - arrays(on_torch.nn, on_torch(X))[0]).max() > 0.01


def test_recurrent_dropout_is_one_mask_for_all_steps(nn):
    layer = L.SimpleRNN(
        50,
        activation="linear",
        kernel_initializer="zeros",
        recurrent_initializer="identity",
        recurrent_dropout=0.5,
        return_sequences=True,
        seed=0,
    )
    start = nn.ones((1, 50))
    y = nn.to_numpy(layer(nn.zeros((1, 3, 1)), initial_state=start, training=True))[0]
    kept = y[0] != 0
    assert 10 < kept.sum() < 40
    for t in range(3):
        np.testing.assert_array_equal(y[t], np.where(kept, 2.0 ** (t + 1), 0))


# ------------------------------------------------------------------------------- masks


class Seen(dn.Layer):
    """Keeps the mask that it was called with."""

    supports_masking = True

    def call(self, x, mask=None):
        self.seen.append(None if mask is None else self.nn.to_numpy(mask))
        return x

    def __init__(self):
        super().__init__()
        self.seen = []


TOKENS = np.array([[3, 1, 0], [2, 0, 0]])


def test_embedding_masks_zero(backend):
    model = dn.Sequential([L.Embedding(5, 2, mask_zero=True), L.LSTM(2, return_sequences=True), Seen()])
    model(TOKENS)
    np.testing.assert_array_equal(model.layers[-1].seen[0], TOKENS != 0)
    assert masks.mask_of(L.Embedding(5, 2)(TOKENS)) is None


def test_masks_go_through_functional_models_and_states(backend):
    inputs = dn.Input((3,), dtype="int64")
    embedded = L.Embedding(5, 2, mask_zero=True)(inputs)
    outputs, h, c = L.LSTM(2, return_sequences=True, return_state=True)(embedded)
    seen = Seen()
    model = dn.Model(inputs, [seen(outputs), h, c])
    outputs, h, _ = arrays(model.on(backend).nn, model(TOKENS))
    np.testing.assert_array_equal(seen.seen[0], TOKENS != 0)
    np.testing.assert_array_equal(outputs[0, 1], h[0])  # the last step that counts
    np.testing.assert_array_equal(outputs[0, 2], h[0])  # what is left out repeats it


def test_a_mask_that_is_given_goes_first(nn):
    layer = L.GlobalAveragePooling1D()
    x = L.Masking()(nn.asarray([[[1.0], [0.0], [3.0]]]))
    assert float(layer(x)[0, 0]) == 2.0
    assert float(layer(x, mask=[[False, False, True]])[0, 0]) == 3.0


def test_masks_are_forgotten_with_their_tensors(nn):
    before = len(masks._known)
    x = L.Masking()(nn.ones((1, 2, 1)))
    assert len(masks._known) == before + 1
    del x
    assert len(masks._known) == before


def test_a_layer_that_supports_no_masks_says_so(nn):
    class Plain(dn.Layer):
        def call(self, x):
            return x * 1.0

    x = L.Masking()(nn.ones((1, 2, 1)))
    with pytest.warns(UserWarning, match="'plain' got an input with a mask, which goes no further"):
        y = Plain()(x)
    assert masks.mask_of(y) is None


# ------------------------------------------------------------------------------- around other layers


@pytest.mark.parametrize("mode", ["concat", "sum", "mul", "ave", None])
@pytest.mark.parametrize("masked", [False, True])
def test_bidirectional_like_keras(backend, mode, masked):
    keras = pytest.importorskip("keras")
    call = {"mask": MASK} if masked else {}
    x = X.astype("float32")
    theirs = keras.layers.Bidirectional(keras.layers.GRU(UNITS, return_sequences=True), merge_mode=mode)
    expected = theirs(x, **call)
    ours = L.Bidirectional(L.GRU(UNITS, return_sequences=True), merge_mode=mode).on(backend)
    ours(x, **call)
    ours.set_weights(theirs.get_weights())
    expected = [np.asarray(y) for y in (expected if mode is None else [expected])]
    for a, b in zip(arrays(ours.nn, ours(x, **call)), expected, strict=True):
        close(a, b, ROUNDINGS, eps=2.0**-23)


def test_bidirectional_with_states(nn):
    layer = L.Bidirectional(L.LSTM(2, return_state=True))
    x = nn.asarray(X, dtype="float32")
    y, h, c, h_back, c_back = layer(x)
    np.testing.assert_array_equal(nn.to_numpy(y), nn.to_numpy(nn.concat([h, h_back], axis=-1)))
    again = layer(x, initial_state=[h, c, h_back, c_back])
    assert np.abs(nn.to_numpy(again[0]) - nn.to_numpy(y)).max() > 0.01
    assert tuple(again[4].shape) == tuple(c_back.shape)


def test_rnn_with_a_cell(nn):
    class Cell(dn.Layer):
        state_size, output_size = (2, 1), 3

        def build(self, shape):
            self.w = self.add_weight((shape[-1], 2), name="w")

        def call(self, x, states):
            h, n = states
            h = nn.tanh(nn.matmul(x, self.w) + h)
            return nn.concat([h, n], axis=-1), [h, n + 1.0]

    layer = L.RNN(Cell(), return_sequences=True, return_state=True)
    run = nn.compile(layer) if nn.name == "tensorflow" else layer
    x = nn.asarray(X, dtype="float32")
    layer(x)
    y, h, n = run(x)
    assert tuple(y.shape) == (BATCH, STEPS, 3)
    np.testing.assert_array_equal(nn.to_numpy(y)[:, :, 2], np.tile(np.arange(STEPS), (BATCH, 1)))
    np.testing.assert_array_equal(nn.to_numpy(n), np.full((BATCH, 1), STEPS))
    np.testing.assert_array_equal(nn.to_numpy(y)[:, -1, :2], nn.to_numpy(h))
    assert list(layer.state_paths) == ["cell.w"]


def test_time_distributed(nn):
    layer = L.TimeDistributed(L.Dense(2))
    y = nn.to_numpy(layer(X))
    kernel, bias = layer.get_weights()
    close(y, X.astype("float32") @ kernel + bias, FEATURES + 2, eps=2.0**-23)
    assert layer.compute_output_shape((None, 5, 4)) == (None, 5, 2)


def test_output_shapes(backend):
    inputs = dn.Input((STEPS, FEATURES))
    for layer in (
        L.GRU(2, return_sequences=True, return_state=True),
        L.Bidirectional(L.LSTM(2, return_state=True), merge_mode=None),
        L.Bidirectional(L.LSTM(2, return_sequences=True)),
        L.GlobalAveragePooling1D(keepdims=True),
    ):
        declared = layer(inputs)
        shapes = [y.shape for y in (declared if isinstance(declared, list) else [declared])]
        got = [(None, *tuple(y.shape)[1:]) for y in arrays(layer.on(backend).nn, layer.on(backend)(X))]
        assert shapes == got


def test_fit(backend):
    """The same training on both backends, up to the roundings of its 8 steps."""
    y = (X.sum(axis=(1, 2)) > 0).astype("int64")
    histories = []
    for name in ("torch", "tensorflow"):
        dn.use(name, dtype="float64")
        model = dn.Sequential([L.LSTM(4, dropout=0.2, return_sequences=True), L.GRU(3), L.Dense(2)])
        model.compile("sgd", dn.losses.SparseCategoricalCrossentropy(from_logits=True))
        histories.append(model.fit(X, y, batch_size=2, epochs=4, verbose=0, seed=1).history["loss"])
    close(np.asarray(histories[0]), np.asarray(histories[1]), 8 * 4 * 2 * ROUNDINGS)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: L.LSTM(4, stateful=True), ValueError, "return_state=True and initial_state="),
        (lambda: L.LSTM(0), ValueError, "units must be"),
        (lambda: L.GRU(2, dropout=1.5), ValueError, "dropout must be"),
        (lambda: L.LSTM(2)(X[0]), ValueError, "3"),
        (lambda: L.LSTM(2)(X, initial_state=[np.zeros((3, 2))]), ValueError, "expected 2 initial states"),
        (lambda: L.GRU(2)(X, initial_state=np.zeros((3, 4))), ValueError, "expected 1 initial states"),
        (lambda: L.Bidirectional(L.Dense(2)), TypeError, "a recurrent layer"),
        (lambda: L.Bidirectional(L.GRU(2), merge_mode="add"), ValueError, "merge_mode"),
        (lambda: L.Bidirectional(L.GRU(2), backward_layer=L.GRU(2)), ValueError, "go_backwards"),
        (lambda: L.RNN(L.Dense(2)), TypeError, "state_size"),
        (lambda: L.TimeDistributed(abs), TypeError, "expected a layer"),
    ],
)
def test_says_what_is_wrong(backend, make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_cell_with_state_of_its_own(backend):
    class Cell(dn.Layer):
        state_size = FEATURES

        def __init__(self):
            super().__init__()
            self.dropout = L.Dropout(0.5)

        def call(self, x, states):
            return self.dropout(x), states

    with pytest.raises(ValueError, match="without state of its own"):
        L.RNN(Cell())(X)


@pytest.mark.parametrize("layer", ["SimpleRNN", "LSTM", "GRU"])
def test_masks_of_recurrent_dropout_are_the_same_on_both_backends(layer):
    x = np.random.default_rng(0).normal(size=(16, 5, 3)).astype("float32")
    losses = []
    for backend in ("torch", "tensorflow"):
        recurrent = getattr(dn.layers, layer)(4, dropout=0.2, recurrent_dropout=0.5)
        model = dn.Sequential([recurrent, dn.layers.Dense(1)]).on(backend)
        model.compile("sgd", "mse")
        history = model.fit(x, x[:, 0, :1], epochs=2, batch_size=8, seed=0, verbose=0)
        losses.append(history.history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


def test_a_step_of_ones_own_whose_output_is_no_state(backend):
    class Doubled(L.LSTM):
        def step(self, z, h, states):
            output, states = super().step(z, h, states)
            return output * 2.0, states

        def kernel_options(self):
            return None

    layer = Doubled(UNITS).on(backend)
    nn = layer.nn
    x = nn.asarray(X, dtype="float32")
    last = nn.to_numpy(layer(x))
    layer.return_sequences = True
    np.testing.assert_array_equal(nn.to_numpy(layer(x))[:, -1], last)


@pytest.mark.parametrize(
    "make",
    [
        lambda: L.SimpleRNN(UNITS, "linear", dropout=0.5, recurrent_dropout=0.5, seed=1),
        lambda: L.LSTM(UNITS, dropout=0.5, seed=1),
        lambda: L.GRU(UNITS, dropout=0.5, recurrent_dropout=0.5, seed=1),
        lambda: L.MultiHeadAttention(2, 3, dropout=0.5, seed=1),
        lambda: L.Attention(dropout=0.5, seed=1),
    ],
)
def test_a_first_call_in_training_has_the_masks_of_a_layer_that_is_built(backend, make):
    def first_in_training(is_built):
        dn.seed(0)
        layer = make().on(backend)
        inputs = [[X, X]] if isinstance(layer, L.Attention) else [X, X][: 1 + hasattr(layer, "num_heads")]
        if is_built:
            layer(*inputs)
        return arrays(layer.nn, layer(*inputs, training=True))[0]

    np.testing.assert_array_equal(first_in_training(is_built=False), first_in_training(is_built=True))
