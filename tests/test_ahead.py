"""What the next epoch begins with is made in the background, and nobody notices but by the time."""

from __future__ import annotations

import os
import signal
import threading

import numpy as np
import pytest

import dualnn as dn
from dualnn.fast_paths import generic
from dualnn.place import Place
from dualnn.training.ahead import Ahead
from dualnn.training.interrupts import held_back
from dualnn.training.scalars import StepScalars


def trained(backend, callbacks=(), engine="epoch", **settings):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 4)).astype("float32"), rng.integers(0, 3, 50)
    layers = [dn.layers.Dense(8, activation="relu"), dn.layers.BatchNormalization(), dn.layers.Dense(3)]
    model = dn.Sequential(layers).on(backend)
    loss = dn.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(dn.optimizers.AdamW(0.01), loss, engine=engine)
    model.fit(x, y, batch_size=8, epochs=4, verbose=0, seed=3, callbacks=list(callbacks), **settings)
    return model


def same(one, other):
    assert one.history.history == other.history.history
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


class Watch(dn.callbacks.Callback):
    """Looks at the weights after each epoch."""

    def __init__(self):
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append([w.copy() for w in self.model.get_weights()])


def test_a_value_is_made_ahead_by_another_thread_and_only_once():
    threads = []

    def make(n):
        threads.append(threading.current_thread().name)
        return n * n

    with Ahead(make) as squares:
        assert squares.get(2) == 4
        squares.expect(3)
        squares.expect(3)
        assert squares.get(3) == 9
        assert threads == [threading.current_thread().name, "dualnn-ahead"]
        squares.expect(4)
        assert squares.get(5) == 25  # not what was expected
        squares.expect(6)
        assert squares.get(6) == 36
    assert not any(thread.name == "dualnn-ahead" for thread in threading.enumerate())


