"""Variables, differentiation, compilation and devices: what can be said exactly, in small integers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dualnn import backends
from dualnn.conformance.case import Array, Case, ExactCase
from dualnn.protocol import Backend, Work

Answers = Mapping[str, Any]
Run = Callable[[Backend, str], Answers]

CASES: list[Case] = []


def _exact(
    name: str, variant: str, expected: Any, reason: str = "arithmetic of small integers"
) -> Callable[[Run], Run]:
    """Return a decorator that makes a function the `run` of a case."""

    def add(run: Run) -> Run:
        CASES.append(ExactCase(name=name, variant=variant, run=run, expected=expected, reason=reason))
        return run

    return add


def _refused(function: Callable[[], Any], *errors: type[Exception]) -> bool:
    try:
        function()
    except errors:
        return True
    return False


def _yes(nn: Backend, answers: Mapping[str, bool]) -> Answers:
    return {question: nn.asarray(answer) for question, answer in answers.items()}


DOCUMENTED = "as its docstring says"

# ------------------------------------------------------------------ variables


@_exact("Variable", "values and dtype", {"values": [1.0, -0.0, np.inf, np.nan], "copied": [1.0, 2.0]})
def _(nn: Backend, dtype: str) -> Answers:
    source = np.asarray([1.0, 2.0], dtype)
    copy = nn.Variable(source)
    source[0] = 7
    return {"values": nn.Variable([1.0, -0.0, np.inf, np.nan], dtype=dtype), "copied": copy}


@_exact("value", "of a variable", {"now": [1.0, -0.0, np.inf, np.nan], "later": 5.0, "gradient": 0.0})
def _(nn: Backend, dtype: str) -> Answers:
    variable = nn.Variable([1.0, -0.0, np.inf, np.nan], dtype=dtype)
    now = nn.asarray(nn.value(variable), copy=True)
    other = nn.assign(nn.Variable(2.0, dtype=dtype), 5.0)
    gradient = nn.grad(lambda x: x * 0 + nn.value(other))(nn.asarray(1.0, dtype=dtype))
    return {"now": now, "later": nn.value(other), "gradient": gradient}


@_exact("value", "is a constant", {"is a variable": False, "is a tensor": True, "has no gradient": True})
def _(nn: Backend, dtype: str) -> Answers:
    variable = nn.Variable(3.0, dtype=dtype)
    with nn.GradientTape() as tape:
        y = nn.value(variable) * 2 + nn.stop_gradient(nn.asarray(1.0, dtype=dtype))
    value = nn.value(variable)
    answers = {"is a variable": nn.is_variable(value), "is a tensor": nn.is_tensor(value)}
    return _yes(nn, {**answers, "has no gradient": tape.gradient(y, variable) is None})


_OF_VARIABLES = {
    "trainable by default": True,
    "integers are not": True,
    "frozen": True,
    "name": True,
    "trainable integers are refused": True,
    "dtype": True,
}


@_exact("Variable", "attributes", _OF_VARIABLES, DOCUMENTED)
def _(nn: Backend, dtype: str) -> Answers:
    w = nn.Variable([1.0], dtype=dtype, name="w")
    return _yes(
        nn,
        {
            "trainable by default": w.trainable,
            "integers are not": not nn.Variable([1]).trainable,
            "frozen": not nn.Variable([1.0], trainable=False).trainable,
            "name": str(w.name).removesuffix(":0") == "w",
            "trainable integers are refused": _refused(lambda: nn.Variable([1], trainable=True), ValueError),
            "dtype": nn.dtype_name(w.dtype) == dtype,
        },
    )


@_exact(
    "is_variable", "", {"variable": True, "tensor": False, "array": False, "another's": False}, DOCUMENTED
)
def _(nn: Backend, dtype: str) -> Answers:
    another = next((backends.backend(name) for name in backends.available() if name != nn.name), None)
    things = {
        "variable": nn.Variable([1.0], dtype=dtype),
        "tensor": nn.zeros(1, dtype=dtype),
        "array": np.zeros(1),
        "another's": another.Variable([1.0]) if another else None,
    }
    return _yes(nn, {question: nn.is_variable(x) for question, x in things.items()})


def _changed(nn: Backend, dtype: str, function: str, value: Any) -> Any:
    w = nn.Variable([[1.0, 2.0], [3.0, 4.0]], dtype=dtype)
    kept = nn.stop_gradient(w)
    if getattr(nn, function)(w, value) is not w:
        raise ValueError(f"expected {function} to return the variable")
    return nn.stack([nn.stop_gradient(w), kept])


_OLD = np.asarray([[1.0, 2.0], [3.0, 4.0]])
_GIVEN = np.asarray([[5.0, -0.0], [-7.0, 0.5]])
for _name, _new in {"assign": _GIVEN, "assign_add": _OLD + _GIVEN, "assign_sub": _OLD - _GIVEN}.items():
    _both = np.stack([_new, _OLD])

    @_exact(
        _name,
        "values of all kinds; a constant of before stays",
        dict.fromkeys(("array", "tensor", "list"), _both),
    )
    def _(nn: Backend, dtype: str, name: str = _name) -> Answers:
        given = {"array": _GIVEN, "tensor": nn.asarray(_GIVEN, dtype=dtype), "list": _GIVEN.tolist()}
        return {kind: _changed(nn, dtype, name, value) for kind, value in given.items()}

    @_exact(_name, "refusals", {"shape": True, "no variable": True, "another framework's": True}, DOCUMENTED)
    def _(nn: Backend, dtype: str, name: str = _name) -> Answers:
        function, w = getattr(nn, name), nn.Variable([1.0, 2.0], dtype=dtype)
        others = [backends.backend(other).ones(2) for other in backends.available() if other != nn.name]
        return _yes(
            nn,
            {
                "shape": _refused(lambda: function(w, [1.0, 2.0, 3.0]), ValueError),
                "no variable": _refused(lambda: function(nn.zeros(2), 1.0), TypeError),
                "another framework's": all(
                    _refused(functools.partial(function, w, x), TypeError) for x in others
                ),
            },
        )

    if _name != "assign":
        _sum = _OLD + (10 if _name == "assign_add" else -10)

        @_exact(_name, "a number for all", {"number": np.stack([_sum, _OLD])})
        def _(nn: Backend, dtype: str, name: str = _name) -> Answers:
            return {"number": _changed(nn, dtype, name, 10)}


# ------------------------------------------------------------------ the gradient tape

_TAPE = {
    "variables by themselves": [2.0, 4.0],
    "unwatched": True,
    "frozen": True,
    "watched": [2.0, 4.0],
    "zeros where unconnected": [0.0, 0.0],
    "weighted": [20.0, 400.0],
    "several targets": [3.0, 5.0],
}


@_exact("GradientTape", "gradient", _TAPE)
def _(nn: Backend, dtype: str) -> Answers:
    x, y = nn.asarray([1.0, 2.0], dtype=dtype), nn.asarray([1.0, 2.0], dtype=dtype)
    w, frozen = nn.Variable(x), nn.Variable(x, trainable=False)

    def tape(target: Callable[[], Any], sources: Any, *watched: Any, **options: Any) -> Any:
        with nn.GradientTape() as tape:
            for one in watched:
                tape.watch(one)
            result = target()
        return tape.gradient(result, sources, **options)

    weights = nn.asarray([10.0, 100.0], dtype=dtype)
    return {
        "variables by themselves": tape(lambda: w * w, w),
        "unwatched": nn.asarray(tape(lambda: w * y, [y])[0] is None),
        "frozen": nn.asarray(tape(lambda: w * frozen, {"f": frozen})["f"] is None),
        "watched": tape(lambda: x * x, x, x),
        "zeros where unconnected": tape(lambda: w * w, x, x, unconnected_gradients="zero"),
        "weighted": tape(lambda: x * x, x, x, output_gradients=weights),
        "several targets": tape(lambda: [x * x, {"sum": nn.sum(x)}], x, x),
    }


@_exact(
    "GradientTape",
    "nested and persistent",
    {"first": [12.0, 27.0], "second": [12.0, 18.0], "again": [4.0, 6.0]},
)
def _(nn: Backend, dtype: str) -> Answers:
    x = nn.asarray([2.0, 3.0], dtype=dtype)
    with nn.GradientTape(persistent=True) as outer:
        outer.watch(x)
        with nn.GradientTape() as inner:
            inner.watch(x)
            y = x * x * x
        first, square = inner.gradient(y, x), x * x
    return {"first": first, "second": outer.gradient(first, x), "again": outer.gradient(square, x)}


@_exact("GradientTape", "jacobian", {"elements": [[4.0, 0.0], [3.0, 2.0]], "unconnected": True})
def _(nn: Backend, dtype: str) -> Answers:
    x, z = nn.asarray([2.0, 3.0], dtype=dtype), nn.asarray([1.0], dtype=dtype)
    with nn.GradientTape() as tape:
        tape.watch([x, z])
        y = nn.stack([x[0] * x[0], x[0] * x[1]])
    of_x, of_z = tape.jacobian(y, [x, z])
    return {"elements": of_x, "unconnected": nn.asarray(of_z is None)}


@_exact("GradientTape", "stop_recording and reset", {"stopped": [4.0], "reset": [3.0]})
def _(nn: Backend, dtype: str) -> Answers:
    x = nn.asarray([2.0], dtype=dtype)
    with nn.GradientTape() as tape:
        tape.watch(x)
        y = x * x
        with tape.stop_recording():
            z = x * x * x
        y = y + nn.stop_gradient(z)
    stopped = tape.gradient(y, x)
    with nn.GradientTape() as tape:
        tape.watch(x)
        y = x * x
        tape.reset()
        tape.watch(x)
        y = nn.stop_gradient(y) + 3 * x
    return {"stopped": stopped, "reset": tape.gradient(y, x)}


@_exact(
    "GradientTape",
    "watched_variables, and refusals",
    {"watched": True, "asked twice": True, "integers": True, "watching outside": True},
    DOCUMENTED,
)
def _(nn: Backend, dtype: str) -> Answers:
    v, w = nn.Variable([1.0], dtype=dtype), nn.Variable([2.0], dtype=dtype)
    nn.Variable([3.0], dtype=dtype)
    with nn.GradientTape() as tape:
        y = v * w
    tape.gradient(y, [v, w])
    watched = tape.watched_variables()
    return _yes(
        nn,
        {
            "watched": {id(one) for one in watched} == {id(v), id(w)},
            "asked twice": _refused(lambda: tape.gradient(y, v), RuntimeError),
            "integers": _refused(lambda: nn.grad(lambda n: n * n)(nn.asarray(2)), TypeError),
            "watching outside": _refused(lambda: tape.watch(nn.ones(1)), RuntimeError),
        },
    )


# ------------------------------------------------------------------ functions of functions


@_exact(
    "value_and_grad",
    "trees, several arguments, more results",
    {
        "value": 14.0,
        "by w": [2.0, 4.0],
        "by b": 9.0,
        "unconnected": [0.0],
        "aux": [1.0, 4.0],
        "by the second": [1.0, 4.0],
    },
)
def _(nn: Backend, dtype: str) -> Answers:
    def function(p: dict[str, Any], x: Any) -> Any:
        squares = p["w"] * p["w"]
        return nn.sum(squares * x) + p["b"] * p["b"] * p["b"] / 3, {"squares": squares}

    p = {
        "w": nn.asarray([1.0, 2.0], dtype=dtype),
        "b": nn.Variable(3.0, dtype=dtype),
        "unused": nn.zeros(1, dtype=dtype),
    }
    x = nn.ones(2, dtype=dtype)
    (value, aux), (by_p, by_x) = nn.value_and_grad(function, (0, 1), has_aux=True)(p, x)
    return {
        "value": value,
        "by w": by_p["w"],
        "by b": by_p["b"],
        "unconnected": by_p["unused"],
        "aux": aux["squares"],
        "by the second": by_x,
    }


@_exact(
    "grad",
    "of grad, with a tape around",
    {"first": 12.0, "second": 12.0, "third": 6.0, "tape": 12.0, "aux": 8.0},
)
def _(nn: Backend, dtype: str) -> Answers:
    def cube(x: Any) -> Any:
        return x * x * x

    x = nn.asarray(2.0, dtype=dtype)
    with nn.GradientTape() as tape:
        tape.watch(x)
        first = nn.grad(cube)(x)
    second = nn.grad(nn.grad(cube))
    return {
        "first": first,
        "second": second(x),
        "third": nn.grad(second)(x),
        "tape": tape.gradient(first, x),
        "aux": nn.grad(lambda x: (x * x, cube(x)), has_aux=True)(x)[1],
    }


@_exact("grad", "constants from elsewhere", {"captured": [5.0], "stopped": [2.0]})
def _(nn: Backend, dtype: str) -> Answers:
    w, x = nn.Variable([5.0], dtype=dtype), nn.asarray([2.0], dtype=dtype)
    captured = nn.grad(lambda v: nn.sum(v * w))(w)  # as an argument w counts, from elsewhere it is a constant
    return {"captured": captured, "stopped": nn.grad(lambda x: nn.sum(x * nn.stop_gradient(x)))(x)}


@_exact(
    "compile",
    "trees, other shapes and values, gradients inside",
    {
        "sum": [11.0, 22.0],
        "difference": [9.0, 18.0],
        "other shape": [[4.0]],
        "gradient": [2.0, 4.0],
        "again": [20.0],
    },
)
def _(nn: Backend, dtype: str) -> Answers:
    def both(pair: dict[str, Any]) -> dict[str, Any]:
        return {"sum": pair["a"] + pair["b"], "difference": pair["a"] - pair["b"]}

    def native(x: Any) -> Any:
        return nn.asarray(x, dtype=dtype)

    compiled = nn.compile(both)
    gradient = nn.compile(nn.grad(lambda x: nn.sum(x * x)))
    return {
        **compiled({"a": native([10.0, 20.0]), "b": native([1.0, 2.0])}),
        "other shape": compiled({"a": native([[1.0]]), "b": native([[3.0]])})["sum"],
        "gradient": gradient(native([1.0, 2.0])),
        "again": gradient(native([10.0])),
    }


_OF_LOOPS = {
    "last carry": [18.0, 27.0],
    "counted": 3,
    "of a whole tree of x": 12.0,
    "again, another length": [2.0, 3.0],
    "gradients inside": [0.0, 0.0],
}


def _loops(nn: Backend, dtype: str, jit: bool, unroll: int = 1) -> tuple[Answers, list[str]]:
    def native(x: Any) -> Any:
        return nn.asarray(x, dtype=dtype, copy=True)  # a loop may overwrite its first carry

    def body(carry: Any, scale: Any, x: Any) -> Any:
        total, count = carry["total"], carry["count"]
        return {"total": total + scale[0] * x, "count": count + 1}

    def of_trees(carry: Any, constants: Any, x: Any) -> Any:
        return carry + constants["scale"] * x[0] * nn.sum(x[1]["row"])

    def descent(w: Any, rate: Any, x: Any) -> Any:
        return w - rate * nn.grad(lambda w: nn.sum(nn.square(w)))(w)

    def begin() -> Any:
        return {"total": native([0.0, 0.0]), "count": nn.asarray(0, dtype="int64", copy=True)}

    loop = nn.compile_loop(body, jit=jit, unroll=unroll)
    trees = nn.compile_loop(of_trees, jit=jit, unroll=unroll)
    steps = nn.compile_loop(descent, jit=jit, unroll=unroll)
    scale = (native([2.0, 3.0]),)
    last = loop(begin(), scale, native([2.0, 3.0, 4.0]))
    answers = {
        "last carry": last["total"],
        "counted": last["count"],
        "of a whole tree of x": trees(
            native(0.0),
            {"scale": native(2.0)},
            (native([1.0, 2.0]), {"row": native([[1.0, 1.0], [1.0, 1.0]])}),
        ),
        "again, another length": loop(begin(), scale, native([1.0]))["total"],
        "gradients inside": steps(native([4.0, 6.0]), native(0.5), native([0.0, 0.0])),
    }
    return answers, [loop.runs_as, trees.runs_as, steps.runs_as]


@_exact("compile_loop", "trees, other lengths, gradients inside", {**_OF_LOOPS, "as graphs": True})
def _(nn: Backend, dtype: str) -> Answers:
    answers, ran = _loops(nn, dtype, jit=False)
    return {**answers, **_yes(nn, {"as graphs": set(ran) == {"graph"}})}


@_exact("compile", "a function that cannot be compiled", {"value": [4.0], "as it is": True})
def _(nn: Backend, dtype: str) -> Answers:
    def looks(x: Any) -> Any:
        return x * 2 if float(nn.to_numpy(x)[0]) > 1 else x

    compiled = nn.compile(looks)
    value = compiled(nn.asarray([2.0], dtype=dtype))
    return {"value": value, **_yes(nn, {"as it is": compiled.runs_as == "eager"})}


def _compiled_to_machine_code(nn: Backend, dtype: str) -> Answers:
    def both(pair: dict[str, Any]) -> Any:
        value, gradient = nn.value_and_grad(lambda a: nn.sum(a * a * pair["b"]))(pair["a"])
        return {"value": value, "gradient": gradient}

    compiled = nn.compile(both, jit=True)
    pair = {"a": nn.asarray([1.0, 2.0], dtype=dtype), "b": nn.asarray([3.0, 4.0], dtype=dtype)}
    return {**compiled(pair), **_yes(nn, {"as machine code": compiled.runs_as == "jit"})}


def _loops_of_machine_code(unroll: int, nn: Backend, dtype: str) -> Answers:
    answers, ran = _loops(nn, dtype, True, unroll)
    return {**answers, **_yes(nn, {"as machine code": set(ran) == {"jit"}})}


def _variable_in_loop(nn: Any, dtype: str) -> Answers:
    variable = nn.Variable(nn.asarray([1.0], dtype=dtype))
    loop = nn.compile_loop(lambda carry, scale, x: carry + scale * x)
    scale, xs = nn.asarray(2.0, dtype=dtype), nn.asarray([1.0, 2.0], dtype=dtype)
    ended = loop(nn.variable_in_loop(variable), scale, xs)
    return {"set": variable, "returned": ended}


CASES += [
    ExactCase(
        name="variable_in_loop",
        run=_variable_in_loop,
        expected={"set": [7.0], "returned": [7.0]},
        reason="arithmetic of small integers, as its docstring says",
    ),
    ExactCase(
        name="compile",
        variant="jit",
        run=_compiled_to_machine_code,
        expected={"value": 19.0, "gradient": [6.0, 16.0], "as machine code": True},
        reason="arithmetic of small integers",
        dtypes=("float32",),
    ),
    *(
        ExactCase(
            name="compile_loop",
            variant=f"jit, {unroll} at once" if unroll > 1 else "jit",
            run=functools.partial(_loops_of_machine_code, unroll),
            expected={**_OF_LOOPS, "as machine code": True},
            reason="arithmetic of small integers",
            dtypes=("float32",),
            level="full",  # compiling takes seconds for each loop; `cases.engines` has a quick one
        )
        for unroll in (1, 2)
    ),
]


@_exact("checkpoint", "derivatives", {"gradient": 12.0, "second": 12.0, "state": [3.0, 7.0]})
def _(nn: Backend, dtype: str) -> Answers:
    def native(x: Any) -> Any:
        return nn.asarray(x, dtype=dtype)

    cube = nn.checkpoint(lambda x: x * x * x)
    several = nn.checkpoint(lambda state, x: {"state": state + x, "drawn": nn.asarray(1)})
    return {
        "gradient": nn.grad(cube)(native(2.0)),
        "second": nn.grad(nn.grad(cube))(native(2.0)),
        "state": several(native([1.0, 2.0]), native([2.0, 5.0]))["state"],
    }


@_exact("inference_mode", "", {"inside": 6.0, "gradient after": 4.0})
def _(nn: Backend, dtype: str) -> Answers:
    with nn.inference_mode():
        inside = nn.Variable(2.0, dtype=dtype) * 3.0
    return {"inside": inside, "gradient after": nn.grad(lambda x: x * x)(nn.asarray(2.0, dtype=dtype))}


@_exact("choose_engine", "every kind of work", {"valid": True, "with jit": True, "without": True}, DOCUMENTED)
def _(nn: Backend, dtype: str) -> Answers:
    work = [
        Work(size, frozenset(kinds))
        for size in (100, 10**9)
        for kinds in (["dense"], ["convolution", "dense"], ["recurrence"])
    ]
    runs = [(one, steps) for one in work for steps in (None, 1, 1_000, 10**6)]
    free, jit, plain = ([nn.choose_engine(*run, wish) for run in runs] for wish in (None, True, False))
    valid = all(
        one.name in ("eager", "step", "epoch") and one.unroll >= 1 and not (one.name == "eager" and one.jit)
        for one in (*free, *jit, *plain)
    )
    answers = {"valid": valid, "with jit": all(one.jit for one in jit)}
    return _yes(nn, {**answers, "without": not any(one.jit for one in plain)})


# ------------------------------------------------------------------ tensors, arrays and devices

_NUMBERS = {
    "bool": [True, False],
    "int8": [-128, 127],
    "int16": [-(2**15), 2**15 - 1],
    "int32": [-(2**31), 2**31 - 1],
    "int64": [-(2**63), 2**63 - 1],
    "uint8": [0, 255],
    "uint16": [0, 2**16 - 1],
    "uint32": [0, 2**32 - 1],
    "uint64": [0, 2**64 - 1],
    "float16": [-0.0, 65504.0],
    "float32": [-0.0, 1e-45],
    "float64": [-0.0, 5e-324],
    "complex64": [1 - 2j, 1e-45j],
    "complex128": [1 - 2j, 5e-324j],
}
_ARRAYS = {dtype: np.asarray(numbers, dtype) for dtype, numbers in _NUMBERS.items()}


@_exact(
    "to_numpy", "every dtype, there and back", {**_ARRAYS, "bfloat16": np.asarray([1.5, -0.0])}, "no rounding"
)
def _(nn: Backend, dtype: str) -> Answers:
    def back(x: Any) -> Any:
        return nn.asarray(nn.to_numpy(x))

    tensors = {name: nn.asarray(array) for name, array in _ARRAYS.items()}
    wrong = [name for name, x in tensors.items() if nn.to_numpy(x).dtype != name]
    if wrong:
        raise ValueError(f"expected the dtypes {wrong} to stay")
    tensors["bfloat16"] = nn.asarray([1.5, -0.0], dtype="bfloat16")
    return {name: back(x) for name, x in tensors.items()}


@_exact(
    "to_numpy", "a new array", {"tensor": [1.0, 2.0], "variable": [1.0, 2.0], "later": [1.0, 2.0]}, DOCUMENTED
)
def _(nn: Backend, dtype: str) -> Answers:
    x, w = nn.asarray([1.0, 2.0], dtype=dtype), nn.Variable([1.0, 2.0], dtype=dtype)
    for tensor in (x, w):
        nn.to_numpy(tensor)[0] = 7
    answers = {"tensor": nn.asarray(nn.to_numpy(x)), "variable": nn.asarray(nn.to_numpy(w))}
    before = nn.to_numpy(w)
    nn.assign(w, [3.0, 4.0])
    return {**answers, "later": nn.asarray(before)}


def _of_others(dtype: str) -> dict[str, Array]:
    same = {name: array for name, array in _ARRAYS.items() if name in _SHARED}
    return {f"{other} {name}": array for other in backends.available() for name, array in same.items()}


_SHARED = (
    "bool",
    "int8",
    "int32",
    "int64",
    "uint8",
    "float16",
    "float32",
    "float64",
    "complex64",
    "complex128",
)


@_exact("asarray", "tensors of other frameworks", _of_others, "the same numbers and dtypes; no rounding")
def _(nn: Backend, dtype: str) -> Answers:
    tensors = {}
    for other in map(backends.backend, backends.available()):
        for name in _SHARED:
            x = nn.asarray(other.asarray(_ARRAYS[name]))
            if nn.dtype_name(x.dtype) != name or not nn.is_tensor(x):
                raise ValueError(f"expected a tensor of {name} from {other.name}, got {x.dtype}")
            tensors[f"{other.name} {name}"] = x
    return tensors


@_exact("has_values", "", {"a tensor": True, "while it is compiled": False, "behind it": True}, DOCUMENTED)
def _(nn: Backend, dtype: str) -> Answers:
    seen = []

    def doubled(x: Any) -> Any:
        seen.append(nn.has_values(x))
        return x * 2

    x = nn.ones(3, dtype=dtype)
    y = nn.compile(doubled)(x)
    return _yes(
        nn, {"a tensor": nn.has_values(x), "while it is compiled": seen[0], "behind it": nn.has_values(y)}
    )


_KINDS = {"tensor": True, "variable": True, "array": False, "number": False, "another's": False}


@_exact("is_tensor", "", _KINDS, DOCUMENTED)
def _(nn: Backend, dtype: str) -> Answers:
    another = next((backends.backend(name) for name in backends.available() if name != nn.name), None)
    things = {
        "tensor": nn.zeros(1, dtype=dtype),
        "variable": nn.Variable([1.0], dtype=dtype),
        "array": np.zeros(1),
        "number": 1.0,
        "another's": another.zeros(1) if another else None,
    }
    return _yes(nn, {question: nn.is_tensor(x) for question, x in things.items()})


@_exact("shape", "tensors and variables", {"tensor": [2, 0, 3], "variable": [2], "number": np.zeros(0, int)})
def _(nn: Backend, dtype: str) -> Answers:
    things = {"tensor": nn.zeros((2, 0, 3)), "variable": nn.Variable([1.0, 2.0]), "number": nn.asarray(1.0)}
    return {question: nn.asarray(np.asarray(nn.shape(x), int)) for question, x in things.items()}


@_exact("devices", "", {"the CPU first": True, "full names": True, "no name twice": True}, DOCUMENTED)
def _(nn: Backend, dtype: str) -> Answers:
    names = nn.devices()
    return _yes(
        nn,
        {
            "the CPU first": names[0] == "cpu",
            "full names": all(nn.canonical_device(name) == name for name in names),
            "no name twice": len(set(names)) == len(names),
        },
    )


@_exact(
    "canonical_device", "", {"names": True, "native": True, "aliases": True, "none such": True}, DOCUMENTED
)
def _(nn: Backend, dtype: str) -> Answers:
    def alias(name: str) -> bool:
        if "cuda:0" in nn.devices():
            return nn.canonical_device(name) == "cuda:0"
        return _refused(lambda: nn.canonical_device(name), ValueError)

    return _yes(
        nn,
        {
            "names": all(nn.canonical_device(name.upper()) == name for name in nn.devices()),
            "native": all(
                nn.canonical_device(nn.zeros(1, device=name).device) == name for name in nn.devices()
            ),
            "aliases": alias("cuda") and alias("gpu") and alias("cuda:0"),
            "none such": all(
                _refused(functools.partial(nn.canonical_device, name), ValueError)
                for name in ("cuda:99", "abacus", "")
            ),
        },
    )


@_exact("is_deterministic", "", {"the CPU": True}, DOCUMENTED)
def _(nn: Backend, dtype: str) -> Answers:
    return _yes(nn, {"the CPU": nn.is_deterministic("cpu")})


@_exact("device", "of what is made there", {"tensor": True, "variable": True, "result": True}, DOCUMENTED)
def _(nn: Backend, dtype: str) -> Answers:
    def all_on(make: Callable[[str], Any]) -> bool:
        return all(nn.device(make(name)) == name for name in nn.devices())

    def tensor(name: str) -> Any:
        return nn.zeros(3, dtype=dtype, device=name)

    variable = all_on(lambda name: nn.Variable(tensor(name)))
    return _yes(
        nn, {"tensor": all_on(tensor), "variable": variable, "result": all_on(lambda n: tensor(n) + 1)}
    )


@_exact(
    "to_device",
    "there and back",
    lambda dtype: {"bits": np.asarray([-0.0, 1e-40, np.nan], dtype), "same": True},
)
def _(nn: Backend, dtype: str) -> Answers:
    x = start = nn.asarray(np.asarray([-0.0, 1e-40, np.nan], dtype), device="cpu")
    for name in (*nn.devices(), "cpu"):
        x = nn.to_device(x, name)
        if nn.device(x) != name:
            raise ValueError(f"expected a tensor on {name}, got one on {nn.device(x)}")
    return {"bits": x, "same": nn.asarray(nn.to_device(start, "cpu") is start)}
