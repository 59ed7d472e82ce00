"""Attention against Keras: masks, scores, dropout, kernels and formulas, and a small transformer."""

from __future__ import annotations

import numpy as np
import pytest

import dualnn as dn
from dualnn.fast_paths import generic
from dualnn.layers import masks

L = dn.layers
RNG = np.random.default_rng(9)
BATCH, QUERIES, KEYS, SIZE = 2, 3, 4, 5
QUERY, VALUE, KEY = (RNG.normal(size=(BATCH, n, SIZE)).astype("float32") for n in (QUERIES, KEYS, KEYS))
FROM = np.array([[1, 1, 0], [1, 0, 1]], bool)
TO = np.array([[1, 1, 0, 1], [1, 0, 1, 0]], bool)
BETWEEN = RNG.random((BATCH, QUERIES, KEYS)) < 0.6
BETWEEN[:, :, 0] = True  # of a query that attends to nothing Keras has two different ideas
EPS = 2.0**-23

# projections, scores, softmax and its sum, the means, the last projection: of numbers of order one
ROUNDINGS = 2 * (SIZE + 1) + SIZE + 4 + KEYS + 3 + KEYS


def close(actual, expected, roundings=4 * ROUNDINGS):
    scale = max(np.abs(expected).max(), 1.0)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=roundings * EPS * scale)


def arrays(nn, results):
    return [nn.to_numpy(y) for y in (results if isinstance(results, (tuple, list)) else [results])]


def compare(name, arguments, args, backend, call):
    keras = pytest.importorskip("keras")
    theirs, ours = getattr(keras.layers, name)(**arguments), getattr(L, name)(**arguments).on(backend)
    theirs(*args, **call)
    ours(*args, **call)
    generator = np.random.default_rng(3)
    weights = [generator.normal(size=w.shape).astype("float32") / 2 for w in theirs.get_weights()]
    theirs.set_weights(weights)
    ours.set_weights(weights)
    expected = theirs(*args, **call)
    expected = [np.asarray(y) for y in (expected if isinstance(expected, (tuple, list)) else [expected])]
    for a, b in zip(arrays(ours.nn, ours(*args, **call)), expected, strict=True):
        close(a, b)


@pytest.mark.parametrize("arguments", [{}, {"value_dim": 2, "output_shape": 7}, {"use_bias": False}])
@pytest.mark.parametrize(
    "call",
    [
        {},
        {"key": KEY},
        {"use_causal_mask": True},
        {"attention_mask": BETWEEN},
        {"attention_mask": BETWEEN[:, None]},
        {"attention_mask": BETWEEN, "use_causal_mask": True, "return_attention_scores": True},
        {"value_mask": TO, "use_causal_mask": True},
        {"value_mask": TO, "return_attention_scores": True},
    ],
)
def test_multi_head_attention_like_keras(backend, arguments, call):
    arguments = {"num_heads": 2, "key_dim": 3, **arguments}
    compare("MultiHeadAttention", arguments, (QUERY, VALUE), backend, call)


@pytest.mark.parametrize("arguments", [{}, {"use_scale": True}, {"use_scale": True, "score_mode": "concat"}])
@pytest.mark.parametrize(
    "call",
    [
        {},
        {"use_causal_mask": True},
        {"mask": [FROM, TO], "return_attention_scores": True},
        {"mask": [FROM, TO], "use_causal_mask": True},
    ],
)
def test_attention_like_keras(backend, arguments, call):
    compare("Attention", arguments, ([QUERY, VALUE, KEY],), backend, call)


@pytest.mark.parametrize("arguments", [{}, {"value_dim": 2, "output_shape": 7}, {"use_bias": False}])
def test_self_attention_like_keras(backend, arguments):
    keras = pytest.importorskip("keras")
    arguments = {"num_heads": 2, "key_dim": 3, **arguments}
    theirs, ours = keras.layers.MultiHeadAttention(**arguments), L.MultiHeadAttention(**arguments).on(backend)
    x = ours.nn.asarray(QUERY)
    theirs(QUERY, QUERY)
    ours(x, x)
    weights = [RNG.normal(size=w.shape).astype("float32") / 2 for w in theirs.get_weights()]
    theirs.set_weights(weights)
    ours.set_weights(weights)
    expected = np.asarray(theirs(QUERY, QUERY))
    close(ours.nn.to_numpy(ours(x, x)), expected)
    if ours.value_dim == ours.key_dim:
        calls = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ours.query, "call", calls.append, raising=True)
            close(ours.nn.to_numpy(ours(x, x)), expected)
        assert calls == []  # one product for all three projections
    close(ours.nn.to_numpy(ours(x, ours.nn.asarray(QUERY))), expected)


