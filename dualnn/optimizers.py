"""Optimizers, under Keras's names and by Keras's formulas.

What depends on the step (learning rate, bias corrections) is computed on the host in float64 and given
to a pure `Optimizer.update`, which therefore compiles once and runs the same on every backend.
`Optimizer.apply` is the stateful interface over it, for a training loop of one's own.
"""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from dualnn import backends, schedules
from dualnn.arguments import is_number
from dualnn.fast_paths import fast_path
from dualnn.foreign.advice import refusal
from dualnn.foreign.recognition import library
from dualnn.names import lookup
from dualnn.protocol import Backend, Tensor
from dualnn.saving.configs import Config, Configured, encode

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Adamax", "Optimizer", "RMSprop", "get", "schedules"]

LearningRate = float | Callable[[int], float]
Slots = dict[str, Tensor]
"""What an optimizer remembers of one variable, tensors of its shape and dtype, by name."""
Scalars = Mapping[str, Any]
"""What `Optimizer.scalars` returned, as floats or as 0-d tensors of the variables' dtype."""


_ACCUMULATED = "accumulated_gradient"


class Optimizer(Configured):
    """The base class: a subclass names its slots and defines `update_one`.

    Args:
        learning_rate: a number, or a function of the steps done, such as one of `dualnn.schedules`.
        weight_decay: before each step take this fraction, times the learning rate, off each variable
            (Loshchilov and Hutter, "Decoupled weight decay regularization", 2019).
        clipnorm: scale each gradient down to this norm.
        clipvalue: clip each number of the gradients to ``[-clipvalue, clipvalue]``.
        global_clipnorm: scale all gradients down together to this norm.
        gradient_accumulation_steps: change the variables after every so many steps only, by the mean of
            the gradients since; at least 2, or None. Clipping and decay happen then, too.
        name: what messages call it.

    Attributes:
        iterations: the number of steps done, also of those whose gradients were only added up.
        slots: what it remembers, for each variable; None before the first step.
        slot_paths: the variables' paths in the model that `fit` trains, in the order of `slots`.
        parked: the slots of variables that are frozen at the moment, by path.
        owner: a token of the model that it was compiled with.

    Raises:
        ValueError: a number out of its range, or more than one way of clipping.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> w = nn.Variable(nn.asarray([1.0, 2.0]))
    >>> optimizer = dn.optimizers.SGD(learning_rate=0.5)
    >>> optimizer.apply([nn.asarray([1.0, 2.0])], [w])
    >>> nn.to_numpy(w).tolist(), optimizer.iterations
    ([0.5, 1.0], 1)
    """

    diary: ClassVar[frozenset[str]] = frozenset(
        {"iterations", "slots", "slot_paths", "parked", "owner", "_known", "_learning_rate"}
    )
    """The attributes that a step is given, or that record what has happened: all others are settings."""
    slot_names: tuple[str, ...] = ()
    """The keys of each variable's slots."""
    slot_start: float = 0.0
    """What the slots are filled with before the first step."""
    kernel_name: str = ""
    """Which of `dualnn.protocol.FastPaths` does the step for all variables at once."""

    def __init__(
        self,
        learning_rate: LearningRate,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None:
        self.name = name or type(self).__name__
        self.iterations = 0
        self.slots: list[Slots] | None = None
        self._known: tuple[Sequence[Any], list[Slots] | None] = (), None
        self.slot_paths: list[str] | None = None
        self.parked: dict[str, Slots] = {}
        self.owner: object | None = None
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        if gradient_accumulation_steps is not None and not gradient_accumulation_steps >= 2:
            raise ValueError(
                f"expected gradient_accumulation_steps of at least 2, or None, "
                f"got {gradient_accumulation_steps!r}"
            )
        self.gradient_accumulation_steps = gradient_accumulation_steps
        if weight_decay is not None:
            _require("weight_decay", weight_decay, 0.0)
        self._check_clips()

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step; set it to a number or to a function of the updates done."""
        return self._rate(self.iterations // (self.gradient_accumulation_steps or 1))

    @learning_rate.setter
    def learning_rate(self, value: LearningRate) -> None:
        if library(value) is not None:
            raise refusal(value, "schedules", "a learning rate or a function of the steps done")
        if not callable(value):
            if not is_number(value):
                raise ValueError(
                    f"expected a number from 0 for learning_rate, or a function of the steps, "
                    f"got {value!r:.80}"
                )
            _require("learning_rate", value, 0.0)
        self._learning_rate = value

    @property
    def slot_keys(self) -> frozenset[str]:
        """The keys of each variable's slots, with that of the gradients that are added up, if they are."""
        return frozenset((*self.slot_names, *((_ACCUMULATED,) if self.gradient_accumulation_steps else ())))

    @property
    def fixed_learning_rate(self) -> float | None:
        """The learning rate if it is a number that may be set, None if it is a function of the steps."""
        return None if callable(self._learning_rate) else float(self._learning_rate)

    def _rate(self, step: int) -> float:
        return float(self._learning_rate(step) if callable(self._learning_rate) else self._learning_rate)

    def get_config(self) -> Config:
        """Return the settings, as `Configured.get_config` says, with the learning rate of the moment."""
        config = super().get_config()
        now = {"learning_rate": encode(self._learning_rate)} if "learning_rate" in config else {}
        return config | now

    @staticmethod
    def laid_out(nn: Backend, variables: Sequence[Any], slots: Sequence[Slots]) -> list[Slots]:
        """Return slots that have come from elsewhere as they lie in memory beside these variables.

        A kernel that goes through all of them at once wants the same order of axes, which no file has.
        """

        def like(variable: Any, slot: Tensor) -> Tensor:
            if not getattr(variable, "outputs_first", False):
                return slot
            return nn.value(nn.Variable(slot, trainable=False, outputs_first=True))

        return [
            {name: like(variable, slot) for name, slot in state.items()}
            for variable, state in zip(variables, slots, strict=True)
        ]

    # ------------------------------------------------------------------ the pure part

    def init(self, nn: Backend, variables: Sequence[Tensor]) -> list[Slots]:
        """Return the slots of the variables before the first step, on the variables' devices."""
        sums = (_ACCUMULATED,) if self.gradient_accumulation_steps else ()
        return [
            {name: nn.zeros_like(variable) + self.slot_start for name in self.slot_names}
            | {name: nn.zeros_like(variable) for name in sums}
            for variable in map(nn.stop_gradient, variables)
        ]

    def fitted(self, nn: Backend, variables: Sequence[Tensor], slots: Sequence[Slots]) -> list[Slots]:
        """Return slots that have the keys which the settings of the moment ask for.

        What is new begins as `init` says, and what is used no more is forgotten.
        """
        if self.fits(slots):
            return list(slots)
        return [
            {name: state.get(name, new[name]) for name in new}
            for state, new in zip(slots, self.init(nn, variables), strict=True)
        ]

    def fits(self, slots: Sequence[Slots]) -> bool:
        """Return whether slots have the keys which the settings of the moment ask for."""
        keys = self.slot_keys
        return all(state.keys() == keys for state in slots)

    def scalars_of(self, step: int) -> dict[str, float]:
        """Return what `update` needs to know of the step with this number, counted from 0.

        That are the `scalars` of the update that the step belongs to, and with gradient accumulation
        ``due``: 1 if the variables change in this step, else 0.
        """
        every = self.gradient_accumulation_steps
        if every is None:
            return self.scalars(step)
        return {**self.scalars(step // every), "due": float((step + 1) % every == 0)}

    def scalars_of_many(self, first: int, count: int) -> dict[str, list[float]]:
        """Return what `scalars_of` does for so many steps from the `first` one on, by name."""
        steps = [self.scalars_of(step) for step in range(first, first + count)]
        return {name: [one[name] for one in steps] for name in steps[0]}

    def settings_of_scalars(self) -> tuple[Any, ...] | None:
        """Return all that `scalars_of_many` follows from beside its arguments; None if nobody knows.

        While it is the same, scalars that were computed ahead are those of the moment.
        """
        return self._settings_with(Optimizer)

    def _settings_with(self, cls: type[Optimizer]) -> tuple[Any, ...] | None:
        """Return the settings of every optimizer if its scalars are computed as those of the class."""
        rate = self.fixed_learning_rate
        methods = type(self).scalars, type(self).scalars_of, type(self).scalars_of_many
        if rate is None or methods != (cls.scalars, Optimizer.scalars_of, cls.scalars_of_many):
            return None
        return rate, self.weight_decay, self.gradient_accumulation_steps

    def scalars(self, step: int) -> dict[str, float]:
        """Return all that depends on the number of updates done: the same keys for every number."""
        rate = self._rate(step)
        scalars = {"learning_rate": rate}
        if self.weight_decay is not None:
            scalars["decay"] = rate * self.weight_decay
        return scalars

    def update(
        self,
        nn: Backend,
        variables: Sequence[Tensor],
        gradients: Sequence[Tensor | None],
        slots: Sequence[Slots],
        scalars: Scalars,
        in_place: bool = False,
        counts: Tensor | None = None,
    ) -> tuple[list[Tensor], list[Slots]]:
        """Return the variables' values and the slots after one step; pure, so that it can be compiled.

        Args:
            nn: the backend of the tensors.
            variables: the values of the variables.
            gradients: one for each variable, of its shape and dtype; where it is None, the variable and
                its slots stay.
            slots: what `init`, or the step before, returned.
            scalars: what `scalars_of` returned for this step, as floats or as 0-d tensors.
            in_place: whether the variables and slots may be changed in place, and be the result.
            counts: a boolean tensor of shape (): where it is False, the step is left out; None for True.
        """
        if self.gradient_accumulation_steps is not None:
            new_variables, new_slots = self._accumulated(nn, variables, gradients, slots, scalars)
        else:
            new_variables, new_slots = self._updated(
                nn, variables, gradients, slots, scalars, in_place, counts
            )
        if counts is None:
            return new_variables, new_slots
        return [_chosen(nn, counts, *pair) for pair in zip(new_variables, variables, strict=True)], [
            {name: _chosen(nn, counts, after[name], before[name]) for name in after}
            for after, before in zip(new_slots, slots, strict=True)
        ]

    def _accumulated(
        self,
        nn: Backend,
        variables: Sequence[Tensor],
        gradients: Sequence[Tensor | None],
        slots: Sequence[Slots],
        scalars: Scalars,
    ) -> tuple[list[Tensor], list[Slots]]:
        # A compiled step does the same work in every step, and keeps what it has computed in one of them.
        every = self.gradient_accumulation_steps
        sums = [
            state[_ACCUMULATED] if gradient is None else state[_ACCUMULATED] + gradient
            for gradient, state in zip(gradients, slots, strict=True)
        ]
        means = [
            None if gradient is None else total / every
            for gradient, total in zip(gradients, sums, strict=True)
        ]
        old = [{name: state[name] for name in state if name != _ACCUMULATED} for state in slots]
        new_variables, new = self._updated(nn, variables, means, old, scalars)
        due = nn.asarray(scalars["due"]) > 0.5
        return [_chosen(nn, due, *pair) for pair in zip(new_variables, variables, strict=True)], [
            {name: _chosen(nn, due, after[name], before[name]) for name in after}
            | {_ACCUMULATED: nn.where(due, nn.zeros_like(total), total)}
            for after, before, total in zip(new, old, sums, strict=True)
        ]

    def _updated(
        self,
        nn: Backend,
        variables: Sequence[Tensor],
        gradients: Sequence[Tensor | None],
        slots: Sequence[Slots],
        scalars: Scalars,
        in_place: bool = False,
        counts: Tensor | None = None,
    ) -> tuple[list[Tensor], list[Slots]]:
        gradients = self._clipped(nn, gradients)
        if in_place and self._fused_update(nn, variables, gradients, slots, scalars, counts):
            return list(variables), list(slots)
        new_variables, new_slots = [], []
        for variable, gradient, old in zip(variables, gradients, slots, strict=True):
            new, state = variable, old
            if gradient is not None:
                if "decay" in scalars:
                    variable = variable - variable * scalars["decay"]
                new, state = self.update_one(nn, variable, gradient, old, scalars)
            new_variables.append(new)
            new_slots.append(state)
        return new_variables, new_slots

    def update_one(
        self, nn: Backend, variable: Tensor, gradient: Tensor, slots: Slots, scalars: Scalars
    ) -> tuple[Tensor, Slots]:
        """Return one variable's value and its slots after one step; clipping and decay are done."""
        raise NotImplementedError(f"{type(self).__name__} must define update_one")

    def _fused_update(
        self,
        nn: Backend,
        variables: Sequence[Tensor],
        gradients: Sequence[Tensor | None],
        slots: Sequence[Slots],
        scalars: Scalars,
        counts: Tensor | None,
    ) -> bool:
        """Do the step in place by one kernel for all variables, if there is one for it; else return False."""
        options = self._kernel_options(scalars)
        kernel = None if options is None else fast_path(nn, self.kernel_name)
        if kernel is None:
            return False
        moving = [i for i, gradient in enumerate(gradients) if gradient is not None]
        lists = (
            [variables[i] for i in moving],
            [gradients[i] for i in moving],
            *([slots[i][name] for i in moving] for name in self.slot_names),
        )
        done: bool = kernel(*lists, *(options or ()), counts)
        return done

    def _kernel_options(self, scalars: Scalars) -> tuple[Any, ...] | None:
        """Return the kernel's arguments after the lists but the last, or None if it cannot do what is set."""
        return None

    def _check_clips(self) -> None:
        clips = {name: getattr(self, name) for name in ("clipnorm", "clipvalue", "global_clipnorm")}
        given = {name: value for name, value in clips.items() if value is not None}
        if len(given) > 1:
            raise ValueError(f"expected at most one way of clipping, got {' and '.join(given)}")
        for name, value in given.items():
            if not value > 0:
                raise ValueError(f"expected a positive {name}, got {value!r}")

    def _clipped(self, nn: Backend, gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
        self._check_clips()
        if self.clipvalue is not None:
            limit = self.clipvalue
            return [None if g is None else nn.clip(g, -limit, limit) for g in gradients]
        if self.clipnorm is not None:
            limit = self.clipnorm
            return [
                None if g is None else g * (limit / nn.maximum(nn.sqrt(nn.sum(nn.square(g))), limit))
                for g in gradients
            ]
        if self.global_clipnorm is not None:
            squares = [nn.sum(nn.square(g)) for g in gradients if g is not None]
            if squares:
                limit = self.global_clipnorm
                scale = limit / nn.maximum(nn.sqrt(sum(squares)), limit)
                return [None if g is None else g * scale for g in gradients]
        return list(gradients)

    # ------------------------------------------------------------------ the stateful part

    def apply(self, gradients: Iterable[Tensor | None], variables: Iterable[Any]) -> None:
        """Do one step on native variables, in place.

        Args:
            gradients: one for each variable; where it is None, the variable stays.
            variables: the same ones in the same order at each call.

        Raises:
            ValueError: no gradients at all, not one for each variable, or other variables than before.
        """
        gradients, variables = list(gradients), list(variables)
        if len(gradients) != len(variables):
            raise ValueError(
                f"expected a gradient for each of {len(variables)} variables, got {len(gradients)}"
            )
        if all(gradient is None for gradient in gradients):
            raise ValueError("no gradient for any variable: the loss does not depend on them")
        nn = backends.namespace(*variables)
        if self.slots is None:
            self.slots = self.init(nn, variables)
        if self._were_known(variables):
            self.slots = self.fitted(nn, variables, self.slots)
        else:
            self._require_known(nn, variables, self.slots)
            self.slots = self.laid_out(nn, variables, self.slots)
        values = [nn.value(variable) for variable in variables]
        gradients = [None if gradient is None else nn.stop_gradient(gradient) for gradient in gradients]
        scalars = self.scalars_of(self.iterations)
        new, self.slots = self.update(nn, values, gradients, self.slots, scalars, in_place=True)
        for variable, old, value in zip(variables, values, new, strict=True):
            if value is not old:  # else nothing has changed, or the variable itself has
                nn.assign(variable, value)
        self.iterations += 1
        self._known = variables, self.slots

    def claim(self, owner: object) -> None:
        """Make this the optimizer of one model, whose variables its slots belong to from then on.

        Raises:
            ValueError: it has already trained another model.
        """
        if self.slots is not None and self.owner is not owner:
            raise ValueError(
                f"{self.name} has already trained other variables, and keeps moments of them; "
                f"make a new optimizer for this model"
            )
        self.owner = owner

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Tensor | None, Any]]) -> None:
        """Do one step on pairs of a gradient and its variable; as `apply`."""
        gradients, variables = zip(*grads_and_vars, strict=True)
        self.apply(gradients, variables)

    def _were_known(self, variables: Sequence[Any]) -> bool:
        """Return whether these are the very variables of the step before, and the slots those it left."""
        known, slots = self._known
        same = slots is self.slots and len(known) == len(variables)
        return same and all(map(operator.is_, known, variables))

    def _require_known(self, nn: Backend, variables: Sequence[Any], slots: Sequence[Slots]) -> None:
        """Raise a ValueError if the slots are not those of these variables."""
        for state in slots:
            for slot in state.values():
                if not nn.is_tensor(slot):
                    framework = type(slot).__module__.partition(".")[0]
                    raise ValueError(
                        f"{self.name}: its slots belong to {framework}, the variables to {nn.name}"
                    )
        names = self.slot_keys
        shapes = [variable.shape for variable in variables]
        if not (
            len(slots) == len(variables)
            and all(state.keys() == names for state in slots)
            and all([state[name].shape for state in slots] == shapes for name in names)
        ):
            known = [{name: tuple(slot.shape) for name, slot in state.items()} for state in slots]
            raise ValueError(
                f"{self.name}: expected the variables of the steps before, {len(slots)} with slots of shapes "
                f"{known}, got {len(shapes)} of shapes {[tuple(shape) for shape in shapes]}; "
                f"make a new optimizer for other variables"
            )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}, {self.iterations} steps done>"


