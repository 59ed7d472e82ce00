"""The optimizers: weights and slots after each of many steps, against their formulas in long double.

Each step is given a gradient of a table, so a rounding error stays what it is, and a small fault of a
formula shows. The gradients have very different sizes, so that every epsilon counts somewhere.

The formulas are those of the papers named in `dualnn.optimizers`; where Keras departs from them, they are as
Keras writes them (https://keras.io/api/optimizers/).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, TypeAlias

import numpy as np

from dualnn import optimizers
from dualnn.conformance.case import Array, Case, ExactCase, FunctionCase, TrajectoryCase
from dualnn.conformance.measure import WIDE
from dualnn.fast_paths import generic
from dualnn.protocol import Backend

Disturb = Callable[[Array], Array]
STEPS = 50
FULL = 2_500
"""Beyond 2,000 steps, where a correction of the bias by 1 - 0.999**t still counts."""
FAR = (990, 1_990, 2**16 - 20, 2**24 - 20, 2**31 - 20)
"""Numbers of steps from which on training is resumed: past bounds of counters and of exact float32
integers."""
SIZES = (5, 3)
"""The sizes of two variables."""


@functools.cache
def _gradients(steps: int) -> Array:
    generator = np.random.default_rng(0)
    scales = np.asarray([1, 1, 0.1, 1e-3, 1e-6, 1, 1e-3, 1e-6])
    sizes = 1.2 + np.cos(np.arange(steps) / 8)[:, None]  # so that running maxima and means differ
    return np.asarray(generator.normal(0.3, 1, (steps, 8)) * scales * sizes, np.float32)


START = np.random.default_rng(1).normal(size=8).astype(np.float32)

# ------------------------------------------------------------------ the formulas


Slots: TypeAlias = dict[str, Array]
Constants: TypeAlias = dict[str, Any]
Rule: TypeAlias = Callable[[Array, Slots, int, Any, Constants, Disturb], Array]
"""``rule(g, slots, t, rate, constants, disturb)`` changes the slots and returns what is added to a variable.

