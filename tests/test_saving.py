"""Whole models in one file: written by one backend, made again on either, and trained on."""

import json
import subprocess
import sys

import numpy as np
import pytest
import safetensors

import dualnn as dn
from dualnn import layers
from dualnn.layers.tree import walk

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 6)).astype("float32")
IMAGES = RNG.normal(size=(8, 8, 8, 2)).astype("float32")
SEQUENCES = RNG.normal(size=(8, 5, 3)).astype("float32")
TOKENS = RNG.integers(0, 10, (8, 5))


@dn.saving.register("tests.Gated")
class Gated(dn.Layer):
    def __init__(self, units, activation="sigmoid"):
        super().__init__()
        self.value = layers.Dense(units)
        self.gate = layers.Dense(units, activation=activation)

    def call(self, x):
        return self.value(x) * self.gate(x)


@dn.saving.register("tests.Classifier")
class Classifier(dn.Model):
    def __init__(self, blocks, classes=3, rate=0.25):
        super().__init__()
        self.blocks = blocks
        self.drop = layers.Dropout(rate)
        self.logits = layers.Dense(classes)

    def call(self, x, training=False):
        for block in self.blocks:
            x = block(x)
        return self.logits(self.drop(x, training=training))


@dn.saving.register("tests.Scaled")
class Scaled(dn.Layer):
    """A layer that keeps something else under the name of its argument, and has get_config of its own."""

    def __init__(self, factors, inner):
        super().__init__(name="scaled_by_hand")
        self.factors = [2 * factor for factor in factors]
        self.inner = inner

    def build(self, input_shape):
        self.scale = self.add_weight((input_shape[-1],), "ones", name="scale")
        self.seen = self.add_variable(np.zeros((), np.int64), name="seen")

    def call(self, x, training=False):
        if training:
            self.seen = self.seen + 1
        return self.inner(x * self.scale * float(sum(self.factors)))

    def get_config(self):
        return {"halves": tuple(f / 2 for f in self.factors), "inner": self.inner}

    @classmethod
    def from_config(cls, config):
        assert isinstance(config["halves"], tuple)
        return cls(list(config["halves"]), config["inner"])


@dn.saving.register()
class SumCell(dn.Layer):
    state_size = 3

    def __init__(self, factor=1.0):
        super().__init__()
        self.factor = factor
        self.dense = layers.Dense(3)

    def call(self, x, states):
        y = self.dense(x) * self.factor + states[0]
        return y, [y]


@dn.saving.register("tests.swish_squared")
def swish_squared(x):
    return dn.activations.silu(x) ** 2


@dn.saving.register("tests.quartic")
def quartic(y_true, y_pred):
    return dn.namespace(y_pred).mean((y_true - y_pred) ** 4, axis=-1)


@dn.saving.register("tests.Margin")
class Margin(dn.losses.Loss):
    def __init__(self, margin=1.0, name="margin"):
        super().__init__(name=name)
        self.margin = margin

    def call(self, y_true, y_pred):
        return dn.namespace(y_pred).mean((y_true - y_pred) ** 2 + self.margin, axis=-1)


@dn.saving.register("tests.Largest")
class Largest(dn.metrics.Metric):
    sums = ("largest",)

    def update(self, nn, state, y_true, y_pred, sample_weight=None):
        return {"largest": nn.maximum(state["largest"], nn.astype(nn.max(y_pred), nn.float64))}

    def compute(self, state):
        return float(state["largest"])


