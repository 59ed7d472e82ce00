"""The generator: SplitMix64 to the bit on every backend, and good enough numbers."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dualnn as dn
from dualnn import random

INT64 = st.integers(-(2**63), 2**63 - 1)
KEY = random.key(0, "tests")


def splitmix64(key, n):
    """The words of a stream, written with Python's integers after the paper's Java."""
    words, state = [], key % 2**64
    for _ in range(n):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        words.append(z ^ (z >> 31))
    return words


def unmixed(z):
    """The inverse of mix64: multiplications by the inverses, and each shift undone by repeating it."""
    z ^= (z >> 31) ^ (z >> 62)
    z = z * pow(0x94D049BB133111EB, -1, 2**64) % 2**64
    z ^= (z >> 27) ^ (z >> 54)
    z = z * pow(0xBF58476D1CE4E5B9, -1, 2**64) % 2**64
    return z ^ (z >> 30) ^ (z >> 60)


def unsigned(words):
    return np.asarray(words).view(np.uint64).ravel().tolist()


def chi_square(counts, expected):
    return float(np.sum((counts - expected) ** 2 / expected))


# ------------------------------------------------------------------ the words


def test_known_answers():
    # Java's SplittableRandom and the reference implementation in C give these for the seed 1234567.
    expected = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert unsigned(random.bits(np, 1234567, 0, (5,))) == expected
    assert splitmix64(1234567, 5) == expected


@given(key=INT64, start=st.integers(0, 50), n=st.integers(0, 20))
def test_words_are_those_of_the_paper(key, start, n):
    assert unsigned(random.bits(np, key, start, (n,))) == splitmix64(key, start + n)[start:]


@pytest.mark.parametrize("key", [0, 1, -1, 2**63 - 1, -(2**63), KEY])
@pytest.mark.parametrize("shape", [(), (0,), (1,), (7,), (3, 5), (2, 0, 3), (2, 3, 4)])
def test_words_are_the_same_on_every_backend(nn, key, shape):
    expected = random.bits(np, key, 3, shape)
    for native_key in (key, nn.asarray(key, dtype=nn.int64)):
        words = nn.to_numpy(random.bits(nn, native_key, 3, shape))
        assert words.dtype == np.int64
        np.testing.assert_array_equal(words, expected)


def test_words_are_the_same_in_a_compiled_step(nn):
    def step(key, counter):
        return random.bits(nn, random.fold(nn, key, counter), 0, (40, 3))

    compiled = nn.compile(step)
    for counter in (0, 1, 2**40):
        words = compiled(nn.asarray(KEY, dtype=nn.int64), nn.asarray(counter, dtype=nn.int64))
        expected = random.bits(np, random.key(0, "tests", counter), 0, (40, 3))
        np.testing.assert_array_equal(nn.to_numpy(words), expected)


def test_words_are_the_same_in_xla_and_with_an_unknown_batch_size():
    tf = pytest.importorskip("tensorflow")
    nn = dn.backend("tensorflow")
    expected = random.bits(np, KEY, 0, (6, 3))

    xla = tf.function(lambda key: random.bits(nn, key, 0, (6, 3)), jit_compile=True)
    np.testing.assert_array_equal(xla(tf.constant(KEY)).numpy(), expected)

    signature = [tf.TensorSpec((None, 3), tf.float32)]
    unknown = tf.function(lambda x: random.bits(nn, KEY, 0, nn.shape(x)), input_signature=signature)
    np.testing.assert_array_equal(unknown(tf.zeros((6, 3))).numpy(), expected)

    expected = random.bernoulli_mask(np, KEY, (5, 3), 0.3)
    xla = tf.function(lambda key: random.bernoulli_mask(nn, key, (5, 3), 0.3), jit_compile=True)
    np.testing.assert_array_equal(xla(tf.constant(KEY)).numpy(), expected)
    unknown = tf.function(
        lambda x: random.bernoulli_mask(nn, KEY, nn.shape(x), 0.3), input_signature=signature
    )
    np.testing.assert_array_equal(unknown(tf.zeros((5, 3))).numpy(), expected)


@pytest.mark.slow
@pytest.mark.parametrize("n", [20, 33])
def test_words_are_the_same_in_code_that_inductor_writes(n):
    # Inductor's C++ for `arange(n) * GOLDEN` overflows a loop's index: wrong words, and a broken heap.
    torch = pytest.importorskip("torch")
    nn = dn.backend("torch")
    compiled = torch.compile(lambda key: random.bits(nn, key, 0, (n, 3)), fullgraph=True)
    np.testing.assert_array_equal(compiled(torch.tensor(KEY)).numpy(), random.bits(np, KEY, 0, (n, 3)))
    compiled = torch.compile(lambda key: random.bernoulli_mask(nn, key, (n, 3), 0.3), fullgraph=True)
    expected = random.bernoulli_mask(np, KEY, (n, 3), 0.3)
    np.testing.assert_array_equal(compiled(torch.tensor(KEY)).numpy(), expected)


@given(z=st.lists(INT64, min_size=2, max_size=50, unique=True))
def test_mix64_maps_different_integers_to_different_integers(z):
    assert len(set(random.mix64(np, np.asarray(z)).tolist())) == len(z)


def test_every_bit_is_a_fair_coin():
    n = 2**16
    words = random.bits(np, KEY, 0, (n,)).view(np.uint64)
    ones = np.array([np.sum((words >> np.uint64(i)) & np.uint64(1)) for i in range(64)])
    # The number of ones has mean n / 2 and standard deviation sqrt(n) / 2.
    assert np.max(np.abs(ones - n / 2)) < 4.5 * math.sqrt(n) / 2


# ------------------------------------------------------------------ keys


def test_keys_of_different_places_differ():
    places = {
        *itertools.product(range(-50, 50), repeat=2),
        *itertools.product(range(50), ["dropout", "kernel", "bias"], range(50)),
        *((seed, str(path)) for seed, path in itertools.product(range(50), repeat=2)),
        *((seed,) for seed in range(10_000)),
        (1, 2, 3),
        (1, 3, 2),
        (1, "2", "3"),
        (1, "23"),
        (1, "2", 3),
    }
    assert len({random.key(*place) for place in places}) == len(places)


def test_streams_of_neighbouring_seeds_share_no_word():
    streams = [random.bits(np, random.key(seed), 0, (1000,)) for seed in range(200)]
    children = [random.bits(np, random.key(0, step), 0, (1000,)) for step in range(200)]
    words = np.concatenate([*streams, *children])
    assert len(np.unique(words)) == words.size


def test_masks_of_neighbouring_steps_are_independent_and_so_are_their_halves():
    n = 2**14
    masks = [random.bernoulli_mask(np, random.key(0, i), (2 * n,), 0.5) for i in range(10)]
    correlations = np.corrcoef(np.reshape(masks, (20, n)))[np.triu_indices(20, k=1)]
    # Each of the 190 correlations has standard deviation 1 / sqrt(n).
    assert np.max(np.abs(correlations)) < 4.5 / math.sqrt(n)


@given(seed=st.integers(), data=INT64)
def test_fold_is_the_last_part_of_a_path(seed, data):
    child = random.fold(np, np.asarray([random.key(seed, "x")]), np.asarray([data]))
    assert int(child[0]) == random.key(seed, "x", data)


@pytest.mark.parametrize("part", [1.0, "1", None])
def test_a_seed_is_an_integer(part):
    if isinstance(part, str):
        assert random.key(0, part) != random.key(0, int(part))
    else:
        with pytest.raises(TypeError, match="integer"):
            random.key(part)


# ------------------------------------------------------------------ uniform numbers and masks


@pytest.mark.parametrize(("dtype", "bits"), [("float32", 24), ("float64", 53)])
def test_uniform_numbers_are_the_top_bits_of_the_words(nn, dtype, bits):
    expected = np.array([word >> (64 - bits) for word in splitmix64(KEY, 1000)]) / 2**bits
    numbers = nn.to_numpy(random.uniform(nn, KEY, (1000,), dtype))
    assert numbers.dtype == dtype
    np.testing.assert_array_equal(numbers, expected)


def test_the_largest_uniform_number_is_below_one(nn):
    # mix64 is a bijection, so its inverse finds the key whose first word has all bits set.
    key = unmixed(2**64 - 1) - 0x9E3779B97F4A7C15
    signed = (key + 2**63) % 2**64 - 2**63
    assert unsigned(random.bits(np, signed, 0, (1,))) == [2**64 - 1]
    assert float(random.uniform(nn, signed, (), "float32")) == 1 - 2.0**-24
    assert float(random.uniform(nn, signed, (), "float64")) == 1 - 2.0**-53


def halves(words):
    """The low and then the high 32 bits of each word, the latter as a signed number from 0."""
    return [word % 2**32 for word in words] + [((word >> 32) + 2**31) % 2**32 for word in words]


@pytest.mark.parametrize("probability", [0.0, 1e-3, 0.2, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (3, 5), (100, 100)])
def test_masks_compare_halves_of_words(nn, shape, probability):
    size = math.prod(shape)
    expected = [half < probability * 2**32 for half in halves(splitmix64(KEY, (size + 1) // 2))][:size]
    expected = np.array(expected, bool).reshape(shape)
    for native_key in (KEY, nn.asarray(KEY, dtype="int64")):
        mask = nn.to_numpy(random.bernoulli_mask(nn, native_key, shape, probability))
        assert mask.dtype == np.bool_
        np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize("probability", [0.0, 1e-3, 0.2, 0.5, 0.8, 1.0])
def test_masks_have_their_probability(probability):
    mask = random.bernoulli_mask(np, KEY, (100, 101), probability)
    deviation = math.sqrt(probability * (1 - probability) / mask.size)
    assert abs(mask.mean() - probability) <= 4 * deviation


@given(a=st.floats(0, 1), b=st.floats(0, 1), key=INT64)
def test_a_more_probable_mask_covers_a_less_probable_one(a, b, key):
    low, high = (random.bernoulli_mask(np, key, (100,), p) for p in sorted((a, b)))
    assert not np.any(low & ~high)


# ------------------------------------------------------------------ the generator on the host


def test_a_generator_draws_the_stream_of_its_key():
    generator = random.Generator(KEY)
    drawn = np.concatenate([generator.bits((3,)), generator.bits((2, 2)).ravel()])
    np.testing.assert_array_equal(drawn, random.bits(np, KEY, 0, (7,)))
    assert generator.counter == 7
    np.testing.assert_array_equal(
        random.Generator(KEY).uniform((5,)), random.uniform(np, KEY, (5,), "float64")
    )


DRAWS = {
    "uniform": lambda g: g.uniform((4,)),
    "normal": lambda g: g.normal((4,)),
    "truncated_normal": lambda g: g.truncated_normal((4,)),
    "permutation": lambda g: g.permutation(50),
    "integers": lambda g: g.integers(0, 10**6, (4,)),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_draws_repeat_with_the_key_and_differ_between_calls_and_keys(draw):
    generator = random.Generator(1)
    first, second = draw(generator), draw(generator)
    np.testing.assert_array_equal(first, draw(random.Generator(1)))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, draw(random.Generator(2)))


@pytest.mark.parametrize("method", ["uniform", "normal", "truncated_normal"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3)])
def test_draws_have_the_shape_asked_for(method, shape):
    values = getattr(random.Generator(0), method)(shape)
    assert values.shape == shape
    assert values.dtype == np.float64


def test_uniform_numbers_are_uniform():
    values = random.Generator(KEY).uniform((100_000,), low=-1.0, high=3.0)
    assert values.min() >= -1
    assert values.max() < 3
    counts, _ = np.histogram(values, bins=100, range=(-1, 3))
    # Chi-square with 99 degrees of freedom: mean 99, standard deviation sqrt(198) = 14.
    assert abs(chi_square(counts, 1000) - 99) < 4 * 14


def test_normal_numbers_are_normal():
    n = 100_000
    values = np.sort(random.Generator(KEY).normal((n,), mean=2.0, std=3.0))
    distribution = np.array([0.5 * (1 + math.erf((v - 2) / 3 / math.sqrt(2))) for v in values])
    # Kolmogorov: sup |F_n - F| exceeds 1.95 / sqrt(n) with a probability of 0.001.
    assert np.max(np.abs(distribution - (np.arange(n) + 0.5) / n)) < 1.95 / math.sqrt(n)
    # The Kolmogorov distance is blind in the tails; the 4th moment is not. Its standard error: sqrt(96 / n).
    assert abs(np.mean(((values - 2) / 3) ** 4) - 3) < 4 * math.sqrt(96 / n)


def test_truncated_normal_numbers_are_within_two_deviations_and_normal_there():
    n = 100_000
    values = np.sort(random.Generator(KEY).truncated_normal((n,), mean=1.0, std=0.5))
    assert np.max(np.abs(values - 1)) <= 1.0
    inside = math.erf(2 / math.sqrt(2))
    distribution = np.array([0.5 + 0.5 * math.erf((v - 1) / 0.5 / math.sqrt(2)) / inside for v in values])
    assert np.max(np.abs(distribution - (np.arange(n) + 0.5) / n)) < 1.95 / math.sqrt(n)


def test_permutations_are_equally_likely():
    generator = random.Generator(KEY)
    orders = list(itertools.permutations(range(4)))
    drawn = [tuple(generator.permutation(4).tolist()) for _ in range(4800)]
    counts = np.array([drawn.count(order) for order in orders])
    assert counts.sum() == 4800
    # Chi-square with 23 degrees of freedom: mean 23, standard deviation sqrt(46) = 6.8.
    assert abs(chi_square(counts, 200) - 23) < 4 * 6.8


@given(n=st.integers(0, 300), key=INT64)
def test_a_permutation_has_every_index_once(n, key):
    assert sorted(random.Generator(key).permutation(n).tolist()) == list(range(n))


def test_integers_are_uniform_in_their_range():
    values = random.Generator(KEY).integers(-3, 7, (10_000,))
    assert set(values.tolist()) == set(range(-3, 7))
    # Chi-square with 9 degrees of freedom: mean 9, standard deviation sqrt(18) = 4.2.
    assert abs(chi_square(np.bincount(values + 3), 1000) - 9) < 4 * 4.2


# ------------------------------------------------------------------ the seed of the process


def test_seed_fixes_the_seeds_that_follow():
    dn.seed(5)
    first = [random.next_seed() for _ in range(100)]
    dn.seed(5)
    assert [random.next_seed() for _ in range(100)] == first
    dn.seed(6)
    assert random.next_seed() not in first
    assert len(set(first)) == 100
    assert all(0 <= value < 2**53 for value in first)


def test_without_a_seed_every_process_has_its_own():
    command = [sys.executable, "-c", "from dualnn import random; print(random.next_seed())"]
    outputs = {subprocess.run(command, capture_output=True, check=True, text=True).stdout for _ in range(2)}
    assert len(outputs) == 2