It disturbs what at most two roundings lead to. What depends on the step number ``t`` is computed on the host.
"""


def _sgd(g: Array, slots: Slots, t: int, rate: Any, c: Constants, disturb: Disturb) -> Array:
    step = disturb(rate * g)
    if not c["momentum"]:
        return -step
    slots["momentum"] = m = disturb(disturb(c["momentum"] * slots["momentum"]) - step)
    return disturb(disturb(c["momentum"] * m) - step) if c["nesterov"] else m


def _adam(g: Array, slots: Slots, t: int, rate: Any, c: Constants, disturb: Disturb) -> Array:
    m, v = slots["momentum"], slots["velocity"]
    slots["momentum"] = m = disturb(m + c["1 - beta_1"] * disturb(g - m))
    slots["velocity"] = v = disturb(v + c["1 - beta_2"] * disturb(disturb(g**2) - v))
    if c["amsgrad"]:
        slots["velocity_hat"] = v = np.maximum(slots["velocity_hat"], v)
    one, two = (1 - WIDE(c["exactly"][beta]) ** t for beta in ("beta_1", "beta_2"))
    return -disturb(disturb(disturb(rate * np.sqrt(two) / one) * m) / disturb(np.sqrt(v) + c["epsilon"]))


def _adamax(g: Array, slots: Slots, t: int, rate: Any, c: Constants, disturb: Disturb) -> Array:
    m = slots["momentum"]
    slots["momentum"] = m = disturb(m + c["1 - beta_1"] * disturb(g - m))
    slots["norm"] = u = np.maximum(disturb(c["beta_2"] * slots["norm"]), np.abs(g))
    one = 1 - WIDE(c["exactly"]["beta_1"]) ** t
    return -disturb(disturb(disturb(rate / one) * m) / disturb(u + c["epsilon"]))


def _rmsprop(g: Array, slots: Slots, t: int, rate: Any, c: Constants, disturb: Disturb) -> Array:
    def mean(old: Array, new: Array) -> Array:
        return disturb(disturb(c["rho"] * old) + disturb(c["1 - rho"] * new))

    slots["velocity"] = v = mean(slots["velocity"], disturb(g**2))
    if c["centered"]:
        slots["average_gradient"] = mean(slots["average_gradient"], g)
        v = disturb(v - disturb(slots["average_gradient"] ** 2))
    step = disturb(disturb(rate * g) / disturb(np.sqrt(v + c["epsilon"])))
    if c["momentum"]:
        slots["momentum"] = step = disturb(disturb(c["momentum"] * slots["momentum"]) + step)
    return -step


def _adagrad(g: Array, slots: Slots, t: int, rate: Any, c: Constants, disturb: Disturb) -> Array:
    slots["accumulator"] = a = disturb(slots["accumulator"] + disturb(g**2))
    return -disturb(disturb(rate * g) / disturb(np.sqrt(a + c["epsilon"])))


# class: (its formula, Keras's default arguments, its slots in their beginning)
_RULES: dict[str, tuple[Rule, Constants, dict[str, float]]] = {
    "SGD": (_sgd, {"momentum": 0.0, "nesterov": False}, {"momentum": 0}),
    "Adam": (
        _adam,
        {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "amsgrad": False},
        {"momentum": 0, "velocity": 0, "velocity_hat": 0},
    ),
    "RMSprop": (
        _rmsprop,
        {"learning_rate": 0.001, "rho": 0.9, "momentum": 0.0, "epsilon": 1e-7, "centered": False},
        {"average_gradient": 0, "momentum": 0, "velocity": 0},
    ),
    "Adagrad": (
        _adagrad,
        {"learning_rate": 0.001, "initial_accumulator_value": 0.1, "epsilon": 1e-7},
        {"accumulator": 0.1},
    ),
    "Adamax": (
        _adamax,
        {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7},
        {"momentum": 0, "norm": 0},
    ),
}
_RULES["AdamW"] = (_adam, {**_RULES["Adam"][1], "weight_decay": 0.004}, _RULES["Adam"][2])


def _clipped(g: Array, c: dict[str, Any], disturb: Disturb) -> Array:
    parts = np.split(g, [SIZES[0]])
    if c.get("clipvalue"):
        return np.clip(g, -c["clipvalue"], c["clipvalue"])
    if c.get("global_clipnorm"):
        parts = [g]
    limit = c.get("global_clipnorm") or c.get("clipnorm")
    if not limit:
        return g
    norms = [disturb(np.sqrt(disturb(np.sum(disturb(p**2), keepdims=True)))) for p in parts]
    return np.concatenate(
        [disturb(p * disturb(np.minimum(limit / norm, 1))) for p, norm in zip(parts, norms, strict=True)]
    )


def _reference(
    name: str,
    given: dict[str, Any],
    used: tuple[str, ...],
    moving: Callable[[int], Any] = lambda t: True,
    first: int = 0,
) -> Callable[[int, Disturb], Array]:
    """Return the reference of a case that goes on after `first` steps.

    `moving` tells which numbers have a gradient in a step.
    """
    rule, defaults, start = _RULES[name]

    def reference(steps: int, disturb: Disturb) -> Array:
        exact = {"learning_rate": 0.01, **defaults, **given}
        numbers = {k: WIDE(x) for k, x in exact.items() if isinstance(x, float)}
        numbers |= {f"1 - {k}": 1 - x for k, x in numbers.items() if k.startswith(("beta", "rho"))}
        # Constants are rounded once, and the same in every step.
        c = {**exact, **{k: disturb(np.asarray(x)) for k, x in numbers.items()}, "exactly": exact}
        w = START.astype(WIDE)
        slots = {slot: np.full(8, WIDE(c.get("initial_accumulator_value", start[slot]))) for slot in used}
        rows = [np.concatenate([w, *(slots[slot] for slot in used)])]
        for t, g in enumerate(_gradients(steps).astype(WIDE), first + 1):
            old, old_slots, rate = w, dict(slots), c["learning_rate"]
            if callable(rate):
                rate = WIDE(0.05) * WIDE(0.5) ** (WIDE(t - 1) / 10)
            if c.get("weight_decay"):
                w = disturb(w - disturb(w * disturb(rate * c["weight_decay"])))
            w = disturb(w + rule(_clipped(g, c, disturb), slots, t, disturb(rate), c, disturb))
            w = np.where(moving(t), w, old)
            slots |= {slot: np.where(moving(t), slots[slot], old_slots[slot]) for slot in used}
            rows.append(np.concatenate([w, *(slots[slot] for slot in used)]))
        return np.stack(rows)

    return reference


def _run(
    name: str, given: dict[str, Any], used: tuple[str, ...], by_formula: bool = False, first: int = 0
) -> Callable[..., Array]:
    def run(nn: Backend, dtype: str, device: str, steps: int) -> Array:
        def native(numbers: Array) -> list[Any]:
            return [nn.asarray(part, dtype=dtype, device=device) for part in np.split(numbers, [SIZES[0]])]

        variables = [nn.Variable(part) for part in native(START)]
        optimizer = getattr(optimizers, name)(**given)
        optimizer.slots, optimizer.iterations = optimizer.init(nn, variables), first

        def row() -> Array:
            slots = [[state[slot] for state in optimizer.slots] for slot in used]
            return np.concatenate([nn.to_numpy(x) for part in (variables, *slots) for x in part])

        rows = [row()]
        for g in _gradients(steps):
            with generic() if by_formula else nullcontext():
                optimizer.apply(native(g), variables)
            rows.append(row())
        if any(tuple(sorted(state)) != used for state in optimizer.slots):
            raise ValueError(f"expected slots {used}, got {[sorted(state) for state in optimizer.slots]}")
        return np.stack(rows)

    return run


def _case(
    name: str,
    variant: str,
    given: dict[str, Any],
    steps: int = STEPS,
    by_formula: bool = False,
    first: int = 0,
) -> Case:
    used = _used(name, given)
    variant = variant or ("" if steps <= STEPS else f"{steps:,} steps")
    variant = f"after {first:,} steps" if first else variant
    return TrajectoryCase(
        name=f"optimizers.{name}",
        variant=", ".join(filter(None, (variant, "by the formula" if by_formula else ""))),
        run=_run(name, given, used, by_formula, first),
        reference=_reference(name, given, used, first=first),
        roundings=2,
        steps=steps,
        level="quick" if steps <= STEPS else "full",
        reason=REASON,
    )


def _used(name: str, given: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of the slots that an optimizer of these arguments has."""
    _, defaults, slots = _RULES[name]
    settings = {**defaults, **given}
    unused = {slot for slot in slots if slot == "momentum" and not settings.get("momentum", True)}
    unused |= {"velocity_hat"} if not settings.get("amsgrad") else set()
    unused |= {"average_gradient"} if not settings.get("centered") else set()
    return tuple(sorted(set(slots) - unused))


