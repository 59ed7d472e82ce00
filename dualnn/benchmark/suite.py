"""Running the contenders: those of a group in turn, one at a time."""

from __future__ import annotations

import importlib.util
import os
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path
from typing import Any

from dualnn import backends
from dualnn.benchmark import contenders
from dualnn.benchmark.imports import import_times
from dualnn.benchmark.job import Job
from dualnn.benchmark.models import MODELS, QUICK
from dualnn.benchmark.pool import Contender, ContenderError
from dualnn.benchmark.report import Report, Result
from dualnn.benchmark.tasks import FIT, LATENCY, OWN_LOOP, OWN_STEPS, PREDICT, TASKS
from dualnn.benchmark.workload import array, function
from dualnn.names import unknown

WARM_UP = {FIT: 2, OWN_LOOP: 2, PREDICT: 5, LATENCY: 1_300}
"""Epochs, or calls, that compilation is paid in. A first epoch in which a compiled function meets all its
shapes, and a second one in which it has met them; predictions until a model is taken to go on."""
LONG_ENOUGH = 0.2
"""Seconds a repetition, which clocks and switching between processes are nothing beside."""
HOPELESS = 2.0
"""How many times the time of the best native loop one may take without being measured again."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, and the number of things done and to do."""


def bench(
    models: Sequence[str] = QUICK,
    *,
    on: Sequence[str] | None = None,
    batch_sizes: Sequence[int] = (),
    tasks: Iterable[str] = TASKS,
    epochs: int = 1000,
    engine: str | None = None,
    repetitions: int = 7,
    threads: int | None = None,
    data: str | None = None,
    targets: str | None = None,
    loss: str | None = None,
    progress: Progress | None = None,
) -> Report:
    """Measure dualnn beside native loops and peers.

    Args:
        models: names of the benchmark's models, or ``"module:build"`` for models of your own.
        on: backends; all that are installed by default.
        batch_sizes: each is measured; by default a model's own, which is 32 for yours.
        tasks: some of ``"fit"``, ``"own loop"``, ``"predict"``, ``"latency"``.
        epochs: how many epochs a run of `fit` is told to have. It is the steady state that is measured, over
            as many epochs as that takes; but a run may choose its way of execution by its length.
        engine: for dualnn's ``compile(engine=...)``; None for its default.
        repetitions: how often each contender does each task.
        threads: how many each contender may compute with; by default one for each core.
        data: for a model of yours, a file of NumPy or a shape of random inputs, ``"3200,784"``.
        targets: for a model of yours, a file of NumPy; random ones by default.
        loss: for a model of yours, a loss by its name; by default that of the compiled model.
        progress: called as the work goes on.

    Returns:
        The report; a contender that fails is a result with an error.

    Raises:
        ValueError: an unknown model, backend or task, or data that fits neither.

    >>> from dualnn.benchmark import bench
    >>> bench(["mlp"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: unknown model 'mlp'...
    """
    started = time.perf_counter()
    names, tasks = list(on or backends.available()), list(tasks)
    for task in tasks:
        if task not in TASKS:
            raise ValueError(unknown("task", task, TASKS))
    for model in models:
        _check(model, data)
    threads = threads or os.cpu_count() or 1
    fields = [
        contenders.field_of(
            Job("dualnn", name, model, size, epochs, engine=engine, data=data, targets=targets, loss=loss)
        )
        for model in models
        for name in names
        for size in batch_sizes or (MODELS[model].batch_size if model in MODELS else 32,)
    ]
    clock = _Clock(progress, sum(len(jobs) * (1 + len(tasks)) for jobs in fields))
    clock.tell("importing")
    imports = import_times(repetitions)
    results = [result for jobs in fields for result in _measured(jobs, tasks, repetitions, threads, clock)]
    return Report(
        tuple(results),
        imports,
        _machine(),
        _versions(names),
        {
            "threads": threads,
            "repetitions": repetitions,
            "epochs": epochs,
            "engine": engine,
            "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY"),
        },
        time.perf_counter() - started,
    )


