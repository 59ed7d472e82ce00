"""Running cases on every backend, device, dtype and way of execution."""

from __future__ import annotations

import fnmatch
import functools
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from dualnn import backends
from dualnn.conformance import catalogue, known, measure
from dualnn.conformance.case import Array, Case, DenseCase, ExactCase, FunctionCase, TrajectoryCase
from dualnn.conformance.formats import FORMATS, rounded
from dualnn.conformance.measure import Deviation, Expected
from dualnn.conformance.target import Target
from dualnn.defaults import defaults
from dualnn.protocol import Backend

PASSED, FAULT, ERROR, MISSING, KNOWN = "passed", "out of bounds", "error", "missing", "known"
BAD = (FAULT, ERROR)
LOGGER = logging.getLogger("dualnn")
ORDERS = {"forward": 0, "gradient": 1, "second derivative": 2}


@dataclass(frozen=True)
class Result:
    """What came out of one measurement of one case on one target.

    Attributes:
        case, name: the case's id, and the public name that it is about.
        kind: what was measured: ``"forward"``, ``"gradient"``, ``"second derivative"``, ``"exact"``,
            ``"trajectory"``.
        target: where and how it was run.
        status: ``"passed"``, ``"out of bounds"``, ``"error"``, ``"missing"`` (the backend lacks what it
            needs), ``"known"`` (a listed disagreement of a framework).
        error, bound: in units in the last place, where the error is the largest share of its bound.
        share: the error over the bound.
        detail: the place and the numbers there, the error's text, the cause of a known disagreement.
        size: the length of a long reduction.
        path: the errors over the steps of a trajectory, and their bounds, in ULP of the largest number.
        seconds: how long it took.
        outputs: the results themselves.
    """

    case: str
    name: str
    kind: str
    target: Target
    status: str
    error: float = 0.0
    bound: float = 0.0
    share: float = 0.0
    detail: str = ""
    size: int | None = None
    path: tuple[tuple[float, float], ...] = ()
    seconds: float = 0.0
    outputs: tuple[Array, ...] = field(default=(), compare=False, repr=False)


def selected(cases: Iterable[Case], patterns: Iterable[str] = (), level: str = "quick") -> list[Case]:
    """Return the cases of a level whose id contains one of the patterns, or matches it as of a shell."""
    patterns = list(patterns)
    return [
        case
        for case in cases
        if (level == "full" or case.level == "quick")
        and (not patterns or any(p in case.id or fnmatch.fnmatchcase(case.id, p) for p in patterns))
    ]


FIRST_IN_MACHINE_CODE = {
    "layers.BatchNormalization", "layers.LayerNormalization", "layers.SimpleRNN",
    "layers.MultiHeadAttention", "layers.Embedding", "conv2d", "max_pool2d", "avg_pool2d",
    "softmax", "log_softmax", "logsumexp", "sum", "mean", "var", "std", "prod", "cumulative_sum",
    "matmul", "linear", "sort", "argsort", "take", "take_along_axis", "concat", "roll", "flip"
}  # fmt: skip
"""Of these names the quick level makes machine code of the first case."""


def in_machine_code(cases: Iterable[Case], level: str, dtype: str) -> list[Case]:
    """Return the cases of a dtype that are compiled to machine code: all in float32 at the full level."""
    compiled = [case for case in cases if isinstance(case, FunctionCase | DenseCase) and dtype in case.dtypes]
    if (level, dtype) == ("full", "float32"):
        return list(compiled)
    first = _first_of_names(compiled)
    chosen = {first[name] for name in FIRST_IN_MACHINE_CODE & first.keys()}
    return [case for case in compiled if case.machine_code or case in chosen]


@functools.cache
def _variants() -> frozenset[Case]:
    """Return the functions' cases of float64 in the catalogue that are not the first of their name."""
    cases = [case for case in catalogue.all_cases() if isinstance(case, FunctionCase)]
    cases = [case for case in cases if "float64" in case.dtypes]
    return frozenset(cases) - frozenset(_first_of_names(cases).values())