REASON = "at most 2 roundings lead from one intermediate number to the next; each is disturbed by 2"

_DECAYING = optimizers.schedules.ExponentialDecay(0.05, 10, 0.5)
# class: {variant: arguments}
_TABLE: dict[str, dict[str, dict[str, Any]]] = {
    "SGD": {
        "": {},
        "momentum": {"momentum": 0.9},
        "nesterov": {"momentum": 0.9, "nesterov": True},
        "nesterov without momentum": {"nesterov": True},
    },
    "Adam": {
        "": {},
        "other betas": {"beta_1": 0.7, "beta_2": 0.8, "learning_rate": 0.05},
        "no betas": {"beta_1": 0.0, "beta_2": 0.0, "epsilon": 0.01},
        "epsilon": {"epsilon": 0.01, "learning_rate": 0.05},
        "amsgrad": {"beta_2": 0.8, "learning_rate": 0.05, "amsgrad": True},
    },
    "AdamW": {"": {}, "decay and rate": {"weight_decay": 0.5, "learning_rate": 0.05}},
    "RMSprop": {
        "": {},
        "rho and epsilon": {"rho": 0.6, "epsilon": 0.01, "learning_rate": 0.05},
        "momentum": {"momentum": 0.9},
        "centered": {"centered": True},
        "centered, momentum": {"centered": True, "momentum": 0.5, "learning_rate": 0.05},
    },
    "Adagrad": {
        "": {},
        "from 0": {"initial_accumulator_value": 0.0, "learning_rate": 0.5},
        "epsilon": {"epsilon": 0.01, "learning_rate": 0.5},
    },
    "Adamax": {
        "": {},
        "other betas": {"beta_1": 0.7, "beta_2": 0.8, "epsilon": 0.01, "learning_rate": 0.05},
    },
}
_FOR_ALL: dict[str, dict[str, Any]] = {
    "weight_decay": {"weight_decay": 0.1, "learning_rate": 0.05},
    "clipnorm": {"clipnorm": 1.5},
    "clipvalue": {"clipvalue": 0.5},
    "global_clipnorm": {"global_clipnorm": 1.5},
    "schedule": {"learning_rate": _DECAYING},
}

