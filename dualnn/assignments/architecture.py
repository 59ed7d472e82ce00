"""The networks that an assignment tries: what distinguishes them, and how they are built."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from dualnn import layers, random
from dualnn.layers import Layer
from dualnn.models import Model, Sequential

SINGLE, MULTI, CONVOLUTIONAL = "single-layer", "multi-layer", "convolutional"


@dataclass(frozen=True)
class Architecture:
    """A network and its learning rate.

    >>> network = Architecture("multi-layer", layers=2, width=32, dropout=0.2, learning_rate=0.01)
    >>> str(network)
    'multi-layer: 2 hidden layers of 32 units, dropout 0.2, learning rate 0.01'
    >>> model = network.build(classes=3)
    >>> model.build((None, 4))
    >>> model.count_params()
    1315
    """

    kind: str
    """``"single-layer"``, ``"multi-layer"`` or ``"convolutional"``."""
    layers: int
    """The number of hidden layers, or of blocks of convolutions; 0 of a single-layer network."""
    width: int
    """The units of a hidden layer, or the channels of the first block, which every further one doubles."""
    dropout: float
    """After every hidden layer, or once before the last layer of a convolutional network."""
    learning_rate: float
    """The rate of Adam that the training starts from."""
    flip: bool = False
    """Whether images are mirrored at random while the network trains."""

    def build(self, classes: int) -> Model:
        """Return the network, not compiled; it ends in one logit a class."""
        hidden = self._blocks() if self.kind == CONVOLUTIONAL else self._hidden()
        return Sequential([*hidden, layers.Dense(classes)], name=self.kind.replace("-", "_"))

    @property
    def size(self) -> str:
        """The number of layers and the width, as text."""
        return "" if self.kind == SINGLE else f"{self.layers} of {self.width}"

    def _hidden(self) -> list[Layer]:
        found: list[Layer] = [layers.Flatten()]
        for _ in range(self.layers):
            found.append(layers.Dense(self.width, activation="relu", kernel_initializer="he_normal"))
            found += self._dropout()
        return found

    def _blocks(self) -> list[Layer]:
        found: list[Layer] = [layers.RandomFlip("horizontal")] if self.flip else []
        for block in range(self.layers):
            found += [
                # the normalisation has a bias of its own; its usual momentum of 0.99 would need more steps
                # than the first epochs of a small data set have
                layers.Conv2D(self.width * 2**block, 3, padding="same", use_bias=False),
                layers.BatchNormalization(momentum=0.9),
                layers.Activation("relu"),
                layers.MaxPooling2D(),
            ]
        return [*found, layers.Flatten(), *self._dropout()]

    def _dropout(self) -> list[Layer]:
        return [layers.Dropout(self.dropout)] if self.dropout else []

    def __str__(self) -> str:
        if self.kind == SINGLE:
            return f"{self.kind}: learning rate {self.learning_rate:g}"
        what = (
            f"{_counted(self.layers, 'block')} of convolutions from {self.width} channels"
            if self.kind == CONVOLUTIONAL
            else f"{_counted(self.layers, 'hidden layer')} of {self.width} units"
        )
        dropout = f"dropout {self.dropout:g}" if self.dropout else "no dropout"
        return f"{self.kind}: {what}, {dropout}, learning rate {self.learning_rate:g}"


@dataclass(frozen=True)
class Space:
    """All the networks of a kind that may be tried: every combination of these values.

    >>> space = Space("multi-layer", layers=(1, 2), width=(8, 32), learning_rate=(0.01,))
    >>> [(network.layers, network.width) for network in space.draw(2, seed=0)]
    [(2, 8), (2, 32)]
    """

    kind: str
    learning_rate: Sequence[float]
    layers: Sequence[int] = (0,)
    width: Sequence[int] = (0,)
    dropout: Sequence[float] = (0.0,)
    flip: bool = False

    def draw(self, count: int | None, seed: int) -> list[Architecture]:
        """Return so many different networks, drawn at random by the seed; None: all.

        Random search finds good values in fewer trials than a coarser grid, since a grid tries few values
        of the settings that matter (Bergstra and Bengio, "Random search for hyper-parameter
        optimization", 2012).
        """
        every = [
            Architecture(self.kind, *values, self.flip)
            for values in itertools.product(self.layers, self.width, self.dropout, self.learning_rate)
        ]
        if count is None or count >= len(every):
            return every
        chosen = random.Generator(random.key(seed, self.kind)).permutation(len(every))[:count]
        return [every[i] for i in sorted(chosen)]


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