def _chosen(nn: Backend, condition: Tensor, after: Tensor, before: Tensor) -> Tensor:
    return before if after is before else nn.where(condition, after, before)


class SGD(Optimizer):
    """Gradient descent, with momentum if asked for.

    Without momentum ``w -= learning_rate * g``. With it the slot ``momentum`` is
    ``m = momentum * m - learning_rate * g``, and ``w += m``; with `nesterov` it is
    ``w += momentum * m - learning_rate * g`` (Sutskever et al., 2013).

    Args:
        learning_rate: as in `Optimizer`.
        momentum: a number from 0 to 1.
        nesterov: look ahead along the momentum.
        options: the other arguments of `Optimizer`.

    Raises:
        ValueError: a number out of its range, or more than one way of clipping.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> w = nn.Variable(nn.asarray(1.0))
    >>> optimizer = dn.optimizers.SGD(0.25, momentum=0.5)
    >>> for _ in range(2):
    ...     optimizer.apply([nn.asarray(1.0)], [w])
    >>> float(nn.to_numpy(w))                             # 1 - 0.25 - (0.125 + 0.25)
    0.375
    """

    kernel_name = "sgd_update"

    def __init__(
        self,
        learning_rate: LearningRate = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        _require("momentum", momentum, 0.0, 1.0)
        self.momentum = momentum
        self.nesterov = nesterov

    @property
    def slot_names(self) -> tuple[str, ...]:  # type: ignore[override]  # it follows from the settings
        """The keys of each variable's slots."""
        return ("momentum",) if self.momentum else ()

    def update_one(
        self, nn: Backend, variable: Tensor, gradient: Tensor, slots: Slots, scalars: Scalars
    ) -> tuple[Tensor, Slots]:
        """Return the value and the slots after one step, as `Optimizer.update_one` says."""
        step = gradient * scalars["learning_rate"]
        if not self.momentum:
            return variable - step, slots
        m = slots["momentum"] * self.momentum - step
        new = variable + m * self.momentum - step if self.nesterov else variable + m
        return new, {"momentum": m}

    def _kernel_options(self, scalars: Scalars) -> tuple[Any, ...] | None:
        if self.momentum or type(self).update_one is not SGD.update_one:
            return None
        return scalars["learning_rate"], scalars.get("decay")


class Adam(Optimizer):
    """Adaptive moments (Kingma and Ba, 2015).

    The slots are ``momentum``, ``m += (1 - beta_1) * (g - m)``, and ``velocity``,
    ``v += (1 - beta_2) * (g**2 - v)``. The step is ``w -= alpha * m / (sqrt(v) + epsilon)`` with
    ``alpha = learning_rate * sqrt(1 - beta_2**t) / (1 - beta_1**t)`` in step ``t``, counted from 1.

    Args:
        learning_rate: as in `Optimizer`.
        beta_1: how much of ``m`` stays, at least 0, below 1.
        beta_2: how much of ``v`` stays, at least 0, below 1.
        epsilon: at least 0.
        amsgrad: divide by the largest ``v`` so far, the slot ``velocity_hat`` (Reddi et al., 2018).
        options: the other arguments of `Optimizer`.

    Raises:
        ValueError: a number out of its range, or more than one way of clipping.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> w = nn.Variable(nn.asarray(1.0))
    >>> dn.optimizers.Adam(0.25).apply([nn.asarray(-3.0)], [w])
    >>> round(float(nn.to_numpy(w)), 4)                   # the first step is the learning rate
    1.25
    """

    kernel_name = "adam_update"

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        _require_below_one("beta_1", beta_1)
        _require_below_one("beta_2", beta_2)
        _require("epsilon", epsilon, 0.0)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.amsgrad = amsgrad

    @property
    def slot_names(self) -> tuple[str, ...]:  # type: ignore[override]  # it follows from the settings
        """The keys of each variable's slots."""
        return ("momentum", "velocity", "velocity_hat") if self.amsgrad else ("momentum", "velocity")

    def scalars(self, step: int) -> dict[str, float]:
        """Return all that depends on the step: the same keys for every step."""
        scalars = super().scalars(step)
        scalars["alpha"] = self._alphas(scalars.pop("learning_rate"), step, 1)[0]
        return scalars

    def scalars_of_many(self, first: int, count: int) -> dict[str, list[float]]:
        """Return what `scalars_of` does for so many steps, as `Optimizer.scalars_of_many` says."""
        if self.settings_of_scalars() is None or self.gradient_accumulation_steps is not None:
            return super().scalars_of_many(first, count)
        rate, decay = self.learning_rate, self.weight_decay
        decays = {} if decay is None else {"decay": [rate * decay] * count}
        return {"alpha": self._alphas(rate, first, count), **decays}

    def settings_of_scalars(self) -> tuple[Any, ...] | None:
        """Return what `Optimizer.settings_of_scalars` says, with those of the corrections of bias."""
        settings = self._settings_with(Adam)
        return None if settings is None else (*settings, self.beta_1, self.beta_2)

    def _alphas(self, rate: float, first: int, count: int) -> list[float]:
        beta_1, beta_2 = self.beta_1, self.beta_2
        steps = range(first + 1, first + count + 1)
        return [rate * math.sqrt(1 - beta_2**t) / (1 - beta_1**t) for t in steps]

    def update_one(
        self, nn: Backend, variable: Tensor, gradient: Tensor, slots: Slots, scalars: Scalars
    ) -> tuple[Tensor, Slots]:
        """Return the value and the slots after one step, as `Optimizer.update_one` says."""
        m, v = slots["momentum"], slots["velocity"]
        m = m + (gradient - m) * (1 - self.beta_1)
        v = v + (nn.square(gradient) - v) * (1 - self.beta_2)
        new_slots = {"momentum": m, "velocity": v}
        if self.amsgrad:
            v = new_slots["velocity_hat"] = nn.maximum(slots["velocity_hat"], v)
        return variable - m * scalars["alpha"] / (nn.sqrt(v) + self.epsilon), new_slots

    def _kernel_options(self, scalars: Scalars) -> tuple[Any, ...] | None:
        if self.amsgrad or type(self).update_one is not Adam.update_one:
            return None
        return scalars["alpha"], scalars.get("decay"), self.beta_1, self.beta_2, self.epsilon


class AdamW(Adam):
    """`Adam` with weight decay (Loshchilov and Hutter, 2019).

    Args:
        learning_rate: as in `Optimizer`.
        weight_decay: as in `Optimizer`.
        options: the other arguments of `Adam`.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> w = nn.Variable(nn.asarray(2.0))
    >>> dn.optimizers.AdamW(0.25, weight_decay=0.5).apply([nn.asarray(-3.0)], [w])
    >>> round(float(nn.to_numpy(w)), 4)                   # 2 - 2 * 0.25 * 0.5 + 0.25
    2.0
    """

    def __init__(
        self, learning_rate: LearningRate = 0.001, weight_decay: float = 0.004, **options: Any
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **options)


class RMSprop(Optimizer):
    """The gradient divided by the root of its running mean square (Hinton, 2012).

    The slot ``velocity`` is ``v = rho * v + (1 - rho) * g**2``, and the step is
    ``learning_rate * g / sqrt(v + epsilon)``.

    Args:
        learning_rate: as in `Optimizer`.
        rho: how much of ``v`` stays, at least 0, below 1.
        momentum: add this much of the step before, the slot ``momentum``; a number from 0 to 1.
        epsilon: at least 0.
        centered: subtract from ``v`` the square of the running mean of ``g``, the slot
            ``average_gradient``.
        options: the other arguments of `Optimizer`.

    Raises:
        ValueError: a number out of its range, or more than one way of clipping.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> w = nn.Variable(nn.asarray(1.0))
    >>> dn.optimizers.RMSprop(0.25, rho=0.75).apply([nn.asarray(-3.0)], [w])
    >>> round(float(nn.to_numpy(w)), 4)                   # 1 + 0.25 * 3 / sqrt(0.25 * 9)
    1.5
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        _require_below_one("rho", rho)
        _require("momentum", momentum, 0.0, 1.0)
        _require("epsilon", epsilon, 0.0)
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered

    @property
    def slot_names(self) -> tuple[str, ...]:  # type: ignore[override]  # it follows from the settings
        """The keys of each variable's slots."""
        used = {"velocity": True, "momentum": self.momentum > 0, "average_gradient": self.centered}
        return tuple(name for name, is_used in used.items() if is_used)

    def update_one(
        self, nn: Backend, variable: Tensor, gradient: Tensor, slots: Slots, scalars: Scalars
    ) -> tuple[Tensor, Slots]:
        """Return the value and the slots after one step, as `Optimizer.update_one` says."""
        v = slots["velocity"] * self.rho + nn.square(gradient) * (1 - self.rho)
        new_slots = {"velocity": v}
        if self.centered:
            mean = slots["average_gradient"] * self.rho + gradient * (1 - self.rho)
            new_slots["average_gradient"] = mean
            v = v - nn.square(mean)
        step = gradient * scalars["learning_rate"] / nn.sqrt(v + self.epsilon)
        if self.momentum:
            step = new_slots["momentum"] = slots["momentum"] * self.momentum + step
        return variable - step, new_slots


class Adagrad(Optimizer):
    """The gradient divided by the root of the sum of its squares so far (Duchi et al., 2011).

    The slot ``accumulator`` is ``a += g**2``, and the step is ``learning_rate * g / sqrt(a + epsilon)``.

    Args:
        learning_rate: as in `Optimizer`.
        initial_accumulator_value: what ``a`` starts from, at least 0.
        epsilon: at least 0.
        options: the other arguments of `Optimizer`.

    Raises:
        ValueError: a number out of its range, or more than one way of clipping.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> w = nn.Variable(nn.asarray(1.0))
    >>> dn.optimizers.Adagrad(0.25, initial_accumulator_value=7.0).apply([nn.asarray(-3.0)], [w])
    >>> round(float(nn.to_numpy(w)), 4)                   # 1 + 0.25 * 3 / sqrt(7 + 9)
    1.1875
    """

    slot_names = ("accumulator",)

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        _require("initial_accumulator_value", initial_accumulator_value, 0.0)
        _require("epsilon", epsilon, 0.0)
        self.slot_start = initial_accumulator_value
        self.epsilon = epsilon

    def update_one(
        self, nn: Backend, variable: Tensor, gradient: Tensor, slots: Slots, scalars: Scalars
    ) -> tuple[Tensor, Slots]:
        """Return the value and the slots after one step, as `Optimizer.update_one` says."""
        a = slots["accumulator"] + nn.square(gradient)
        step = gradient * scalars["learning_rate"] / nn.sqrt(a + self.epsilon)
        return variable - step, {"accumulator": a}


class Adamax(Optimizer):
    """`Adam` with the largest gradient in place of the mean square (Kingma and Ba, 2015, section 7).

    The slots are ``momentum``, ``m += (1 - beta_1) * (g - m)``, and ``norm``,
    ``u = max(beta_2 * u, abs(g))``. The step is ``w -= alpha * m / (u + epsilon)`` with
    ``alpha = learning_rate / (1 - beta_1**t)`` in step ``t``, counted from 1.

    Args:
        learning_rate: as in `Optimizer`.
        beta_1: how much of ``m`` stays, at least 0, below 1.
        beta_2: how much of ``u`` stays, at least 0, below 1.
        epsilon: at least 0.
        options: the other arguments of `Optimizer`.

    Raises:
        ValueError: a number out of its range, or more than one way of clipping.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> w = nn.Variable(nn.asarray(1.0))
    >>> dn.optimizers.Adamax(0.25).apply([nn.asarray(-3.0)], [w])
    >>> round(float(nn.to_numpy(w)), 4)                   # the first step is the learning rate
    1.25
    """

    slot_names = ("momentum", "norm")

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        _require_below_one("beta_1", beta_1)
        _require_below_one("beta_2", beta_2)
        _require("epsilon", epsilon, 0.0)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def scalars(self, step: int) -> dict[str, float]:
        """Return all that depends on the step: the same keys for every step."""
        scalars = super().scalars(step)
        scalars["alpha"] = scalars.pop("learning_rate") / (1 - self.beta_1 ** (step + 1))
        return scalars

    def update_one(
        self, nn: Backend, variable: Tensor, gradient: Tensor, slots: Slots, scalars: Scalars
    ) -> tuple[Tensor, Slots]:
        """Return the value and the slots after one step, as `Optimizer.update_one` says."""
        m = slots["momentum"] + (gradient - slots["momentum"]) * (1 - self.beta_1)
        u = nn.maximum(slots["norm"] * self.beta_2, nn.abs(gradient))
        return variable - m * scalars["alpha"] / (u + self.epsilon), {"momentum": m, "norm": u}


def _require(name: str, value: float, low: float, high: float = math.inf) -> None:
    if not (low <= value <= high and math.isfinite(value)):
        bounds = f"from {low:g} to {high:g}" if math.isfinite(high) else f"from {low:g}"
        raise ValueError(f"expected a number {bounds} for {name}, got {value!r}")


def _require_below_one(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ValueError(f"expected a number from 0, below 1, for {name}, got {value!r}")


_CLASSES: tuple[Callable[..., Optimizer], ...] = (SGD, Adam, AdamW, RMSprop, Adagrad, Adamax)
_BY_NAME: dict[str, Callable[..., Optimizer]] = {
    **{optimizer.__name__.lower(): optimizer for optimizer in _CLASSES},
    **{optimizer.__name__: optimizer for optimizer in _CLASSES},
}


def get(identifier: Any) -> Optimizer:
    """Return the optimizer that a model was compiled with.

    Args:
        identifier: an optimizer, or its class, or its name: ``"adam"`` or ``"Adam"``.

    Raises:
        ValueError: no optimizer has this name.
        TypeError: none of these.

    >>> import dualnn as dn
    >>> dn.optimizers.get("rmsprop")
    <RMSprop 'RMSprop', 0 steps done>
    """
    if isinstance(identifier, str):
        identifier = lookup("optimizer", identifier, _BY_NAME)
    if isinstance(identifier, Optimizer):
        return identifier
    if inspect.isclass(identifier) and issubclass(identifier, Optimizer):
        return identifier()  # type: ignore[call-arg]  # a subclass has a default learning rate
    if library(identifier) is not None:
        raise refusal(identifier, "optimizers", "an optimizer of dualnn")
    raise TypeError(f"expected an optimizer or its name, got {identifier!r}")