CASES: list[Case] = []
for _name, _variants in _TABLE.items():
    CASES += [_case(_name, variant, given) for variant, given in {**_variants, **_FOR_ALL}.items()]
    CASES.append(_case(_name, "", {}, FULL))
    CASES += [_case(_name, "", {}, 25, first=first) for first in FAR]

# ------------------------------------------------------------------ the fused kernels

MATRIX = (3, 2)
"""The shape of the first of two variables, which have 6 and 2 numbers."""
_IN_VECTOR = np.arange(8) >= 6


def _sometimes(t: int) -> Array:
    """Return which numbers have a gradient in a step: the second variable in every other one."""
    return np.logical_or(~_IN_VECTOR, t % 2 == 1)


def _counts(t: int) -> Array:
    """Return which numbers move in a step: none in every third one."""
    return np.full(8, t % 3 != 0)


def _run_kernel(
    kernel: str, name: str, given: dict[str, Any], used: tuple[str, ...], variant: str
) -> Callable[..., Array]:
    def run(nn: Backend, dtype: str, device: str, steps: int) -> Array:
        getattr(nn, kernel)  # a backend may lack it

        def native(numbers: Array, turned: bool = False) -> list[Any]:
            matrix, vector = numbers[:6].reshape(MATRIX), numbers[6:]
            matrix = nn.asarray(matrix.T if turned else matrix, dtype=dtype, device=device, copy=True)
            if turned:  # its numbers are in memory column by column
                matrix = nn.permute_dims(matrix, (1, 0))
            return [matrix, nn.asarray(vector, dtype=dtype, device=device, copy=True)]

        variables = native(START)
        optimizer = getattr(optimizers, name)(**given)
        slots = optimizer.init(nn, variables)
        held = [*variables, *(state[slot] for slot in used for state in slots)]

        def row() -> Array:
            return np.concatenate([np.ravel(nn.to_numpy(x)) for x in held])

        rows = [row()]
        for step, g in enumerate(_gradients(steps)):
            gradients = native(g, turned=variant == _TURNED)
            if variant == _WITHOUT and not np.all(_sometimes(step + 1)):
                gradients[1] = None
            counts = None
            if variant == _LEFT_OUT:
                counts = nn.asarray(bool(np.all(_counts(step + 1))), device=device)
                gradients = [nn.where(counts, gradient, np.nan) for gradient in gradients]
            scalars = {
                key: nn.asarray(value, dtype=dtype, device=device)
                for key, value in optimizer.scalars_of(step).items()
            }
            optimizer.update(nn, variables, gradients, slots, scalars, in_place=True, counts=counts)
            rows.append(row())  # the formula, which is pure, would have left them as they were
        return np.stack(rows)

    return run


_TURNED, _WITHOUT = "gradients laid out in another way", "a gradient that is None"
_LEFT_OUT = "every third step left out"
_MOVING = {_WITHOUT: _sometimes, _LEFT_OUT: _counts}


def _kernel_case(kernel: str, name: str, variant: str, given: dict[str, Any]) -> Case:
    used = _used(name, given)
    moving = _MOVING.get(variant, lambda t: np.True_)
    return TrajectoryCase(
        name=kernel,
        variant=variant,
        run=_run_kernel(kernel, name, given, used, variant),
        reference=_reference(name, given, used, moving),
        roundings=2,
        reason=REASON,
    )


