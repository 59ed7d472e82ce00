"""Models as files that run without dualnn, on each backend and in each format."""

from __future__ import annotations

import functools
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import dualnn as dn
from dualnn.compare import ulp

pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")

L = dn.layers
NAMES = {"onnx": "model.onnx", "torch_export": "model.pt2", "saved_model": "model"}
WRITER = {"onnx": "torch", "torch_export": "torch", "saved_model": "tensorflow"}
LOADERS = {
    "torch_export": """
import torch
run = torch.export.load(path).module()
x = [torch.from_numpy(x[name]) for name in x]
results = run(*x)
results = results if isinstance(results, dict) else {"output": results}
results = {name: y.detach().numpy() for name, y in results.items()}
""",
    "saved_model": """
import tensorflow as tf
run = tf.saved_model.load(path).signatures["serving_default"]
results = {name: y.numpy() for name, y in run(**{name: tf.constant(x[name]) for name in x}).items()}
""",
    "onnx": """
import onnxruntime
results = onnxruntime.InferenceSession(path)
names = [one.name for one in results.get_outputs()]
results = dict(zip(names, results.run(None, dict(x))))
""",
}


@pytest.fixture(params=NAMES)
def format(request):
    return request.param


def loaded(path, format, x, folder):
    """Run what was exported in a process of its own that never imports dualnn; return outputs by name."""
    np.savez(folder / "x.npz", **x)
    code = f"""
import sys
import numpy as np
x, path = np.load("x.npz"), {str(path)!r}
{LOADERS[format]}
assert not any(name.startswith("dualnn") for name in sys.modules)
np.savez("y.npz", **results)
"""
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
    return dict(np.load(folder / "y.npz"))


def run_onnx(path, x):
    session = onnxruntime.InferenceSession(str(path))
    names = [one.name for one in session.get_outputs()]
    return dict(zip(names, session.run(None, x), strict=True))


def mlp(dtype=None):
    model = dn.Sequential([dn.Input((4,)), L.Dense(8, activation="relu"), L.Dense(3)])
    model.build()
    return model if dtype is None else model.on(dtype=dtype)


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.slow)])
def test_runs_without_dualnn(backend, format, dtype, tmp_path):
    model = mlp(dtype)
    model.export(tmp_path / NAMES[format])
    x = np.random.default_rng(0).normal(size=(7, 4)).astype(dtype)
    found = loaded(tmp_path / NAMES[format], format, {"input": x}, tmp_path)
    assert set(found) == {"output"}
    assert found["output"].dtype == dtype
    # sums of 4 and 8 products with a bias each: at most 14 roundings, relative to the sum of the sizes
    first, b1, second, b2 = (weight.astype(np.longdouble) for weight in model.get_weights())
    hidden = np.maximum(x @ first + b1, 0)
    size = (np.abs(x) @ np.abs(first) + np.abs(b1)) @ np.abs(second) + np.abs(b2)
    assert np.all(np.abs(found["output"] - (hidden @ second + b2)) <= 14 * np.finfo(dtype).eps * size)


@pytest.mark.slow
def test_several_inputs_and_outputs(backend, format, tmp_path):
    left, right = dn.Input((4,), name="left"), dn.Input((5,), dtype="int64", name="the tokens")
    both = L.Add()([left, L.GlobalAveragePooling1D()(L.Embedding(7, 4)(right))])
    model = dn.Model([left, right], [L.Dense(2, name="score")(both), L.Dense(1, name="left")(both)])
    model.build()
    model.export(tmp_path / NAMES[format])
    generator = np.random.default_rng(0)
    x = [generator.normal(size=(3, 4)).astype("float32"), generator.integers(0, 7, (3, 5))]
    found = loaded(tmp_path / NAMES[format], format, {"left": x[0], "the_tokens": x[1]}, tmp_path)
    expected = model.predict(x)
    # a name is not given twice, nor one that is no identifier
    assert set(found) == {"score", "left_1"}
    # 4 means of 5 and sums of 4 with a bias are 11 roundings at most, of outputs of the size of the largest
    for name, y in zip(["score", "left_1"], expected, strict=True):
        assert ulp(y, found[name]) <= 2 * 11


