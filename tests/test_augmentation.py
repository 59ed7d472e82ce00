"""Augmentation: against SciPy and Keras for fixed parameters, the numbers that are drawn, every engine."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from scipy import ndimage, stats

import dualnn as dn
from dualnn.layers.affine_sampling import FILL_MODES, INTERPOLATIONS, sampled
from dualnn.layers.random_layer import _normal_quantiles
from tests.test_engines import assert_same_run, fitted

L = dn.layers
RNG = np.random.default_rng(11)
IMAGES = RNG.random((6, 7, 9, 3)).astype("float32")
LAYERS = {
    "flip": lambda **seed: L.RandomFlip(**seed),
    "translation": lambda **seed: L.RandomTranslation(0.3, (-0.1, 0.6), **seed),
    "rotation": lambda **seed: L.RandomRotation(0.2, fill_mode="constant", **seed),
    "zoom": lambda **seed: L.RandomZoom(0.4, (-0.2, 0.7), fill_mode="wrap", **seed),
    "noise": lambda **seed: L.GaussianNoise(0.3, **seed),
    "gaussian dropout": lambda **seed: L.GaussianDropout(0.3, **seed),
}


@pytest.fixture(params=LAYERS)
def make(request):
    return LAYERS[request.param]


def trained(layer, x, calls=1):
    """What a layer makes of `x` in training, the last of so many calls."""
    for _ in range(calls):
        y = layer(x, training=True)
    return layer.nn.to_numpy(y)


# ------------------------------------------------------------------ sampling


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("fill_mode", FILL_MODES)
def test_sampling_against_scipy(nn, fill_mode, interpolation, channels):
    images = RNG.random((2, 5, 7, channels))
    # several sizes beyond the image on each side, and the pixels themselves
    rows, columns = RNG.uniform(-20, 25, (2, 5, 7)), RNG.uniform(-25, 32, (2, 5, 7))
    rows[0, 0], columns[0, 0] = 2.0, np.arange(7.0)
    actual = nn.to_numpy(
        sampled(nn, *map(nn.asarray, (images, rows, columns)), interpolation, fill_mode, fill_value=0.25)
    )
    modes = {"wrap": "grid-wrap", "constant": "grid-constant"}  # SciPy's other modes of these names differ
    for i, channel in np.ndindex(2, channels):
        expected = ndimage.map_coordinates(
            images[i, ..., channel],
            [rows[i], columns[i]],
            order=int(interpolation == "bilinear"),
            mode=modes.get(fill_mode, fill_mode),
            cval=0.25,
        )
        # numbers up to 1; the fraction of a position is exact, and a dozen roundings follow in either
        np.testing.assert_allclose(actual[i, ..., channel], expected, rtol=0, atol=24 * 2**-53)


FIXED = {
    "translation": ("RandomTranslation", ((0.21, 0.21), (-0.33, -0.33))),
    "translation beyond": ("RandomTranslation", ((-0.87, -0.87), (0.93, 0.93))),
    "rotation": ("RandomRotation", ((0.1, 0.1),)),
    "rotation, clockwise": ("RandomRotation", ((-0.37, -0.37),)),
    "zoom": ("RandomZoom", ((0.3, 0.3), (-0.27, -0.27))),
    "zoom, both alike": ("RandomZoom", ((-0.41, -0.41),)),
}


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("fill_mode", ["reflect", "constant", "nearest"])
@pytest.mark.parametrize("which", FIXED)
def test_layers_with_fixed_parameters_against_keras(backend, which, fill_mode, interpolation):
    # without "wrap": TensorFlow's kernel, which Keras calls, takes the nearest pixel between the two ends
    name, arguments = FIXED[which]
    options = {"fill_mode": fill_mode, "interpolation": interpolation, "fill_value": 0.5}
    expected = keras.ops.convert_to_numpy(
        getattr(keras.layers, name)(*arguments, **options)(IMAGES, training=True)
    )
    actual = trained(getattr(L, name)(*arguments, **options).on(backend), IMAGES)
    # Positions up to 16, which either side rounds six times along either axis, and pixels from 0 to 1. Of the
    # nearest pixel none is off, as no position is in the middle of two.
    positions = 2 * 2 * 6 * 16 * 2**-24 if interpolation == "bilinear" else 0
    np.testing.assert_allclose(actual, expected, rtol=0, atol=positions + 8 * 2**-24)


@pytest.mark.parametrize("mode", ["horizontal", "vertical", "horizontal_and_vertical"])
def test_flips_are_those_of_keras(backend, mode):
    images = np.broadcast_to(IMAGES[:1], (32, *IMAGES.shape[1:]))
    outcomes = {image.tobytes() for image in trained(L.RandomFlip(mode).on(backend), images)}
    keras.utils.set_random_seed(0)
    flipped = keras.layers.RandomFlip(mode)(images, training=True)
    assert outcomes == {image.tobytes() for image in keras.ops.convert_to_numpy(flipped)}
    assert len(outcomes) == 2


def test_names_arguments_and_defaults_are_those_of_keras():
    import inspect

    for name in {name for name, _ in FIXED.values()} | {"RandomFlip", "GaussianNoise", "GaussianDropout"}:
        own = inspect.signature(getattr(L, name)).parameters
        theirs = inspect.signature(getattr(keras.layers, name)).parameters
        kept = [p for p in theirs.values() if p.name not in ("data_format", "kwargs")]
        assert [(p.name, p.default) for p in own.values() if p.name != "name"] == [
            (p.name, p.default) for p in kept
        ]


# ------------------------------------------------------------------ what is drawn


def test_both_backends_draw_and_compute_the_same_bits(make):
    one, other = (make(seed=3).on(name) for name in ("torch", "tensorflow"))
    for _ in range(3):
        np.testing.assert_array_equal(trained(one, IMAGES), trained(other, IMAGES))


def test_each_image_and_each_call_has_numbers_of_its_own(backend, make):
    images = np.broadcast_to(IMAGES[:1], (16, *IMAGES.shape[1:]))
    layer, twin, other = (make(seed=seed).on(backend) for seed in (3, 3, 4))
    first, second = trained(layer, images), trained(layer, images)
    assert len({image.tobytes() for image in first}) > 1
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, trained(other, images))
    twin(images)  # draws nothing
    np.testing.assert_array_equal(trained(twin, images, calls=2), second)


def test_a_seed_of_the_model_is_enough(backend):
    def run(seed):
        model = dn.Sequential([make() for make in LAYERS.values()])
        model.compile("sgd", "mse", engine="eager")
        model.fit(IMAGES, IMAGES, seed=seed, epochs=1, verbose=0)
        return model.nn.to_numpy(model(IMAGES, training=True))

    np.testing.assert_array_equal(run(5), run(5))
    assert not np.array_equal(run(5), run(6))


def test_nothing_happens_outside_of_training(backend, make):
    layer = make().on(backend)
    np.testing.assert_array_equal(layer.nn.to_numpy(layer(IMAGES)), IMAGES)
    assert int(layer.nn.to_numpy(layer.drawn)) == 0
    assert layer.weights == []
    assert layer.compute_output_shape((None, *IMAGES.shape[1:])) == (None, *IMAGES.shape[1:])


def test_integers_are_computed_with_as_numbers(backend, make):
    images = RNG.integers(0, 256, IMAGES.shape, dtype=np.uint8)
    y = trained(make(seed=1).on(backend), images)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, trained(make(seed=1).on(backend), images.astype("float32")))


@pytest.mark.parametrize("low", ["float16", "bfloat16"])
def test_sixteen_bits_lose_nothing_but_the_result(nn, backend, low, make):
    images = nn.asarray(IMAGES, dtype=low)
    few = make(seed=2).on(backend, dtype=low)(images, training=True)
    many = make(seed=2).on(backend, dtype="float32")(nn.astype(images, nn.float32), training=True)
    few, many = nn.to_numpy(nn.astype(few, nn.float32)), nn.to_numpy(many)
    # the noise is rounded to 16 bits, the sum or product as well: half a last place each of up to 4
    np.testing.assert_allclose(few, many, rtol=0, atol=4 * {"float16": 2**-11, "bfloat16": 2**-8}[low])


def uniform(values, low, high):
    """Whether numbers are uniform, by Kolmogorov's test at the level of 1 percent; the seeds are fixed."""
    assert low <= values.min() <= values.max() <= high
    return stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > 0.01


