"""What a worker is started for."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Job:
    """One contender on one model, as plain values, which go to its process.

    Attributes:
        maker: who makes it: ``"dualnn"``, ``"native"``, ``"keras"``, or a peer that the adapter names.
        backend: the name of the framework below.
        model: the name of a benchmark's model, or ``"module:build"`` for one of the user's.
        batch_size: samples a step of training.
        epochs: epochs of one `fit`, which a run may choose its way of execution by.
        network: which of the native ways to write the model.
        loop: which of the native loops.
        engine: what is given to dualnn's ``compile(engine=...)``; None for its default.
        data: for a model of the user's, a file of NumPy or the shape of random inputs.
        targets: for a model of the user's, a file of NumPy; None for random targets.
        loss: for a model of the user's, a loss by its name; None for that of the compiled model.
    """

    maker: str
    backend: str
    model: str
    batch_size: int
    epochs: int = 1000
    network: str = ""
    loop: str = ""
    engine: str | None = None
    data: str | None = None
    targets: str | None = None
    loss: str | None = None

    @property
    def contender(self) -> str:
        """The contender's name in tables."""
        return f"{self.maker}: {', '.join(filter(None, (self.network, self.loop)))}".removesuffix(": ")

    def to_json(self) -> str:
        """Return one line of text that `from_json` reads.

        >>> from dualnn.benchmark.job import Job
        >>> job = Job("native", "numpy", "cnn", 64, network="channels last", loop="eager")
        >>> Job.from_json(job.to_json()) == job, job.contender
        (True, 'native: channels last, eager')
        """
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Job:
        """Return the job that `to_json` wrote."""
        return Job(**json.loads(text))
