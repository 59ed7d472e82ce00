"""The tape and the function transforms: the same semantics on every backend."""

from __future__ import annotations

import contextlib
import itertools
import math
import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import dualnn as dn
from tests.conftest import BACKENDS


def other(nn):
    """The backend that is not `nn`."""
    return dn.backend(next(name for name in BACKENDS if name != nn.name))


def equal(nn, x, expected):
    """Whether a tensor has exactly these values."""
    return np.array_equal(nn.to_numpy(x), np.asarray(expected))


def gradient_of(nn, fun, x):
    """The gradient of `fun` at `x` by a tape."""
    with nn.GradientTape() as tape:
        tape.watch(x)
        y = fun(x)
    return tape.gradient(y, x)


def transformed_gradient_of(nn, fun, x):
    """The gradient of `fun` at `x` by the transform."""
    return nn.grad(fun)(x)


WAYS = (gradient_of, transformed_gradient_of)


# ---------------------------------------------------------------- the tape: targets and sources


def test_scalar(nn):
    x = nn.asarray(3.0)
    with nn.GradientTape() as tape:
        tape.watch(x)
        y = x * x
    gradient = tape.gradient(y, x)
    assert equal(nn, gradient, 6.0)
    assert gradient.dtype == x.dtype


def test_target_that_is_no_scalar_is_summed(nn):
    x = nn.asarray([1.0, 2.0, 3.0])
    assert equal(nn, gradient_of(nn, lambda x: x * x, x), [2.0, 4.0, 6.0])


def test_gradients_of_several_targets_are_added(nn):
    x = nn.asarray([1.0, 2.0])
    with nn.GradientTape() as tape:
        tape.watch(x)
        targets = [x * x, {"sum": nn.sum(x)}]
    assert equal(nn, tape.gradient(targets, x), [3.0, 5.0])


def test_output_gradients_weight_the_targets(nn):
    x = nn.asarray([1.0, 2.0])
    with nn.GradientTape() as tape:
        tape.watch(x)
        targets = [x * x, 3.0 * x]
    weights = [nn.asarray([10.0, 100.0]), nn.asarray([1.0, 0.0])]
    assert equal(nn, tape.gradient(targets, x, output_gradients=weights), [23.0, 400.0])


def test_too_few_output_gradients(nn):
    x = nn.asarray(1.0)
    with nn.GradientTape() as tape:
        tape.watch(x)
        targets = [x * x, 3.0 * x]
    with pytest.raises(ValueError, match="for each of 2 targets, got 1"):
        tape.gradient(targets, x, output_gradients=[nn.asarray(1.0)])


def test_gradients_have_the_structure_of_the_sources(nn):
    a, b, c = nn.Variable(2.0), nn.asarray(3.0), nn.Variable([1.0, 1.0])
    with nn.GradientTape() as tape:
        tape.watch({"any": [b]})
        y = a * b + nn.sum(c * c)
    gradients = tape.gradient(y, {"a": a, "rest": [b, (c, None)]})
    assert equal(nn, gradients["a"], 3.0)
    assert equal(nn, gradients["rest"][0], 2.0)
    assert equal(nn, gradients["rest"][1][0], [2.0, 2.0])
    assert gradients["rest"][1][1] is None


def test_source_named_twice(nn):
    w = nn.Variable(3.0)
    with nn.GradientTape() as tape:
        y = w * w
    first, second = tape.gradient(y, [w, w])
    assert equal(nn, first, 6.0)
    assert equal(nn, second, 6.0)


def test_target_that_is_a_source(nn):
    x = nn.asarray([1.0, 2.0])
    with nn.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = 3.0 * x
    assert equal(nn, tape.gradient(x, x), [1.0, 1.0])
    assert equal(nn, tape.gradient(y, y), [1.0, 1.0])


def test_source_between_the_variable_and_the_target(nn):
    w = nn.Variable(3.0)
    with nn.GradientTape() as tape:
        y = w * w
        z = y * w
    of_y, of_w = tape.gradient(z, [y, w])
    assert equal(nn, of_y, 3.0)
    assert equal(nn, of_w, 27.0)


def test_only_trainable_variables_are_watched_by_themselves(nn):
    trainable, fixed, x = nn.Variable(2.0), nn.Variable(3.0, trainable=False), nn.asarray(5.0)
    with nn.GradientTape() as tape:
        y = trainable * fixed * x
    of_trainable, of_fixed, of_x = tape.gradient(y, [trainable, fixed, x])
    assert equal(nn, of_trainable, 15.0)
    assert of_fixed is None
    assert of_x is None


def test_variable_that_is_not_trainable_can_be_watched(nn):
    fixed = nn.Variable(3.0, trainable=False)
    assert equal(nn, gradient_of(nn, lambda x: x * x, fixed), 6.0)


def test_float64(nn):
    gradient = gradient_of(nn, lambda x: x**3, nn.asarray(2.0, dtype="float64"))
    assert nn.dtype_name(gradient.dtype) == "float64"
    assert equal(nn, gradient, 12.0)


def test_gradient_of_a_lookup_is_dense(nn):
    table = nn.Variable(nn.ones((4, 2)))
    with nn.GradientTape() as tape:
        y = 3.0 * nn.take(table, nn.asarray([1, 3, 1]), axis=0)
    gradient = tape.gradient(y, table)
    assert nn.is_tensor(gradient)
    assert equal(nn, gradient, [[0, 0], [6, 6], [0, 0], [3, 3]])


@pytest.mark.parametrize("name", ["relu", "abs"])
def test_python_control_flow_on_values(nn, name):
    by_hand = {"relu": lambda x: x if x > 0 else 0.0 * x, "abs": lambda x: x if x > 0 else -x}[name]
    for value in (-2.0, 2.0):
        x = nn.asarray(value)
        assert equal(nn, gradient_of(nn, by_hand, x), gradient_of(nn, getattr(nn, name), x))


# ---------------------------------------------------------------- the tape: unconnected sources


