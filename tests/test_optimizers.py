"""Optimizers: the formulas of the papers in NumPy's float64, step after step."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import dualnn as dn
from dualnn import optimizers
from dualnn.optimizers import schedules
from tests.conftest import BACKENDS

STEPS = 25
SHAPES = [(3, 2), (2,), ()]
RNG = np.random.default_rng(0)
START = [RNG.normal(size=shape) for shape in SHAPES]
GRADIENTS = [[RNG.normal(size=shape) for shape in SHAPES] for _ in range(STEPS)]


# ------------------------------------------------------------------ the formulas, one number at a time


def sgd(w, g, s, t, lr=0.01, momentum=0.0, nesterov=False):
    m = s.get("m", 0) * momentum - lr * g
    s["m"] = m
    return w + (momentum * m - lr * g if nesterov else m)


def adam(w, g, s, t, lr=0.001, b1=0.9, b2=0.999, eps=1e-7, amsgrad=False):
    # With the bias-corrected moments of the paper's algorithm 1; epsilon as in its section 2.
    s["m"] = m = b1 * s.get("m", 0) + (1 - b1) * g
    s["v"] = v = b2 * s.get("v", 0) + (1 - b2) * g**2
    if amsgrad:
        s["max"] = v = np.maximum(s.get("max", 0), v)
    correction = math.sqrt(1 - b2**t)
    m_hat, v_hat = m / (1 - b1**t), v / correction**2
    return w - lr * m_hat / (np.sqrt(v_hat) + eps / correction)


def rmsprop(w, g, s, t, lr=0.001, rho=0.9, momentum=0.0, eps=1e-7, centered=False):
    s["v"] = v = rho * s.get("v", 0) + (1 - rho) * g**2
    s["g"] = mean = rho * s.get("g", 0) + (1 - rho) * g
    variance = v - mean**2 if centered else v
    s["m"] = step = momentum * s.get("m", 0) + lr * g / np.sqrt(variance + eps)
    return w - step


def adagrad(w, g, s, t, lr=0.001, start=0.1, eps=1e-7):
    s["a"] = s.get("a", start) + g**2
    return w - lr * g / np.sqrt(s["a"] + eps)


def adamax(w, g, s, t, lr=0.001, b1=0.9, b2=0.999, eps=1e-7):
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    s["u"] = np.maximum(b2 * s.get("u", 0), np.abs(g))
    return w - lr / (1 - b1**t) * s["m"] / (s["u"] + eps)


# (make the optimizer, its formula, the formula's arguments)
CASES = {
    "sgd": (optimizers.SGD, sgd, {}),
    "sgd momentum": (lambda: optimizers.SGD(0.1, momentum=0.9), sgd, {"lr": 0.1, "momentum": 0.9}),
    "sgd nesterov": (
        lambda: optimizers.SGD(0.1, momentum=0.9, nesterov=True),
        sgd,
        {"lr": 0.1, "momentum": 0.9, "nesterov": True},
    ),
    "adam": (optimizers.Adam, adam, {}),
    "adam settings": (
        lambda: optimizers.Adam(0.1, beta_1=0.5, beta_2=0.8, epsilon=1e-2),
        adam,
        {"lr": 0.1, "b1": 0.5, "b2": 0.8, "eps": 1e-2},
    ),
    "adam amsgrad": (
        lambda: optimizers.Adam(0.1, beta_2=0.5, amsgrad=True),
        adam,
        {"lr": 0.1, "b2": 0.5, "amsgrad": True},
    ),
    "rmsprop": (optimizers.RMSprop, rmsprop, {}),
    "rmsprop all": (
        lambda: optimizers.RMSprop(0.1, rho=0.5, momentum=0.9, epsilon=1e-2, centered=True),
        rmsprop,
        {"lr": 0.1, "rho": 0.5, "momentum": 0.9, "eps": 1e-2, "centered": True},
    ),
    "adagrad": (optimizers.Adagrad, adagrad, {}),
    "adagrad settings": (
        lambda: optimizers.Adagrad(0.1, initial_accumulator_value=0.5, epsilon=1e-2),
        adagrad,
        {"lr": 0.1, "start": 0.5, "eps": 1e-2},
    ),
    "adamax": (optimizers.Adamax, adamax, {}),
    "adamax settings": (
        lambda: optimizers.Adamax(0.1, beta_1=0.5, beta_2=0.8, epsilon=1e-2),
        adamax,
        {"lr": 0.1, "b1": 0.5, "b2": 0.8, "eps": 1e-2},
    ),
}


def by_formula(formula, arguments, gradients=GRADIENTS, decay=0.0, rates=None):
    weights, states = [w.copy() for w in START], [{} for _ in START]
    for t, step in enumerate(gradients, start=1):
        if rates is not None:
            arguments = {**arguments, "lr": rates[t - 1]}
        weights = [
            formula(w - w * decay, g, state, t, **arguments)
            for w, g, state in zip(weights, step, states, strict=True)
        ]
    return weights


def variables(nn, dtype="float64"):
    return [nn.Variable(nn.asarray(w, dtype=dtype)) for w in START]


def natives(nn, arrays, dtype="float64"):
    return [None if g is None else nn.asarray(g, dtype=dtype) for g in arrays]


def train(nn, optimizer, gradients=GRADIENTS, dtype="float64"):
    weights = variables(nn, dtype)
    for step in gradients:
        optimizer.apply(natives(nn, step, dtype), weights)
    return [nn.to_numpy(w) for w in weights]


def assert_near(weights, expected, ulps=100):
    # Each of 25 steps makes a handful of roundings, relative to weights and steps below 10.
    for w, e in zip(weights, expected, strict=True):
        np.testing.assert_allclose(w, e, rtol=0, atol=ulps * 2.3e-16 * 10)


@pytest.mark.parametrize("case", CASES)
def test_formula(nn, case):
    make, formula, arguments = CASES[case]
    optimizer = make()
    assert_near(train(nn, optimizer), by_formula(formula, arguments))
    assert optimizer.iterations == STEPS


@pytest.mark.parametrize("case", CASES)
def test_pure_and_compiled(nn, case):
    make, formula, arguments = CASES[case]
    optimizer = make()

    def step(weights, gradients, slots, scalars):
        return optimizer.update(nn, weights, gradients, slots, scalars)

    compiled = nn.compile(step)
    weights = natives(nn, START)
    slots = optimizer.init(nn, weights)
    for t, gradients in enumerate(GRADIENTS):
        scalars = {name: nn.asarray(value, dtype="float64") for name, value in optimizer.scalars(t).items()}
        weights, slots = compiled(weights, natives(nn, gradients), slots, scalars)
    assert_near([nn.to_numpy(w) for w in weights], by_formula(formula, arguments))
    assert (optimizer.iterations, optimizer.slots) == (0, None)  # the pure functions leave the object alone
    for state in slots:
        assert set(state) == set(optimizer.slot_names)


@pytest.mark.parametrize("case", CASES)
def test_backends_agree(case):
    runs = [train(dn.backend(name), CASES[case][0](), dtype="float32") for name in BACKENDS]
    for a, b in zip(*runs, strict=True):
        assert a.dtype == b.dtype == np.float32
        if case.startswith("sgd"):
            # Products, sums and differences have one right rounding.
            np.testing.assert_array_equal(a, b)
        else:
            # A square root may be off by a unit in the last place, so each of 25 steps by a few.
            steps = np.abs(a - b) / (STEPS * np.finfo(np.float32).eps)
            assert np.max(steps) <= max(1.0, np.max(np.abs(a)))


@pytest.mark.parametrize("case", CASES)
def test_the_scalars_have_the_same_names_at_every_step(case):
    optimizer = CASES[case][0]()
    keys = list(optimizer.scalars(0))
    for step in (1, 10, 10**6):
        scalars = optimizer.scalars(step)
        assert list(scalars) == keys
        assert all(isinstance(value, float) for value in scalars.values())


def test_adamw_is_adam_after_decay(nn):
    expected = by_formula(adam, {"lr": 0.1}, decay=0.1 * 0.02)
    assert_near(train(nn, optimizers.AdamW(0.1, weight_decay=0.02)), expected)
    assert_near(train(nn, optimizers.Adam(0.1, weight_decay=0.02)), expected)
    assert optimizers.AdamW().weight_decay == 0.004
    momentum = by_formula(sgd, {"lr": 0.1, "momentum": 0.5}, decay=0.1 * 0.02)
    assert_near(train(nn, optimizers.SGD(0.1, momentum=0.5, weight_decay=0.02)), momentum)


# ------------------------------------------------------------------ clipping


def norm(arrays):
    return math.sqrt(sum((np.asarray(a) ** 2).sum() for a in arrays))


CLIPS = {
    "clipvalue": lambda gs: [np.clip(g, -0.5, 0.5) for g in gs],
    "clipnorm": lambda gs: [g * min(1.0, 0.5 / norm([g])) for g in gs],
    "global_clipnorm": lambda gs: [g * min(1.0, 0.5 / norm(gs)) for g in gs],
}


@pytest.mark.parametrize("clip", CLIPS)
def test_clipping(nn, clip):
    clipped = [CLIPS[clip](step) for step in GRADIENTS]
    assert not np.array_equal(clipped[0][0], GRADIENTS[0][0])
    expected = by_formula(sgd, {"lr": 0.1}, gradients=clipped)
    assert_near(train(nn, optimizers.SGD(0.1, **{clip: 0.5})), expected)


@pytest.mark.parametrize("clip", CLIPS)
def test_small_gradients_and_zeros_are_not_clipped(nn, clip):
    small = [[g * 1e-3 for g in step] for step in GRADIENTS]
    zeros = [[np.zeros_like(g) for g in step] for step in GRADIENTS]
    for gradients in (small, zeros):
        plain = train(nn, optimizers.SGD(0.1), gradients)
        for a, b in zip(train(nn, optimizers.SGD(0.1, **{clip: 0.5}), gradients), plain, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("clip", [None, *CLIPS])
def test_a_variable_without_gradient_stays(nn, clip):
    optimizer = optimizers.Adam(0.1, weight_decay=0.1, **({clip: 0.5} if clip else {}))
    before = START[1]
    gradients = [[step[0], None, step[2]] for step in GRADIENTS]
    weights = train(nn, optimizer, gradients)
    np.testing.assert_array_equal(weights[1], before)
    assert not np.array_equal(weights[0], START[0])
    assert all(np.all(nn.to_numpy(slot) == 0) for slot in optimizer.slots[1].values())


# ------------------------------------------------------------------ the learning rate


def test_a_schedule(nn):
    rates = [0.1 * 0.5 ** (step / 10) for step in range(STEPS)]
    schedule = schedules.ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)
    expected = by_formula(adam, {}, rates=rates)
    assert_near(train(nn, optimizers.Adam(schedule)), expected)
    assert_near(train(nn, optimizers.Adam(lambda step: 0.1 * 0.5 ** (step / 10))), expected)


def test_the_learning_rate_may_change(nn):
    optimizer = optimizers.SGD(0.5)
    w = nn.Variable(nn.asarray(0.0))
    optimizer.apply([nn.asarray(1.0)], [w])
    optimizer.learning_rate = 0.25
    assert optimizer.learning_rate == 0.25
    optimizer.apply([nn.asarray(1.0)], [w])
    optimizer.learning_rate = lambda step: float(step)
    assert optimizer.learning_rate == 2.0
    optimizer.apply([nn.asarray(1.0)], [w])
    assert float(nn.to_numpy(w)) == -2.75
    with pytest.raises(ValueError, match="learning_rate, got -1"):
        optimizer.learning_rate = -1.0


# ------------------------------------------------------------------ the stateful part


@pytest.mark.parametrize("case", ["sgd momentum", "adam amsgrad", "rmsprop all", "adagrad"])
def test_training_goes_on_from_slots_and_iterations(nn, case):
    make = CASES[case][0]
    whole = train(nn, make())
    first, weights = make(), variables(nn)
    for step in GRADIENTS[:10]:
        first.apply(natives(nn, step), weights)
    second = make()
    second.iterations, second.slots = first.iterations, first.slots
    for step in GRADIENTS[10:]:
        second.apply(natives(nn, step), weights)
    for a, b in zip(weights, whole, strict=True):
        np.testing.assert_array_equal(nn.to_numpy(a), b)


def test_apply_gradients_takes_pairs(nn):
    weights = variables(nn)
    optimizer = optimizers.SGD(0.5)
    optimizer.apply_gradients(zip(natives(nn, GRADIENTS[0]), weights, strict=True))
    for w, start, g in zip(weights, START, GRADIENTS[0], strict=True):
        np.testing.assert_array_equal(nn.to_numpy(w), start - g * 0.5)


def test_slots_have_the_dtype_and_the_values_before_the_first_step(nn):
    for make, start in ((optimizers.Adam, 0.0), (optimizers.Adagrad, 0.1)):
        optimizer = make()
        for slots, w in zip(optimizer.init(nn, variables(nn, "float32")), START, strict=True):
            assert tuple(slots) == optimizer.slot_names
            for slot in slots.values():
                assert nn.dtype_name(slot.dtype) == "float32"
                np.testing.assert_array_equal(nn.to_numpy(slot), np.full(w.shape, np.float32(start)))


def test_slots_keep_no_history_of_gradients(nn):
    w = nn.Variable(nn.asarray([1.0, 2.0]))
    optimizer = optimizers.Adam(0.1)
    with nn.GradientTape() as outer:
        with nn.GradientTape() as inner:
            loss = nn.sum(w * w * w)
        gradient = inner.gradient(loss, w)
        optimizer.apply([gradient], [w])
    assert outer.gradient(optimizer.slots[0]["momentum"], w) is None


def test_torch_tensors_in_any_order_of_memory():
    nn = dn.backend("torch")
    start, gradient = np.arange(6.0).reshape(2, 3), np.array([[1.0, -2.0, 3.0], [-4.0, 5.0, -6.0]])
    results = []
    for turned_variable, turned_gradient in itertools.product((False, True), repeat=2):
        w, g = nn.Variable(start), nn.asarray(gradient)
        if turned_variable:
            w.data = w.data.t().contiguous().t()
        if turned_gradient:
            g = g.t().contiguous().t()
        optimizer = dn.optimizers.Adam(0.25)
        for _ in range(3):
            optimizer.apply([g], [w])
        results.append(nn.to_numpy(w))
    for result in results[1:]:
        # of numbers up to 5, three steps of 12 roundings, by the kernel or by the formula
        np.testing.assert_allclose(result, results[0], rtol=0, atol=3 * 12 * 5 * 2.3e-16)


def test_torch_variables_of_several_dtypes():
    nn = dn.backend("torch")
    variables = [nn.Variable(1.0, dtype=dtype) for dtype in ("float32", "float64")]
    optimizer = dn.optimizers.Adam(0.25)
    optimizer.apply([nn.asarray(-3.0, dtype=dtype) for dtype in ("float32", "float64")], variables)
    assert [nn.dtype_name(variable.dtype) for variable in variables] == ["float32", "float64"]
    assert [round(float(nn.to_numpy(variable)), 6) for variable in variables] == [1.25, 1.25]


def test_training_reaches_the_minimum(nn):
    # An end-to-end check by a tape: the minimum of a convex function of two variables.
    for make in (
        lambda: optimizers.SGD(0.1, momentum=0.5),
        lambda: optimizers.Adam(0.1),
        lambda: optimizers.RMSprop(lambda step: 0.2 * 0.98**step),
        lambda: optimizers.Adagrad(1.0),
        lambda: optimizers.Adamax(0.2),
    ):
        a, b = nn.Variable(nn.asarray([3.0, -2.0])), nn.Variable(nn.asarray(5.0))
        optimizer = make()
        for _ in range(300):
            with nn.GradientTape() as tape:
                loss = nn.sum((a - 1.0) ** 2) + (b + 2.0) ** 2
            optimizer.apply(tape.gradient(loss, [a, b]), [a, b])
        np.testing.assert_allclose(nn.to_numpy(a), [1.0, 1.0], atol=1e-2)
        np.testing.assert_allclose(nn.to_numpy(b), -2.0, atol=1e-2)


def test_wrong_variables_and_gradients(nn):
    optimizer, weights = optimizers.Adam(), variables(nn)
    gradients = natives(nn, GRADIENTS[0])
    with pytest.raises(ValueError, match="expected a gradient for each of 3 variables, got 2"):
        optimizer.apply(gradients[:2], weights)
    with pytest.raises(ValueError, match="no gradient for any variable"):
        optimizer.apply([None, None, None], weights)
    optimizer.apply(gradients, weights)
    with pytest.raises(ValueError, match="make a new optimizer for other variables"):
        optimizer.apply(gradients[:2], weights[:2])
    with pytest.raises(ValueError, match="make a new optimizer for other variables"):
        optimizer.apply(gradients[::-1], weights[::-1])
    assert optimizer.iterations == 1


def test_variables_of_another_framework():
    torch, tensorflow = (dn.backend(name) for name in BACKENDS)
    optimizer = optimizers.Adam()
    optimizer.apply(natives(torch, GRADIENTS[0]), variables(torch))
    with pytest.raises(ValueError, match="slots belong to torch, the variables to tensorflow"):
        optimizer.apply(natives(tensorflow, GRADIENTS[0]), variables(tensorflow))


# ------------------------------------------------------------------ get, and wrong arguments


def test_get():
    classes = [getattr(optimizers, n) for n in ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adamax")]
    for cls in classes:
        for name in (cls.__name__, cls.__name__.lower(), cls):
            assert type(optimizers.get(name)) is cls
    optimizer = optimizers.Adam()
    assert optimizers.get(optimizer) is optimizer
    with pytest.raises(ValueError, match="unknown optimizer 'adm'; did you mean 'adam'"):
        optimizers.get("adm")
    with pytest.raises(TypeError, match="got None"):
        optimizers.get(None)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optimizers.SGD(-0.1), "from 0 for learning_rate, got -0.1"),
        (lambda: optimizers.SGD(math.nan), "from 0 for learning_rate, .*got nan"),
        (lambda: optimizers.SGD(math.inf), "from 0 for learning_rate, got inf"),
        (lambda: optimizers.SGD(momentum=1.5), "from 0 to 1 for momentum, got 1.5"),
        (lambda: optimizers.SGD(momentum=-0.5), "from 0 to 1 for momentum, got -0.5"),
        (lambda: optimizers.Adam(beta_1=1.0), "from 0, below 1, for beta_1, got 1.0"),
        (lambda: optimizers.Adam(beta_2=-0.1), "from 0, below 1, for beta_2, got -0.1"),
        (lambda: optimizers.Adam(epsilon=-1e-7), "from 0 for epsilon, got -1e-07"),
        (lambda: optimizers.Adam(weight_decay=-0.1), "from 0 for weight_decay, got -0.1"),
        (lambda: optimizers.RMSprop(rho=2.0), "for rho, got 2.0"),
        (lambda: optimizers.RMSprop(momentum=2.0), "for momentum, got 2.0"),
        (lambda: optimizers.Adagrad(initial_accumulator_value=-1.0), "initial_accumulator_value, got -1.0"),
        (lambda: optimizers.Adamax(beta_1=1.0), "beta_1, got 1.0"),
        (
            lambda: optimizers.SGD(clipnorm=1.0, clipvalue=1.0),
            "one way of clipping, got clipnorm and clipvalue",
        ),
        (lambda: optimizers.SGD(global_clipnorm=0.0), "positive global_clipnorm, got 0.0"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop"])
def test_same_bits_however_the_numbers_lie_in_memory(nn, name):
    """A kernel that goes from one end of memory to the other must not take one number for another."""
    shape, ends = (3, 2, 2, 4), []
    start, gradients = RNG.normal(size=shape), RNG.normal(size=(6, *shape))
    for outputs_first, interrupted in itertools.product([False, True], [False, True]):
        w = nn.Variable(start.astype(np.float32), outputs_first=outputs_first)
        optimizer = getattr(optimizers, name)()
        for number, gradient in enumerate(gradients):
            if interrupted and number == 3:  # its slots come from a file
                state = [{key: nn.asarray(nn.to_numpy(x).copy("C")) for key, x in optimizer.slots[0].items()}]
                optimizer.slots = state
            optimizer.apply([nn.asarray(gradient.astype(np.float32))], [w])
        ends.append(nn.to_numpy(w))
    for end in ends[1:]:
        np.testing.assert_array_equal(end, ends[0])


@pytest.mark.parametrize("engine", ["eager", "step", "epoch"])
@pytest.mark.parametrize("name", ["Adam", "RMSprop", "Adagrad", "Nadam"])
def test_repeated_rows_are_added_before_they_are_squared(backend, name, engine):
    # Keras 3.15 on TensorFlow squares the gradient of each occurrence of an index, and adds the squares.
    if not hasattr(dn.optimizers, name):
        pytest.skip(f"no {name}")
    ids = np.array([[0, 0, 0, 1], [2, 2, 1, 0]] * 4)
    targets = np.random.default_rng(0).normal(size=(8, 4, 2)).astype("float32")
    rows = np.random.default_rng(1).normal(size=(4, 2)).astype("float32")
    tables = []
    for layer, x in (
        (dn.layers.Embedding(4, 2), ids),
        (dn.layers.Dense(2, use_bias=False), np.eye(4, dtype="float32")[ids]),
    ):
        model = dn.Sequential([layer]).on(backend)
        model(x[:1])
        model.set_weights([rows])
        model.compile(getattr(dn.optimizers, name)(0.1), "mse", engine=engine)
        model.fit(x, targets, epochs=3, batch_size=4, shuffle=False, verbose=0)
        tables.append(model.get_weights()[0])
    np.testing.assert_allclose(*tables, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(tables[0][3], rows[3])  # no sample has this row
