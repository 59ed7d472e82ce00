"""The parent's side of a worker: a process that only works while it is asked to."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from dualnn.benchmark.contenders import native_loops
from dualnn.benchmark.job import Job

LIMIT = 600.0
"""Seconds after which a contender that does not answer has failed."""
PATIENCE = 10.0
"""Seconds that a worker has for ending by itself."""


class ContenderError(Exception):
    """A contender cannot do its job; the message is its last words."""


class Contender:
    """A worker's process, to be used in a ``with`` statement.

    Args:
        job: what it does.
        threads: how many threads it may compute with.
    """

    def __init__(self, job: Job, threads: int) -> None:
        self.job = job
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._errors = (Path(self._folder.name) / "errors").open("w+", errors="replace")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dualnn.benchmark.worker", job.to_json()],
            env={
                **os.environ,
                **native_loops(job.backend).environment(threads, self._folder.name),
                "KERAS_BACKEND": job.backend,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def ask(self, task: str, times: int) -> dict[str, Any]:
        """Have a task done so many times, and return the answer; the process sleeps before and after.

        Raises:
            ContenderError: it failed, ended or took too long.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"task": task, "times": times}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise ContenderError(self._last_words()) from None
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """Wait for an answer; the first one, which nobody asks for, says which tasks there are.

        Raises:
            ContenderError: it failed, ended or took too long.
        """
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], LIMIT)[0]:
            self._process.kill()
            raise ContenderError(f"no answer within {LIMIT:.0f} seconds")
        line = self._process.stdout.readline()
        if not line:
            raise ContenderError(self._last_words())
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ContenderError(answer["error"])
        return answer

    def end(self) -> None:
        """Ask the process to end, without waiting for it."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it may have ended already
            self._process.stdin.close()

    def _last_words(self) -> str:
        status = self._process.wait()
        self._errors.seek(0)
        lines = [line.strip() for line in self._errors if line.strip()]
        return f"the process ended with status {status}: {lines[-1] if lines else 'no message'}"[:300]

    def __enter__(self) -> Contender:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdout is not None
        self.end()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()
        self._folder.cleanup()