def test_dictionaries(backend, tmp_path):
    x, tokens = dn.Input((4,)), dn.Input((5,), dtype="int64")
    y = L.Flatten()(L.Embedding(7, 4)(tokens))
    model = dn.Model({"x": x, "tokens": tokens}, {"y": y, "twice": x * 2.0})
    # the data's order is not the model's
    data = {"tokens": np.arange(10).reshape(2, 5) % 7, "x": np.ones((2, 4), "float32")}
    expected = model.predict(data)
    model.export(tmp_path / "model.onnx")
    found = run_onnx(tmp_path / "model.onnx", data)
    assert found.keys() == expected.keys()
    for name, y in expected.items():
        np.testing.assert_array_equal(found[name], y)  # rows of a table and a doubling round nothing


def test_trained_without_a_declared_input(backend, format, tmp_path):
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(64, 6, 6, 2)), generator.integers(0, 3, 64)
    model = dn.Sequential(
        [
            L.Conv2D(4, 3, padding="same", strides=2, activation="relu"),
            L.BatchNormalization(),
            L.MaxPooling2D(2, padding="same"),
            L.Flatten(),
            L.Dropout(0.5),
            L.Dense(3),
        ]
    )
    model.compile("adam", dn.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, y, epochs=2, verbose=0, seed=0)
    before = [np.array(weight) for weight in model.get_weights()]
    model.export(tmp_path / NAMES[format])  # runs it beside the model, in inference
    assert (tmp_path / NAMES[format]).exists()
    assert [path.name for path in tmp_path.iterdir()] == [NAMES[format]]
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_tokens_need_no_declaration(backend, tmp_path):
    model = dn.Sequential([L.Embedding(9, 3), L.GlobalAveragePooling1D()])
    model.predict(np.zeros((1, 4), "int64"))
    model.export(tmp_path / "model.onnx")
    [one] = onnxruntime.InferenceSession(str(tmp_path / "model.onnx")).get_inputs()
    assert (one.name, one.shape, one.type) == ("input", ["batch", 4], "tensor(int64)")


def test_a_model_read_from_a_file(backend, tmp_path):
    left, right = dn.Input((4,), name="left"), dn.Input((3,), name="right")
    model = dn.Model([left, right], L.Concatenate()([left, right]))
    data = {"right": np.full((2, 3), 1.0, "float32"), "left": np.full((2, 4), 2.0, "float32")}
    expected = model.predict(data)
    model.save(tmp_path / "model.dualnn")
    dn.load_model(tmp_path / "model.dualnn").export(tmp_path / "model.onnx")
    np.testing.assert_array_equal(run_onnx(tmp_path / "model.onnx", data)["output"], expected)


def test_it_computes_in_the_models_dtype_also_if_steps_do_not(backend, tmp_path):
    model = mlp()
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    expected = model.predict(x)
    model.compile("sgd", "mse", precision="mixed_bfloat16")
    model.export(tmp_path / "model.onnx")
    # 14 roundings, and terms that cancel to a fourth of the sum of their sizes at the worst
    assert ulp(expected, run_onnx(tmp_path / "model.onnx", {"input": x})["output"]) <= 4 * 14


def test_no_path_of_this_machine_is_written(backend, tmp_path):
    model = mlp()
    model.export(tmp_path / "model.onnx")
    model.export(tmp_path / "model.pt2")
    with zipfile.ZipFile(tmp_path / "model.pt2") as archive:
        parts = [archive.read(name) for name in archive.namelist()]
    here = str(Path(dn.__file__).parent.parent).encode()
    assert not any(here in part for part in [(tmp_path / "model.onnx").read_bytes(), *parts])


# ---------------------------------------------------------------- failures


def _contents(folder):
    return {str(path.relative_to(folder)): path.is_file() and path.read_bytes() for path in folder.rglob("*")}


def test_an_older_export_is_replaced(backend, format, tmp_path):
    model = mlp()
    model.export(tmp_path / NAMES[format])
    first = _contents(tmp_path)
    model.set_weights([weight + 1 for weight in model.get_weights()])
    model.export(tmp_path / NAMES[format])
    assert _contents(tmp_path).keys() == first.keys()
    assert _contents(tmp_path) != first


@pytest.mark.parametrize("fault", [1e-5, 1e-2])
def test_what_differs_is_not_left_there(backend, format, fault, tmp_path, monkeypatch):
    model = mlp()
    model.export(tmp_path / NAMES[format])
    before = _contents(tmp_path)
    exporters = dn.backend(WRITER[format]).exporters
    exporter = exporters[format]

    def wrong(program, path):
        twin = program.model
        twin.set_weights([weight * (1 + fault) for weight in twin.get_weights()])
        exporter.write(program, path)

    monkeypatch.setitem(exporters, format, exporter._replace(write=wrong))
    with pytest.raises(RuntimeError, match=r"does not compute what the model does.* ULP .*rounding explains"):
        model.export(tmp_path / NAMES[format])
    assert _contents(tmp_path) == before


