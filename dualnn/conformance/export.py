"""The report as JSON, and as JUnit's XML for continuous integration."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from dualnn.conformance.runner import BAD, MISSING, Result
from dualnn.conformance.suite import Report

VERSION = 1


def save_json(report: Report, path: Path) -> None:
    """Write everything measured, without the arrays; numbers that JSON lacks are null."""
    document = {
        "version": VERSION,
        "passed": report.passed,
        "level": report.level,
        "seconds": report.seconds,
        "machine": report.machine,
        "versions": report.versions,
        "untested": list(report.untested),
        "results": [_described(result, report.subjects[result.case]) for result in report.results],
        "differences": [
            {"case": case, "kind": kind, "dtype": dtype, "ulp": _finite(ulp), "between": between}
            for (case, kind, dtype), (ulp, between) in report.differences().items()
        ],
    }
    path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")


def save_junit(report: Report, path: Path) -> None:
    """Write a test suite for each subject, with a test case for each measurement."""
    root = ElementTree.Element("testsuites", name="dualnn conform", time=f"{report.seconds:.3f}")
    for subject, results in report.by_subject().items():
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=subject,
            tests=str(len(results)),
            failures=str(sum(r.status in BAD for r in results)),
            skipped=str(sum(r.status == MISSING for r in results)),
        )
        for result in results:
            _add_test_case(suite, subject, result)
    if report.untested:
        suite = ElementTree.SubElement(root, "testsuite", name="completeness")
        for name in report.untested:
            case = ElementTree.SubElement(suite, "testcase", classname="completeness", name=name)
            ElementTree.SubElement(case, "failure", message=f"no case is about {name}")
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _add_test_case(suite: ElementTree.Element, subject: str, result: Result) -> None:
    name = f"{result.case} [{result.kind}, {result.target}]"
    case = ElementTree.SubElement(
        suite, "testcase", classname=subject, name=name, time=f"{result.seconds:.4f}"
    )
    if result.status in BAD:
        message = f"{result.error:.3g} ULP, {result.bound:.3g} allowed; {result.detail}"
        ElementTree.SubElement(case, "failure", message=message)
    elif result.status == MISSING:
        ElementTree.SubElement(case, "skipped", message=result.detail)


def _described(result: Result, subject: str) -> dict[str, Any]:
    return {
        "subject": subject,
        "case": result.case,
        "name": result.name,
        "kind": result.kind,
        **vars(result.target),
        "status": result.status,
        "error": _finite(result.error),
        "bound": _finite(result.bound),
        "share": _finite(result.share),
        "detail": result.detail,
        "size": result.size,
        "path": [[_finite(error), _finite(bound)] for error, bound in result.path],
        "seconds": result.seconds,
    }


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