def _first_of_names(cases: Iterable[Case]) -> dict[str, Case]:
    """Return the first case of each name, one with derivatives if there is one: others look at NaN alone."""
    found: dict[str, Case] = {}
    for case in sorted(cases, key=lambda case: isinstance(case, FunctionCase) and case.derivatives == 0):
        found.setdefault(case.name, case)
    return found


def run_case(case: Case, where: Iterable[Target]) -> Iterator[Result]:
    """Yield a result for everything that is measured of a case on each target."""
    yield from run_cases([case], where)


def run_cases(cases: Iterable[Case], where: Iterable[Target], level: str = "quick") -> Iterator[Result]:
    """Yield a result for everything that is measured of each case on each target.

    The quick level has second derivatives eagerly and in float32 only, in graphs of float64 the first case of
    each name, and machine code of a few. What is compiled is compiled together, many functions in one
    graph: a compiler's work before and after the functions themselves takes seconds.
    """
    cases = list(cases)
    try:
        with _others_silent():
            for target in where:
                yield from _on_target(cases, target, level)
    finally:
        _expected.cache_clear()  # some are of millions of numbers


def _on_target(cases: list[Case], target: Target, level: str) -> Iterator[Result]:
    fitting = [case for case in cases if target.dtype in case.dtypes]
    if (target.mode, target.dtype, level) == ("compiled", "float64", "quick"):
        fitting = [case for case in fitting if case not in _variants()]
    functions = [case for case in fitting if isinstance(case, FunctionCase | DenseCase)]
    jobs = [job for case in functions for job in _jobs(case, target, _most_derivatives(target, level))]
    if target.mode == "eager":
        for job in jobs:
            outputs = functools.partial(_outputs, job, target)
            yield _measured(job.case, job.kind, target, outputs, job.judge)
        for case in fitting:
            if isinstance(case, ExactCase):
                yield from _run_exact(case, target)
            elif isinstance(case, TrajectoryCase):  # training itself decides how it is run
                yield from _run_trajectory(case, target)
        return
    for job, arrays in zip(jobs, _compiled(jobs, target), strict=True):
        yield _measured(job.case, job.kind, target, functools.partial(_raised, arrays), job.judge)


def _most_derivatives(target: Target, level: str) -> int:
    if target.mode == "jit":
        return 1
    return 2 if level == "full" or (target.mode, target.dtype) == ("eager", "float32") else 1


def expected(case: Case, result: Result) -> Expected:
    """Return what a result was measured against, and how far from it it may be."""
    dtype = result.target.dtype
    if isinstance(case, FunctionCase | DenseCase):
        return _expected(case, dtype, ORDERS[result.kind])
    if isinstance(case, TrajectoryCase):
        states, allowed = _expected_trajectory(case, dtype)
        return Expected([states], [np.broadcast_to(allowed[:, None], states.shape)])
    assert isinstance(case, ExactCase)
    answers = [np.asarray(answer) for answer in case.answers(dtype).values()]
    return Expected(answers, [np.zeros(answer.shape) for answer in answers])


@dataclass(frozen=True)
class _Job:
    """A function of tensors that returns a list of them, the arrays that it is called on, and its judge."""

    case: Case
    kind: str
    function: Callable[..., list[Any]]
    arrays: list[Array]
    judge: Callable[[list[Array]], Deviation]


def _jobs(case: FunctionCase | DenseCase, target: Target, most: int) -> Iterator[_Job]:
    nn, dtype = backends.backend(target.backend), target.dtype
    arrays = [case.points(dtype)] if isinstance(case, DenseCase) else [rounded(x, dtype) for x in case.inputs]
    for kind, order in ORDERS.items():
        if order > min(most, _highest(case)):
            return
        derived = _derived(nn, case, order)
        yield _Job(
            case,
            kind,
            functools.partial(_listed, functools.partial(derived, nn)),
            arrays,
            functools.partial(_deviation, case, dtype, order),
        )