def test_what_cannot_be_traced_is_one_sentence(backend, format, tmp_path):
    class Decides(dn.Layer):
        def call(self, x):
            return x if float(self.nn.sum(x)) > 0 else -x

    model = dn.Sequential([dn.Input((4,)), Decides()])
    with pytest.raises(
        RuntimeError, match=f"^model 'sequential' cannot be exported as '{format}': .+"
    ) as found:
        model.export(tmp_path / NAMES[format])
    assert "\n" not in str(found.value)
    assert list(tmp_path.iterdir()) == []


def test_open_sizes(backend, tmp_path):
    model = dn.Sequential([dn.Input((None, 4)), L.LSTM(3)])
    model.build((None, 5, 4))
    model.export(tmp_path / "model")
    model.export(tmp_path / "model.onnx")
    with pytest.raises(RuntimeError, match=r"torch_export.*name them in dn.Input"):
        model.export(tmp_path / "model.pt2")
    x = np.random.default_rng(0).normal(size=(2, 9, 4)).astype("float32")
    [found] = run_onnx(tmp_path / "model.onnx", {"input": x}).values()
    # a state is a sum of 9 terms, each of 8 products and 3 functions of 4 ULP; it is below 1
    assert np.max(np.abs(found - model.predict(x))) <= 9 * (8 + 12) * np.finfo("float32").eps