def test_unconnected(nn):
    w, x, used = nn.Variable([1.0, 2.0]), nn.asarray([[1.0]]), nn.Variable(1.0)
    for zeros, choice in ((False, "none"), (True, "zero")):
        with nn.GradientTape() as tape:
            y = used * used
        of_w, of_x, of_used = tape.gradient(y, (w, x, used), unconnected_gradients=choice)
        assert equal(nn, of_used, 2.0)
        if zeros:
            assert equal(nn, of_w, [0.0, 0.0])
            assert equal(nn, of_x, [[0.0]])
        else:
            assert of_w is None
            assert of_x is None


def test_unconnected_target(nn):
    w = nn.Variable([1.0, 2.0])
    with nn.GradientTape(persistent=True) as tape:
        constant = nn.asarray(3.0) * 2.0
        count = nn.argmax(w)
    assert tape.gradient(constant, w) is None
    assert tape.gradient(count, w) is None
    assert equal(nn, tape.gradient(constant, [w], unconnected_gradients="zero")[0], [0.0, 0.0])


def test_unknown_choice_for_unconnected(nn):
    w = nn.Variable(1.0)
    with nn.GradientTape() as tape:
        y = w * w
    with pytest.raises(ValueError, match=r"unconnected_gradients.*'zeros'"):
        tape.gradient(y, w, unconnected_gradients="zeros")


def test_stop_gradient(nn):
    x = nn.asarray(3.0)
    assert equal(nn, gradient_of(nn, lambda x: x * nn.stop_gradient(x), x), 3.0)


def test_stop_gradient_of_a_variable_keeps_its_value(nn):
    w = nn.Variable([1.0, 2.0])
    constant = nn.stop_gradient(w)
    nn.assign(w, nn.asarray([5.0, 6.0]))
    assert equal(nn, constant, [1.0, 2.0])


# ---------------------------------------------------------------- the tape: what it records


def test_what_came_before_the_tape_is_a_constant(nn):
    w = nn.Variable(3.0)
    before = w * w
    with nn.GradientTape() as tape:
        y = before * w
    of_w, of_before = tape.gradient(y, [w, before])
    assert equal(nn, of_w, 9.0)
    assert of_before is None


def test_what_came_before_the_tape_can_be_watched(nn):
    w = nn.Variable(3.0)
    before = w * w
    with nn.GradientTape() as tape:
        tape.watch(before)
        y = before * before * w
    of_w, of_before = tape.gradient(y, [w, before])
    assert equal(nn, of_w, 81.0)
    assert equal(nn, of_before, 54.0)


def test_a_variable_used_only_before_the_tape_is_unconnected(nn):
    w, v = nn.Variable(3.0), nn.Variable(2.0)
    before = w * w
    with nn.GradientTape() as tape:
        y = before * v
    assert tape.gradient(y, w) is None


def test_no_gradient_flows_into_what_came_before_the_tape_not_even_nan(nn):
    w = nn.Variable(0.0)
    before = 1.0 / w  # infinite, as is its derivative
    with nn.GradientTape() as tape:
        y = nn.where(before > 1.0, w * w, before)
    assert equal(nn, tape.gradient(y, w), 0.0)


def test_state_carried_from_tape_to_tape(nn):
    w = nn.Variable(0.5)
    state, states, gradients = nn.asarray(1.0), [1.0], []
    for _ in range(4):
        with nn.GradientTape() as tape:
            state = state * w + w * w
        gradients.append(float(tape.gradient(state, w)))
        states.append(float(nn.stop_gradient(state)))
    assert gradients == [state + 2 * 0.5 for state in states[:-1]]


def test_constants_from_before_the_tape_in_a_deep_graph(nn):
    # broadcasting, several consumers, an operation with two results, a reduction: all on the way
    w, b = nn.Variable(nn.asarray([[1.0, 2.0], [3.0, 4.0]])), nn.Variable(nn.asarray([0.5, -0.5]))

    def network(state):
        hidden = nn.tanh(state @ w + b)
        mixed = nn.concat([hidden, nn.sin(hidden) * b], axis=1)
        weights = nn.softmax(mixed, axis=-1)
        return nn.sum(weights[:, :2] * hidden) + nn.mean(nn.take(w, nn.asarray([1, 1, 0]), axis=0) ** 2)

    before = nn.tanh(nn.asarray([[0.3, -0.2]]) @ w * b)
    with nn.GradientTape() as tape:
        y = network(before)
    with nn.GradientTape() as reference:
        expected = network(nn.stop_gradient(before))
    for a, e in zip(tape.gradient(y, [w, b]), reference.gradient(expected, [w, b]), strict=True):
        np.testing.assert_allclose(nn.to_numpy(a), nn.to_numpy(e), rtol=1e-6)


def test_what_came_before_the_tape_is_a_constant_to_second_derivatives(nn):
    w = nn.Variable(3.0)
    before = w * w
    with nn.GradientTape() as outer:
        with nn.GradientTape() as inner:
            y = before * w**3
        first = inner.gradient(y, w)
    second = outer.gradient(first, w)
    assert equal(nn, first, 9.0 * 27.0)
    assert equal(nn, second, 9.0 * 18.0)


def test_what_came_before_the_inner_tape_is_a_constant_to_it_alone(nn):
    w = nn.Variable(2.0)
    with nn.GradientTape() as outer:
        square = w * w
        with nn.GradientTape() as inner:
            y = square * w
        first = inner.gradient(y, w)  # the square
    assert equal(nn, first, 4.0)
    assert equal(nn, outer.gradient(first, w), 4.0)


def test_what_came_after_the_tape_is_not_recorded(nn):
    w = nn.Variable(3.0)
    with nn.GradientTape(persistent=True) as tape:
        y = w * w
    after = y * w
    assert tape.gradient(after, w) is None
    assert equal(nn, tape.gradient(y, w), 6.0)


def test_watching_begins_with_watch(nn):
    x = nn.asarray(3.0)
    with nn.GradientTape() as tape:
        early = x * x
        tape.watch(x)
        y = early + 2.0 * x
    assert equal(nn, tape.gradient(y, x), 2.0)


def test_stop_recording(nn):
    w = nn.Variable(3.0)
    with nn.GradientTape(persistent=True) as tape:
        y = w * w
        with tape.stop_recording():
            constant = w * w
        z = y * constant
        z = z * w
    assert tape.gradient(constant, w) is None
    assert equal(nn, tape.gradient(z, w), 9.0 * 27.0)
    assert equal(nn, tape.gradient(z, y), 27.0)