def _highest(case: FunctionCase | DenseCase) -> int:
    if isinstance(case, DenseCase):
        return 0 if case.slope is None else 1
    return case.derivatives if measure.differentiable(case) else 0


def _listed(function: Callable[..., Any], *tensors: Any) -> list[Any]:
    return list(measure.leaves(function(*tensors)))


def _tensors(job: _Job, target: Target) -> list[Any]:
    nn = backends.backend(target.backend)

    def tensor(array: Array) -> Any:
        dtype = target.dtype if array.dtype.kind == "f" else None
        return nn.asarray(array, dtype=dtype, device=target.device)

    return [tensor(array) for array in job.arrays]


def _outputs(job: _Job, target: Target) -> list[Array]:
    nn = backends.backend(target.backend)
    return [nn.to_numpy(y) for y in job.function(*_tensors(job, target))]


class NotCompiledError(Exception):
    """A function runs as it is: the framework cannot compile it."""


def _compiled(jobs: list[_Job], target: Target) -> Iterator[list[Array] | Exception]:
    """Yield what the jobs give, or raise, if all are compiled as one function; else in halves of them."""
    if not jobs:
        return
    nn, raised = backends.backend(target.backend), dict[int, Exception]()

    def together(inputs: list[list[Any]]) -> list[list[Any]]:
        return [
            attempt(number, job, tensors)
            for number, (job, tensors) in enumerate(zip(jobs, inputs, strict=True))
        ]

    def attempt(number: int, job: _Job, tensors: list[Any]) -> list[Any]:
        try:
            return job.function(*tensors)
        except Exception as error:  # of whatever kind: it is the job's result
            raised[number] = error
            return []

    found: list[list[Array] | Exception]
    with _listening() as warnings:
        try:
            compiled = nn.compile(together, jit=target.mode == "jit")
            inputs = [_tensors(job, target) for job in jobs]
            compiled(inputs)  # which may run the function itself, to see what it does
            results = compiled(inputs)
            found = [[nn.to_numpy(y) for y in ys] for ys in results]
        except Exception as error:
            raised, found = {}, [error]
    if not warnings and len(found) == len(jobs):
        yield from (raised.get(number, arrays) for number, arrays in enumerate(found))
    elif len(jobs) == 1:
        yield NotCompiledError(warnings[0]) if warnings else found[0]
    else:
        half = len(jobs) // 2
        yield from _compiled(jobs[:half], target)
        yield from _compiled(jobs[half:], target)


def _raised(arrays: list[Array] | Exception) -> list[Array]:
    if isinstance(arrays, Exception):
        raise arrays
    return arrays


def _deviation(case: FunctionCase | DenseCase, dtype: str, order: int, arrays: list[Array]) -> Deviation:
    return measure.deviation(arrays, _expected(case, dtype, order), dtype)


def _derived(nn: Backend, case: FunctionCase | DenseCase, order: int) -> Callable[..., Any]:
    if order == 0:
        return case.run
    if isinstance(case, DenseCase):
        return lambda nn, x: nn.grad(lambda x: nn.sum(case.run(nn, x)))(x)
    lower, by = _derived(nn, case, order - 1), tuple(measure.differentiable(case))
    # Of the reference, as a compiler may not know the shapes.
    results = measure.leaves(case.reference(*case.inputs)) if order == 1 else (case.inputs[i] for i in by)
    shapes = [np.shape(result) for result in results]

    def function(nn: Backend, *tensors: Any) -> Any:
        def loss(*tensors: Any) -> Any:
            total = None
            for which, y in enumerate(measure.leaves(lower(nn, *tensors))):
                term = _weighted_sum(nn, y, shapes[which], which)
                total = term if total is None else total + term
            return total

        return nn.grad(loss, by)(*tensors)

    return function


