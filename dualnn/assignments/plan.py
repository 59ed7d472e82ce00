"""What is done for each data set: which networks are tried, how long, and how they are validated."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dualnn.assignments.architecture import CONVOLUTIONAL, MULTI, SINGLE, Architecture, Space


@dataclass(frozen=True)
class Plan:
    """How an assignment is done."""

    spaces: tuple[tuple[Space, int | None], ...]
    """The networks of each kind, and how many of them are tried; None: all."""
    epochs: int
    """The length of a training that is not stopped early."""
    patience: int
    """A training is stopped after so many epochs in which the validation loss was not better."""
    batch_size: int
    folds: int
    """Of the cross-validation; 1: one sixth of the training examples is held out for validation instead."""
    standardised: bool = False
    """Whether features are scaled by the mean and the deviation of what is trained on."""
    features: tuple[str, ...] = ()
    """The names of the features, if the examples are no images."""

    def networks(self, seed: int) -> list[Architecture]:
        """Return the networks that are tried, which depend on the seed and on nothing else."""
        return [network for space, count in self.spaces for network in space.draw(count, seed)]


_LARGE = Plan(
    spaces=(
        (Space(SINGLE, learning_rate=(0.001, 0.003)), None),
        (
            Space(
                MULTI,
                layers=(1, 2, 3),
                width=(256, 512),
                dropout=(0.2, 0.4),
                learning_rate=(0.0005, 0.001, 0.002),
            ),
            6,
        ),
        (
            Space(
                CONVOLUTIONAL, layers=(2, 3), width=(32,), dropout=(0.2, 0.4), learning_rate=(0.001, 0.003)
            ),
            2,
        ),
    ),
    epochs=12,
    patience=3,
    batch_size=128,
    folds=1,
)

PLANS = {
    # few flowers: every one of them is needed for training and for validation, and a training takes no time
    "iris": Plan(
        spaces=(
            (Space(SINGLE, learning_rate=(0.01, 0.05)), None),
            (
                Space(MULTI, layers=(1, 2), width=(8, 32), dropout=(0.0, 0.2), learning_rate=(0.003, 0.01)),
                None,
            ),
        ),
        epochs=100,
        patience=15,
        batch_size=16,
        folds=5,
        standardised=True,
        features=("sepal length", "sepal width", "petal length", "petal width"),
    ),
    "digits": Plan(
        spaces=(
            (Space(SINGLE, learning_rate=(0.003, 0.01)), None),
            (
                Space(
                    MULTI, layers=(1, 2), width=(64, 256), dropout=(0.0, 0.3), learning_rate=(0.001, 0.003)
                ),
                6,
            ),
            (
                Space(
                    CONVOLUTIONAL,
                    layers=(2,),
                    width=(16, 32),
                    dropout=(0.2, 0.4),
                    learning_rate=(0.001, 0.003),
                ),
                3,
            ),
        ),
        epochs=40,
        patience=8,
        batch_size=32,
        folds=5,
    ),
    "mnist": _LARGE,
    # left and right shoes are both shoes, while a mirrored digit is none
    "fashion-mnist": replace(
        _LARGE,
        spaces=(*_LARGE.spaces[:2], (replace(_LARGE.spaces[2][0], flip=True), _LARGE.spaces[2][1])),
    ),
}


def reduced(plan: Plan) -> Plan:
    """Return a plan for a first look: fewer networks, folds and epochs.

    >>> [network.kind for network in reduced(PLANS["digits"]).networks(seed=0)]
    ['single-layer', 'multi-layer', 'multi-layer', 'convolutional']
    """
    counts = {SINGLE: 1, MULTI: 2, CONVOLUTIONAL: 1}
    return replace(
        plan,
        spaces=tuple((space, counts[space.kind]) for space, _ in plan.spaces),
        epochs=max(3, plan.epochs // 3),
        folds=min(plan.folds, 3),
    )
