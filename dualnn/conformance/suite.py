"""The suite: choosing cases and targets, running them, and what came out."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from dualnn import backends
from dualnn.conformance import catalogue, measure, names, runner
from dualnn.conformance.case import Case
from dualnn.conformance.runner import BAD, KNOWN, MISSING, Result
from dualnn.conformance.target import DTYPES, MODES, Target, targets
from dualnn.names import unknown

CHUNK = 24
CHUNK_OF_JIT = 60
"""How many cases a process is given at once. What is compiled is compiled together; machine code more of it,
for which a compiler takes seconds before the first function."""
Progress = Callable[[int, int], None]
"""Called with the number of cases done, and of all."""


@dataclass(frozen=True)
class Report:
    """What the suite found.

    Attributes:
        results: one for everything measured.
        subjects: the subject of each case by its id, ``"losses"``.
        untested: public names that no case is about; each is a fault of the suite.
        level: ``"quick"`` or ``"full"``.
        versions: of what was involved, by name.
        machine: what it was run on.
        seconds: how long it took.
    """

    results: tuple[Result, ...]
    subjects: dict[str, str]
    untested: tuple[str, ...]
    level: str
    versions: dict[str, str]
    machine: str
    seconds: float
    stopped: bool = field(default=False)
    """Whether it ended at the first fault, as it was asked to."""

    @property
    def bad(self) -> list[Result]:
        """The results that are out of bounds, or errors."""
        return [result for result in self.results if result.status in BAD]

    @property
    def known(self) -> list[Result]:
        """The disagreements that are the frameworks' own, with their cause."""
        return [result for result in self.results if result.status == KNOWN]

    @property
    def missing(self) -> list[Result]:
        """What a backend lacks."""
        return [result for result in self.results if result.status == MISSING]

    @property
    def passed(self) -> bool:
        """Whether nothing is out of bounds, in error or untested."""
        return not self.bad and not self.untested

    def by_subject(self) -> dict[str, list[Result]]:
        """The results by the subject of their case, in alphabetical order."""
        groups: dict[str, list[Result]] = {}
        for result in self.results:
            groups.setdefault(self.subjects[result.case], []).append(result)
        return dict(sorted(groups.items()))

    def differences(self) -> dict[tuple[str, str, str], tuple[float, str]]:
        """How far the targets are from each other, by case, kind and dtype.

        Returns:
            The largest difference of two targets' results, in ULP of the largest number, and which two.
        """
        together: dict[tuple[str, str, str], list[Result]] = {}
        for result in self.results:
            if result.outputs:
                together.setdefault((result.case, result.kind, result.target.dtype), []).append(result)
        return {key: _difference(results, key[2]) for key, results in together.items() if len(results) > 1}


