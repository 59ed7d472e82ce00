"""Training: the weights after each step, against forward and backward passes written by hand.

There are three networks: ``softmax(x @ W2 + b2)``; the same of ``tanh(x @ W1 + b1)``; and one with a
normalization before the tanh and dropout after it. The formulas are those of Goodfellow, Bengio and
Courville, Deep Learning, section 6.5, and of Ioffe and Szegedy (2015). The weights that they start with and
the data are exact in float32. `cases.engines` trains these and others by each engine.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

import dualnn as dn
from dualnn.conformance.case import Array, Case, ExactCase, TrajectoryCase
from dualnn.conformance.cases import random as words
from dualnn.conformance.measure import WIDE
from dualnn.protocol import Backend

Disturb: TypeAlias = Callable[[Array], Array]
Weights: TypeAlias = dict[str, Array]

SEED = 11
SAMPLES, BATCH, FEATURES, HIDDEN, CLASSES = 80, 16, 4, 6, 3
BATCHES = SAMPLES // BATCH
RATE_OF_DROPOUT, MOMENTUM, EPSILON = 0.25, 0.9, 1e-3

_generator = np.random.default_rng(0)
X = _generator.normal(size=(SAMPLES, FEATURES)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64) + (X[:, 1] * X[:, 2] > 0.3)


@dataclass(frozen=True)
class Network:
    """What is trained, and how."""

    hidden: bool = True
    normalized: bool = False
    checkpointed: bool = False
    optimizer: str = "SGD"

    @property
    def x(self) -> Array:
        """The samples."""
        return X

    def layers(self) -> list[Any]:
        """Return the layers."""
        last = dn.layers.Dense(CLASSES)
        if not self.hidden:
            return [last]
        # A bias before the normalization would change nothing: its gradient is nothing but rounding errors.
        first = dn.layers.Dense(HIDDEN, use_bias=not self.normalized)
        tanh = dn.layers.Activation("tanh")
        if not self.normalized:
            return [first, tanh, last]
        normalization = dn.layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON)
        block = [first, normalization, tanh, dn.layers.Dropout(RATE_OF_DROPOUT)]
        return [dn.layers.Checkpoint(dn.Sequential(block)), last] if self.checkpointed else [*block, last]

    def start(self) -> Weights:
        """Return the weights before the first step, by name, in the order of the model's."""
        shapes = {"W1": (FEATURES, HIDDEN), "b1": (HIDDEN,), "W2": (HIDDEN, CLASSES), "b2": (CLASSES,)}
        if not self.hidden:
            shapes = {"W2": (FEATURES, CLASSES), "b2": (CLASSES,)}
        g = np.random.default_rng(1)
        start = {name: (g.normal(size=shape) / 2).astype(np.float32) for name, shape in shapes.items()}
        if self.normalized:
            gamma, other = np.full(HIDDEN, 1.5, np.float32), start.pop("b1")
            statistics = {"mean": np.zeros_like(other), "variance": np.ones_like(other)}
            first = {"W1": start.pop("W1"), "gamma": gamma, "beta": other, **statistics}
            start = {**first, **start}
        return start

    def make(self) -> Any:
        """Return the optimizer."""
        return dn.optimizers.Adam(0.01) if self.optimizer == "Adam" else dn.optimizers.SGD(0.1, 0.9)

    def gradients(self, w: Weights, x: Array, y: Array, step: int, d: Disturb) -> tuple[Weights, Weights]:
        """Return the gradients of the mean cross-entropy, and the new moving statistics."""
        h, moving = x, {}
        if self.hidden:
            z = d(d(x) @ d(w["W1"]))
            if self.normalized:
                mean = d(z.mean(axis=0))
                variance = d((d(z - mean) ** 2).mean(axis=0))
                deviation = d(np.sqrt(variance + WIDE(EPSILON)))
                unit = d(d(z - mean) / deviation)
                z = d(unit * w["gamma"] + w["beta"])
                for name, new in {"mean": mean, "variance": variance}.items():
                    moving[name] = d(d(w[name] * WIDE(MOMENTUM)) + d(new * WIDE(1 - MOMENTUM)))
            else:
                z = d(z + w["b1"])
            a = h = d(np.tanh(z))
            if self.normalized:
                kept = self._mask(step) / WIDE(1 - RATE_OF_DROPOUT)
                h = d(a * kept)
        g, back = last_layer(w, h, y, d)
        if self.hidden:
            if self.normalized:
                back = d(back * kept)
            back = d(back * d(1 - a**2))
            if self.normalized:
                g["beta"], g["gamma"] = d(back.sum(axis=0)), d((back * unit).sum(axis=0))
                back = d(back * w["gamma"])
                back = d(back - back.mean(axis=0) - unit * d((back * unit).mean(axis=0))) / deviation
            else:
                g["b1"] = d(back.sum(axis=0))
            g["W1"] = d(d(x).T @ d(back))
        return g, moving

    def _mask(self, step: int) -> Array:
        """Return which hidden numbers a step keeps, by the child key of the number of masks drawn before."""
        path = "layers.0.layer.layers.3" if self.checkpointed else "layers.3"
        key = words.key(SEED, path, "mask")
        return words.mask(words.fold(key, step), (BATCH, HIDDEN), 1 - RATE_OF_DROPOUT)