@pytest.mark.parametrize(
    ("path", "format", "error", "message"),
    [
        ("model.onnx", "onx", ValueError, "unknown format 'onx'; did you mean 'onnx'"),
        ("model.h5", None, ValueError, "by the end of the name, or format="),
        ("model.bin", "onnx", ValueError, "expected a name that ends in .onnx"),
        ("nowhere/model.onnx", None, FileNotFoundError, "there is no folder"),
        ("full", None, FileExistsError, "no earlier export"),
        ("full/a file", None, FileExistsError, "no earlier export"),
        ("folder.onnx", None, IsADirectoryError, "expected the name of a file"),
    ],
)
def test_paths_and_formats(backend, path, format, error, message, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a file").write_text("mine")
    (tmp_path / "folder.onnx").mkdir()
    before = _contents(tmp_path)
    with pytest.raises(error, match=message):
        mlp().export(tmp_path / path, format)
    assert _contents(tmp_path) == before


def test_a_model_that_is_not_built(backend, tmp_path):
    with pytest.raises(ValueError, match="input's shape is not known"):
        dn.Sequential([L.Dense(1)]).export(tmp_path / "model.onnx")


def test_a_dtype_that_runtimes_do_not_have(backend, tmp_path):
    with pytest.raises(ValueError, match=r"computes in bfloat16.*float32"):
        mlp("bfloat16").export(tmp_path / "model.onnx")


def test_a_framework_that_is_not_installed(backend, format, tmp_path, monkeypatch):
    other = "torch" if WRITER[format] == "tensorflow" else "tensorflow"
    model = mlp().on(other)
    monkeypatch.setattr(dn.backends, "available", lambda: (other,))
    with pytest.raises(dn.BackendNotAvailableError, match=rf"pip install 'dualnn\[{WRITER[format]}\]'"):
        model.export(tmp_path / NAMES[format])


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_a_package_that_is_not_installed(package, tmp_path, monkeypatch):
    dn.use("torch")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"with {package}, .*pip install 'dualnn\[onnx\]'"):
        mlp().export(tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_without_onnxruntime_it_is_written_and_said(tmp_path, monkeypatch, caplog):
    dn.use("torch")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    mlp().export(tmp_path / "model.onnx")
    assert "model.onnx was not run" in caplog.text
    monkeypatch.undo()
    found = run_onnx(tmp_path / "model.onnx", {"input": np.zeros((2, 4), "float32")})
    assert found["output"].shape == (2, 3)


# ---------------------------------------------------------------- all layers


def _sequential(shape, *layers, dtype=None):
    return lambda: dn.Sequential([dn.Input(shape, dtype=dtype), *(layer() for layer in layers)])


class Gated(dn.Layer):
    def __init__(self, units):
        super().__init__()
        self.value = L.Dense(units)
        self.gate = L.Dense(units, activation="sigmoid")

    def call(self, x):
        return self.value(x) * self.gate(x)


class Own(dn.Model):
    """A model of one's own with a weight, a layer of one's own, and two outputs."""

    def __init__(self):
        super().__init__()
        self.gated = Gated(5)

    def build(self, input_shape):
        self.scale = self.add_weight((input_shape[-1],), "ones", name="scale")

    def call(self, x):
        return self.gated(x * self.scale), self.nn.sum(x, axis=-1)


def _own():
    model = Own()
    model(np.ones((2, 4)))
    return model


def _attention():
    query, value = dn.Input((6, 8)), dn.Input((5, 8))
    heads = L.MultiHeadAttention(2, 4)
    outputs = [L.Attention(use_scale=True)([query, value]), heads(query, value, use_causal_mask=True)]
    return dn.Model([query, value], outputs)


def _masked():
    tokens = dn.Input((6,), dtype="int64")
    vectors = L.Embedding(9, 4, mask_zero=True)(tokens)
    return dn.Model(tokens, [L.LSTM(3)(vectors), L.GlobalAveragePooling1D()(vectors)])


ACTIVATIONS = (
    *("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "silu", "gelu", "sigmoid", "hard_sigmoid"),
    *("hard_silu", "tanh", "softplus", "softsign", "mish", "exponential", "softmax", "log_softmax"),
)
ALL = {
    "activations": _sequential(
        (4,), *(functools.partial(L.Dense, 4, activation=name) for name in ACTIVATIONS)
    ),
    "images": _sequential(
        (9, 8, 4),
        lambda: L.Conv2D(4, 3, dilation_rate=2, groups=2),
        lambda: L.MaxPooling2D(2),
        lambda: L.AveragePooling2D(2, padding="same", strides=1),
        lambda: L.GlobalAveragePooling2D(),
    ),
    "normalisations": _sequential(
        (5, 4),
        lambda: L.LayerNormalization(),
        lambda: L.BatchNormalization(axis=1),
        lambda: L.Reshape((2, -1)),
        lambda: L.GlobalAveragePooling1D(),
    ),
    "embedding": _sequential((5,), lambda: L.Embedding(11, 3), lambda: L.Flatten(), dtype="int32"),
    "LSTM": _sequential(
        (5, 4), lambda: L.LSTM(3, return_sequences=True), lambda: L.LSTM(2, activation="relu")
    ),
    "GRU": _sequential((5, 4), lambda: L.GRU(3, return_sequences=True), lambda: L.GRU(3, reset_after=False)),
    "SimpleRNN": _sequential(
        (5, 4),
        lambda: L.SimpleRNN(3, return_sequences=True),
        lambda: L.SimpleRNN(3, activation="relu", go_backwards=True),
    ),
    "Bidirectional": _sequential(
        (5, 4),
        lambda: L.Bidirectional(L.LSTM(3, return_sequences=True)),
        lambda: L.Bidirectional(L.GRU(2), merge_mode="sum"),
    ),
    "TimeDistributed": _sequential(
        (5, 4), lambda: L.TimeDistributed(L.Dense(3)), lambda: L.Checkpoint(L.Dense(2))
    ),
    "Masking": _sequential((5, 4), lambda: L.Masking(), lambda: L.GRU(3)),
    "attention": _attention,
    "masks": _masked,
    "own": _own,
}


def test_images_in_any_number(backend, tmp_path):
    model = _sequential((8, 8, 2), lambda: L.MaxPooling2D(2), lambda: L.AveragePooling2D(2))().on(backend)
    model.export(tmp_path / "model.onnx")
    # more than the 40,000 numbers from which on neighbours are compared
    x = np.random.default_rng(0).normal(size=(1200, 8, 8, 2)).astype("float32")
    # means of four: three roundings and a division by a power of two
    found = run_onnx(tmp_path / "model.onnx", {"input": x})["output"]
    np.testing.assert_allclose(
        found, model.predict(x), rtol=0, atol=3 * np.finfo("float32").eps * np.abs(x).max()
    )


@pytest.mark.slow
@pytest.mark.parametrize("layers", ALL)
def test_all_layers(backend, format, layers, tmp_path):
    ALL[layers]().export(tmp_path / NAMES[format])  # which compares it with the model
    assert (tmp_path / NAMES[format]).exists()


@pytest.mark.slow
@pytest.mark.parametrize("layers", ALL)
def test_all_layers_in_float64(backend, layers, tmp_path):
    dn.use(dtype="float64")
    model = ALL[layers]()
    for format in ("torch_export", "saved_model"):
        model.export(tmp_path / NAMES[format])
        assert (tmp_path / NAMES[format]).exists()
