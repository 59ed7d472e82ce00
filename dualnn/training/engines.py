"""Engines: how the steps of `fit`, `evaluate` and `predict` are run, and the rule that chooses.

``"eager"`` runs each step as plain Python, ``"step"`` calls a compiled function for each step, and
``"epoch"`` runs many steps, up to a whole epoch, behind one call. With `jit` the framework's compiler makes
machine code of the steps; without, its own kernels run one after the other.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from dualnn.layers import tree
from dualnn.names import unknown
from dualnn.protocol import Backend, Engine, Work

if TYPE_CHECKING:
    from dualnn.models.model import Model

ENGINES = ("auto", "eager", "step", "epoch")


class Wish(NamedTuple):
    """What `Model.compile` was asked for: an engine by name or ``"auto"``, and jit or None for either."""

    engine: str = "auto"
    jit: bool | None = None

    @classmethod
    def of(cls, engine: str, jit: bool | None, run_eagerly: bool) -> Wish:
        """Return the wish that the arguments of `Model.compile` stand for.

        Raises:
            ValueError: an unknown engine, or arguments that contradict each other.
        """
        if engine not in ENGINES:
            raise ValueError(unknown("engine", engine, ENGINES))
        if jit not in (None, True, False):
            raise ValueError(f"jit must be True, False, or None to leave it to the rule, got {jit!r}")
        if run_eagerly and engine not in ("auto", "eager"):
            raise ValueError(f"run_eagerly=True contradicts engine={engine!r}; leave one of them out")
        if (run_eagerly or engine == "eager") and jit:
            raise ValueError("jit=True contradicts running eagerly: engine='step' and 'epoch' are compiled")
        return cls("eager" if run_eagerly else engine, jit)


def chosen(nn: Backend, wish: Wish, work: Work, steps: int | None, each: str | None) -> tuple[Engine, str]:
    """Return the engine for a run, and why it was chosen.

    Args:
        nn: the backend, which knows what its framework does well.
        wish: what the user asked for.
        work: what a step costs.
        steps: how many steps there will be; None if that is not known.
        each: what has to happen after each single step, as a reason; None: nothing.
    """
    if wish.engine == "eager":
        return Engine("eager", False), "as asked for"
    proposal = nn.choose_engine(work, steps, wish.jit)
    count = "an unknown number of steps" if steps is None else f"{steps:,} steps"
    reason = f"{count} of about {work.multiply_adds:,} multiplications, {'/'.join(sorted(work.kinds))}"
    name = proposal.name
    if wish.engine != "auto":
        name, reason = wish.engine, "as asked for"
    if each is not None and name == "epoch":
        name, reason = "step", f"{reason}; {each}"
    jit = proposal.jit if wish.jit is None else wish.jit
    if name == "eager":
        return Engine("eager", False, samples=proposal.samples), reason
    return Engine(name, jit, proposal.unroll if name == "epoch" else 1, proposal.samples), reason


def work_of(model: Model, batch_size: int, trains: bool = True) -> Work:
    """Return what a step costs the built model: an estimate that counts a weight once for each position.

    >>> import dualnn as dn
    >>> model = dn.Sequential([dn.layers.Dense(3)])
    >>> _ = model.build((None, 4))
    >>> work_of(model, batch_size=10).multiply_adds
    120
    """
    multiply_adds, kinds, layers, sample_size = 0, set(), 0, 0
    sequences: dict[str, int] = {}  # how many steps there are within the layer of a path
    for path, layer in tree.walk(model):
        shape = [n or 1 for n in layer._output_shape] if isinstance(layer._output_shape, tuple) else []
        positions = math.prod(shape[1:-1])
        if layer.kind_of_work == "recurrence" and layer.built:
            positions = sequences[path] = _steps(layer._input_shape)
        else:  # a cell of one's own does its work in each step of the layer around it
            around = (steps for outer, steps in reversed(sequences.items()) if _is_within(path, outer))
            positions *= next(around, 1)
        sample_size = max(sample_size, math.prod(shape[1:]))
        weights = [tuple(slot.variable.shape) for slot in tree.own_slots(layer)]
        size = sum(math.prod(shape) for shape in weights if len(shape) > 1)
        multiply_adds += size * positions * batch_size
        layers += bool(weights)
        if size or layer.kind_of_work != "dense":
            kinds.add(layer.kind_of_work)
    return Work(
        multiply_adds,
        frozenset(kinds or {"dense"}),
        layers,
        sample_size,
        trains,
        max(sequences.values(), default=0),
    )


def _is_within(path: str, outer: str) -> bool:
    return not outer or path.startswith(f"{outer}.")


def _steps(shape: Any) -> int:
    while isinstance(shape, list):  # a sequence, and the states that it begins with
        shape = shape[0]
    return int(shape[1])