def test_factors_are_uniform_between_their_bounds(backend):
    # In the image of a plane the middle's value says how far it was moved, and slopes how it was scaled or
    # turned, as long as nothing from beyond the image comes in between.
    row, column = np.meshgrid(np.arange(33.0), np.arange(33.0), indexing="ij")
    plane = np.broadcast_to(np.stack([row, column], -1), (2000, 33, 33, 2))

    def moved(layer):
        return trained(layer.on(backend, dtype="float64"), plane)

    shifted = 16 - moved(L.RandomTranslation((-0.25, 0.125), 0.25, seed=1))[:, 16, 16]
    assert uniform(shifted[:, 0] / 33, -0.25, 0.125)
    assert uniform(shifted[:, 1] / 33, -0.25, 0.25)
    assert abs(stats.pearsonr(shifted[:, 0], shifted[:, 1]).statistic) < 3 / np.sqrt(2000)
    zoomed = np.diff(moved(L.RandomZoom((-0.5, 0.25), 0.5, seed=1)), axis=1)[:, 16, 16, 0] - 1
    assert uniform(zoomed, -0.5, 0.25)
    turned = moved(L.RandomRotation((-0.125, 0.25), seed=1))
    slopes = turned[:, 16, 17] - turned[:, 16, 16]
    assert uniform(np.arctan2(slopes[:, 0], slopes[:, 1]) / (2 * np.pi), -0.125, 0.25)
    flipped = moved(L.RandomFlip("vertical", seed=1))[:, 0, 0, 0] == 32
    assert abs(flipped.mean() - 0.5) < 3 * 0.5 / np.sqrt(2000)