def test_stop_recording_stops_one_tape_only(nn):
    w = nn.Variable(3.0)
    with nn.GradientTape() as outer, nn.GradientTape() as inner:
        with inner.stop_recording():
            square = w * w
        y = square * w
    assert equal(nn, inner.gradient(y, w), 9.0)
    assert equal(nn, outer.gradient(y, w), 27.0)


def test_tensor_stays_watched_after_stop_recording(nn):
    x = nn.asarray(3.0)
    with nn.GradientTape() as tape:
        tape.watch(x)
        with tape.stop_recording():
            constant = x * x
        y = constant * x
    assert equal(nn, tape.gradient(y, x), 9.0)


def test_reset(nn):
    w, x = nn.Variable(3.0), nn.asarray(2.0)
    with nn.GradientTape() as tape:
        tape.watch(x)
        y = w * w * x
        tape.reset()
        y = y + 5.0 * w + x
    of_w, of_x = tape.gradient(y, [w, x])
    assert equal(nn, of_w, 5.0)
    assert of_x is None


def test_tape_entered_again_goes_on(nn):
    w = nn.Variable(3.0)
    tape = nn.GradientTape()
    with tape:
        square = w * w
    between = w * w
    with tape:
        y = square * between * w
    assert equal(nn, tape.gradient(y, w), 9.0 * 27.0)


def test_tape_used_up_can_be_entered_anew(nn):
    w = nn.Variable(3.0)
    tape = nn.GradientTape()
    for _ in range(3):
        with tape:
            y = w * w
        assert equal(nn, tape.gradient(y, w), 6.0)


def test_tape_that_an_error_left_does_not_record(nn):
    w = nn.Variable(3.0)
    with contextlib.suppress(KeyError), nn.GradientTape() as broken:
        raise KeyError
    y = w * w
    assert broken.gradient(y, w) is None
    with nn.GradientTape() as tape:
        y = w * w
    assert equal(nn, tape.gradient(y, w), 6.0)


def test_watched_variables_are_those_that_the_target_used(nn):
    used, unused, fixed = nn.Variable(3.0), nn.Variable(3.0), nn.Variable(3.0, trainable=False)
    x = nn.asarray(1.0)
    with nn.GradientTape() as tape:
        tape.watch(x)
        y = used * used * fixed * x
    tape.gradient(y, used)
    watched = tape.watched_variables()
    assert len(watched) == 1
    assert watched[0] is used
    assert watched[0] is not unused


# ---------------------------------------------------------------- the tape: several gradients


def test_second_call_of_a_tape_that_is_not_persistent(nn):
    w = nn.Variable(3.0)
    with nn.GradientTape() as tape:
        y = w * w
    tape.gradient(y, w)
    with pytest.raises(RuntimeError, match="persistent"):
        tape.gradient(y, w)
    with pytest.raises(RuntimeError, match="persistent"):
        tape.jacobian(y, w)


def test_tape_never_entered(nn):
    w = nn.Variable(3.0)
    with pytest.raises(RuntimeError, match="persistent"):
        nn.GradientTape().gradient(w * w, w)


def test_persistent(nn):
    w = nn.Variable(3.0)
    with nn.GradientTape(persistent=True) as tape:
        y = w * w
        z = y * y
    assert equal(nn, tape.gradient(z, w), 108.0)
    assert equal(nn, tape.gradient(y, w), 6.0)
    assert equal(nn, tape.gradient(z, y), 18.0)
    assert equal(nn, tape.gradient(z, w), 108.0)


def test_gradient_inside_the_context_of_its_tape(nn):
    w = nn.Variable(3.0)
    with nn.GradientTape() as tape:
        y = w**3
        gradient = tape.gradient(y, w)
        after = gradient * w
    assert equal(nn, gradient, 27.0)
    assert equal(nn, after, 81.0)


def test_persistent_tape_records_its_own_gradients(nn):
    w = nn.Variable(3.0)
    with nn.GradientTape(persistent=True) as tape:
        y = w**3
        first = tape.gradient(y, w)
    assert equal(nn, first, 27.0)
    assert equal(nn, tape.gradient(first, w), 18.0)


def test_overlapping_tapes_can_each_be_asked(nn):
    x = nn.asarray(3.0)
    first, second = nn.GradientTape(), nn.GradientTape()
    with first:
        first.watch(x)
        with second:
            second.watch(x)
            y = x * x
    assert equal(nn, first.gradient(y, x), 6.0)
    assert equal(nn, second.gradient(y, x), 6.0)


def test_tapes_closed_in_another_order(nn):
    x, w = nn.asarray(3.0), nn.Variable(2.0)
    first, second = nn.GradientTape(), nn.GradientTape()
    first.__enter__()
    second.__enter__()
    second.watch(x)
    first.watch(x)
    early = x * w
    first.__exit__(None, None, None)
    late = early * x
    second.__exit__(None, None, None)
    of_x, of_w = second.gradient(late, [x, w])
    assert equal(nn, of_x, 12.0)
    assert equal(nn, of_w, 9.0)
    of_x, of_w = first.gradient(early, [x, w])
    assert equal(nn, of_x, 2.0)
    assert equal(nn, of_w, 3.0)
    assert first.watched_variables()[0] is w


def test_inner_tape_watched_first(nn):
    x = nn.asarray(3.0)
    with nn.GradientTape() as outer:
        with nn.GradientTape() as inner:
            inner.watch(x)
            outer.watch(x)
            y = x * x
        z = y * x
    assert equal(nn, inner.gradient(y, x), 6.0)
    assert equal(nn, outer.gradient(z, x), 27.0)


def test_tensor_that_only_the_outer_tape_watches(nn):
    x = nn.asarray(3.0)
    with nn.GradientTape() as outer:
        outer.watch(x)
        with nn.GradientTape() as inner:
            y = x * x
        assert inner.gradient(y, x) is None
    assert equal(nn, outer.gradient(y, x), 6.0)


# ---------------------------------------------------------------- higher derivatives


