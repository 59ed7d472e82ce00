"""The code of the design page runs as it stands, on each backend."""

from __future__ import annotations

import numpy as np

import dualnn as dn


def test_low_level(nn):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(20, 4)).astype("float32")
    targets = rng.normal(size=(20, 1)).astype("float32")
    x, y = nn.asarray(features), nn.asarray(targets)
    w = nn.Variable(nn.zeros((4, 1)))
    with nn.GradientTape() as tape:
        loss = nn.mean((x @ w - y) ** 2)
    nn.assign_sub(w, 0.1 * tape.gradient(loss, w))
    # the gradient of the mean square at w = 0 is -2 x'y / n; 20 products and sums in float32
    expected = 0.1 * 2 * features.astype("float64").T @ targets / 20
    np.testing.assert_allclose(nn.to_numpy(w), expected, atol=25 * 2**-24 * np.abs(expected).max())


def test_high_level(backend, tmp_path):
    rng = np.random.default_rng(0)
    x_train, x_test = (rng.normal(size=(n, 4)).astype("float32") for n in (60, 20))
    y_train, y_test = (np.argmax(x[:, :3], axis=1) for x in (x_train, x_test))
    model = dn.Sequential(
        [
            dn.layers.Dense(64, activation="relu"),
            dn.layers.Dropout(0.2),
            dn.layers.Dense(3),
        ]
    )
    model.compile(
        optimizer=dn.optimizers.Adam(1e-3),
        loss=dn.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    history = model.fit(x_train, y_train, epochs=50, batch_size=16, validation_split=0.2, seed=0)
    model.evaluate(x_test, y_test)
    assert isinstance(model.predict(x_test), np.ndarray)
    model.save_weights(tmp_path / "iris.safetensors")
    assert model.backend == backend
    assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert history.history["loss"][-1] < history.history["loss"][0]

    twin = model.on("tensorflow")  # also on("torch", device="cuda", dtype="float64")
    report = dn.compare(model, twin, x_test)  # layer by layer, in ULPs
    assert twin.backend == "tensorflow"
    assert len(report.layers) == 4

    class Gated(dn.Layer):
        def __init__(self, units):
            super().__init__()
            self.value = dn.layers.Dense(units)
            self.gate = dn.layers.Dense(units, activation="sigmoid")

        def call(self, x):
            return self.value(x) * self.gate(x)  # self.nn is the backend the layer lives on

    assert tuple(Gated(5)(x_test).shape) == (20, 5)
    assert (
        len(model.native.trainable_variables if backend == "tensorflow" else list(model.native.parameters()))
        == 4
    )