# ------------------------------------------------------------------ the reference


def _order(epoch: int) -> Array:
    """Return the order of the samples: that of the words of the epoch's stream."""
    key = words.key(SEED, "shuffle", epoch)
    return np.argsort(words.signed(words.words(key, SAMPLES)), kind="stable")


def last_layer(w: Weights, h: Array, y: Array, d: Disturb) -> tuple[Weights, Array]:
    """Return the mean cross-entropy's gradients by the softmax layer's weights, and by its input."""
    logits = d(d(h @ d(w["W2"])) + w["b2"])
    p = d(np.exp(d(logits - logits.max(axis=1, keepdims=True))))
    p = d(p / p.sum(axis=1, keepdims=True))
    error = d((p - np.eye(CLASSES)[y]) / len(y))
    return {"W2": d(h.T @ d(error)), "b2": d(error.sum(axis=0))}, d(d(error) @ w["W2"].T)


def reference_of(net: Network, every: int) -> Callable[[int, Disturb], Array]:
    """Return the reference of a case: all weights at the start and after every so many steps."""

    def reference(steps: int, d: Disturb) -> Array:
        w = {name: value.astype(WIDE) for name, value in net.start().items()}
        m = {name: np.zeros_like(value) for name, value in w.items()}
        v = dict(m)
        momentum, rate, one, two = d(np.asarray([0.9, 0.1, 1 - 0.9, 1 - 0.999], WIDE))
        rows = [w]
        for step in range(steps):
            batch = _order(step // BATCHES)[step % BATCHES * BATCH :][:BATCH]
            gradients, moving = net.gradients(w, net.x[batch].astype(WIDE), Y[batch], step, d)
            w = {**w, **moving}
            for name, g in gradients.items():
                if net.optimizer == "SGD":
                    m[name] = change = d(d(momentum * m[name]) - d(rate * g))
                else:
                    t = step + 1
                    m[name] = d(m[name] + one * d(g - m[name]))
                    v[name] = d(v[name] + two * d(d(g**2) - v[name]))
                    alpha = d(WIDE(0.01) * np.sqrt(1 - WIDE(0.999) ** t) / (1 - WIDE(0.9) ** t))
                    change = -d(d(alpha * m[name]) / d(np.sqrt(v[name]) + WIDE(1e-7)))
                w[name] = d(w[name] + change)
            rows.append(w)
        return np.stack([_flat(row.values()) for row in rows[::every]])

    return reference


def _flat(arrays: Any) -> Array:
    return np.concatenate([np.ravel(array) for array in arrays])


# ------------------------------------------------------------------ the ways to train


def _model(net: Network, nn: Backend, dtype: str, device: str, **settings: Any) -> Any:
    model = dn.Sequential(net.layers()).on(nn.name, device=device, dtype=dtype)
    loss = dn.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(net.make(), loss, **settings)
    model.fit(net.x, Y, batch_size=BATCH, epochs=0, seed=SEED, verbose=0)
    model.set_weights(list(net.start().values()))
    return model


def _row(model: Any) -> Array:
    return _flat(model.get_weights())


def by_fit(
    net: Network, event: str, nn: Backend, dtype: str, device: str, steps: int, **settings: Any
) -> Array:
    """Return all weights at the start and at each event, trained by `fit`.

    Args:
        net: what is trained.
        event: the method of a callback that reads the weights.
        nn: the backend.
        dtype: the model's.
        device: likewise.
        steps: how many.
        settings: more arguments of `Model.compile`; an engine that is asked for is what it must be run by.
    """
    model = _model(net, nn, dtype, device, **settings)
    rows = [_row(model)]

    class Recorder(dn.callbacks.Callback):
        pass

    setattr(Recorder, event, lambda self, number, logs=None: rows.append(_row(model)))
    history = model.fit(
        net.x, Y, batch_size=BATCH, epochs=steps // BATCHES, seed=SEED, verbose=0, callbacks=[Recorder()]
    )
    ran = {"engine": history.engine, "jit": history.jit}
    if {**ran, **settings} != ran:
        raise ValueError(f"expected a run by {settings}, got one by {ran}: {history.engine_reason}")
    return np.stack(rows)


def _long(engine: str, nn: Backend, dtype: str, device: str, steps: int) -> Array:
    return by_fit(_LONG, "on_epoch_end", nn, dtype, device, steps, engine=engine, jit=False)


def _by_batches(net: Network, nn: Backend, dtype: str, device: str, steps: int) -> Array:
    model = _model(net, nn, dtype, device)
    rows = [_row(model)]
    for batch in _batches(steps):
        model.train_on_batch(X[batch], Y[batch])
        rows.append(_row(model))
    return np.stack(rows)


def _by_tape(net: Network, nn: Backend, dtype: str, device: str, steps: int) -> Array:
    model, optimizer = _model(net, nn, dtype, device), net.make()
    loss = dn.losses.SparseCategoricalCrossentropy(from_logits=True)
    rows = [_row(model)]
    for batch in _batches(steps):
        x = nn.asarray(X[batch], dtype=dtype, device=device)
        with nn.GradientTape() as tape:
            value = loss(Y[batch], model(x, training=True))
        optimizer.apply(tape.gradient(value, model.trainable_variables), model.trainable_variables)
        rows.append(_row(model))
    return np.stack(rows)


def _batches(steps: int) -> list[Array]:
    return [_order(step // BATCHES)[step % BATCHES * BATCH :][:BATCH] for step in range(steps)]


# ------------------------------------------------------------------ the cases

REASON = """an intermediate number is a sum of at most 16 products, whose rounding errors, of either sign, add
up to 4; each is disturbed by as many"""
NETWORKS = {
    "softmax classifier, SGD with momentum": Network(hidden=False),
    "tanh, Adam": Network(optimizer="Adam"),
    "BatchNormalization, Dropout, SGD with momentum": Network(normalized=True),
}
_WAYS: dict[str, tuple[str, Callable[..., Array], int]] = {
    "": ("Model.fit", lambda net, *more: by_fit(net, "on_train_batch_end", *more), 1),
    "read once an epoch": ("Model.fit", lambda net, *more: by_fit(net, "on_epoch_end", *more), BATCHES),
    "batch by batch": ("Model.train_on_batch", _by_batches, 1),
    "a loop of one's own": ("GradientTape", _by_tape, 1),
}


def _case(network: str, way: str, steps: int) -> Case:
    net, (name, run, every) = NETWORKS[network], _WAYS[way]

    def trained(nn: Backend, dtype: str, device: str, steps: int) -> Array:
        return run(net, nn, dtype, device, steps)

    return TrajectoryCase(
        name=name,
        variant=", ".join(part for part in (network, way, f"{steps} steps") if part),
        run=trained,
        reference=reference_of(net, every),
        roundings=4,
        steps=steps,
        level="quick" if steps == 50 else "full",
        reason=REASON,
    )


def _masks(seed: int | None, nn: Backend, dtype: str) -> dict[str, Any]:
    layer = dn.layers.Dropout(RATE_OF_DROPOUT, seed=seed)
    model = dn.Sequential([dn.layers.Activation("linear"), layer]).on(nn.name, dtype=dtype)
    model.compile("sgd", "mse")
    model.fit(np.ones((7, 5)), np.ones((7, 5)), epochs=0, seed=SEED, verbose=0)
    return {f"call {n}": model(np.ones((7, 5)), training=True) for n in range(3)}


def _far_masks(nn: Backend, dtype: str) -> dict[str, Any]:
    layer = dn.layers.Dropout(RATE_OF_DROPOUT, seed=5).on(nn.name, dtype=dtype)
    layer(np.ones((7, 5)))
    found: dict[str, Any] = {}
    for drawn in words.FAR:
        nn.assign(layer.drawn, nn.asarray(drawn))
        found |= {f"call {drawn + n:,}": layer(np.ones((7, 5)), training=True) for n in range(5)}
    return found


def _expected_far_masks(dtype: str) -> dict[str, Array]:
    key, scale = words.key(5, "mask"), np.asarray(1 / (1 - RATE_OF_DROPOUT), dtype)
    return {
        f"call {n:,}": words.mask(words.fold(key, n), (7, 5), 1 - RATE_OF_DROPOUT) * scale
        for drawn in words.FAR
        for n in range(drawn, drawn + 5)
    }


def _expected_masks(key: int, dtype: str) -> dict[str, Array]:
    kept = [words.mask(words.fold(key, n), (7, 5), 1 - RATE_OF_DROPOUT) for n in range(3)]
    return {f"call {n}": mask * np.asarray(1 / (1 - RATE_OF_DROPOUT), dtype) for n, mask in enumerate(kept)}


_LAST = [*NETWORKS][-1]
_CHECKPOINTED = Network(normalized=True, checkpointed=True)
CASES: list[Case] = [_case(network, "", steps) for steps in (50, 500) for network in NETWORKS]
CASES += [_case(_LAST, way, 50) for way in _WAYS if way]
CASES.append(
    TrajectoryCase(
        name="layers.Checkpoint",
        variant=f"training, {_LAST}",
        run=functools.partial(by_fit, _CHECKPOINTED, "on_train_batch_end"),
        reference=reference_of(_CHECKPOINTED, 1),
        roundings=4,
        reason=f"{REASON}; what is computed again has the same masks, and the statistics move once",
    )
)
CASES += [
    ExactCase(
        name="layers.Dropout",
        variant=variant,
        run=functools.partial(_masks, seed),
        expected=functools.partial(_expected_masks, key),
        reason="the mask of a call follows from the key and the number of calls before, bit for bit",
    )
    for variant, seed, key in (
        ("masks of the first calls", None, words.key(SEED, "layers.1", "mask")),
        ("masks of a seed of its own", 5, words.key(5, "mask")),
    )
]
CASES.append(
    ExactCase(
        name="layers.Dropout",
        variant="masks of far calls",
        run=_far_masks,
        expected=_expected_far_masks,
        reason="the mask of a call follows from the key and the number of calls before, bit for bit",
    )
)

# ------------------------------------------------------------------ many steps

_LONG = Network(hidden=False, optimizer="Adam")
LONG = 2_500
CASES += [
    TrajectoryCase(
        name="Model.fit",
        variant=f"softmax classifier, Adam, {LONG:,} steps, engine {engine}, {dtype}",
        run=functools.partial(_long, engine),
        reference=reference_of(_LONG, BATCHES),
        roundings=4,
        steps=LONG,
        dtypes=(dtype,),
        level="quick" if (engine, dtype) == ("epoch", "float32") else "full",
        reason=REASON,
    )
    for engine in ("eager", "step", "epoch")
    for dtype in ("float32", "float64")
]

# ------------------------------------------------------------------ the loss scale

STEEP, RATE, FIRST = 2.0**10, 2.0**-20, 2.0**15
"""The slope of a loss, the learning rate, and the loss scale before the first step."""
GROWTH, LARGEST = 2_000, 65_504.0
STEEPER = 2.0**12
_RUNS = (9, 1, 1, 1_998, 1, 1, 1, 500, -1, 1_490, 9, 1, 1, 600, 1_500, 498, 1, 1)
"""How many steps are done between looks at the weight; -1: one step of a steeper loss, which overflows."""


def _steep(y_true: Any, y_pred: Any) -> Any:
    return (y_true * y_pred)[:, 0]


def _scaled(engine: str, nn: Backend, dtype: str) -> dict[str, Any]:
    model = dn.Sequential([dn.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model = model.on(nn.name, dtype=dtype)
    model.compile(dn.optimizers.SGD(RATE), _steep, precision="mixed_float16", engine=engine)
    found, done = {}, 0
    for steps in _RUNS:
        one, steep = np.ones((abs(steps), 1), np.float32), STEEP if steps > 0 else STEEPER
        model.fit(one, steep * one, batch_size=1, epochs=1, shuffle=False, verbose=0)
        done += abs(steps)
        found[f"step {done:,}"] = nn.asarray(np.ravel(model.get_weights()[0]))
    return found


def _of_scaled() -> dict[str, Array]:
    scale, good, moves, done, found = FIRST, 0, 0, 0, {}
    for steps in _RUNS:
        steep = STEEP if steps > 0 else STEEPER
        for _ in range(abs(steps)):
            if steep * scale > LARGEST:  # the gradient overflows: the step changes nothing
                scale, good = scale / 2, 0
                continue
            moves, good = moves + 1, good + 1
            if good == GROWTH:
                scale, good = scale * 2, 0
        done += abs(steps)
        found[f"step {done:,}"] = np.asarray([-moves * STEEP * RATE])
    return found


CASES += [
    ExactCase(
        name="Model.fit",
        variant=f"loss scale, engine {engine}",
        run=functools.partial(_scaled, engine),
        expected=_of_scaled(),
        dtypes=("float32",),
        level="quick" if engine == "epoch" else "full",
        reason="Keras's rule: halved by a step that overflows, doubled by 2,000 that do not; powers of two",
    )
    for engine in ("step", "epoch")
]