@pytest.mark.parametrize(("inner", "outer"), list(itertools.product(WAYS, repeat=2)))
def test_second_derivative(nn, inner, outer):
    x = nn.asarray([1.0, 2.0])
    second = outer(nn, lambda x: nn.sum(inner(nn, lambda x: nn.sum(x**4), x)), x)
    assert equal(nn, second, [12.0, 48.0])


@pytest.mark.parametrize("ways", list(itertools.product(WAYS, repeat=3)))
def test_third_derivative(nn, ways):
    def derivative(fun, way):
        return lambda x: way(nn, fun, x)

    fun = lambda x: x**4  # noqa: E731
    for way in ways:
        fun = derivative(fun, way)
    assert equal(nn, fun(nn.asarray(2.0)), 48.0)


def test_second_derivative_on_every_device(nn):
    for device in nn.devices():
        w = nn.Variable(nn.asarray([2.0, 3.0], device=device))
        before = w * w  # numbered by this thread, and so must be what the inner gradient records
        with nn.GradientTape() as outer:
            with nn.GradientTape() as inner:
                y = w**3
            first = inner.gradient(y, w)
            z = nn.sum(first * first * before)
        assert equal(nn, outer.gradient(z, w), [36 * 8 * 4, 36 * 27 * 9])  # of 9 w^4, times a constant


def test_gradient_penalty(nn):
    rng = np.random.default_rng(0)
    x, w = (nn.asarray(rng.normal(size=shape)) for shape in ((5, 3), (3,)))
    w = nn.Variable(w)
    with nn.GradientTape() as outer:
        with nn.GradientTape() as inner:
            inner.watch(x)
            f = nn.sum(nn.tanh(nn.matmul(x, w)))
        penalty = nn.sum(inner.gradient(f, x) ** 2)
    gradient = nn.to_numpy(outer.gradient(penalty, w))
    # t = tanh(x w), s = 1 - t^2; df/dx_i = s_i w, so the penalty is sum(s^2) |w|^2; ds/dw = -2 t s x
    a, v = nn.to_numpy(x), nn.to_numpy(w)
    t = np.tanh(a @ v)
    s = 1 - t**2
    expected = 2 * np.sum(s**2) * v + np.sum(v**2) * np.sum((2 * s * -2 * t * s)[:, None] * a, axis=0)
    np.testing.assert_allclose(gradient, expected, rtol=1e-12)


def test_outer_tape_differentiates_by_what_the_transform_closes_over(nn):
    w, x = nn.Variable(3.0), nn.asarray(2.0)
    with nn.GradientTape() as tape:
        value, gradient = nn.value_and_grad(lambda x: w * x**2)(x)  # w x^2 and 2 w x
        y = value * gradient  # 2 w^2 x^3
    assert equal(nn, tape.gradient(y, w), 96.0)


def test_outer_tape_differentiates_by_what_the_transform_is_given(nn):
    w = nn.Variable(3.0)
    with nn.GradientTape() as tape:
        value, gradient = nn.value_and_grad(lambda w: w**3)(w)  # w^3 and 3 w^2
        y = value * gradient  # 3 w^5
    assert equal(nn, tape.gradient(y, w), 15.0 * 81.0)


def test_transform_is_a_constant_to_a_tape_that_does_not_record(nn):
    w = nn.Variable(3.0)
    with nn.GradientTape() as tape:
        with tape.stop_recording():
            gradient = nn.grad(lambda w: w**3)(w)
        y = gradient * w
    assert equal(nn, tape.gradient(y, w), 27.0)


def test_tape_inside_a_transform_by_the_variable_itself(nn):
    # the tape sees the variable, the transform only the argument
    w = nn.Variable(3.0)

    def fun(x):
        with nn.GradientTape() as tape:
            y = w**2 * x
        return tape.gradient(y, w)  # 2 w x

    assert equal(nn, nn.grad(fun)(5.0), 6.0)


# ---------------------------------------------------------------- Jacobians


@pytest.mark.parametrize("rows", [3, 10_000])  # TensorFlow has a way for few and one for many
def test_derivatives_of_a_selection(nn, rows):
    rng = np.random.default_rng(0)
    x, indices = rng.normal(size=(rows, 4)), rng.integers(0, 4, (rows, 2))

    def slope(x):
        return nn.sum(nn.grad(lambda x: nn.sum(nn.take_along_axis(x, nn.asarray(indices)) ** 3))(x) ** 2)

    counts = np.sum(indices[:, :, None] == np.arange(4), 1)
    tensor = nn.asarray(x)
    gradient = gradient_of(nn, lambda x: nn.take_along_axis(x, nn.asarray(indices)), tensor)
    assert equal(nn, gradient, counts)
    # the sum over k of (n 3 x**2)**2 has the derivative 36 n**2 x**3, in less than 16 roundings
    np.testing.assert_allclose(nn.to_numpy(nn.grad(slope)(tensor)), 36 * counts**2 * x**3, rtol=16 * 2.3e-16)


def test_jacobian_of_a_matrix_product(nn):
    a, x = np.arange(6.0).reshape(2, 3), nn.asarray([1.0, 2.0, 3.0])
    with nn.GradientTape() as tape:
        tape.watch(x)
        y = nn.matmul(nn.asarray(a, dtype="float32"), x)
    assert equal(nn, tape.jacobian(y, x), a)


def test_jacobian_of_softmax(nn):
    x = nn.asarray(np.random.default_rng(0).normal(size=4))
    with nn.GradientTape() as tape:
        tape.watch(x)
        y = nn.softmax(x)
    p = nn.to_numpy(y)
    np.testing.assert_allclose(nn.to_numpy(tape.jacobian(y, x)), np.diag(p) - np.outer(p, p), atol=1e-15)


def test_jacobian_has_the_shapes_of_target_and_source(nn):
    w, b, v = nn.Variable(nn.ones((3, 2))), nn.Variable(nn.ones(2)), nn.Variable(1.0)
    x = nn.asarray(np.arange(12.0).reshape(4, 3), dtype="float32")
    with nn.GradientTape(persistent=True) as tape:
        y = x @ w + b
        total = nn.sum(y)
    jacobians = tape.jacobian(y, {"w": w, "b": b, "v": v})
    assert nn.shape(jacobians["w"]) == (4, 2, 3, 2)
    assert equal(nn, jacobians["w"], np.einsum("ik,jl->ijkl", nn.to_numpy(x), np.eye(2)))
    assert equal(nn, jacobians["b"], np.broadcast_to(np.eye(2), (4, 2, 2)))
    assert jacobians["v"] is None
    zeros = tape.jacobian(y, [v, w], unconnected_gradients="zero")[0]
    assert equal(nn, zeros, np.zeros((4, 2)))
    assert equal(nn, tape.jacobian(total, b), [4.0, 4.0])