def test_initial_weights_like_keras(backend):
    layer = L.MultiHeadAttention(2, 3, value_dim=4)
    layer(QUERY, VALUE)
    shapes = [tuple(w.shape) for w in layer.get_weights()]
    assert shapes == [(5, 2, 3), (2, 3), (5, 2, 3), (2, 3), (5, 2, 4), (2, 4), (2, 4, 5), (5,)]
    assert next(iter(layer.state_paths)) == "query.kernel"
    # Glorot's bound by Keras's fans of (5, 2, 3): 2 * 5 and 3 * 5
    assert np.abs(layer.get_weights()[0]).max() <= np.sqrt(6 / (2 * 5 + 3 * 5))


def test_kernel_and_formula_have_one_gradient(nn):
    layer = L.MultiHeadAttention(2, 3)
    query, value = nn.asarray(QUERY), nn.asarray(VALUE)
    nothing = BETWEEN.copy()
    nothing[0, 1] = False
    layer(query, value)
    for call in ({}, {"use_causal_mask": True}, {"attention_mask": nothing}):

        def gradients(call=call):
            with nn.GradientTape() as tape:
                tape.watch([query, value])
                total = nn.sum(nn.square(layer(query, value, **call)))
            return arrays(nn, tape.gradient(total, [query, value, *layer.trainable_variables]))

        fused = gradients()
        with generic():
            by_formula = gradients()
        for a, b in zip(fused, by_formula, strict=True):
            close(a, b, 4 * ROUNDINGS * QUERIES * SIZE)


def test_second_derivatives(nn):
    layer = L.MultiHeadAttention(2, 3)
    x = nn.asarray(QUERY)
    layer(x, x)

    def steepness(x):
        return nn.sum(nn.square(nn.grad(lambda x: nn.sum(nn.square(layer(x, x))))(x)))

    fused = nn.to_numpy(nn.grad(steepness)(x))
    with generic():
        np.testing.assert_array_equal(nn.to_numpy(nn.grad(steepness)(x)), fused)


def test_a_query_that_attends_to_nothing_gives_zeros(nn):
    layer = L.MultiHeadAttention(2, 3)
    nothing = np.zeros((BATCH, QUERIES, KEYS), bool)
    for call in ({}, {"return_attention_scores": True}):
        y = arrays(nn, layer(QUERY, VALUE, attention_mask=nothing, **call))
        np.testing.assert_array_equal(y[0], np.zeros((BATCH, QUERIES, SIZE)))


def test_dropout_is_the_same_on_both_backends():
    layer = L.MultiHeadAttention(2, 3, dropout=0.5, seed=2).on("torch")
    layer(QUERY, VALUE)
    twin = layer.on("tensorflow")
    on_torch, on_tensorflow = (arrays(one.nn, one(QUERY, VALUE, training=True))[0] for one in (layer, twin))
    close(on_torch, on_tensorflow, 8 * ROUNDINGS)
    assert np.abs(on_torch - arrays(layer.nn, layer(QUERY, VALUE))[0]).max() > 0.01


def test_masks_of_queries_and_values_come_along(nn):
    tokens = np.array([[1, 2, 0], [3, 0, 0]])
    embedded = L.Embedding(5, 4, mask_zero=True)(tokens)
    layer = L.MultiHeadAttention(2, 3)
    y, scores = layer(embedded, embedded, return_attention_scores=True)
    scores = nn.to_numpy(scores)
    counts = tokens != 0
    expected = np.broadcast_to((counts[:, None, :, None] & counts[:, None, None, :]), scores.shape)
    np.testing.assert_array_equal(scores > 0, expected)
    np.testing.assert_array_equal(nn.to_numpy(masks.mask_of(y)), counts)


class Positions(dn.Layer):
    """Adds a vector to each token's for its place."""

    supports_masking = True

    def __init__(self, length, width):
        super().__init__()
        self.table = L.Embedding(length, width)

    def call(self, x):
        return x + self.table(self.nn.arange(x.shape[1], device=self.device))