def _measured(
    jobs: list[Job], tasks: list[str], repetitions: int, threads: int, clock: _Clock
) -> list[Result]:
    """Have the contenders of one group do all tasks."""
    with ExitStack() as stack:
        all_of_them = [_Entry(stack.enter_context(Contender(job, threads)), clock) for job in jobs]
        for one in all_of_them:
            one.start()
        for task in tasks:
            able = [one for one in all_of_them if one.warm_up(task)]
            wanted = {id(one): repetitions for one in able} | {id(one): 1 for one in _hopeless(able, task)}
            for repetition in range(repetitions):
                for one in able:
                    if repetition < wanted[id(one)]:
                        one.repeat(task)
        for one in all_of_them:
            one.contender.end()  # together, which takes less time than one after the other
        return [one.result for one in all_of_them]


class _Entry:
    """One contender of a group, with what it took so far."""

    def __init__(self, contender: Contender, clock: _Clock) -> None:
        self.contender, self.result = contender, Result(contender.job)
        self.guess = 0.0
        self._clock = clock
        self._tasks: list[str] = []
        self._steps = self._times = 1

    def start(self) -> None:
        """Wait until it is ready."""
        self._clock.tell(f"{self._where()}: starting", 1)
        try:
            answer = self.contender.answer()
            self._tasks, self._steps = answer["tasks"], answer["steps"]
        except ContenderError as error:
            self.result.error = str(error)

    def warm_up(self, task: str) -> bool:
        """Have it compile and find out how often to do the task; return whether it can."""
        self._clock.tell(f"{self._where()}: {task}, warming up", 1)
        if task not in self._tasks or self.result.error is not None:
            return False
        first = self._ask(task, WARM_UP[task])
        again = first and self._ask(task, 1)
        if not first or not again:
            return False
        self.guess = again["seconds"]
        self._times = max(1, round(LONG_ENOUGH / self.guess))
        if task == FIT:
            steps = WARM_UP[FIT] * self._steps
            self.result.first_step = WARM_UP[FIT] * first["seconds"] - (steps - 1) * self.guess / self._steps
            # when nothing is compiled, the difference of two large numbers is mostly noise
            self.result.first_step = max(self.result.first_step, self.guess / self._steps)
            self.result.loss = first["loss"]
        return True

    def repeat(self, task: str) -> None:
        """Have it do the task for one repetition."""
        self._clock.tell(f"{self._where()}: {task}")
        answer = None if self.result.error is not None else self._ask(task, self._times)
        if not answer:
            return
        steps = {FIT: self._steps, OWN_LOOP: min(OWN_STEPS, self._steps)}.get(task, 1)
        self.result.times.setdefault(task, []).append(answer["seconds"] / steps)
        if task == FIT:
            self.result.peak, self.result.about = answer["peak"], answer["about"]

    def _ask(self, task: str, times: int) -> dict[str, Any]:
        try:
            return self.contender.ask(task, times)
        except ContenderError as error:
            self.result.error = f"{task}: {error}"
            return {}

    def _where(self) -> str:
        job = self.result.job
        return f"{job.model}, batch {job.batch_size}, {job.backend}, {job.contender}"


def _hopeless(entries: list[_Entry], task: str) -> list[_Entry]:
    # one of the native loops is the best, and the clearly slower ones need no precise figure
    natives = [one for one in entries if one.result.job.maker == "native"]
    best = min((one.guess for one in natives), default=0.0)
    return [one for one in natives if one.guess > HOPELESS * best and task != LATENCY]


class _Clock:
    """Counts what is done and tells it."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._done, self._total = progress, 0, total

    def tell(self, what: str, done: int = 0) -> None:
        self._done += done
        if self._progress is not None:
            self._progress(what, self._done, self._total)


def _check(model: str, data: str | None) -> None:
    """Raise an error now if a model could not be made later."""
    if ":" not in model:
        if model not in MODELS:
            raise ValueError(unknown("model", model, MODELS))
        return
    function(model)
    if data is None:
        raise ValueError("a model of your own needs inputs: --input 3200,784 or --input x.npy")
    array(data)


def _versions(names: list[str]) -> dict[str, str]:
    found = {name: metadata.version(name) for name in ("dualnn", "numpy")}
    for name in names:
        found[name] = backends.backend(name).__version__
        for peer in ("keras", *contenders.native_loops(name).PEERS):
            if peer not in found and importlib.util.find_spec(peer) is not None:
                found[peer] = metadata.version(peer)
    return {"python": platform.python_version(), **found}


def _machine() -> str:
    cpu = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        names = [line for line in information.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].partition(":")[2].strip() if names else cpu
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {cpu}"
