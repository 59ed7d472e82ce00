"""A training that prints what the process holds as it goes: ``python long_run.py BACKEND KIND STEPS``."""

import gc
import json
import os
import sys
import threading
from pathlib import Path

import numpy as np

import dualnn as dn

ROUNDS = 10


def held():
    """Return the memory of the process in MB, its threads and its open files."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "megabytes": pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
        "threads": threading.active_count(),
        "tasks": len(os.listdir("/proc/self/task")),
        "files": len(os.listdir("/proc/self/fd")),
    }


def network(backend, engine="auto"):
    model = dn.Sequential([dn.layers.Dense(8, activation="tanh"), dn.layers.Dense(3)]).on(backend)
    loss = dn.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"], engine=engine)
    return model


class Tell(dn.callbacks.Callback):
    """Prints what is held, ten times in a run."""

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % (self.params["epochs"] // ROUNDS) == 0:
            print(json.dumps(held()), flush=True)


def batches(x, y, steps):
    rows = np.arange(32)
    for step in range(steps):
        yield x[(rows + step) % len(x)], y[(rows + step) % len(x)]


def main(backend, kind, steps):
    """Train for about so many steps."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(150, 4)).astype(np.float32), rng.integers(0, 3, 150)
    if kind == "models":  # many short runs, each of a new model, are what a search does
        for number in range(steps):
            network(backend, ("eager", "step")[number % 2]).fit(x, y, epochs=2, verbose=0)
            if (number + 1) % (steps // ROUNDS) == 0:
                print(json.dumps(held()), flush=True)
    elif kind == "generator":
        epochs = ROUNDS
        network(backend).fit(
            batches(x, y, steps),
            epochs=epochs,
            steps_per_epoch=steps // epochs,
            callbacks=[Tell()],
            verbose=0,
        )
    else:
        epochs = min(steps // 5, 10_000)  # the history grows by each
        x, y = (np.resize(array, (30 * steps // epochs, *array.shape[1:])) for array in (x, y))
        network(backend, kind).fit(
            x, y, epochs=epochs, validation_split=0.1, callbacks=[Tell()], verbose=0, batch_size=27
        )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