def encoder(x, width, heads):
    attended = L.MultiHeadAttention(heads, width // heads)(x, x)
    x = L.LayerNormalization()(L.Add()([x, attended]))
    hidden = L.Dense(width)(L.Dense(2 * width, activation="gelu")(x))
    return L.LayerNormalization()(L.Add()([x, hidden]))


def test_a_transformer_trains_alike_on_both_backends():
    tokens = RNG.integers(0, 12, size=(16, 6))
    labels = (tokens.sum(axis=1) > 33).astype("int64")
    histories = []
    for backend in ("torch", "tensorflow"):
        dn.use(backend, dtype="float64")
        inputs = dn.Input((6,), dtype="int64")
        x = Positions(6, 8)(L.Embedding(12, 8)(inputs))
        outputs = L.Dense(2)(L.GlobalAveragePooling1D()(encoder(x, 8, 2)))
        model = dn.Model(inputs, outputs)
        model.compile("adam", dn.losses.SparseCategoricalCrossentropy(from_logits=True))
        histories.append(model.fit(tokens, labels, batch_size=8, epochs=3, verbose=0, seed=0).history["loss"])
    # 6 steps, each of which may multiply what was off by some tens: far below a fault, which is of order one
    np.testing.assert_allclose(*histories, rtol=1e-9)
    assert histories[0][-1] < histories[0][0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: L.MultiHeadAttention(0, 2), "num_heads must be"),
        (lambda: L.MultiHeadAttention(2, 2, dropout=1.0), "dropout must be"),
        (lambda: L.Attention(score_mode="sum"), "score_mode must be"),
        (lambda: L.Attention()(QUERY), "a list .query, value."),
        (lambda: L.Attention()([QUERY]), "a list .query, value."),
        (lambda: L.Attention()([QUERY, VALUE[..., :2]]), "query and key of the same size on their last axis"),
        (lambda: L.Attention()([QUERY, VALUE, KEY[:, :2]]), "as many keys as values"),
        (lambda: L.Attention()([QUERY, VALUE], mask=FROM), "a list of the masks of query and value"),
        (lambda: L.MultiHeadAttention(2, 3)(QUERY[0], VALUE), "expected an input of 3 axes, got 2"),
        (lambda: L.GRU(2)(QUERY, mask=np.ones((2, 5))), r"a mask of the shape .* got \(2, 5\)"),
        (lambda: L.GRU(2)(QUERY, initial_state=np.ones((3, 2))), r"1 initial states .* got .\(3, 2\)"),
    ],
)
def test_says_what_is_wrong(backend, make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_projection_around_another(backend):
    class Adapted(dn.Layer):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def call(self, x):
            return self.inner(x) * 2.0

    attention = L.MultiHeadAttention(num_heads=2, key_dim=3).on(backend)
    x = attention.nn.asarray(QUERY)
    plain = attention.nn.to_numpy(attention(x, x))
    attention.value = Adapted(attention.value)
    adapted = attention.nn.to_numpy(attention(x, x))
    bias = attention.nn.to_numpy(attention.attention_output.bias)
    close(adapted - bias, 2 * (plain - bias))


def test_scores_of_attention_are_what_dropout_leaves_of_them(backend):
    """As in Keras, where MultiHeadAttention returns them as they are before."""
    layer = L.Attention(dropout=0.5, seed=0)
    x = RNG.normal(size=(2, 20, 4)).astype("float32")
    output, scores = layer([x, x], return_attention_scores=True, training=True)
    scores = layer.nn.to_numpy(scores)
    assert 0.4 < np.mean(scores == 0) < 0.6
    close(layer.nn.to_numpy(output), scores @ x, 8 * ROUNDINGS)
    heads = L.MultiHeadAttention(2, 3, dropout=0.5)
    _, scores = heads(x, x, return_attention_scores=True, training=True)
    close(heads.nn.to_numpy(scores).sum(axis=-1), np.ones((2, 2, 20)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attention_mask": np.ones((2, 6, 5), bool)}, r"attention_mask .* \(2, 5, 6\), .* got \(2, 6, 5\)"),
        ({"attention_mask": np.ones(6, bool)}, r"attention_mask .* got \(6,\)"),
        ({"value_mask": np.ones((2, 5), bool)}, r"value_mask .* \(2, 6, 4\), got \(2, 5\)"),
        ({"query_mask": np.ones((2, 6), bool)}, r"query_mask .* \(2, 5, 4\), got \(2, 6\)"),
    ],
)
def test_masks_of_a_wrong_shape_are_refused(nn, options, message):
    layer = dn.layers.MultiHeadAttention(2, 3).on(nn.name)
    query, value = np.ones((2, 5, 4), "float32"), np.ones((2, 6, 4), "float32")
    for mask in ((5, 6), (2, 5, 6), (1, 5, 6), (2, 2, 5, 6)):
        layer(query, value, attention_mask=np.ones(mask, bool))
    with pytest.raises(ValueError, match=message):
        layer(query, value, **options)