def test_hessian(nn):
    x = nn.asarray([1.0, 2.0, 3.0])
    with nn.GradientTape() as outer:
        outer.watch(x)
        with nn.GradientTape() as inner:
            inner.watch(x)
            y = nn.sum(x) ** 3
        first = inner.gradient(y, x)
    assert equal(nn, outer.jacobian(first, x), np.full((3, 3), 36.0))


def test_jacobian_inside_another_tape(nn):
    x = nn.asarray([1.0, 2.0])
    with nn.GradientTape() as outer:
        outer.watch(x)
        with nn.GradientTape() as inner:
            inner.watch(x)
            y = x**3
        jacobian = inner.jacobian(y, x)
        z = nn.sum(jacobian * jacobian)  # 9 x^4
    assert equal(nn, outer.gradient(z, x), [36.0, 288.0])


def test_jacobian_of_an_empty_target(nn):
    x = nn.ones((2, 3))
    with nn.GradientTape() as tape:
        tape.watch(x)
        y = x[:0] * 2.0
    assert nn.shape(tape.jacobian(y, x)) == (0, 3, 2, 3)


def test_jacobian_with_constants_from_before_the_tape(nn):
    w = nn.Variable([1.0, 2.0])
    before = w * w
    with nn.GradientTape() as tape:
        y = before * w
    assert equal(nn, tape.jacobian(y, w), [[1.0, 0.0], [0.0, 4.0]])


# ---------------------------------------------------------------- threads


