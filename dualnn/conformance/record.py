"""Results kept in a file, so that another machine, device or version of a framework can be held against them.

The file is NumPy's archive of arrays (``.npz``), read without pickle. A device's results agree with recorded
ones if they differ by no more than both are allowed to be from the truth.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dualnn.conformance import catalogue, known, measure, runner
from dualnn.conformance.case import Array, Case, DenseCase, FunctionCase
from dualnn.conformance.formats import rounded
from dualnn.conformance.runner import FAULT, KNOWN, PASSED, Result
from dualnn.conformance.suite import Report
from dualnn.conformance.target import Target

VERSION = 1


def save(report: Report, path: Path) -> None:
    """Write the inputs and the results of everything measured."""
    cases = {case.id: case for case in catalogue.all_cases()}
    arrays: dict[str, Array] = {}
    entries = []
    for number, result in enumerate(r for r in report.results if r.outputs):
        entries.append([result.case, result.kind, *vars(result.target).values()])
        arrays |= {f"{number}/output/{i}": y for i, y in enumerate(result.outputs)}
        arrays |= {f"{number}/input/{i}": x for i, x in enumerate(_inputs(cases[result.case], result))}
    about = {"version": VERSION, "versions": report.versions, "machine": report.machine, "entries": entries}
    with path.open("wb") as file:
        text = np.frombuffer(json.dumps(about).encode(), np.uint8)
        np.savez_compressed(file, allow_pickle=False, about=text, **arrays)


def compared(report: Report, path: Path) -> Iterator[Result]:
    """Yield, for each measurement that the file has too, how far the two are apart.

    Raises:
        ValueError: the file is not one that `save` has written, or of another version.
    """
    cases = {case.id: case for case in catalogue.all_cases()}
    mine: dict[tuple[str, str, str], list[Result]] = {}
    for result in report.results:
        if result.outputs:
            mine.setdefault((result.case, result.kind, result.target.dtype), []).append(result)
    for (case, kind, backend, device, dtype, mode), inputs, outputs in _recorded(path):
        for result in mine.get((case, kind, dtype), ()):
            if result.target.mode != mode:
                continue
            label = f"{kind} against {backend} {device} of {path.name}"
            compared = _compared(cases[case], result, inputs, outputs)
            theirs = Target(backend, device, dtype, mode)
            cause = known.cause(case, kind, result.target) or known.cause(case, kind, theirs)
            if compared.status == FAULT and cause is not None:
                compared = replace(compared, status=KNOWN, detail=cause)
            yield replace(compared, kind=label, outputs=(), path=())


def _recorded(path: Path) -> Iterator[tuple[list[str], list[Array], list[Array]]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            about = json.loads(archive["about"].tobytes())
            if about["version"] != VERSION:
                raise ValueError(f"expected a record of version {VERSION}, got {about['version']}: {path}")
            names = set(archive.files)
            for number, entry in enumerate(about["entries"]):
                yield (
                    entry,
                    _arrays(archive, names, f"{number}/input"),
                    _arrays(archive, names, f"{number}/output"),
                )
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"expected a record made by `dualnn conform --record`, got {path}: {error}"
        ) from error


def _arrays(archive: Any, names: set[str], prefix: str) -> list[Array]:
    arrays: list[Array] = []
    while f"{prefix}/{len(arrays)}" in names:
        arrays.append(archive[f"{prefix}/{len(arrays)}"])
    return arrays


def _inputs(case: Case, result: Result) -> list[Array]:
    if isinstance(case, DenseCase):
        return [case.points(result.target.dtype)]
    if not isinstance(case, FunctionCase):
        return []
    return [rounded(x, result.target.dtype) for x in case.inputs]


def _compared(case: Case, result: Result, inputs: list[Array], outputs: list[Array]) -> Result:
    now = _inputs(case, result)
    if len(now) != len(inputs) or not all(
        np.array_equal(a, b, equal_nan=True) for a, b in zip(now, inputs, strict=True)
    ):
        return replace(
            result, status=runner.ERROR, detail="the record was made of other inputs; record it anew"
        )
    expected = runner.expected(case, result)
    twice = [2 * allowed for allowed in expected.allowed]
    recorded = measure.Expected(outputs, twice, expected.normwise)
    try:
        found = measure.deviation(list(result.outputs), recorded, result.target.dtype)
    except ValueError as error:  # other shapes
        return replace(result, status=FAULT, detail=str(error))
    status = PASSED if found.share <= 1 else FAULT
    return replace(
        result, status=status, error=found.error, bound=found.bound, share=found.share, detail=found.detail
    )
