"""The report as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from dualnn.benchmark.goals import goals
from dualnn.benchmark.report import Report

VERSION = 1


def save_json(report: Report, path: Path) -> None:
    """Write every repetition's time and what follows from them; all times are in seconds."""
    document = {
        "version": VERSION,
        "machine": report.machine,
        "versions": report.versions,
        "settings": report.settings,
        "seconds": report.seconds,
        "imports": report.imports,
        "results": [
            {
                **asdict(result),
                "contender": result.job.contender,
                "medians": {task: result.median(task) for task in result.times},
                "over_native": {task: report.ratio(result, "native", task) for task in result.times},
            }
            for result in report.results
        ],
        "goals": [{**asdict(goal), "met": goal.met} for goal in goals(report)],
    }
    path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