def test_noise_is_normal(backend):
    noise = trained(L.GaussianNoise(0.5, seed=1).on(backend), np.zeros((1000, 999), "float32")).ravel()
    assert stats.kstest(noise / 0.5, "norm").pvalue > 0.01
    assert noise.mean() == pytest.approx(0, abs=3 * 0.5 / np.sqrt(noise.size))
    assert noise.std() == pytest.approx(0.5, abs=3 * 0.5 / np.sqrt(2 * noise.size))
    neighbours = stats.pearsonr(noise[1:], noise[:-1]).statistic
    assert abs(neighbours) < 3 / np.sqrt(noise.size)
    ones = np.ones((1000, 999), "float32")
    np.testing.assert_allclose(
        trained(L.GaussianDropout(0.2, seed=1).on(backend), ones), 1 + noise.reshape(1000, 999), atol=2**-23
    )


def test_the_table_of_quantiles():
    table = _normal_quantiles()
    assert np.array_equal(table, -table[::-1])
    assert np.mean(table**2) == pytest.approx(1, abs=1e-12)
    middles = (np.arange(table.size) + 0.5) / table.size
    # scaled to the variance 1, as the middles of the outermost shares are nearer than their numbers
    np.testing.assert_allclose(table, stats.norm.ppf(middles), rtol=2e-4)