_OF_KERNELS: dict[str, dict[str, Any]] = {
    "": {},
    "weight_decay": {"weight_decay": 0.1, "learning_rate": 0.05},
    "clipvalue": {"clipvalue": 0.5},
    _TURNED: {},
    _WITHOUT: {},
    _LEFT_OUT: {"weight_decay": 0.1, "learning_rate": 0.05},
}
for _kernel, _name in (("adam_update", "Adam"), ("sgd_update", "SGD")):
    CASES += [_kernel_case(_kernel, _name, variant, given) for variant, given in _OF_KERNELS.items()]
    for _variant in ("", "weight_decay"):
        CASES.append(_case(_name, _variant, _FOR_ALL.get(_variant, {}), by_formula=True))

# ------------------------------------------------------------------ what all optimizers share


class _Signs(optimizers.Optimizer):
    """An optimizer of a user's own, all of whose numbers are small integers."""

    slot_names = ("seen",)
    slot_start = 2.0

    def update_one(
        self, nn: Backend, variable: Any, gradient: Any, slots: Any, scalars: Any
    ) -> tuple[Any, dict[str, Any]]:
        return variable - gradient / nn.abs(gradient) * scalars["learning_rate"], {"seen": slots["seen"] + 1}


def _own(nn: Backend, dtype: str) -> dict[str, Any]:
    def native(numbers: list[float]) -> Any:
        return nn.asarray(numbers, dtype=dtype)

    variables = [nn.Variable(native([1.0, 2.0])), nn.Variable(native([3.0]))]
    optimizer = _Signs(2.0)
    optimizer.apply([native([0.1, -7.0]), None], variables)
    optimizer.apply_gradients([(native([0.5, -7.0]), variables[0]), (native([0.5]), variables[1])])
    assert optimizer.slots is not None
    return {
        "first": variables[0],
        "second, without a gradient at first": variables[1],
        "slots": nn.concat([state["seen"] for state in optimizer.slots]),
        "iterations": nn.asarray(optimizer.iterations),
    }


def _get(nn: Backend, dtype: str) -> dict[str, Any]:
    def named(name: str) -> bool:
        cls = getattr(optimizers, name)
        one = cls()
        made = [type(optimizers.get(x)) is cls for x in (name, name.lower(), cls)]
        return all(made) and optimizers.get(one) is one

    return {name: nn.asarray(named(name)) for name in _TABLE}


# what is looked at: tensors of which all numbers are finite, or not
_LOOKED_AT: dict[str, tuple[list[list[float]], bool]] = {
    "finite": ([[0.0, -1.0], [5.0]], True),
    "the largest numbers": ([[1.0, -1.0]], True),  # times the largest of the dtype
    "infinite": ([[1.0], [1.0, np.inf]], False),
    "minus infinite": ([[-np.inf, 1.0], [1.0]], False),
    "NaN before larger ones": ([[1.0, np.nan, 2.0], [1.0]], False),
    "NaN beside infinite": ([[np.nan, np.inf]], False),
    "empty beside finite": ([[], [1.0]], True),
    "empty beside NaN": ([[], [np.nan]], False),
}


def _all_finite(nn: Any, dtype: str) -> dict[str, Any]:
    def answer(question: str, numbers: list[list[float]]) -> Any:
        factor = np.finfo(dtype).max if question == "the largest numbers" else 1.0
        return nn.all_finite([nn.asarray(factor * np.asarray(one), dtype=dtype) for one in numbers])

    return {question: answer(question, numbers) for question, (numbers, _) in _LOOKED_AT.items()}


# ------------------------------------------------------------------ variables of many numbers

LARGE = 70_000
"""Numbers of one variable: more than a kernel does at once, or in one thread."""
STEP_OF_LARGE = 7


