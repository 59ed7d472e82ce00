"""What to write instead of a library's object that dualnn does not take."""

from __future__ import annotations

import difflib
import importlib
import inspect
from typing import Any

from dualnn.foreign.recognition import KERAS, class_names, library, public_name

_TORCH_SETTINGS = {
    "lr": "learning_rate",
    "eps": "epsilon",
    "alpha": "rho",
    "initial_accumulator_value": "initial_accumulator_value",
}
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
    names = class_names(x, *KERAS, "torch", "torchmetrics") or [public_name(x).rpartition(".")[2]]
    for name in names:
        ours = getattr(module, name, None)
        if inspect.isclass(ours):
            break
    else:
        near = difflib.get_close_matches(names[0], [n for n in vars(module) if n[:1].isupper()], 1, 0.8)
        return f"dn.{room}.{near[0]}" if near else None
    settings = {} if isinstance(x, type) else _settings(x)
    told = [
        f"{name}={settings[name]!r}"
        for name, parameter in inspect.signature(ours).parameters.items()
        if name in settings and _is_plain(settings[name]) and settings[name] != parameter.default
        if name not in ("name", "seed")
    ]
    text = f"dn.{room}.{ours.__name__}({', '.join(told)})"
    decay = settings.get("weight_decay")
    if library(x) == "torch" and decay and ours.__name__ not in _DECOUPLED:
        text += f" and, for weight_decay={decay!r}, kernel_regularizer=dn.regularizers.L2({decay / 2!r})"
    return text


def _settings(x: Any) -> dict[str, Any]:
    if library(x) == "torch":
        return _torch_settings(getattr(x, "defaults", {}))
    config = x.get_config() if hasattr(x, "get_config") else vars(x)
    return {name: _shortest(value) for name, value in config.items()}


def _torch_settings(given: dict[str, Any]) -> dict[str, Any]:
    settings = {_TORCH_SETTINGS.get(name, name): value for name, value in given.items()}
    if "betas" in settings:
        settings["beta_1"], settings["beta_2"] = settings["betas"]
    return settings


def _shortest(value: Any) -> Any:
    """Return a number that was rounded to 32 bits as it was written."""
    return float(f"{value:.7g}") if isinstance(value, float) else value


def _is_plain(x: Any) -> bool:
    return isinstance(x, bool | int | float | str)