def conform(
    names_of_backends: Iterable[str] | None = None,
    *,
    devices: Iterable[str] | None = None,
    dtypes: Iterable[str] = DTYPES,
    modes: Iterable[str] = MODES,
    level: str = "quick",
    select: Iterable[str] = (),
    fail_fast: bool = False,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Report:
    """Measure how exactly every public operation computes on every backend, device and dtype.

    Args:
        names_of_backends: which backends; all that are available by default. Any registered one is taken.
        devices: which devices, ``"cpu"``, ``"cuda"``; by default all that each backend has.
        dtypes: which floating-point dtypes.
        modes: how it is run: ``"eager"``, ``"compiled"`` (as a graph), ``"jit"`` (as machine code).
        level: ``"quick"``, or ``"full"``: longer sums and trajectories, and machine code of everything.
        select: parts of the cases' ids, or patterns such as ``"losses.*"``; by default all.
        fail_fast: end after the first case with a fault.
        jobs: how many processes work on it.
        progress: called with the number of cases done, and of all.

    Returns:
        The report; `Report.passed` is the verdict.

    Raises:
        ValueError: an unknown level, or no case that is selected.

    >>> import dualnn as dn
    >>> from dualnn.conformance import conform
    >>> conform(dn.available()[:1], select=["losses.Huber"], modes=["eager"]).passed
    True
    """
    modes = tuple(modes)
    for mode in modes:
        if mode not in MODES:
            raise ValueError(unknown("mode", mode, MODES))
    if level not in ("quick", "full"):
        raise ValueError(f"expected the level 'quick' or 'full', got {level!r}")
    start = time.perf_counter()
    subjects = {case.id: subject for subject, cases in catalogue.by_subject().items() for case in cases}
    cases = runner.selected(catalogue.all_cases(), select, level)
    if not cases:
        raise ValueError(
            f"expected patterns that select cases, got {', '.join(select)}; known: 'losses.Huber', ..."
        )
    where = [one for one in targets(names_of_backends, devices, dtypes, level) if one.mode in modes]
    results: list[Result] = []
    stopped = False
    work = _work(cases, where, level, jobs)
    total = sum(len(ids) for ids, _ in work)
    for done, found in _run(work, level, jobs):
        results += found
        if progress is not None:
            progress(done, total)
        if fail_fast and any(result.status in BAD for result in found):
            stopped = True
            break
    loaded = {target.backend for target in where}
    return Report(
        results=tuple(results),
        subjects=subjects,
        untested=() if select else tuple(names.untested(catalogue.all_cases(), sorted(loaded))),
        level=level,
        versions={
            "python": platform.python_version(),
            "numpy": np.__version__,
            **{name: str(backends.backend(name).__version__) for name in sorted(loaded)},
        },
        machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        seconds=time.perf_counter() - start,
        stopped=stopped,
    )


_Work: TypeAlias = tuple[list[str], list[Target]]


def _work(cases: list[Case], where: list[Target], level: str, jobs: int) -> list[_Work]:
    """Return what is run together: ids of cases, and targets. What takes longest is first."""
    machine_code = [target for target in where if target.mode == "jit"]
    others = [target for target in where if target.mode != "jit"]
    work: list[_Work] = []
    for target in machine_code:
        compiled = [case.id for case in runner.in_machine_code(cases, level, target.dtype)]
        work += [(chunk, [target]) for chunk in _chunks(compiled, CHUNK_OF_JIT)]
    size = CHUNK if jobs > 1 else 1  # one case after the other shows that it goes on, and ends at a fault
    return work + [(chunk, others) for chunk in _chunks([case.id for case in cases], size)]


def _chunks(ids: list[str], size: int) -> list[list[str]]:
    return [ids[i : i + size] for i in range(0, len(ids), size)]


def _run(work: list[_Work], level: str, jobs: int) -> Iterator[tuple[int, list[Result]]]:
    done = 0
    if jobs == 1:
        for ids, where in work:
            found = _run_chunk(ids, where, level)
            done += len(ids)
            yield done, found
        return
    # Fresh processes: frameworks and their threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(jobs, context, wait_asleep) as pool:
        futures = {pool.submit(_run_chunk, ids, where, level): len(ids) for ids, where in work}
        try:
            for future in concurrent.futures.as_completed(futures):
                done += futures[future]
                yield done, future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def wait_asleep() -> None:
    """Prepare a process that works beside others, before it imports a framework."""
    # Beside each other, threads that spin while they wait take the cores from those that work. It is read
    # when a framework is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def _run_chunk(ids: list[str], where: list[Target], level: str) -> list[Result]:
    wanted = set(ids)
    return list(runner.run_cases([case for case in catalogue.all_cases() if case.id in wanted], where, level))


def _difference(results: list[Result], dtype: str) -> tuple[float, str]:
    worst = (0.0, "")
    for i, first in enumerate(results):
        for second in results[:i]:
            for a, b in zip(first.outputs, second.outputs, strict=False):
                if a.shape != b.shape or a.size == 0:
                    continue
                unit = measure.ulp(np.max(np.abs(np.where(np.isfinite(b), b, 0))), dtype)
                gap: Any = np.max(measure.distance(a, b)) / unit
                if gap > worst[0]:
                    worst = (float(gap), f"{second.target} and {first.target}")
    return worst