def test_threads_record_each_for_itself(nn):
    w, results = nn.Variable(3.0), {}

    def work(number):
        before = w * w
        for _ in range(20):
            with nn.GradientTape() as outer:
                with nn.GradientTape() as inner:
                    y = before * w**number
                first = inner.gradient(y, w)
            second = outer.gradient(first, w)
        results[number] = float(nn.to_numpy(first)), float(nn.to_numpy(second))

    with nn.GradientTape() as tape:  # which records this thread only
        threads = [threading.Thread(target=work, args=(number,)) for number in range(2, 6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        y = w * w
    assert equal(nn, tape.gradient(y, w), 6.0)
    assert results == {n: (9.0 * n * 3.0 ** (n - 1), 9.0 * n * (n - 1) * 3.0 ** (n - 2)) for n in range(2, 6)}


# ---------------------------------------------------------------- the tape: errors


@pytest.mark.parametrize("dtype", ["int32", "int64", "bool"])
def test_integers_cannot_be_watched(nn, dtype):
    with nn.GradientTape() as tape, pytest.raises(TypeError, match=f"real or complex numbers, got {dtype}"):
        tape.watch(nn.zeros(3, dtype=dtype))


def test_tensors_of_the_other_framework(nn):
    foreign, w = other(nn).asarray(3.0), nn.Variable(3.0)
    expected = {"torch": "expected torch tensors", "tensorflow": "expected TensorFlow tensors"}[nn.name]
    with nn.GradientTape(persistent=True) as tape:
        with pytest.raises(TypeError, match=expected):
            tape.watch(foreign)
        y = w * w
    with pytest.raises(TypeError, match=expected):
        tape.gradient(y, [w, foreign])
    with pytest.raises(TypeError, match=expected):
        tape.gradient(foreign, w)
    with pytest.raises(TypeError, match=expected):
        tape.jacobian(foreign, w)
    with pytest.raises(TypeError, match=expected):
        nn.grad(lambda x: x)(foreign)


@pytest.mark.parametrize("target", [None, 3.0, np.ones(2), [None]])
def test_target_that_is_no_tensor(nn, target):
    with nn.GradientTape() as tape:
        pass
    with pytest.raises(TypeError, match="tensors, got"):
        tape.gradient(target, nn.Variable(1.0))


def test_watch_and_stop_and_reset_need_a_recording_tape(nn):
    tape = nn.GradientTape()
    with pytest.raises(RuntimeError, match="not recording"):
        tape.watch(nn.asarray(1.0))
    with pytest.raises(RuntimeError, match="not recording"), tape.stop_recording():
        pass
    with pytest.raises(RuntimeError, match="not recording"):
        tape.reset()


def test_tape_entered_twice(nn):
    tape = nn.GradientTape()
    with tape, pytest.raises(ValueError, match="still recording"), tape:
        pass


# ---------------------------------------------------------------- the transforms


def test_value_and_grad_of_a_tree(nn):
    def loss(params, x):
        return nn.sum((nn.matmul(x, params["w"]) + params["b"][0]) ** 2)

    params = {"w": nn.Variable([1.0, 2.0]), "b": (np.float32(0.5), None), "unused": nn.ones(3)}
    value, gradient = nn.value_and_grad(loss)(params, nn.asarray([[1.0, 1.0], [0.0, 1.0]]))
    assert equal(nn, value, 3.5**2 + 2.5**2)
    assert equal(nn, gradient["w"], [7.0, 12.0])
    assert equal(nn, gradient["b"][0], 12.0)
    assert gradient["b"][1] is None
    assert equal(nn, gradient["unused"], [0.0, 0.0, 0.0])


@pytest.mark.parametrize("convert", [float, np.float64, np.asarray])
def test_transform_takes_numbers_and_numpy_arrays(nn, convert):
    gradient = nn.grad(lambda x: x**3)(convert(2.0))
    assert equal(nn, gradient, 12.0)
    expected = "float32" if convert is float else "float64"
    assert nn.dtype_name(gradient.dtype) == expected


def test_argnums(nn):
    def fun(x, y, *, scale):
        return scale * x**2 * y

    assert equal(nn, nn.grad(fun, argnums=1)(2.0, 3.0, scale=10.0), 40.0)
    assert equal(nn, nn.grad(fun, argnums=-1)(2.0, 3.0, scale=10.0), 40.0)
    value, gradients = nn.value_and_grad(fun, argnums=(1, 0))(2.0, 3.0, scale=1.0)
    assert equal(nn, value, 12.0)
    assert isinstance(gradients, tuple)
    assert [float(gradient) for gradient in gradients] == [4.0, 12.0]


def test_has_aux(nn):
    def fun(x):
        return x**2, {"twice": 2.0 * x, "name": "aux"}

    (value, aux), gradient = nn.value_and_grad(fun, has_aux=True)(3.0)
    assert (float(value), float(aux["twice"]), aux["name"], float(gradient)) == (9.0, 6.0, "aux", 6.0)
    gradient, aux = nn.grad(fun, has_aux=True)(3.0)
    assert (float(aux["twice"]), float(gradient)) == (6.0, 6.0)


def test_the_same_tensor_from_outside_is_a_constant(nn):
    for x in (nn.asarray(3.0), nn.Variable(3.0)):
        assert equal(nn, nn.grad(lambda y, x=x: x * y)(x), 3.0)


def test_inner_transform_is_constant_in_what_the_outer_one_passes(nn):
    # d/dx (x * d/dy (x y^2)) at y = x: the inner derivative is 2 x y, so the whole is 2 x^3
    outer = nn.grad(lambda x: x * nn.grad(lambda y: x * y**2)(x))
    assert equal(nn, outer(nn.asarray(3.0)), 54.0)


def test_function_that_ignores_its_argument(nn):
    w = nn.Variable(2.0)
    assert equal(nn, nn.grad(lambda x: nn.asarray(1.0))([nn.ones(2)])[0], [0.0, 0.0])
    assert equal(nn, nn.grad(lambda x: w * w)(nn.ones(2)), [0.0, 0.0])
    assert nn.grad(lambda x: w * w)({}) == {}


def test_transform_keeps_name_and_docstring(nn):
    def fun(x):
        """Squares."""
        return x * x

    assert nn.grad(fun).__name__ == "fun"
    assert nn.value_and_grad(fun).__doc__ == "Squares."


def test_errors_of_the_function_come_out_and_leave_nothing_behind(nn):
    def broken(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        nn.grad(broken)(1.0)
    with pytest.raises(KeyError, match="mine"):
        nn.grad(lambda x: nn.grad(broken)(x))(1.0)
    gradient = nn.grad(lambda x: x * x)(3.0)
    assert equal(nn, gradient, 6.0)
    assert not getattr(gradient, "requires_grad", False)


@pytest.mark.parametrize("argument", [1, True, np.arange(3), "text"])
def test_arguments_that_cannot_be_differentiated_by(nn, argument):
    with pytest.raises(TypeError, match=r"expected .*tensors"):
        nn.grad(lambda x: x * x)(argument)


def test_function_that_returns_no_scalar(nn):
    with pytest.raises(ValueError, match=r"expected a function that returns a scalar, got shape \(2, 1\)"):
        nn.grad(lambda x: x * x)(nn.ones((2, 1)))
    with pytest.raises(TypeError, match="tensor of real numbers, got float"):
        nn.grad(lambda x: 1.0)(1.0)
    with pytest.raises(TypeError, match="tensor of real numbers, got tuple"):
        nn.grad(lambda x: (x, x))(1.0)
    with pytest.raises(TypeError, match="tensor of real numbers, got int64"):
        nn.grad(lambda x: nn.argmax(x))(nn.ones(3))
    with pytest.raises(TypeError, match=r"returns \(value, aux\)"):
        nn.grad(lambda x: x, has_aux=True)(1.0)


def test_too_few_arguments(nn):
    with pytest.raises(ValueError, match="argnums=2"):
        nn.grad(lambda *args: args[0], argnums=2)(1.0, 2.0)


# ---------------------------------------------------------------- what one framework only can do


def test_torch_records_under_no_grad():
    torch = pytest.importorskip("torch")
    nn = dn.backend("torch")
    w = nn.Variable(3.0)
    with torch.no_grad():
        with nn.GradientTape() as tape:
            y = w * w
        assert not torch.is_grad_enabled()
        assert equal(nn, tape.gradient(y, w), 6.0)
        assert equal(nn, nn.grad(lambda x: x * x)(3.0), 6.0)
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()


def test_torch_tensors_are_left_as_they_were():
    nn = dn.backend("torch")
    x, w = nn.asarray(3.0), nn.Variable(3.0)
    with nn.GradientTape() as outer:
        outer.watch(x)
        with nn.GradientTape() as inner:
            inner.watch([x, w])
            y = x * w
        assert x.requires_grad
    assert not x.requires_grad
    assert w.requires_grad
    for tape in (inner, outer):
        assert not tape.gradient(y, x).requires_grad
    assert x.grad is None
    assert w.grad is None


def test_torch_gradients_carry_no_graph_outside_of_tapes():
    nn = dn.backend("torch")
    w, v = nn.Variable(3.0), nn.Variable(2.0)
    with nn.GradientTape(persistent=True) as tape:
        y = w * v
    assert not tape.gradient(y, w).requires_grad
    assert not tape.gradient(y, w, output_gradients=v).requires_grad
    (value, aux), gradient = nn.value_and_grad(lambda x: (x * v, [x * v]), has_aux=True)(3.0)
    assert not any(tensor.requires_grad for tensor in (value, aux[0], gradient))
    with nn.GradientTape() as tape, tape.stop_recording():
        assert not (w * w).requires_grad


def test_torch_says_what_to_do_about_variables_assigned_too_early():
    nn = dn.backend("torch")
    w = nn.Variable(3.0)
    for before in (nn.asarray(1.0), w * 1.0):  # within the graph of the tape, and reaching beyond it
        with nn.GradientTape() as tape:
            y = w * w * before
        nn.assign(w, 5.0)
        with pytest.raises(RuntimeError, match="take all gradients before assigning"):
            tape.gradient(y, w)


def test_torch_knows_watched_variables_only_after_the_gradient():
    nn = dn.backend("torch")
    with nn.GradientTape() as tape:
        pass
    with pytest.raises(RuntimeError, match="call it first"):
        tape.watched_variables()


def test_torch_functions_of_the_users_own_before_and_in_the_tape():
    torch = pytest.importorskip("torch")

    class Split(torch.autograd.Function):
        """2 x y and 3 x; the derivative with respect to the factor is left out."""

        @staticmethod
        def forward(ctx, x, factor, constant, y):
            ctx.save_for_backward(x, y)
            return 2 * x * y, 3 * x

        @staticmethod
        def backward(ctx, first, second):
            x, y = ctx.saved_tensors
            return 2 * y * first + 3 * second, None, None, 2 * x * first

    nn = dn.backend("torch")
    w = nn.Variable([3.0, 4.0])
    constant = nn.ones(2)
    before = Split.apply(w, 1.0, constant, w)[0]
    with nn.GradientTape(persistent=True) as tape:
        first, second = Split.apply(w * before, 1.0, constant, w)
        both = first + second
    # 2 (w b) w and 3 (w b), with b a constant
    w_, b = nn.to_numpy(w), nn.to_numpy(before)
    assert equal(nn, tape.gradient(first, w), 4 * w_ * b)
    assert equal(nn, tape.gradient(both, w), 4 * w_ * b + 3 * b)


@pytest.mark.parametrize("tracer", ["make_fx", "dynamo"])
def test_torch_traces_the_transforms(tracer):
    torch = pytest.importorskip("torch")
    nn = dn.backend("torch")
    x = nn.asarray(np.random.default_rng(0).normal(size=(8, 4)))

    def loss(w):
        return nn.mean(nn.tanh(nn.matmul(x, w["kernel"]) + w["bias"]) ** 2)

    def penalty(w):
        return nn.sum(nn.grad(loss)(w)["kernel"] ** 2)

    w = {"kernel": nn.ones((4, 3), dtype="float64"), "bias": nn.zeros(3, dtype="float64")}
    for fun in (nn.value_and_grad(loss), nn.value_and_grad(penalty)):
        value, gradient = fun(w)
        with torch._dynamo.config.patch(trace_autograd_ops=True):
            if tracer == "dynamo":
                traced = torch.compile(fun, fullgraph=True, backend="eager")
            else:
                traced = torch.fx.experimental.proxy_tensor.make_fx(fun)(w)
            traced_value, traced_gradient = traced(w)
        np.testing.assert_allclose(traced_value, value, rtol=1e-12)
        for name in w:
            np.testing.assert_allclose(traced_gradient[name], gradient[name], rtol=1e-12, atol=1e-15)


def test_tensorflow_graphs():
    tf = pytest.importorskip("tensorflow")
    nn = dn.backend("tensorflow")
    w = nn.Variable([1.0, 2.0])

    @tf.function(autograph=False)
    def step(x):
        with nn.GradientTape() as tape:
            y = nn.sum(nn.take(w, nn.asarray([1, 1])) * x)
        value, gradient = nn.value_and_grad(lambda x: nn.grad(lambda y: x * y**2)(2.0 * x))(nn.sum(x))
        return tape.gradient(y, w), value, gradient

    by_w, value, gradient = step(nn.asarray([3.0, 4.0]))
    assert equal(nn, by_w, [0.0, 7.0])
    assert equal(nn, value, 4.0 * 49.0)  # 2 x y at y = 2 x
    assert equal(nn, gradient, 8.0 * 7.0)


# ---------------------------------------------------------------- any expression of differentiable functions
#
# A program is a nested tuple, run on a namespace: a backend, or `Bounded`, which runs it in NumPy and bounds
# the rounding errors. Values and derivatives stay near one in size, so that bounds are tight.

UNARY, BINARY = ("sin", "tanh", "exp", "while"), ("add", "mul", "matmul", "where", "if", "for")


def programs():
    leaves = st.sampled_from(["x", "y"])
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(st.sampled_from(UNARY), inner), st.tuples(st.sampled_from(BINARY), inner, inner)
        ),
        max_leaves=8,
    )


def run(program, ns, inputs, branches):
    """The value of a program, a 3 by 3 matrix; the way it took through its branches is appended to a list."""
    if isinstance(program, str):
        return inputs[program]
    name, a, *rest = program[0], *(run(part, ns, inputs, branches) for part in program[1:])

    def taken(condition):
        branches.append(bool(condition))
        return branches[-1]

    if name == "while":
        while taken(ns.sum(a * a) > 1.0):
            a = a * 0.5
        return a
    if name == "exp":
        return ns.exp(a - 1.0) if taken(ns.max(a) < 2.0) else ns.exp(ns.tanh(a))
    if not rest:
        return getattr(ns, name)(a)
    [b] = rest
    if name == "add":
        return a * 0.5 + b
    if name == "mul":
        return a * b
    if name == "matmul":
        return ns.matmul(a, b) * 0.3
    if name == "where":
        branches.append(ns.to_numpy(a > b).tolist())
        return ns.where(a > b, a, b * 0.5)
    if name == "if":
        return b if taken(ns.sum(a) > 0.0) else ns.sin(a) * b
    for _ in range(3):
        a = ns.sin(a) * 0.5 + b * 0.25
    return a


class Bounded:
    """A NumPy array and a bound on its rounding error, as first-order error analysis gives it."""

    EPSILON = np.finfo(np.float64).eps

    def __init__(self, value, error=0.0):
        self.value = value
        self.error = error + self.EPSILON * np.abs(value)  # of the last operation, or of the input

    def __add__(self, b):
        return Bounded(self.value + b.value, self.error + b.error)

    def __sub__(self, number):
        return Bounded(self.value - number, self.error)

    def __mul__(self, b):
        if isinstance(b, float):
            return Bounded(self.value * b, self.error * abs(b))
        return Bounded(self.value * b.value, abs(self.value) * b.error + self.error * abs(b.value))

    def __gt__(self, b):
        return self.value > (b.value if isinstance(b, Bounded) else b)

    def __lt__(self, number):
        return self.value < number

    # Libraries compute these three to within 4 units in the last place.
    @staticmethod
    def sin(a):
        return Bounded(np.sin(a.value), a.error + 4 * Bounded.EPSILON)

    @staticmethod
    def tanh(a):
        return Bounded(np.tanh(a.value), a.error + 4 * Bounded.EPSILON)

    @staticmethod
    def exp(a):
        value = np.exp(a.value)
        return Bounded(value, value * (a.error + 4 * Bounded.EPSILON))

    @staticmethod
    def matmul(a, b):
        absolute = abs(a.value) @ abs(b.value)
        error = abs(a.value) @ b.error + a.error @ abs(b.value) + 3 * Bounded.EPSILON * absolute
        return Bounded(a.value @ b.value, error)

    @staticmethod
    def where(condition, a, b):
        return Bounded(np.where(condition, a.value, b.value), np.where(condition, a.error, b.error))

    @staticmethod
    def sum(a):
        return Bounded(np.sum(a.value), np.sum(a.error) + 9 * Bounded.EPSILON * np.sum(abs(a.value)))

    @staticmethod
    def max(a):
        return Bounded(np.max(a.value), np.max(a.error))

    @staticmethod
    def to_numpy(a):
        return a


def draw_inputs(seed):
    rng = np.random.default_rng(seed)
    return {name: rng.uniform(-1, 1, (3, 3)) for name in "xy"}, rng.uniform(-1, 1, (2, 3, 3))


def scalar_of(nn, program, branches=None):
    def fun(inputs):
        return nn.sum(run(program, nn, inputs, [] if branches is None else branches))

    return fun


def by_tape(nn, fun, inputs):
    with nn.GradientTape() as tape:
        tape.watch(inputs)
        y = fun(inputs)
    return tape.gradient(y, inputs, unconnected_gradients="zero")


def by_transform(nn, fun, inputs):
    return nn.grad(fun)(inputs)


def along(inputs, directions, step):
    return {name: value + step * d for (name, value), d in zip(inputs.items(), directions, strict=True)}


def tensors(nn, arrays):
    return {name: nn.asarray(array) for name, array in arrays.items()}


def dot(nn, gradients, directions):
    return sum(float(np.sum(nn.to_numpy(g) * d)) for g, d in zip(gradients.values(), directions, strict=True))


QUIET = settings(deadline=None, suppress_health_check=list(HealthCheck))


@QUIET
@given(program=programs(), seed=st.integers(0, 2**32 - 1))
def test_gradient_of_any_expression_is_the_limit_of_differences(backend, program, seed):
    nn = dn.backend(backend)
    inputs, directions = draw_inputs(seed)
    step = 2.0**-14
    here = []
    gradient = by_tape(nn, scalar_of(nn, program, here), tensors(nn, inputs))
    rounding = 0.0

    def difference(step):
        nonlocal rounding
        values = []
        for side in (step, -step):
            way = []
            point = along(inputs, directions, side)
            values.append(float(scalar_of(nn, program, way)(tensors(nn, point))))
            assume(way == here)  # else the function has a jump or a kink between
            bounded = {name: Bounded(value) for name, value in point.items()}
            rounding = max(rounding, float(Bounded.sum(run(program, Bounded, bounded, [])).error) / step)
        return (values[0] - values[1]) / (2 * step)

    # The error of a central difference is c step^2 + O(step^4), so that of the finer one is a third of
    # what distinguishes the two; we allow three times that, and the rounding errors of both.
    coarse, fine = difference(step), difference(step / 2)
    assert abs(dot(nn, gradient, directions) - fine) <= abs(coarse - fine) + 3 * rounding


@QUIET
@given(program=programs(), seed=st.integers(0, 2**32 - 1))
def test_tape_and_transform_agree_to_every_order_and_bit(backend, program, seed):
    nn = dn.backend(backend)
    inputs, directions = draw_inputs(seed)
    fun, inputs = scalar_of(nn, program), tensors(nn, inputs)
    weights = [nn.asarray(direction) for direction in directions]

    def slope(way):
        return lambda inputs: sum(
            nn.sum(g * w) for g, w in zip(way(nn, fun, inputs).values(), weights, strict=True)
        )

    ways = (by_tape, by_transform)
    firsts = [way(nn, fun, inputs) for way in ways]
    seconds = [outer(nn, slope(inner), inputs) for outer, inner in itertools.product(ways, repeat=2)]
    for gradients in (firsts, seconds):
        for gradient in gradients[1:]:
            for name in inputs:
                assert equal(nn, gradient[name], nn.to_numpy(gradients[0][name]))


@QUIET
@given(program=programs(), seed=st.integers(0, 2**32 - 1))
def test_second_derivative_of_any_expression_is_the_limit_of_differences(backend, program, seed):
    nn = dn.backend(backend)
    inputs, directions = draw_inputs(seed)
    step, here = 2.0**-14, []

    def slope(inputs, way):
        gradients = by_transform(nn, scalar_of(nn, program, way), inputs).values()
        return sum(nn.sum(g * nn.asarray(d)) for g, d in zip(gradients, directions, strict=True))

    curvature = dot(nn, by_tape(nn, lambda inputs: slope(inputs, here), tensors(nn, inputs)), directions)
    sizes = []

    def difference(step):
        values = []
        for side in (step, -step):
            way = []
            values.append(float(slope(tensors(nn, along(inputs, directions, side)), way)))
            assume(way == here)
        sizes.extend(map(abs, values))
        return (values[0] - values[1]) / (2 * step)

    coarse, fine = difference(step), difference(step / 2)
    rounding = 1000 * Bounded.EPSILON * max(1.0, *sizes) / step
    assert abs(curvature - fine) <= abs(coarse - fine) + rounding


@QUIET
@given(program=programs(), seed=st.integers(0, 2**32 - 1))
def test_backends_agree_on_the_gradient_of_any_expression(program, seed):
    inputs, _ = draw_inputs(seed)
    results, ways = [], []
    for name in BACKENDS:
        nn, way = dn.backend(name), []
        gradient = by_transform(nn, scalar_of(nn, program, way), tensors(nn, inputs))
        results.append(np.stack([nn.to_numpy(gradient[name]) for name in "xy"]))
        ways.append(way)
    assume(ways[0] == ways[1])  # a comparison of two roundings of the same number may go either way
    # 3 units is the largest difference that 1,500 programs showed
    unit = math.ulp(max(1.0, float(np.max(np.abs(results[0])))))
    assert np.max(np.abs(results[0] - results[1])) <= 16 * unit
