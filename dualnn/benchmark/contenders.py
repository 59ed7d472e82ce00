"""Who takes part: dualnn, the native loops of its adapters, and what the peers are."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import dualnn as dn
from dualnn import backends
from dualnn.benchmark.job import Job
from dualnn.benchmark.tasks import (
    LATENCY,
    OWN_LOOP,
    OWN_STEPS,
    PREDICT,
    PREDICT_BATCH,
    More,
    Tasks,
    in_batches,
    on_many,
    on_one,
)
from dualnn.benchmark.workload import SEED, Workload


def field_of(job: Job) -> list[Job]:
    """Return the jobs of all contenders on the model, batch and backend of one job.

    Raises:
        ValueError: the adapter of the backend has no native loops to compare with.

    >>> from dualnn.benchmark.contenders import field_of
    >>> from dualnn.benchmark.job import Job
    >>> import dualnn as dn
    >>> field_of(Job("dualnn", dn.backend().name, "cnn", 64))[-1].model
    'cnn'
    """
    native = native_loops(job.backend)
    if ":" in job.model:
        loops = native.AROUND_A_MODEL
        return [job, *(replace(job, maker="native", loop=loop) for loop in loops)]
    networks = native.NETWORKS[job.model]
    natives = [
        replace(job, maker="native", network=network, loop=loop)
        for network in networks
        for loop in (*native.LOOPS, *(loop for loop in native.OWN_LOOPS if loop not in native.LOOPS))
    ]
    return [job, *natives, *(replace(job, maker=peer) for peer in ("keras", *native.PEERS))]


def native_loops(backend: str) -> Any:
    """Return the adapter's module of native loops.

    Raises:
        ValueError: it has none.
    """
    name = f"{backends.backend(backend).__name__}.native_loops"  # type: ignore[attr-defined]
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise ValueError(f"{backend!r} has no native loops to compare with: there is no {name}") from None


def prepare(job: Job, work: Workload) -> Tasks:
    """Return what the contender of a job can do."""
    return _MAKERS.get(job.maker, _peer)(job, work)


# ------------------------------------------------------------------ dualnn


class _Paced(dn.callbacks.Callback):
    """Asks after every epoch whether training goes on."""

    def __init__(self, more: More) -> None:
        self._more = more

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.model.stop_training = not self._more((logs or {})["loss"])


def _dualnn(job: Job, work: Workload) -> Tasks:
    dn.use(job.backend)
    dn.random.seed(SEED)
    model = work.build(dn).on(job.backend)
    settings = {} if job.engine is None else {"engine": job.engine}
    model.compile(dn.optimizers.Adam(), work.loss, **settings)
    histories: list[dn.History] = []

    def fit(more: More) -> None:
        paced = _Paced(more)
        history = model.fit(
            work.x, work.y, batch_size=job.batch_size, epochs=job.epochs, verbose=0, callbacks=[paced]
        )
        histories[:] = [history]

    def about() -> dict[str, Any]:
        return {"engine": getattr(histories[0], "engine", None)} if histories else {}

    return Tasks(
        fit,
        {
            OWN_LOOP: lambda: _tape_loop(job, work),
            PREDICT: lambda: on_many(
                lambda many: model.predict(many, batch_size=PREDICT_BATCH, verbose=0), work
            ),
            LATENCY: lambda: on_one(model.predict_on_batch, work),
        },
        about,
    )


def _tape_loop(job: Job, work: Workload) -> Callable[[], float]:
    """Return the loop that a user of dualnn writes: a tape and an optimizer."""
    nn, work = dn.backend(), work.first(OWN_STEPS * job.batch_size)
    model, optimizer = work.build(dn).on(job.backend), dn.optimizers.Adam()
    x, y = nn.asarray(work.x), nn.asarray(work.y)
    model(x[:1])
    generator = dn.random.Generator(dn.random.key(SEED, "own loop"))

    def epoch() -> float:
        order, total = nn.asarray(generator.permutation(len(work.x))), nn.zeros(())
        for start in range(0, len(work.x), job.batch_size):
            rows = order[start : start + job.batch_size]
            with nn.GradientTape() as tape:
                loss = work.loss(nn.take(y, rows, axis=0), model(nn.take(x, rows, axis=0), training=True))
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply(gradients, model.trainable_variables)
            total = total + nn.stop_gradient(loss)
        return float(nn.to_numpy(total)) * job.batch_size / len(work.x)

    return epoch


# ------------------------------------------------------------------ native


def _native(job: Job, work: Workload) -> Tasks:
    native = native_loops(job.backend)
    if work.shared:
        network, loss = native.NETWORKS[job.model][job.network](), native.cross_entropy
    else:
        dn.use(job.backend)
        model = work.build(dn).on(job.backend)
        model.build((None, *work.x.shape[1:]))
        network, loss = model.native, work.loss
    tasks = Tasks()
    if job.loop in native.LOOPS:
        train_epoch = native.LOOPS[job.loop](network, loss, work.x, work.y, job.batch_size)

        def fit(more: More) -> None:
            while more(train_epoch()):
                pass

        tasks.fit = fit
    if job.loop in native.OWN_LOOPS:
        few = work.first(OWN_STEPS * job.batch_size)
        make = native.OWN_LOOPS[job.loop]
        tasks.others[OWN_LOOP] = lambda: make(network, loss, few.x, few.y, job.batch_size)
    if job.loop in native.FORWARDS:
        make_forward = native.FORWARDS[job.loop]
        tasks.others[PREDICT] = lambda: on_many(functools.partial(in_batches, make_forward(network)), work)
        tasks.others[LATENCY] = lambda: on_one(make_forward(network), work)
    return tasks


# ------------------------------------------------------------------ peers


def _keras(job: Job, work: Workload) -> Tasks:
    from dualnn.benchmark import keras_contender  # which imports Keras, in the worker alone

    return keras_contender.tasks(job, work)


def _peer(job: Job, work: Workload) -> Tasks:
    native = native_loops(job.backend)
    network = next(iter(native.NETWORKS[job.model].values()))()
    prepare_peer = native.PEERS[job.maker]
    return Tasks(prepare_peer(network, native.cross_entropy, work.x, work.y, job.batch_size, job.epochs))


_MAKERS: dict[str, Callable[[Job, Workload], Tasks]] = {
    "dualnn": _dualnn,
    "native": _native,
    "keras": _keras,
}
