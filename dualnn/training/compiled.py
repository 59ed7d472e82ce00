"""Compiled steps, kept for as long as they fit the model."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from dualnn.layers import tree
from dualnn.protocol import Engine
from dualnn.settings import Settings

if TYPE_CHECKING:
    from dualnn.models.model import Model

MOST_KEPT = 4
"""How many functions are kept that differ in settings: people set one, and set it back."""
OFTEN = 3
"""How many changes of settings in one run are many."""
FEW_STEPS = 50
"""How many steps have to follow a change for a graph to be worth its making, of up to half a second."""


@dataclass
class Made:
    """A function that was made, what for, and for which engine."""

    function: Callable[..., Any]
    settings: Settings
    engine: Engine

    diary: ClassVar[frozenset[str]] = frozenset({"function", "settings", "engine"})
    """All of it, for those who look for settings."""


Trace = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Wraps a function that is going to be traced."""


@dataclass
class _Known:
    """What was made under one name, the function in use first."""

    version: object = None
    functions: list[Made] = field(default_factory=list)
    changes: list[int] = field(default_factory=list)
    """How many steps of training had been done when a setting was found changed, the last few times."""
    told: bool = False
    """Whether the user knows that settings change too often."""

    def suited(self, engine: Engine, done: int | None) -> Engine:
        """Return the engine by which the function is to run, as often as settings have changed."""
        if len(self.changes) < OFTEN or engine.name == "eager":
            return engine
        if done is not None:
            between = (self.changes[-1] - self.changes[0]) / (len(self.changes) - 1)
            if max(between, done - self.changes[-1]) < FEW_STEPS:
                return Engine("eager", False)
        return engine._replace(jit=False, unroll=1)


class CompiledSteps:
    """The compiled functions of one model, by name.

    A function is made anew when what it was compiled for has changed: the model's layers, what is frozen, or
    a setting of anything that it uses, such as a rate of dropout or a weight in a loss. Where settings change
    again and again, machine code takes longer to make than it saves, and for few steps a graph does: such
    steps run as a graph, or eagerly.

    A copy of a model starts with none.
    """

    def __init__(self) -> None:
        self._known: dict[Any, _Known] = {}
        self._own: set[str] = set()  # what steps set themselves, which is no setting

    def get(self, *args: Any, **kwargs: Any) -> Any:
        """Return the function of a name; the arguments are those of `made`."""
        return self.made(*args, **kwargs).function

    def made(
        self,
        name: Any,
        model: Model,
        engine: Engine,
        make: Callable[[Engine, Trace], Any],
        uses: Mapping[str, Any] | None = None,
        done: int | None = None,
    ) -> Made:
        """Return what was made under a name and fits the settings of the moment.

        Args:
            name: what the function does.
            model: the model.
            engine: how it is to run.
            make: makes it for an engine, which may be a slower one, given what the function that is compiled
                has to be wrapped in.
            uses: what it uses beside the model, by what messages call it.
            done: how many steps of training were done, if it is one of them.
        """
        known = self._known.get((name, engine))
        if known is None:
            known = self._known[name, engine] = _Known()
        now = known.functions[0] if known.functions else None
        version, suited = tree.version(model), known.suited(engine, done)
        if now is not None and known.version is version and now.engine == suited and now.settings.hold():
            return now

        def look() -> Settings:
            slots = [(slot.variable, slot.trainable) for slot in tree.slots(model)]
            return Settings({"the model": model, "its variables": slots, **(uses or {})}, self._own)

        settings = look()
        if (
            now is not None
            and settings != now.settings
            and settings not in [x.settings for x in known.functions]
        ):
            known.changes = [*known.changes, done or 0][-OFTEN:]
            suited = known.suited(engine, done)
            if suited != engine and not known.told:
                known.told = True
                _warn(settings.difference(now.settings), suited)
        made = next((x for x in known.functions if x.settings == settings and x.engine == suited), None)
        if made is None:
            made = new = Made(_not_made, settings, suited)
            made.function = make(suited, lambda fun: self._looking(fun, new, look))
        made.settings = settings
        known.version = version
        known.functions = [made, *(x for x in known.functions if x is not made)][:MOST_KEPT]
        return made

    def _looking(
        self, fun: Callable[..., Any], made: Made, look: Callable[[], Settings]
    ) -> Callable[..., Any]:
        """Return a function that is going to be traced, and that then sees what it sets itself."""

        @functools.wraps(fun)
        def traced(*args: Any, **kwargs: Any) -> Any:
            result = fun(*args, **kwargs)
            if not made.settings.hold():
                own, number = look().set_since(made.settings)
                self._own |= own
                made.settings = look()
                if number is not None:
                    logging.getLogger("dualnn").warning(
                        "%s is set by the step itself, which a compiled step does once, when it is made: "
                        "keep it in an nn.Variable(value, trainable=False), or compile with engine='eager'",
                        number,
                    )
            return result

        return traced

    def begin(self) -> None:
        """Note that a new run begins, in which no setting has changed yet."""
        for known in self._known.values():
            known.changes, known.told = [], False

    @property
    def hesitates(self) -> bool:
        """Whether settings have changed in this run so often that not all is compiled as it was to be."""
        return any(known.told for known in self._known.values())

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledSteps:
        return CompiledSteps()

    def __reduce__(self) -> tuple[type[CompiledSteps], tuple[()]]:
        return CompiledSteps, ()


def _not_made(*args: Any) -> Any:
    raise AssertionError("it is being made")


def _warn(setting: str, suited: Engine) -> None:
    then = "run eagerly while it does" if suited.name == "eager" else "are no longer made machine code"
    logging.getLogger("dualnn").warning(
        "%s is set again and again, and compiled steps take it for a constant, so they %s; to be "
        "followed at full speed, make it a variable, nn.Variable(value, trainable=False), and set it by "
        "nn.assign(variable, value)",
        setting,
        then,
    )
