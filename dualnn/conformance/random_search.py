"""Random models by the hundred: `dualnn conform --random`, which looks for one that nobody has explained.

They are drawn in pieces, each from a seed of its own, so that a piece can be drawn again by itself, and the
pieces run in several processes. In each, Hypothesis shrinks a failure to the smallest model that still fails.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dualnn.conformance.random_models import check, models
from dualnn.conformance.suite import wait_asleep

PIECE = 50
"""How many models are drawn from one seed."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Piece:
    """What came of the models of one seed.

    Attributes:
        seed: what they were drawn from.
        count: how many.
        failure: code that shows what the smallest failing model does, or None.
    """

    seed: int
    count: int
    failure: str | None


def search(count: int, seed: int = 0, jobs: int = 1, progress: Progress | None = None) -> list[Piece]:
    """Compare so many random models on both backends with each other and with the reference.

    Args:
        count: how many models.
        seed: of the first `PIECE` of them; the next ones are drawn from ``seed + 1``, and so on.
        jobs: how many processes work on it.
        progress: called with the number of models done, and of all.

    Returns:
        The pieces, in the order of their seeds.

    Raises:
        ImportError: Hypothesis is not installed.
        ValueError: fewer than two backends.

    >>> [piece.failure for piece in search(1, seed=3)]
    [None]
    """
    pieces = [(seed + i, min(PIECE, count - i * PIECE)) for i in range(-(-count // PIECE))]
    found, done = [], 0
    for piece in _run(pieces, jobs):
        found.append(piece)
        done += piece.count
        if progress is not None:
            progress(done, count)
    return sorted(found, key=lambda piece: piece.seed)


def draw(seed: int, count: int) -> Piece:
    """Draw so many models from a seed, and check each.

    >>> draw(seed=3, count=1)
    Piece(seed=3, count=1, failure=None)
    """
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    @seeded(seed)
    @settings(
        max_examples=count,
        phases=[Phase.generate, Phase.shrink],
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(models())
    def run(description):  # type: ignore[no-untyped-def]  # Hypothesis calls it
        check(description)

    try:
        run()
    except AssertionError as failure:
        return Piece(seed, count, str(failure))
    return Piece(seed, count, None)


def _run(pieces: list[tuple[int, int]], jobs: int) -> Iterator[Piece]:
    if jobs == 1:
        yield from (draw(*piece) for piece in pieces)
        return
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(jobs, context, wait_asleep) as pool:
        futures = [pool.submit(draw, *piece) for piece in pieces]
        try:
            for future in concurrent.futures.as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)
