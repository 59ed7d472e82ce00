"""What to write instead of a library's object that dualnn does not take."""

from __future__ import annotations

import difflib
import importlib
import inspect
from typing import Any

from dualnn.arguments import accepted
from dualnn.foreign.recognition import KERAS, class_names, library, public_name
from dualnn.names import snake_case

_TORCH_SETTINGS = {"lr": "learning_rate", "eps": "epsilon", "alpha": "rho"}
_DECAY = "a decay that is added to the gradient"
_DECOUPLED = ("AdamW",)
"""The optimizers of torch whose weight decay is not added to the gradient."""


def refusal(x: Any, room: str, expected: str) -> TypeError:
    """Return the error for an object of a library: what was expected, what came, and what to write instead.

    Args:
        x: the object, or its class.
        room: the module of dualnn that has what is wanted, ``"optimizers"``.
        expected: what was expected, for the message.
    """
    ours = counterpart(x, room)
    way_out = f"use {ours}" if ours else f"see dn.{room}"
    return TypeError(f"expected {expected}, got {public_name(x)}: {way_out}")


def counterpart(x: Any, room: str) -> str | None:
    """Return the call that makes dualnn's own object of that kind with the same settings, as text.

    >>> import dualnn as dn
    >>> counterpart(dn.optimizers.SGD(0.5), "optimizers") is None
    True
    """
    if library(x) is None:
        return None
    module = importlib.import_module(f"dualnn.{room}")
    name = next(iter(class_names(x, *KERAS, "torch", "torchmetrics")), public_name(x).rpartition(".")[2])
    for function in (getattr(module, word, None) for word in (snake_case(name), name.lower())):
        if room == "activations" and inspect.isfunction(function):
            return f"dn.activations.{function.__name__}"
    ours = getattr(module, name, None)
    if not isinstance(ours, type):
        near = difflib.get_close_matches(name, [n for n in vars(module) if n[:1].isupper()], 1, 0.8)
        return f"dn.{room}.{near[0]}" if near else None
    settings = {} if isinstance(x, type) else _settings(x)
    text = f"dn.{room}.{_call(ours, settings)}"
    decay = settings.get(_DECAY)
    if decay:
        text += f" and, for weight_decay={decay!r}, kernel_regularizer=dn.regularizers.L2({decay / 2!r})"
    return text


def _call(ours: type, settings: dict[str, Any]) -> str:
    """Return the call of a class of dualnn with those of the settings that are not its defaults."""
    told = [
        f"{name}={text}"
        for name, parameter in (accepted(ours) or {}).items()
        if name in settings and settings[name] != parameter.default and name not in ("name", "seed")
        if (text := _written(settings[name])) is not None
    ]
    return f"{ours.__name__}({', '.join(told)})"


def _written(value: Any) -> str | None:
    """Return a setting as it is written for dualnn; None if it is nothing that could be."""
    if isinstance(value, bool | int | float | str):
        return repr(value)
    if isinstance(value, list | tuple) and all(map(_written, value)):
        return repr(list(value))
    if isinstance(value, dict) and "class_name" in value:  # a schedule, as Keras writes it
        ours = getattr(importlib.import_module("dualnn.schedules"), value["class_name"], None)
        settings = {name: _shortest(one) for name, one in value["config"].items()}
        return None if ours is None else f"dn.schedules.{_call(ours, settings)}"
    return None


def _settings(x: Any) -> dict[str, Any]:
    if library(x) == "torch":
        return _torch_settings(getattr(x, "defaults", {}), type(x).__name__ in _DECOUPLED)
    config = x.get_config() if hasattr(x, "get_config") else {}
    settings = {**getattr(x, "_fn_kwargs", {}), **vars(x), **config}  # a loss of Keras keeps some apart
    return {name: _shortest(value) for name, value in settings.items()}


def _torch_settings(given: dict[str, Any], decoupled: bool) -> dict[str, Any]:
    names = _TORCH_SETTINGS | ({} if decoupled else {"weight_decay": _DECAY})
    settings = {names.get(name, name): value for name, value in given.items()}
    if "betas" in settings:
        settings["beta_1"], settings["beta_2"] = settings["betas"]
    return settings


def _shortest(value: Any) -> Any:
    """Return a number that was rounded to 32 bits as it was written."""
    return float(f"{value:.7g}") if isinstance(value, float) else value