# ------------------------------------------------------------------ gradients and engines


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("name", ["RandomTranslation", "RandomRotation", "RandomZoom"])
def test_the_gradient_is_the_transposed_map(nn, backend, name, fill_mode, interpolation):
    factors = (0.4, 0.7) if name != "RandomRotation" else (0.3,)
    x, weights = RNG.normal(size=(2, 4, 5, 6, 2))

    def output(x):
        layer = getattr(L, name)(*factors, fill_mode, interpolation, seed=9).on(backend, dtype="float64")
        return layer(x, training=True)

    gradient = nn.to_numpy(nn.grad(lambda x: nn.sum(output(x) * nn.asarray(weights)))(nn.asarray(x)))
    # linear in x: the sum of the outputs is that of the inputs by the gradient, up to the order of 240 terms
    total = np.sum(nn.to_numpy(output(nn.asarray(x))) * weights)
    assert np.sum(gradient * x) == pytest.approx(total, abs=240 * 8 * 2**-53 * np.abs(gradient * x).sum())
    assert np.abs(gradient).sum() > 1


def augmented():
    return dn.Sequential([*(make() for make in LAYERS.values()), L.Flatten(), L.Dense(2)])


@pytest.mark.parametrize(
    ("engine", "jit"),
    [("step", False), ("epoch", False), pytest.param("epoch", True, marks=pytest.mark.slow)],
)
def test_every_engine_draws_the_same(backend, engine, jit):
    x = RNG.normal(size=(90, 5, 4, 1)).astype("float32")  # the last of its batches is smaller
    eager, compiled = (
        fitted(backend, name, machine_code, augmented, x=x, optimizer=dn.optimizers.SGD(0.01))
        for name, machine_code in (("eager", None), (engine, jit))
    )
    assert (compiled[1].engine, compiled[1].jit) == (engine, jit)
    assert_same_run(eager, compiled)
    for one, other in zip(eager[0].layers[:6], compiled[0].layers[:6], strict=True):
        assert int(one.nn.to_numpy(one.drawn)) == int(one.nn.to_numpy(other.drawn)) == 18


def test_a_functional_model_and_a_batch_of_any_size(backend):
    inputs = L.Input((5, 4, 1))
    model = dn.Model(inputs, L.Dense(2)(L.Flatten()(L.RandomTranslation(0.2, 0.2)(inputs))))
    model.compile("sgd", "mse", engine="step")
    for size in (4, 1, 7):
        model.fit(np.ones((size, 5, 4, 1)), np.ones((size, 2)), verbose=0)
    assert model.predict(np.ones((3, 5, 4, 1)), verbose=0).shape == (3, 2)


# ------------------------------------------------------------------ errors

BAD = [
    (lambda: L.RandomFlip("sideways"), "unknown mode 'sideways'.* Known: 'horizontal'"),
    (lambda: L.RandomTranslation(1.5, 0.1), "height_factor must be a number from -1.0 to 1.0, or a pair"),
    (lambda: L.RandomTranslation(0.1, (0.1, 0.2, 0.3)), "width_factor must be .* got"),
    (lambda: L.RandomTranslation(0.1, "0.1"), "width_factor must be .* got '0.1'"),
    (lambda: L.RandomRotation(0.1, fill_mode="reflct"), "did you mean 'reflect'"),
    (lambda: L.RandomRotation(0.1, interpolation="cubic"), "unknown interpolation 'cubic'"),
    (lambda: L.RandomZoom(-1.0), "height_factor must be"),
    (lambda: L.GaussianNoise(-0.1), "stddev must be a number of at least 0, got -0.1"),
    (lambda: L.GaussianNoise(25), "scale the input"),
    (lambda: L.GaussianDropout(1.0), "rate must be a number of at least 0 and less than 1"),
]


@pytest.mark.parametrize(("make", "message"), BAD, ids=[message for _, message in BAD])
def test_bad_arguments_are_refused_at_once(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("name", ["flip", "translation", "rotation", "zoom"])
def test_what_is_no_batch_of_images_is_refused(backend, name):
    layer = LAYERS[name]().on(backend)
    with pytest.raises(ValueError, match="expected an input of 4 axes, got 3"):
        layer(IMAGES[0])
    with pytest.raises(ValueError, match="expected an input of 4 axes, got 2"):
        LAYERS[name]()(L.Input((9,)))
    layer(IMAGES)
    with pytest.raises(ValueError, match="expected an input of 4 axes, got 3"):
        layer(IMAGES[0], training=True)