def test_an_error_is_raised_where_the_value_is_asked_for():
    with Ahead(lambda n: 1 // n) as inverse:
        inverse.expect(0)
        with pytest.raises(ZeroDivisionError):
            inverse.get(0)
        inverse.expect(1)
        assert inverse.get(1) == 1


def test_a_callback_sees_the_weights_after_each_epoch_and_changes_nothing(backend):
    watch = Watch()
    model = trained(backend, [watch])
    same(model, trained(backend))
    assert all(np.any(a[0] != b[0]) for a, b in zip(watch.seen, watch.seen[1:], strict=False))
    np.testing.assert_array_equal(watch.seen[-1][0], model.get_weights()[0])


def test_variables_in_a_loop_give_the_bits_of_their_values(backend):
    with generic("variable_in_loop"):
        by_values = trained(backend)
    same(trained(backend), by_values)


def test_slots_are_tensors_again_after_a_loop_has_carried_them(backend):
    class Freeze(dn.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.layers[0].trainable = epoch % 2 == 1  # its slots wait meanwhile

    model = trained(backend, [Freeze()])
    optimizer, nn = model.optimizer, model.nn
    slots = [*optimizer.slots, *optimizer.parked.values()]
    assert not any(nn.is_variable(slot) for state in slots for slot in state.values())
    with generic("variable_in_loop"):
        by_values = trained(backend, [Freeze()])
    same(model, by_values)
    for state, other in zip(optimizer.slots, by_values.optimizer.slots, strict=True):
        for name in state:
            np.testing.assert_array_equal(nn.to_numpy(state[name]), nn.to_numpy(other[name]))


def test_what_a_callback_changes_counts_in_the_next_epoch(backend):
    class Change(dn.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.set_weights([np.zeros_like(w) for w in self.model.get_weights()])
            self.model.optimizer.learning_rate = 0.0
            self.model.optimizer.weight_decay = 0.0

    model = trained(backend, [Change()])
    assert not np.any(model.get_weights()[0])


def test_a_frozen_layer_stays_and_the_others_keep_their_moments(backend):
    class Freeze(dn.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                self.model.layers[0].trainable = False
                self.kept = self.model.layers[0].get_weights()[0].copy()

    freeze = Freeze()
    model = trained(backend, [freeze])
    np.testing.assert_array_equal(model.layers[0].get_weights()[0], freeze.kept)
    assert len(model.optimizer.slots) == len(model.trainable_variables)


def test_the_order_follows_the_epochs_that_the_model_has_been_trained(backend):
    class Jump(dn.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.epochs_trained += 5  # an order that nobody has expected

    same(trained(backend, [Jump()], engine="epoch"), trained(backend, [Jump()], engine="epoch"))
    orders = trained(backend, [Jump()]).history.history["loss"], trained(backend).history.history["loss"]
    assert orders[0][0] == orders[1][0]
    assert orders[0][1] != orders[1][1]


@pytest.mark.parametrize("settings", [{}, {"gradient_accumulation_steps": 2}])
@pytest.mark.parametrize("rate", [0.01, dn.optimizers.schedules.CosineDecay(0.01, 20)])
@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "Adamax", "RMSprop"])
def test_the_scalars_of_many_steps_are_those_of_each(name, rate, settings):
    optimizer = getattr(dn.optimizers, name)(rate, **settings)
    many = optimizer.scalars_of_many(7, 100)
    assert [dict(zip(many, numbers, strict=True)) for numbers in zip(*many.values(), strict=True)] == [
        optimizer.scalars_of(step) for step in range(7, 107)
    ]


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
@pytest.mark.parametrize("setting", ["learning_rate", "weight_decay", "beta_2"])
def test_scalars_made_ahead_count_until_a_setting_changes(nn, name, setting):
    optimizer = getattr(dn.optimizers, name)(0.25, weight_decay=0.5)
    if not hasattr(optimizer, setting):
        pytest.skip(f"{name} has no {setting}")
    scalars = StepScalars(optimizer, Place.of(nn.name))

    def now(first, count):
        many = optimizer.scalars_of_many(first, count)
        return np.stack([many[name] for name in sorted(many)], axis=1).astype("float32")

    scalars.make_ahead(5, 10)
    assert scalars.of(5, 10) is scalars.of(5, 10)
    for first, count in [(5, 10), (6, 10), (5, 9)]:
        np.testing.assert_array_equal(nn.to_numpy(scalars.of(first, count)), now(first, count))
    setattr(optimizer, setting, 0.125)
    np.testing.assert_array_equal(nn.to_numpy(scalars.of(5, 10)), now(5, 10))


def test_a_schedule_is_asked_when_its_step_has_come_and_not_before(nn):
    asked = []

    def rate(step):
        asked.append(step)
        return 0.5**step

    scalars = StepScalars(dn.optimizers.SGD(rate), Place.of(nn.name))
    asked.clear()
    scalars.make_ahead(0, 2)
    assert not asked
    assert nn.to_numpy(scalars.of(0, 2)).tolist() == [[1.0], [0.5]]


@pytest.mark.parametrize("base", [dn.optimizers.SGD, dn.optimizers.Adam])
@pytest.mark.parametrize("method", ["scalars", "scalars_of", "scalars_of_many"])
def test_scalars_of_ones_own_are_not_made_ahead(base, method):
    def own(self, *steps):
        return getattr(base, method)(self, *steps)

    assert base(0.1).settings_of_scalars() is not None
    assert type("Own", (base,), {method: own})(0.1).settings_of_scalars() is None


def test_scalars_of_ones_own_count_for_many_steps():
    class Halved(dn.optimizers.Adam):
        def scalars(self, step):
            return {name: value / 2 for name, value in super().scalars(step).items()}

    assert Halved(0.1).scalars_of_many(3, 1) == {"alpha": [dn.optimizers.Adam(0.1).scalars(3)["alpha"] / 2]}


@pytest.mark.parametrize("deferred", [True, False])
def test_a_second_ctrl_c_within_a_deferred_block_waits_for_its_end(deferred):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    done = []

    def press_twice():
        with held_back() as interrupt, interrupt.deferred(deferred):
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)
                done.append(True)

    try:
        with pytest.raises(KeyboardInterrupt):
            press_twice()
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(done) == (2 if deferred else 1)