def _weighted_sum(nn: Backend, y: Any, shape: tuple[int, ...], which: int) -> Any:
    dtype = nn.dtype_name(y.dtype)
    is_complex = dtype.startswith("complex")
    weights = measure.weights_like(np.zeros(shape, "complex128" if is_complex else "float64"), which)
    rounded_weights = weights.astype(dtype) if is_complex else rounded(weights, dtype)
    weights = nn.asarray(rounded_weights, dtype=dtype, device=nn.device(y))
    return nn.sum(nn.real(y * weights) if is_complex else y * weights)


@functools.lru_cache(maxsize=512)
def _expected(case: FunctionCase | DenseCase, dtype: str, order: int) -> Expected:
    functions = (measure.expected_forward, measure.expected_gradient, measure.expected_second)
    with np.errstate(all="ignore"):
        if isinstance(case, DenseCase):
            return measure.expected_dense(case, dtype, order)
        return functions[order](case, dtype)


def _run_exact(case: ExactCase, target: Target) -> Iterator[Result]:
    nn = backends.backend(target.backend)
    expected = case.answers(target.dtype)

    def outputs() -> list[Array]:
        with _default_device(target):
            answers = case.run(nn, target.dtype)
        if set(answers) != set(expected):
            raise ValueError(f"expected answers to {sorted(expected)}, got {sorted(answers)}")
        return [nn.to_numpy(answers[question]) for question in expected]

    def judged(arrays: list[Array]) -> Deviation:
        for (question, wanted), got in zip(expected.items(), arrays, strict=True):
            if got.shape != wanted.shape or not _identical(got, wanted):
                detail = f"{question}: expected {wanted.tolist()}, got {got.tolist()}"
                return Deviation(float("inf"), 0.0, float("inf"), detail)
        return Deviation(0.0, 0.0, 0.0, "")

    yield _measured(case, "exact", target, outputs, judged)


@contextmanager
def _default_device(target: Target) -> Iterator[None]:
    """Make tensors on the target's device where none is named."""
    before = dict(defaults.devices)
    defaults.devices[target.backend] = target.device
    try:
        yield
    finally:
        defaults.devices.clear()
        defaults.devices.update(before)


def _identical(got: Array, wanted: Array) -> bool:
    if got.dtype.kind == "c" or wanted.dtype.kind == "c":
        return _identical(got.real, wanted.real) and _identical(got.imag, wanted.imag)
    if got.dtype.kind != "f":
        return bool(np.array_equal(got, wanted)) and wanted.dtype.kind != "f"
    wanted = wanted.astype(got.dtype)
    same = (got == wanted) & (np.signbit(got) == np.signbit(wanted)) | (np.isnan(got) & np.isnan(wanted))
    return bool(np.all(same))


def _run_trajectory(case: TrajectoryCase, target: Target) -> Iterator[Result]:
    nn = backends.backend(target.backend)
    expected, allowed = _expected_trajectory(case, target.dtype)
    unit = float(np.max(measure.ulp(np.max(np.abs(expected)), target.dtype)))
    path: list[tuple[float, float]] = []

    def outputs() -> list[Array]:
        return [case.run(nn, target.dtype, target.device, case.steps)]

    def judged(arrays: list[Array]) -> Deviation:
        if arrays[0].shape != expected.shape:
            raise ValueError(f"expected states of shape {expected.shape}, got {arrays[0].shape}")
        errors = np.max(measure.distance(arrays[0], expected), axis=1)
        path.extend((float(e / unit), float(a / unit)) for e, a in zip(errors, allowed, strict=True))
        step = int(np.argmax(np.where(errors == 0, 0, errors / allowed)))
        error, bound = path[step]
        return Deviation(error, bound, error / bound if error else 0.0, f"step {step} of {case.steps}")

    yield replace(_measured(case, "trajectory", target, outputs, judged), path=tuple(path))


