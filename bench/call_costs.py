"""Print the table of docs/call_costs.md from what bench/test_calls.py has measured.

pytest bench/test_calls.py --benchmark-json=calls.json && python bench/call_costs.py calls.json
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

BACKENDS = ("torch", "tensorflow")


def main() -> None:
    """Read the medians, in microseconds, and print ours, theirs and the ratio."""
    medians = {
        tuple(one["params"][key] for key in ("call", "backend", "whose")): one["stats"]["median"] * 1e6
        for one in json.loads(Path(sys.argv[1]).read_text())["benchmarks"]
    }
    ratios: dict[str, list[float]] = {backend: [] for backend in BACKENDS}
    for call in dict.fromkeys(call for call, _, _ in medians):
        cells = [call]
        for backend in BACKENDS:
            ours, theirs = medians[call, backend, "dualnn"], medians[call, backend, "native"]
            ratios[backend].append(ours / theirs)
            cells += [f"{ours:.2f} / {theirs:.2f}", f"{ours / theirs:.2f}"]
        print(f"| {' | '.join(cells)} |")
    for backend in BACKENDS:
        print(f"{backend}: the median ratio is {statistics.median(ratios[backend]):.2f}")


if __name__ == "__main__":
    main()
