"""A training run that tests kill and resume: ``python killed_training.py BACKEND ENGINE``."""

import json
import os
import sys
from pathlib import Path

import numpy as np

import dualnn as dn


def train(backend, folder, engine, log, epochs=12):
    """Return the model and the history of a run with everything in it that has a state."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(163, 6)).astype(np.float32), rng.integers(0, 3, 163)
    model = dn.Sequential(
        [
            dn.layers.Dense(16, use_bias=False),  # a normalisation leaves nothing of a bias but its roundings
            dn.layers.BatchNormalization(),
            dn.layers.Activation("relu"),
            dn.layers.Dropout(0.3),
            dn.layers.Dense(3),
        ]
    ).on(backend)
    model.compile(
        dn.optimizers.Adam(1e-2),
        dn.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        engine=engine,
    )
    history = model.fit(
        x,
        y,
        epochs=epochs,
        batch_size=8,
        validation_split=0.2,
        callbacks=[
            dn.callbacks.EarlyStopping(patience=50, restore_best_weights=True),
            dn.callbacks.ReduceLROnPlateau(patience=2),
            dn.callbacks.CSVLogger(log),
        ],
        checkpoint=dn.Checkpoints(folder, every_steps=3),
        resume=True,
        seed=3,
        verbose=0,
    )
    return model, history


def serve(backend, engine):
    """For each line on standard input, a folder and an output, train in a process of its own.

    Its number is printed when the training begins, and its exit status when it has ended.
    """
    dn.backend(backend)  # imported once: it takes longer than the training
    for line in sys.stdin:
        folder, output = line.split()
        process = os.fork()
        if process == 0:
            print(os.getpid(), flush=True)
            model, history = train(backend, folder, engine, output + ".csv")
            model.save_weights(output + ".safetensors")
            Path(output + ".json").write_text(json.dumps(history.history))
            os._exit(0)
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    serve(*sys.argv[1:])