DISTURBED = 6
SAFETY = 8
"""Disturbed runs of the reference show how far rounding errors drift, and how much farther one more may.

With the tails of a normal distribution: the largest of six drifts is below 0.6 standard deviations once
in 118 times (0.45**6), and even then one more is beyond 8 * 0.6 of them once in 600,000 times."""


@functools.lru_cache(maxsize=64)
def _expected_trajectory(case: TrajectoryCase, dtype: str) -> tuple[Array, Array]:
    expected: Array = case.reference(case.steps, lambda x: x)
    size = measure.WIDE(FORMATS[dtype].eps) / 2 * case.roundings  # each rounding is by half an eps at most
    drift = np.zeros(len(expected), measure.WIDE)
    for seed in range(DISTURBED):
        generator = np.random.default_rng(seed)

        def disturb(x: Array, generator: np.random.Generator = generator) -> Array:
            moved: Array = x * (1 + size * generator.uniform(-1, 1, np.shape(x)).astype(measure.WIDE))
            return moved

        drift = np.maximum(drift, np.max(np.abs(case.reference(case.steps, disturb) - expected), axis=1))
    # No step can be known better than its own numbers are rounded.
    floor = size * np.max(np.abs(expected), axis=1)
    allowed: Array = SAFETY * np.maximum(np.maximum.accumulate(drift), floor)
    return expected, allowed


def _measured(
    case: Case,
    kind: str,
    target: Target,
    outputs: Callable[[], list[Array]],
    judged: Callable[[list[Array]], Deviation],
) -> Result:
    nn, start = backends.backend(target.backend), time.perf_counter()

    def result(status: str, **attributes: Any) -> Result:
        size = case.size if isinstance(case, FunctionCase) else None
        seconds = time.perf_counter() - start
        return Result(case.id, case.name, kind, target, status, size=size, seconds=seconds, **attributes)

    cause = known.cause(case.id, kind, target)
    try:
        with _listening():
            arrays = outputs()
        found = judged(arrays)
    except NotCompiledError as error:
        if cause is not None:
            return result(KNOWN, detail=cause)
        # what a compiler to machine code cannot do runs as a graph, as documented
        status = MISSING if target.mode == "jit" else ERROR
        return result(status, detail=f"it was not compiled: {error}")
    except NotImplementedError as error:
        return result(MISSING, detail=str(error))
    except AttributeError as error:
        if error.obj is nn:
            return result(MISSING, detail=f"{target.backend} has no {error.name}")
        return result(ERROR, detail=_sentence(error))
    except Exception as error:  # a case that fails is a result, of whatever kind the failure is
        if cause is not None:
            return result(KNOWN, detail=cause)
        return result(ERROR, detail=_sentence(error))
    status = PASSED if found.share <= 1 else FAULT
    if status == FAULT and cause is not None:
        status = KNOWN
    return result(
        status,
        error=found.error,
        bound=found.bound,
        share=found.share,
        detail=cause if status == KNOWN and cause else found.detail,
        outputs=tuple(arrays),
    )


@contextmanager
def _others_silent() -> Iterator[None]:
    """Silence the warnings of frameworks."""
    others = [logging.getLogger(name) for name in logging.root.manager.loggerDict if name != LOGGER.name]
    levels = [logger.level for logger in others]
    for logger, level in zip(others, levels, strict=True):
        logger.setLevel(max(level, logging.ERROR))
    try:
        yield
    finally:
        for logger, level in zip(others, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _listening() -> Iterator[list[str]]:
    """Collect what dualnn warns of, as of a function that runs eagerly."""
    heard: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    propagate, LOGGER.propagate = LOGGER.propagate, False
    LOGGER.addHandler(handler)
    try:
        yield heard
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.propagate = propagate


def _sentence(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"
