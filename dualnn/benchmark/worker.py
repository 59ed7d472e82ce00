"""The process of one contender: it waits for a request, does it, and answers with the time it took.

The parent starts it with the job as its argument; requests and answers are lines of JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dualnn.benchmark.contenders import prepare
from dualnn.benchmark.job import Job
from dualnn.benchmark.tasks import FIT, Tasks
from dualnn.benchmark.workload import workload

END: dict[str, Any] = {"task": None}
"""The request to end, which the end of the input is, too."""


class Channel:
    """The lines from and to the parent; what anything prints goes to the standard error from now on."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def receive(self) -> dict[str, Any]:
        """Wait for the next request."""
        line = sys.stdin.readline()
        request: dict[str, Any] = json.loads(line) if line else END
        return request

    def send(self, **answer: Any) -> None:
        """Send an answer."""
        self._out.write(json.dumps(answer) + "\n")
        self._out.flush()


class Worker:
    """Does what is asked for, one request at a time.

    Args:
        tasks: what the contender can do.
        steps: how many steps an epoch has.
        channel: where requests come from.
    """

    def __init__(self, tasks: Tasks, steps: int, channel: Channel) -> None:
        self._tasks, self._steps, self._channel = tasks, steps, channel
        self._request = END
        self._made: dict[str, Callable[[], Any]] = {}
        self._done = 0
        self._started = 0.0

    def run(self) -> None:
        """Serve until the parent asks for the end."""
        self._channel.send(tasks=self._tasks.names, steps=self._steps)
        self._next()
        while self._request["task"] is not None:
            if self._request["task"] == FIT:
                assert self._tasks.fit is not None
                self._tasks.fit(self._more)  # again, when a run has had all its epochs and more are wanted
            else:
                self._repeat()

    def _next(self) -> None:
        self._request = self._channel.receive()
        self._done = 0
        self._started = time.perf_counter()

    def _more(self, loss: float) -> bool:
        # One training serves many requests: it stands still between them, after the end of an epoch.
        self._done += 1
        if self._done == self._request["times"]:
            seconds = time.perf_counter() - self._started
            self._channel.send(
                seconds=seconds / self._done, loss=loss, peak=peak_memory(), about=self._tasks.about()
            )
            self._next()
        return bool(self._request["task"] == FIT)

    def _repeat(self) -> None:
        name, times = self._request["task"], self._request["times"]
        if name not in self._made:
            self._made[name] = self._tasks.others[name]()
        task = self._made[name]
        for _ in range(times):
            task()
        self._channel.send(seconds=(time.perf_counter() - self._started) / times)
        self._next()


def peak_memory() -> int:
    """Return the most memory in bytes that this process has held at once.

    >>> from dualnn.benchmark.worker import peak_memory
    >>> peak_memory() > 1_000_000
    True
    """
    status = Path("/proc/self/status")
    if status.exists():
        # not getrusage: its peak begins with that of the parent, as it was when it started this process
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main() -> None:
    """Serve the requests for the job that the first argument describes."""
    channel = Channel()
    try:
        job = Job.from_json(sys.argv[1])
        work = workload(job)
        Worker(prepare(job, work), len(work.x) // job.batch_size, channel).run()
    except Exception as error:  # whatever a framework raises is the contender's result
        traceback.print_exc()
        sentence = (str(error).strip() or "without a message").splitlines()[0]
        channel.send(error=f"{type(error).__name__}: {sentence}"[:300])


if __name__ == "__main__":
    main()
