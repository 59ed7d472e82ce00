"""Keras 3 on the framework that its variable KERAS_BACKEND names, out of the box."""

from __future__ import annotations

from typing import Any

import keras

from dualnn.benchmark.job import Job
from dualnn.benchmark.tasks import LATENCY, PREDICT, PREDICT_BATCH, More, Tasks, on_many, on_one
from dualnn.benchmark.workload import Workload


class _Paced(keras.callbacks.Callback):  # type: ignore[misc]
    """Asks after every epoch whether training goes on."""

    def __init__(self, more: More) -> None:
        super().__init__()
        self._more = more

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.model.stop_training = not self._more(logs["loss"])


def tasks(job: Job, work: Workload) -> Tasks:
    """Return what Keras does with the job."""
    model = work.build(keras)
    model.build((None, *work.x.shape[1:]))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(), loss)

    def fit(more: More) -> None:
        paced = _Paced(more)
        model.fit(work.x, work.y, batch_size=job.batch_size, epochs=job.epochs, verbose=0, callbacks=[paced])

    return Tasks(
        fit,
        {
            PREDICT: lambda: on_many(
                lambda many: model.predict(many, batch_size=PREDICT_BATCH, verbose=0), work
            ),
            LATENCY: lambda: on_one(model.predict_on_batch, work),
        },
    )
