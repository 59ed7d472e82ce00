"""The three forms of a model, summaries, custom loops, native modules, moving, and weight files."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import dualnn as dn

L = dn.layers
X = np.random.default_rng(8).normal(size=(30, 6)).astype("float32")
Y = np.argmax(X[:, :3], axis=1)
LOSS = dn.losses.SparseCategoricalCrossentropy(from_logits=True)


class Residual(dn.Layer):
    def __init__(self, units):
        super().__init__()
        self.inner = dn.Sequential([L.Dense(units, activation="relu"), L.BatchNormalization()])
        self.project = L.Dense(units, use_bias=False)

    def call(self, x):
        return self.inner(x) + self.project(x)


class Subclassed(dn.Model):
    def __init__(self):
        super().__init__()
        self.blocks = [Residual(8), Residual(8)]
        self.head = {"logits": L.Dense(3)}

    def call(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head["logits"](x)


def functional():
    inputs = dn.Input((6,))
    x = L.Dense(8, activation="relu")(inputs)
    shared = L.Dense(8)
    x = L.Add()([shared(x), shared(x * 0.5)]) + x
    return dn.Model(inputs, L.Dense(3)(x))


FORMS = {
    "sequential": lambda: dn.Sequential([L.Dense(8, activation="relu"), L.Dropout(0.1), L.Dense(3)]),
    "subclassed": Subclassed,
    "functional": functional,
}


@pytest.fixture(params=FORMS)
def model(request):
    return FORMS[request.param]()


def fitted(model, **kwargs):
    model.compile(dn.optimizers.Adam(0.01), LOSS, metrics=["accuracy"])
    return model.fit(X, Y, **{"epochs": 30, "batch_size": 10, "seed": 1, "verbose": 0, **kwargs})


def test_every_form_trains(backend, model):
    history = fitted(model)
    assert history.history["accuracy"][-1] > 0.9
    assert model.backend == backend


def test_every_form_agrees_on_both_backends(model):
    weights, losses = [], []
    for backend in ("torch", "tensorflow"):
        twin = model.on(backend, dtype="float64")
        losses.append(fitted(twin).history["loss"])
        weights.append(np.concatenate([w.ravel() for w in twin.get_weights()]))
    # 90 steps of Adam in float64; the bound is that of test_agreement
    np.testing.assert_allclose(*losses, rtol=1e-10)
    assert np.max(np.abs(weights[0] - weights[1])) <= 1e-10 * np.max(np.abs(weights[0]))


def test_own_loop_with_a_tape_is_fit(backend):
    """A high-level network in an own loop does exactly what fit does."""
    nn = dn.use(backend, dtype="float64")
    one, other = (dn.Sequential([Residual(8), L.Dense(3)]) for _ in range(2))
    history = fitted(one, epochs=3, shuffle=False)
    other.compile("sgd", LOSS)
    other.fit(X, Y, seed=1, epochs=0, verbose=0)  # builds it with the same initial weights
    optimizer = dn.optimizers.Adam(0.01)
    losses = []
    for _ in range(3):
        for start in range(0, 30, 10):
            x, y = nn.asarray(X[start : start + 10]), nn.asarray(Y[start : start + 10])
            with nn.GradientTape() as tape:
                loss = LOSS(y, other(x, training=True))
            gradients = tape.gradient(loss, other.trainable_variables)
            optimizer.apply_gradients(zip(gradients, other.trainable_variables, strict=True))
            losses.append(float(nn.to_numpy(loss)))
    # 9 steps of Adam in float64, eager here and compiled there; the bound is that of test_agreement
    np.testing.assert_allclose(np.mean(np.reshape(losses, (3, 3)), 1), history.history["loss"], rtol=1e-10)
    flat, own = (np.concatenate([w.ravel() for w in m.get_weights()]) for m in (one, other))
    assert np.max(np.abs(flat - own)) <= 1e-10 * np.max(np.abs(flat))


def test_functional_knows_shapes_and_finds_errors_at_once():
    inputs = dn.Input((28, 28, 1))
    x = L.Conv2D(4, 3, strides=2)(inputs)
    assert x.shape == (None, 13, 13, 4)
    assert L.Flatten()(x).shape == (None, 676)
    with pytest.raises(ValueError, match="expected an input of 4 axes, got 2"):
        L.MaxPooling2D()(L.Flatten()(x))
    with pytest.raises(ValueError, match="same shape"):
        L.Add()([inputs, x])
    with pytest.raises(ValueError, match="cannot be combined"):
        inputs + x
    with pytest.raises(ValueError, match="not among the model's inputs"):
        dn.Model(dn.Input((3,)), x)
    with pytest.raises(TypeError, match=r"expected dn.Input and what layers make of it, got ndarray"):
        dn.Model(np.ones(3), x)


def test_a_model_is_a_layer_of_another(backend):
    encoder = functional()
    inputs = dn.Input((6,))
    model = dn.Model(inputs, L.Dense(2)(encoder(inputs)))
    assert model.predict(X).shape == (30, 2)
    assert all(path.startswith("layers.") for path in model.state_paths)


def test_summary_counts(backend, capsys):
    model = dn.Sequential([dn.Input((6,)), Residual(8), L.Dense(3)])
    model.summary()
    text = capsys.readouterr().out
    # Dense 6*8+8, batch norm 4*8, projection 6*8, head 8*3+3
    assert "Total weights: 163" in text
    assert "Not trainable: 16" in text
    assert "(None, 8)" in text
    assert model.count_params() == 163
    with pytest.raises(ValueError, match="not built yet"):
        dn.Sequential([L.Dense(1)]).summary()
    assert model.get_layer("dense") is model.layers[1]
    assert model.get_layer(index=0) is model.layers[0]
    with pytest.raises(ValueError, match="did you mean 'dense'"):
        model.get_layer("dens")


def test_build_by_shape(backend):
    model = Subclassed()
    model.build((None, 6))
    assert model.built
    assert model.output_shape == (None, 3)
    with pytest.raises(ValueError, match="the input's shape is not known"):
        dn.Sequential([L.Dense(1)]).build()


def test_set_weights_is_all_or_nothing(backend):
    model = dn.Sequential([dn.Input((6,)), L.Dense(3)])
    model.build()
    before = model.get_weights()
    with pytest.raises(ValueError, match="has 2 weights, got 1 arrays"):
        model.set_weights(before[:1])
    with pytest.raises(ValueError, match=r"weight 'layers.0.bias': expected shape \(3,\), got \(4,\)"):
        model.set_weights([before[0] + 1, np.zeros(4)])
    assert np.array_equal(model.get_weights()[0], before[0])


# ---------------------------------------------------------------------- moving


def test_on_leaves_the_original_alone(backend):
    model = FORMS["sequential"]()
    fitted(model, epochs=1)
    before = model.get_weights()
    for target in ("torch", "tensorflow"):
        twin = model.on(target, dtype="float64")
        assert (twin.backend, twin.dtype, model.backend, model.dtype) == (
            target,
            "float64",
            backend,
            "float32",
        )
        assert twin.optimizer.iterations == model.optimizer.iterations == 3
        fitted(twin, epochs=2)
    for a, b in zip(before, model.get_weights(), strict=True):
        assert np.array_equal(a, b)


def test_an_unbuilt_model_and_its_copy_start_from_the_same_weights():
    model = FORMS["sequential"]()
    twin = model.on("tensorflow")
    dn.seed(3)
    model = model.on("torch")
    assert model.predict(X[:1]).shape == twin.predict(X[:1]).shape
    for a, b in zip(model.get_weights(), twin.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()


def test_there_and_back_changes_no_bit(backend):
    model = FORMS["sequential"]()
    fitted(model, epochs=2)
    other = "tensorflow" if backend == "torch" else "torch"
    back = model.on(other).on(backend)
    a = model.fit(X, Y, epochs=2, batch_size=10, verbose=0).history["loss"]
    b = back.fit(X, Y, epochs=2, batch_size=10, verbose=0).history["loss"]
    assert a == b


def test_native_constants_move_along():
    class Masked(dn.Layer):
        def build(self, input_shape):
            self.mask = self.nn.asarray(np.arange(input_shape[-1]) % 2, dtype="float32")

        def call(self, x):
            return x * self.mask

    model = dn.Sequential([Masked()]).on("torch")
    y = model.predict(X)
    np.testing.assert_array_equal(model.on("tensorflow").predict(X), y)


def test_on_refuses_what_is_not_there(backend):
    model = FORMS["sequential"]()
    with pytest.raises(ValueError, match="did you mean 'torch'"):
        model.on("torhc")
    with pytest.raises(ValueError, match="cuda"):
        model.on(backend, device="cuda:9")
    with pytest.raises(ValueError, match="floating-point dtype 'float23'"):
        model.on(backend, dtype="float23")


# ---------------------------------------------------------------------- native modules


def test_a_native_torch_optimizer_trains_the_model():
    import torch

    model = FORMS["subclassed"]().on("torch")
    before = model.predict(X)
    module = model.native
    assert isinstance(module, torch.nn.Module)
    assert dict(module.named_parameters()).keys() | dict(module.named_buffers()).keys() == set(
        model.state_paths
    )
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    loss = torch.nn.functional.cross_entropy(module.train()(torch.from_numpy(X)), torch.from_numpy(Y))
    loss.backward()
    optimizer.step()
    after = model.predict(X)
    assert not np.allclose(before, after)
    np.testing.assert_array_equal(
        module.eval()(torch.from_numpy(X)).detach().numpy(), model(X).detach().numpy()
    )
    assert model.blocks[0].inner.layers[1].moving_mean.abs().sum() > 0  # train() was seen


def test_a_native_tensorflow_optimizer_trains_the_model():
    import tensorflow as tf

    model = FORMS["subclassed"]().on("tensorflow")
    before = model.predict(X)
    module = model.native
    assert isinstance(module, tf.Module)
    assert len(module.variables) == len(model.variables)
    optimizer = tf.keras.optimizers.SGD(0.1)
    with tf.GradientTape() as tape:
        logits = module(tf.constant(X), training=True)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(Y, logits))
    optimizer.apply_gradients(
        zip(tape.gradient(loss, module.trainable_variables), module.trainable_variables, strict=True)
    )
    assert not np.allclose(before, model.predict(X))


def test_an_unbuilt_model_has_no_native_module(backend):
    with pytest.raises(ValueError, match="not built yet"):
        _ = FORMS["sequential"]().native


# ---------------------------------------------------------------------- weight files


@pytest.mark.parametrize("target", ["torch", "tensorflow"])
def test_weights_are_read_on_either_backend(backend, target, model, tmp_path):
    fitted(model, epochs=1)
    path = tmp_path / "weights.safetensors"
    model.save_weights(path)
    other = type(model)() if isinstance(model, Subclassed) else model.on(target)
    other = other.on(target)
    other.build((None, 6))
    other.set_weights([w * 0 for w in other.get_weights()])
    other.load_weights(path)
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()


def test_bad_weight_files_change_nothing(backend, tmp_path):
    model = dn.Sequential([dn.Input((6,)), L.Dense(3)])
    model.build()
    before = model.get_weights()
    good, bad = tmp_path / "good", tmp_path / "bad"
    model.save_weights(good)
    wider = dn.Sequential([dn.Input((6,)), L.Dense(4)])
    wider.build()
    deeper = dn.Sequential([dn.Input((6,)), L.Dense(3), L.Dense(3)])
    deeper.build()
    cases = [
        (b"not a file of weights", "expected a safetensors file"),
        (good.read_bytes()[:-5], "expected a safetensors file"),
        (b"", "expected a safetensors file"),
    ]
    for content, message in cases:
        bad.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            model.load_weights(bad)
    wider.save_weights(bad)
    with pytest.raises(ValueError, match=r"weight 'layers.0.bias': expected shape \(3,\), got \(4,\)|kernel"):
        model.load_weights(bad)
    deeper.save_weights(bad)
    with pytest.raises(ValueError, match=r"unknown weight 'layers.1"):
        model.load_weights(bad)
    with pytest.raises(ValueError, match=r"has no weight 'layers.1"):
        deeper.load_weights(good)
    with pytest.raises(FileNotFoundError):
        model.load_weights(tmp_path / "nowhere")
    for a, b in zip(before, model.get_weights(), strict=True):
        assert np.array_equal(a, b)
    with pytest.raises(ValueError, match="not built yet"):
        dn.Sequential([L.Dense(3)]).load_weights(good)


def test_a_failed_save_leaves_the_older_file(backend, tmp_path, monkeypatch):
    model = dn.Sequential([dn.Input((6,)), L.Dense(3)])
    model.build()
    path = tmp_path / "weights.safetensors"
    model.save_weights(path)
    before = path.read_bytes()

    def full(*args):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        model.save_weights(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [path.name]


def test_built_in_layers_compile(backend, caplog):
    """Nothing of our own falls back to slow execution without a word."""
    model = dn.Sequential(
        [
            L.Conv2D(4, 3, padding="same"), L.BatchNormalization(), L.MaxPooling2D(), L.AveragePooling2D(),
            L.Reshape((4, -1)), L.LayerNormalization(), L.Flatten(), L.Dropout(0.5), L.Dense(3),
        ]
    )  # fmt: skip
    model.compile("rmsprop", LOSS, metrics=["accuracy"])
    x = np.random.default_rng(0).normal(size=(25, 8, 8, 2)).astype("float32")
    model.fit(x, np.arange(25) % 3, batch_size=7, epochs=2, verbose=0, validation_split=0.2)
    model.predict(x, batch_size=9)
    assert "cannot be compiled" not in caplog.text


def test_both_frameworks_share_a_process_in_either_order():
    for order in (("torch", "tensorflow"), ("tensorflow", "torch")):
        code = (
            "import dualnn as dn\n"
            f"for b in {order!r}:\n"
            "    m = dn.Sequential([dn.layers.Dense(2)]).on(b)\n"
            "    m.compile('adam', 'mse')\n"
            "    history = m.fit([[1.0], [2.0]], [[1.0, 2.0], [3.0, 4.0]], seed=0, verbose=0)\n"
            "    print(history.history['loss'][0])\n"
        )
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        first, second = map(float, out.stdout.split())
        # a loss of two samples: a dozen roundings in float32
        assert first == pytest.approx(second, rel=12 * 2**-24)


def test_state_that_is_used_and_then_set_in_an_own_loop(backend):
    class Scaled(dn.Layer):
        def build(self, input_shape):
            self.scale = self.add_weight((), "ones", trainable=False)

        def call(self, x, training=False):
            y = x * self.scale
            if training:
                self.scale = 2 * self.scale
            return y

    nn = dn.backend(backend)
    model = dn.Sequential([L.Dense(1, use_bias=False, kernel_initializer="ones"), Scaled()])
    model([[1.0]])
    for scale in (1.0, 2.0, 4.0):
        with nn.GradientTape() as tape:
            loss = nn.sum(model([[3.0]], training=True))
        gradient = tape.gradient(loss, model.trainable_variables[0])
        assert nn.to_numpy(gradient).tolist() == [[3 * scale]]
    assert float(nn.to_numpy(model.layers[1].scale)) == 8.0


# ---------------------------------------------------------------------- models that change


def test_a_functional_model_may_be_deeper_than_pythons_stack(backend, tmp_path):
    x = inputs = dn.Input((2,))
    for _ in range(600):
        x = L.Activation("linear")(x) + 1.0
    model = dn.Model(inputs, x).on(backend)
    model.save(tmp_path / "deep.dualnn")
    for one in (model, model.on(backend), dn.load_model(tmp_path / "deep.dualnn", backend=backend)):
        np.testing.assert_array_equal(
            one.predict(np.zeros((3, 2), "float32"), verbose=0), np.full((3, 2), 600.0)
        )


def test_training_given_at_a_functional_call_wins(backend):
    inputs = dn.Input((6,))
    norm = L.BatchNormalization()
    model = dn.Model(inputs, L.Dense(3)(norm(inputs, training=False)))
    fitted(model, epochs=2)
    assert not norm.nn.to_numpy(norm.moving_mean).any()
    always = dn.Model(inputs, L.Dropout(0.5)(inputs, training=True))
    assert (always.predict(np.ones((20, 6), "float32")) == 0).any()


def test_a_changed_setting_is_seen_by_the_next_step(backend):
    class Scale(dn.Layer):
        factor = 1.0

        def __init__(self):
            super().__init__()
            self.factor = 1.0

        def call(self, x):
            return x * self.factor

    model = dn.Sequential([Scale(), L.Dropout(0.5), L.BatchNormalization(center=False, scale=False)])
    model.compile("sgd", "mse")
    model.fit(X, X, epochs=1, verbose=0)
    assert model.predict(X).any()
    model.layers[0].factor = 0.0
    np.testing.assert_allclose(model.predict(X)[0], model.predict(X)[1])
    model.layers[2].trainable = False
    before = model.get_weights()
    model.fit(X + 5, X, epochs=1, verbose=0)
    for a, b in zip(before, model.get_weights(), strict=True):
        assert np.array_equal(a, b)


def test_layers_added_to_and_taken_from_a_trained_model(backend):
    inner = dn.Sequential([L.Dense(4)])
    model = dn.Sequential([inner, L.Dense(3)])
    fitted(model, epochs=1)
    inner.add(L.Dense(4))
    model.fit(X, Y, epochs=1, verbose=0)
    assert len(model.weights) == 6
    model.layers.pop()
    model.built = False
    model.add(L.Dense(5))
    model.fit(X, Y, epochs=1, verbose=0)
    assert model.predict(X).shape == (30, 5)
    model.pop()
    model.fit(X, Y, epochs=1, verbose=0)
    with pytest.raises(ValueError, match="4"):
        model.fit(X, Y * 0 + 4, epochs=1, verbose=0)  # 4 outputs now, so no label 4


def test_an_optimizer_belongs_to_one_model(backend):
    optimizer = dn.optimizers.Adam(0.01)
    model = dn.Sequential([L.Dense(8), L.Dense(3)])
    model.compile(optimizer, LOSS)
    model.fit(X, Y, epochs=1, verbose=0)
    moment = model.nn.to_numpy(optimizer.slots[2]["momentum"])
    model.layers[0].trainable = False
    model.compile(optimizer, LOSS)  # fine-tuning goes on with the moments of what still trains
    assert model.fit(X, Y, epochs=0, verbose=0).epoch == []
    model.train_on_batch(X[:5], Y[:5])
    assert len(optimizer.slots) == 2
    assert optimizer.slots[0]["momentum"].shape == moment.shape
    other = dn.Sequential([L.Dense(8), L.Dense(3)])
    with pytest.raises(ValueError, match="make a new optimizer"):
        other.compile(optimizer, LOSS)
    twin = model.on("tensorflow" if backend == "torch" else "torch")
    twin.compile(twin.optimizer, LOSS)  # a copy's optimizer is the copy's own


def test_a_declared_input_is_kept(backend):
    for model in (dn.Sequential([dn.Input((6,)), L.Dense(3)]), functional()):
        with pytest.raises(ValueError, match=r"expected an input of shape \(None, 6\), as declared, got"):
            model.predict(X[:, :5])
        assert not model.built
    numbers = dn.Sequential([dn.Input((1,)), L.Dense(2)])
    assert numbers.predict(X[:, 0]).shape == (30, 2)


def test_several_outputs_are_named_by_their_layers(backend):
    a, b = dn.Input((6,), name="a"), dn.Input((6,), name="b")
    x = L.Add()([a, b])
    model = dn.Model([a, b], [L.Dense(3, name="cls")(x), L.Dense(1, name="reg")(x)])
    model.compile("sgd", {"cls": LOSS, "reg": "mse"})
    history = model.fit({"a": X, "b": X}, {"cls": Y, "reg": X[:, :1]}, verbose=0)
    assert list(history.history) == ["loss", "cls_loss", "reg_loss"]
    assert [y.shape for y in model.predict([X, X])] == [(30, 3), (30, 1)]
    cls, reg = model([a, b])
    assert dn.Model([a, b], L.Concatenate()([cls, reg])).predict([X, X]).shape == (30, 4)
    with pytest.raises(TypeError, match="cannot be iterated over"):
        list(a)


def test_a_call_that_returns_a_tuple(backend):
    class Two(dn.Model):
        def __init__(self):
            super().__init__()
            self.a, self.layer = L.Dense(3), L.Dense(1)

        def call(self, x):
            return self.a(x), self.layer(x)

    model = Two()
    model.compile("sgd", [LOSS, "mse"])
    history = model.fit(X, [Y, X[:, :1]], verbose=0)
    assert set(history.history) == {"loss", "output_0_loss", "output_1_loss"}
    assert [y.shape for y in model.predict(X)] == [(30, 3), (30, 1)]
    assert len(model.native(model.nn.asarray(X))) == 2
    assert [layer.name for layer in model.layers] == ["dense", "dense"]


def test_a_layer_that_is_called_in_training_only(backend):
    class Auxiliary(dn.Layer):
        def __init__(self):
            super().__init__()
            self.a, self.b = L.Dense(3), L.Dense(3)

        def call(self, x, training=False):
            return self.a(x) + self.b(x) if training else self.a(x)

    model = dn.Sequential([Auxiliary()])
    fitted(model, epochs=1)
    assert len(model.trainable_variables) == 4


def test_arrays_as_named_arguments_are_converted(backend):
    class Scaled(dn.Layer):
        def __init__(self):
            super().__init__()
            self.dense = L.Dense(2)

        def call(self, x, scale=None):
            return self.dense(x) * scale

    assert tuple(Scaled()(X, scale=np.ones((30, 1))).shape) == (30, 2)


def test_a_built_model_is_not_built_on_another_width(backend):
    model = dn.Sequential([dn.layers.Dense(2), dn.layers.Dense(1)]).on(backend)
    model.build((None, 3))
    model.build((None, 3))
    with pytest.raises(ValueError, match=r"built on the input shape \(3,\) .* \(None, 5\)"):
        model.build((None, 5))


def test_weights_of_classes_and_samples_on_sequences_of_another_length(backend):
    model = dn.Sequential([dn.layers.Dense(2, activation="softmax")]).on(backend)
    model.compile(dn.optimizers.SGD(0.0), "sparse_categorical_crossentropy", engine="eager")
    rng = np.random.default_rng(0)
    for steps in (5, 7):
        x, y = rng.normal(size=(4, steps, 3)).astype("float32"), rng.integers(0, 2, (4, steps))
        for weight in (rng.uniform(size=(4, steps)), rng.uniform(size=4)):
            losses = [
                model.fit(x, y, verbose=0, batch_size=4, **given).history["loss"][0]
                for given in (
                    {"sample_weight": weight, "class_weight": {1: 3.0}},
                    {"sample_weight": weight.reshape(4, -1) * np.where(y == 1, 3.0, 1.0)},
                )
            ]
            assert losses[0] == pytest.approx(losses[1], rel=1e-6)