@dn.saving.register("tests.halving")
def halving(step):
    return 0.1 / 2 ** (step // 4)


@dn.saving.register("tests.Stairs")
class Stairs(dn.optimizers.schedules.LearningRateSchedule):
    def __init__(self, rates):
        self.rates = rates

    def __call__(self, step):
        return self.rates[min(step // 3, len(self.rates) - 1)]


def sequential(*made, shape=(6,)):
    return dn.Sequential([dn.Input(shape), *made])


def functional():
    """Two inputs, two outputs, a shared layer, a nested model, operators, and a call with keywords."""
    a, b = dn.Input((6,), name="a"), dn.Input((5, 3), name="b")
    shared = layers.Dense(4, activation="relu", name="shared")
    inner_input = dn.Input((4,))
    inner = dn.Model(inner_input, layers.Dense(4)(shared(inner_input) * 2.0), name="inner")
    attended = layers.MultiHeadAttention(2, 2)(b, value=b, use_causal_mask=True)
    first = inner(shared(layers.Dense(4)(a)))
    sums = layers.Concatenate()([first, attended[:, 0, 1:], inner(-first) / 2.0])
    return dn.Model([a, b], [layers.Dense(2, name="left")(sums), layers.Dense(1, name="right")(first)], "two")


def by_dictionary():
    a, b = dn.Input((6,), name="a"), dn.Input((4,), name="b")
    return dn.Model({"a": a, "b": b}, {"sum": layers.Add()([layers.Dense(4)(a), b]), "same": a + 1.0})


def shared_in_sequence():
    dense = layers.Dense(6, activation=swish_squared)
    return sequential(dense, layers.Dropout(0.5), dense, layers.Dense(2))


def dense():
    return sequential(layers.Dense(4, "relu", kernel_regularizer=dn.regularizers.L2(0.02)), layers.Dense(2))


def image():
    return sequential(
        layers.RandomFlip(),
        layers.Conv2D(4, 3, strides=(1, 2), padding="same", activation="gelu", groups=2),
        layers.BatchNormalization(momentum=0.9),
        layers.MaxPooling2D(),
        layers.GaussianNoise(0.1),
        layers.Flatten(),
        layers.Dense(2),
        shape=(8, 8, 2),
    )


MODELS = {
    "dense": (dense, X),
    "image": (image, IMAGES),
    "shared": (shared_in_sequence, X),
    "nested": (lambda: sequential(dense(), dn.Sequential([layers.Dense(3), layers.Activation("tanh")])), X),
    "recurrent": (
        lambda: sequential(
            layers.Bidirectional(layers.LSTM(3, return_sequences=True, dropout=0.2), merge_mode="sum"),
            layers.TimeDistributed(layers.Dense(4, kernel_initializer=dn.initializers.HeNormal())),
            layers.GRU(2, recurrent_dropout=0.2),
            shape=(5, 3),
        ),
        SEQUENCES,
    ),
    "own cell": (lambda: sequential(layers.RNN(SumCell(0.5)), layers.Dense(2), shape=(5, 3)), SEQUENCES),
    "tokens": (
        lambda: dn.Sequential(
            [
                dn.Input((5,), dtype="int64"),
                layers.Embedding(10, 4, mask_zero=True),
                layers.LayerNormalization(),
                layers.GlobalAveragePooling1D(),
            ]
        ),
        TOKENS,
    ),
    "checkpoint": (lambda: sequential(layers.Checkpoint(dense()), layers.Dense(2)), X),
    "functional": (functional, [X[:8], SEQUENCES]),
    "dictionary": (by_dictionary, {"a": X, "b": X[:, :4]}),
    "own layers": (lambda: sequential(Gated(4), Scaled([0.5, 1.0], layers.Dense(2))), X),
    "own model": (lambda: Classifier([layers.Dense(4), Gated(3)], classes=2), X),
    "no input declared": (lambda: dn.Sequential([layers.Dense(3), layers.Dropout(0.5, seed=3)]), X),
}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "m.dualnn"


def other(backend):
    return "tensorflow" if backend == "torch" else "torch"


def arrays(model):
    return {path: model.nn.to_numpy(variable) for path, variable in model.state_paths.items()}


def assert_same_arrays(a, b):
    assert a.keys() == b.keys()
    for path, array in a.items():
        assert array.dtype == b[path].dtype, path
        np.testing.assert_array_equal(array, b[path], err_msg=path)


def content(path):
    """The description in a file and the bytes of its arrays; their order in it is safetensors' business."""
    with safetensors.safe_open(path, framework="np") as file:
        held = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return file.metadata(), {name: (str(a.dtype), a.shape, a.tobytes()) for name, a in held.items()}


def names(model):
    return [layer.name for _, layer in walk(model)]


def flat(y):
    return list(y.values()) if isinstance(y, dict) else list(y) if isinstance(y, list | tuple) else [y]


def trained(model, x, epochs, **options):
    y = model.predict(x)
    zeros = {k: v * 0 for k, v in y.items()} if isinstance(y, dict) else [v * 0 for v in flat(y)]
    zeros = zeros if isinstance(y, dict | list | tuple) else zeros[0]
    return model.fit(x, zeros, epochs=epochs, batch_size=4, verbose=0, **options).history


# ------------------------------------------------------------------ what comes back


@pytest.mark.parametrize("name", MODELS)
def test_model_comes_back_and_trains_on(backend, file, name):
    make, x = MODELS[name]
    model = make()
    model.compile(dn.optimizers.Adam(0.01, clipnorm=1.0), "mse")
    trained(model, x, 2, seed=5)
    model.save(file)
    again = dn.load_model(file)
    assert (again.backend, again.name, type(again)) == (backend, model.name, type(model))
    assert names(again) == names(model)
    assert_same_arrays(arrays(model), arrays(again))
    for y, z in zip(flat(model.predict(x)), flat(again.predict(x)), strict=True):
        np.testing.assert_array_equal(y, z)
    assert trained(model, x, 2) == trained(again, x, 2)
    assert_same_arrays(arrays(model), arrays(again))
    assert model.optimizer.iterations == again.optimizer.iterations


@pytest.mark.parametrize(
    "name",
    [
        name
        if name in ("image", "recurrent", "functional", "own model")
        else pytest.param(name, marks=pytest.mark.slow)
        for name in MODELS
    ],
)
def test_model_comes_back_on_the_other_backend(backend, file, name):
    make, x = MODELS[name]
    model = make()
    model.compile("adam", "mse")
    trained(model, x, 1, seed=5)
    model.save(file)
    there = dn.load_model(file, backend=other(backend))
    assert there.backend == other(backend)
    assert_same_arrays(arrays(model), arrays(there))
    twin = model.on(there.backend)  # of which conformance says how far it is from the model
    predictions = (flat(one.predict(x)) for one in (model, twin, there))
    for y, y_twin, y_there in zip(*predictions, strict=True):
        np.testing.assert_array_equal(y_twin, y_there)
        np.testing.assert_allclose(y, y_there, rtol=1e-5, atol=1e-6)
    assert trained(twin, x, 1) == trained(there, x, 1)


def test_file_does_not_depend_on_the_backend_that_wrote_it(tmp_path):
    contents = []
    for backend in ("torch", "tensorflow"):
        dn.use(backend)
        dn.seed(7)
        model = functional()
        model.build()
        model.compile("adam", "mse", metrics=[["mae"], None])
        model.save(tmp_path / backend)
        contents.append(content(tmp_path / backend))
    assert contents[0] == contents[1]


def test_saving_what_was_loaded_writes_the_same_bytes(backend, tmp_path):
    model = Classifier([Gated(3)])
    model.compile("adam", "mse")
    trained(model, X, 1, seed=1)
    model.save(tmp_path / "one")
    dn.load_model(tmp_path / "one").save(tmp_path / "two")
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_everything_compile_was_given_comes_back(backend, file):
    model = functional()
    schedule = dn.optimizers.schedules.CosineDecay(0.1, 20, warmup_target=0.2, warmup_steps=3)
    model.compile(
        dn.optimizers.SGD(schedule, momentum=0.5, nesterov=True, gradient_accumulation_steps=2),
        loss={"left": Margin(0.5), "right": quartic},
        loss_weights={"left": 2.0, "right": 0.5},
        metrics={"left": ["mae", Largest(name="top")], "right": [dn.metrics.RootMeanSquaredError()]},
        weighted_metrics={"right": dn.losses.Huber},
        engine="step",
        jit=False,
        precision="mixed_bfloat16",
    )
    x, y = [X[:8], SEQUENCES], [np.zeros((8, 2), "f4"), np.ones((8, 1), "f4")]
    model.fit(x, y, batch_size=4, epochs=3, seed=2, verbose=0)
    model.save(file)
    again = dn.load_model(file)
    assert again.optimizer.learning_rate == model.optimizer.learning_rate
    assert again.optimizer.get_config() == model.optimizer.get_config()
    first = model.fit(x, y, batch_size=4, epochs=2, verbose=0)
    second = again.fit(x, y, batch_size=4, epochs=2, verbose=0)
    assert first.history == second.history
    assert first.engine == second.engine == "step"
    assert {"left_top", "right_huber_loss", "right_root_mean_squared_error"} <= first.history.keys()


@pytest.mark.parametrize("schedule", [halving, Stairs([0.1, 0.2, 0.05])], ids=["function", "class"])
def test_schedules_of_ones_own(backend, file, schedule):
    model = dense()
    model.compile(dn.optimizers.RMSprop(schedule), "mse")
    trained(model, X, 1, seed=2)
    model.save(file)
    again = dn.load_model(file)
    assert trained(model, X, 2) == trained(again, X, 2)


def test_learning_rate_that_was_changed_comes_back(backend, file):
    model = dense()
    model.compile(dn.optimizers.Adam(0.5), "mse")
    model.optimizer.learning_rate = 0.125
    model.save(file)
    assert dn.load_model(file).optimizer.learning_rate == 0.125
    assert model.optimizer.get_config()["learning_rate"] == 0.125


def test_float16_loss_scale_comes_back(backend, file):
    model = dense()
    model.compile("sgd", "mse", precision="mixed_float16")
    trained(model, X, 1, seed=1)
    model._trainer.loss_scale["scale"] = np.asarray(1024.0, np.float32)
    model.save(file)
    again = dn.load_model(file)
    assert float(again._trainer.loss_scale["scale"]) == 1024.0
    assert trained(model, X, 1) == trained(again, X, 1)


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "float16"])
def test_dtype_comes_back(backend, file, dtype):
    dn.use(dtype=dtype)
    model = dense()
    model.compile("sgd", "mse")
    model.build()
    model.save(file)
    dn.use(dtype="float32")
    again = dn.load_model(file)
    assert again.dtype == dtype
    assert_same_arrays(arrays(model), arrays(again))


def test_frozen_layers_and_their_slots_come_back(backend, file):
    model = sequential(layers.Dense(4), layers.BatchNormalization(), layers.Dense(2))
    model.compile("adam", "mse")
    trained(model, X, 1, seed=1)
    model.layers[0].trainable = False
    trained(model, X, 1)
    model.save(file)
    again = dn.load_model(file)
    assert [layer.trainable for layer in again.layers] == [False, True, True]
    assert trained(model, X, 1) == trained(again, X, 1)
    for one in (model, again):
        one.layers[0].trainable = True
    assert trained(model, X, 1) == trained(again, X, 1)  # with the slots that were parked


def test_slots_of_a_loop_of_ones_own_come_back(nn, file):
    def train(model):
        with nn.GradientTape() as tape:
            loss = nn.sum(nn.square(model(X, training=True)))
        variables = model.trainable_variables
        model.optimizer.apply(tape.gradient(loss, variables), variables)

    model = dense()
    model.build()
    model.compile("adam", "mse")
    train(model)
    model.save(file)
    again = dn.load_model(file)
    train(model)
    train(again)
    assert_same_arrays(arrays(model), arrays(again))


def test_without_the_optimizers_state_or_without_compiling(backend, file):
    model = dense()
    model.compile("adam", "mse")
    trained(model, X, 1, seed=1)
    model.save(file, include_optimizer=False)
    assert dn.load_model(file).optimizer.iterations == 0
    with pytest.raises(RuntimeError, match="compile"):
        dn.load_model(file, compile=False).fit(X, X)


def test_model_that_is_not_compiled(backend, file):
    model = dense()
    model.save(file)  # built now, as its input is declared
    assert dn.load_model(file).count_params() == model.count_params()


def test_settings_changed_after_construction_come_back(backend, file):
    model = sequential(layers.Dense(4, name="first"), layers.Dropout(0.5))
    model.build()
    model.layers[0].name = "renamed"
    model.layers[1].rate = 0.25
    model.save(file)
    again = dn.load_model(file)
    assert (again.layers[0].name, again.layers[1].rate) == ("renamed", 0.25)


def test_numpy_is_all_that_a_layer_of_constants_needs(backend, file):
    table = np.arange(6.0)
    model = sequential(layers.Dense(6, kernel_initializer=dn.initializers.Constant(table)))
    model.build()
    model.save(file)
    found = dn.load_model(file).layers[0].kernel_initializer
    np.testing.assert_array_equal(found.value, table)


def test_another_program_needs_no_code_for_layers_of_dualnn(file):
    dn.use("torch")
    model = image()
    model.compile("adam", "mse")
    trained(model, IMAGES, 1, seed=1)
    model.save(file)
    np.save(file.with_suffix(".npy"), model.predict(IMAGES))
    program = """
import sys, numpy as np, dualnn as dn
model = dn.load_model(sys.argv[1], backend="torch")
y = np.load(sys.argv[1].replace(".dualnn", ".npy"))
x = np.random.default_rng(0)
x.normal(size=(24, 6))
x = x.normal(size=(8, 8, 8, 2)).astype("float32")
assert np.array_equal(model.predict(x), y)
"""
    subprocess.run([sys.executable, "-c", program, str(file)], check=True, timeout=300)


# ------------------------------------------------------------------ configurations


WITHOUT_A_CONFIG = ("Input", "Layer", "TorchModuleWrapper")  # a file cannot hold somebody's torch module


@pytest.mark.parametrize("name", [name for name in layers.__all__ if name not in WITHOUT_A_CONFIG])
def test_every_layer_says_what_it_was_made_with(name):
    arguments = {
        "Activation": ("relu",),
        "Bidirectional": (layers.GRU(2),),
        "Checkpoint": (layers.Dense(2),),
        "Conv2D": (3, 2),
        "Embedding": (5, 3),
        "MultiHeadAttention": (2, 3),
        "RNN": (SumCell(),),
        "RandomTranslation": (0.1, 0.1),
        "Reshape": ((2, 3),),
        "TimeDistributed": (layers.Dense(2),),
        **dict.fromkeys(("Dense", "GRU", "LSTM", "SimpleRNN"), (3,)),
        **dict.fromkeys(("Dropout", "GaussianDropout", "GaussianNoise"), (0.1,)),
        **dict.fromkeys(("RandomRotation", "RandomZoom"), (0.1,)),
    }
    cls = getattr(layers, name)
    layer = cls(*arguments.get(name, ()), name="mine")
    config = layer.get_config()
    assert json.loads(json.dumps(config)) == config
    assert config["name"] == "mine"
    again = cls.from_config(config)
    assert again is not layer
    assert again.get_config() == config


def test_config_is_what_the_constructor_was_given_with_its_defaults():
    config = layers.Dense(3, activation="relu", kernel_regularizer=dn.regularizers.L2(0.5)).get_config()
    assert config["units"] == 3
    assert config["activation"] == "relu"
    assert config["use_bias"] is True
    assert config["kernel_regularizer"] == {
        "$": "object",
        "class": "dualnn.regularizers.L2",
        "config": {"l2": 0.5},
    }
    assert layers.Conv2D(4, kernel_size=3, strides=(2, 1)).get_config()["strides"] == {
        "$": "tuple",
        "items": [2, 1],
    }


def test_from_config_makes_layers_inside_anew():
    wrapper = layers.TimeDistributed(layers.Dense(2))
    again = layers.TimeDistributed.from_config(wrapper.get_config())
    assert again.layer is not wrapper.layer
    assert again.layer.units == 2


def test_config_of_ones_own_in_the_manner_of_keras():
    @dn.saving.register("tests.Wide")
    class Wide(layers.Dense):
        def __init__(self, units, factor=2, **options):
            super().__init__(units * factor, **options)
            self.plain_units, self.factor = units, factor

        def get_config(self):
            config = super().get_config()
            config.update({"units": self.plain_units, "factor": self.factor})
            return config

    again = Wide.from_config(Wide(3, activation="relu", factor=4).get_config())
    assert (again.units, again.factor, again.activation) == (12, 4, dn.activations.relu)


def test_attribute_that_is_something_else_than_its_argument_is_no_change():
    class Double(dn.Layer):
        def __init__(self, units):
            super().__init__()
            self.units = 2 * units

    assert Double(3).get_config() == {"units": 3}


def test_what_is_no_layer_has_a_config_too():
    for thing in (
        dn.losses.Huber(delta=0.5),
        dn.metrics.MeanMetricWrapper(dn.losses.huber, delta=0.5),
        dn.optimizers.AdamW(0.5, beta_1=0.8),
        dn.optimizers.schedules.PiecewiseConstantDecay([3, 5], [0.1, 0.2, 0.3]),
        dn.initializers.VarianceScaling(2.0, "fan_out"),
        dn.initializers.GlorotUniform(seed=3),
        dn.regularizers.L1L2(0.1, 0.2),
    ):
        again = type(thing).from_config(json.loads(json.dumps(thing.get_config())))
        assert again.get_config() == thing.get_config()


# ------------------------------------------------------------------ what cannot be saved, said when saving


def refuses_to_save(model, file, match, error=ValueError):
    if not model.built:
        model.build((None, 6))
    with pytest.raises(error, match=match):
        model.save(file)
    assert not file.exists()


class Unknown(dn.Layer):
    def call(self, x):
        return x


def test_class_that_is_not_registered(backend, file):
    refuses_to_save(sequential(Unknown()), file, r"class Unknown is not registered.*@dn.saving.register\(\)")


def test_function_that_is_not_registered(backend, file):
    refuses_to_save(sequential(layers.Activation(lambda x: x)), file, "Activation: a lambda has no name")
    refuses_to_save(sequential(layers.Dense(2, activation=flat)), file, "Dense: the function flat is not reg")
    model = dense()
    model.compile("sgd", lambda y_true, y_pred: y_pred)
    refuses_to_save(model, file, "lambda")


def test_what_is_no_setting(backend, file):
    model = dn.Sequential([Classifier([layers.Dense(2)], classes=2, rate=0.0)])
    model.layers[0]._given.kwargs["rate"] = object()
    refuses_to_save(model, file, "Sequential: Classifier: expected numbers", TypeError)


def test_model_that_is_not_built(backend, file):
    with pytest.raises(ValueError, match="not built yet"):
        dn.Sequential([layers.Dense(3)]).save(file)


def test_layer_that_the_constructor_would_not_make(backend, file):
    model = Classifier([layers.Dense(3)])
    model.extra = layers.Dense(3)
    refuses_to_save(model, file, "neither the constructor of Classifier nor its build makes")
    model = Classifier([layers.Dense(3)])
    model.drop = layers.Dense(3)
    refuses_to_save(model, file, "its constructor puts a Dropout in the place 'drop'")


def test_setting_that_the_constructor_would_not_give(backend, file):
    model = Classifier([layers.Dense(3)])
    model.drop.rate = 0.75
    refuses_to_save(model, file, "rate of its layer 'drop' is 0.75 now, .* makes it 0.25")


def test_constructor_without_names_for_its_arguments(backend, file):
    @dn.saving.register("tests.Star")
    class Star(dn.Layer):
        def __init__(self, *units):
            super().__init__()

        def call(self, x):
            return x

    refuses_to_save(sequential(Star(1, 2)), file, r"\*units; define get_config", TypeError)


# ------------------------------------------------------------------ names


def test_registered_names_are_checked():
    with pytest.raises(ValueError, match="begin with"):
        dn.saving.register("dualnn.layers.Dense")(Unknown)
    with pytest.raises(ValueError, match="expected a name"):
        dn.saving.register("a name")(Unknown)
    with pytest.raises(ValueError, match=r"'tests\.Gated' is taken by tests\.test_saving\.Gated"):
        dn.saving.register("tests.Gated")(Unknown)
    with pytest.raises(TypeError, match="get_config"):
        dn.saving.register("tests.NoConfig")(type("NoConfig", (), {}))
    with pytest.raises(TypeError, match="a class or a function"):
        dn.saving.register("tests.three")(3)


def test_definition_that_is_run_again_takes_its_former_place():
    def define():
        @dn.saving.register
        class Redefined(dn.Layer):
            pass

        return Redefined

    define()
    cls = define()
    assert type(dn.saving.decode(dn.saving.encode(cls()))) is cls


def test_unknown_name_says_what_to_do(backend, file, monkeypatch):
    sequential(Gated(2)).save(file)
    monkeypatch.delitem(dn.saving.registry._registered, "tests.Gated")
    with pytest.raises(ValueError, match=r"unknown class 'tests\.Gated': import the module that defines it"):
        dn.load_model(file)


def test_file_is_data_with_names_that_say_what_it_holds(backend, file):
    dense().save(file)
    with safetensors.safe_open(file, framework="np") as content:
        assert "variables.layers.0.kernel" in content.keys()  # noqa: SIM118
        assert content.metadata()["format"] == "dualnn.model"