def _large(name: str, by_formula: bool) -> Case:
    used = _used(name, {})
    rule, defaults, _ = _RULES[name]
    constants = {"learning_rate": 0.01, **defaults}
    generator = np.random.default_rng(6)

    def run(nn: Any, w: Any, g: Any, *held: Any) -> Any:
        optimizer = getattr(optimizers, name)()
        scalars = {
            key: nn.asarray(value, dtype=w.dtype, device=nn.device(w))
            for key, value in optimizer.scalars_of(STEP_OF_LARGE - 1).items()
        }
        slots = [{slot: nn.asarray(x, copy=True) for slot, x in zip(used, held, strict=True)}]
        with generic() if by_formula else nullcontext():
            (new,), (state,) = optimizer.update(
                nn, [nn.asarray(w, copy=True)], [g], slots, scalars, in_place=not by_formula
            )
        return [new, *(state[slot] for slot in used)]

    def reference(w: Array, g: Array, *held: Array) -> list[Array]:
        numbers = {k: WIDE(x) for k, x in constants.items() if isinstance(x, float)}
        numbers |= {f"1 - {k}": 1 - x for k, x in numbers.items() if k.startswith(("beta", "rho"))}
        c = {**constants, **numbers, "exactly": constants}
        slots, rate = dict(zip(used, held, strict=True)), numbers["learning_rate"]
        if c.get("weight_decay"):
            w = w - w * rate * c["weight_decay"]
        w = w + rule(g, slots, STEP_OF_LARGE, rate, c, lambda x: x)
        return [w, *(slots[slot] for slot in used)]

    return FunctionCase(
        name=f"optimizers.{name}",
        variant=f"{LARGE:,} numbers{', by the formula' if by_formula else ''}",
        run=run,
        reference=reference,
        inputs=tuple(
            generator.uniform(0.1, 1, LARGE) * (generator.choice([-1, 1], LARGE) if i < 2 else 1)
            for i in range(2 + len(used))
        ),
        roundings=10,
        derivatives=0,
        reason="a number of the result has at most 10 roundings before it",
        machine_code=by_formula,
    )


CASES += [_large(name, by_formula) for name in _TABLE for by_formula in (False, True)]

EVERY = 4
_SUMMED = np.random.default_rng(5).integers(-8, 9, (12, 3)).astype(float)


def _accumulated(first: int, nn: Any, dtype: str) -> dict[str, Any]:
    variable = nn.Variable(nn.asarray([1.0, -2.0, 3.0], dtype=dtype))
    optimizer = optimizers.SGD(0.5, gradient_accumulation_steps=EVERY)
    optimizer.slots, optimizer.iterations = optimizer.init(nn, [variable]), first
    found = {}
    for step, gradient in enumerate(_SUMMED, 1):
        optimizer.apply([nn.asarray(gradient, dtype=dtype)], [variable])
        found[f"step {step}"] = nn.asarray(nn.to_numpy(variable))
    return found


def _of_accumulated() -> dict[str, Array]:
    w, found = np.array([1.0, -2.0, 3.0]), {}
    for step in range(1, len(_SUMMED) + 1):
        if step % EVERY == 0:
            w = w - 0.5 * _SUMMED[step - EVERY : step].mean(0)
        found[f"step {step}"] = w
    return found


CASES += [
    ExactCase(
        name="optimizers.SGD",
        variant=f"gradients of {EVERY} steps{f', after {first:,} steps' if first else ''}",
        run=functools.partial(_accumulated, first),
        expected=_of_accumulated(),
        reason="means of four small integers",
    )
    for first in (0, 2_000, 2**31)
]
CASES += [
    ExactCase(
        name="all_finite",
        run=_all_finite,
        expected={question: answer for question, (_, answer) in _LOOKED_AT.items()},
        reason="as its docstring says",
    ),
    ExactCase(
        name="optimizers.Optimizer",
        variant="one of a user's own",
        run=_own,
        expected={
            "first": [-3.0, 6.0],
            "second, without a gradient at first": [1.0],
            "slots": [4.0, 4.0, 3.0],
            "iterations": 2,
        },
        reason="sums of small integers; without a gradient a variable and its slots stay, as documented",
    ),
    ExactCase(
        name="optimizers.get",
        run=_get,
        expected=dict.fromkeys(_TABLE, True),
        dtypes=("float32",),
        reason="as its docstring says",
    ),
]
