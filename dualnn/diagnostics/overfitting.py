"""Whether a training underfitted, fitted or overfitted, told from its history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dualnn.callbacks import History
from dualnn.callbacks.monitor import rises
from dualnn.diagnostics.runs import Floats
from dualnn.names import unknown

LEAST_EPOCHS = 5
"""Of fewer epochs no trend can be told from the scatter."""
SHARE = 0.05
"""The share that counts. Of the gain of the whole training: a loss that falls exponentially gains less in its
last quarter once it ran for more than about three of its time constants; then it has arrived. Of the best
value: a rise of less is of no use to know, even if it is certain."""
MEMORISED = 0.5
"""The share of its first value that the training metric must have gained, for a validation metric that gained
nothing to say more than that the training was short: half of a loss does not go by chance."""
SIGMAS = 3.0
"""How far beyond the scatter of single epochs a change must be. The best of a hundred smoothed epochs is by
chance about 1.3 standard deviations below their mean, and the last one is off by about 0.7: of simulated
curves of 8 to 300 epochs, level but for normal noise, 1 to 3 of a hundred were called overfitting."""


@dataclass(frozen=True)
class Overfitting:
    """The verdict on a training.

    Attributes:
        verdict: ``"underfitting"``, ``"fitting"`` or ``"overfitting"``.
        since: the first epoch that made the validation metric worse, counted from 1; None if none did.
        by: how much worse the smoothed validation metric is at the end than at its best, in its own unit.
        best_epoch: the best epoch around the lowest point of the smoothed validation metric, counted from 1.
        evidence: the numbers behind the verdict.
        metric: the name of the metric.
    """

    verdict: str
    since: int | None
    by: float
    best_epoch: int
    evidence: str
    metric: str

    def __str__(self) -> str:
        since = f" since epoch {self.since}" if self.since else ""
        return f"{self.verdict}{since}: {self.evidence}"


def overfitting(
    history: History | Mapping[str, Sequence[float]],
    metric: str = "loss",
    *,
    reachable: float | None = None,
) -> Overfitting:
    """Judge a training by the curves of its training and its validation metric.

    The level of the two curves is not compared: the training metric of a history is a mean over the epoch,
    with dropout and augmentation, so it can be better or worse than the validation's for other reasons.
    What is judged is how each curve moves. With the sign turned if more of the metric is better, both are
    smoothed by a running median of 5 epochs (3 if there are fewer than 10), which takes out single spikes.
    A curve's gain is its first value less its best smoothed one. Its scatter is the standard deviation of
    an epoch around the trend, from second differences (Gasser, Sroka and Jennen-Steinmetz, "Residual
    variance and residual pattern in nonlinear regression", 1986; here from their median, which spikes do
    not move).

    Its margin is the larger of `SHARE`, 5 %, of the gain and of `SIGMAS`, 3, times the scatter. For a rise
    from the best value, 5 % of that value are enough if it is less than the gain: where a loss fell from
    1000 to 1, a rise to 3 is a large one. The verdict is the first of these that holds:

    1. overfitting: the validation curve ends above its best by more than the margin for a rise, and the
       training curve has not risen since that epoch by more than its margin;
    2. overfitting, from the first epoch on: the validation curve ends no more than its margin below its first
       value, and is no better than where the training curve began, while that one has gained more than its
       margin and `MEMORISED`, half, of its first value: what was learned holds for the training data only;
    3. underfitting: the training curve ends no more than its margin below its first value, so nothing was
       learned, or what was learned is lost; or both curves still fall at the end, by more than their margins
       in the last quarter of the epochs; or the training curve ends above `reachable` by more than 5 % of the
       way there from its first value;
    4. fitting.

    A history alone cannot tell a model too simple for its data from one that is as good as noise permits:
    both level off. If a better value is known, from a larger model say, give it as `reachable`.

    Args:
        history: what `fit` returned, or the dictionary in it.
        metric: ``"loss"``, or another that the history has for training and validation. More is better of
            accuracies and the like, told by the name.
        reachable: a value of the training metric that is known to be possible.

    Raises:
        ValueError: no such metric, no validation in each epoch, fewer than 5 epochs, or NaN.

    >>> import dualnn as dn
    >>> epochs = range(1, 21)
    >>> found = dn.diagnostics.overfitting(
    ...     {"loss": [1 / e for e in epochs], "val_loss": [1 / e + 0.02 * e for e in epochs]}
    ... )
    >>> found.verdict, found.since
    ('overfitting', 8)
    """
    training, validation = _curves(history, metric)
    sign = -1.0 if rises(metric) else 1.0
    train, val = _Curve(sign * training), _Curve(sign * validation)
    best, by = val.best_epoch, max(0.0, val.end - val.best)

    def verdict(name: str, evidence: str) -> Overfitting:
        since = best + 2 if name == "overfitting" else None
        return Overfitting(name, since, by, best + 1, evidence, metric)

    def course(label: str, curve: _Curve, start: int = 0) -> str:
        first = curve.first if start == 0 else curve.smooth[start]
        return f"{label} went from {sign * first:.4g} to {sign * curve.end:.4g}"

    if by > val.rise_margin and train.end - train.smooth[best] <= train.margin:
        share = f" ({by / abs(val.best):.0%})" if val.best else ""
        return verdict(
            "overfitting",
            f"smoothed, val_{metric} was best in epoch {best + 1}, {sign * val.best:.4g}, and ends at "
            f"{sign * val.end:.4g}, worse by {by:.3g}{share}, while {course(metric, train, best)}",
        )
    gain = train.first - train.end
    learned = gain > max(train.margin, MEMORISED * abs(train.first))
    if learned and val.first - val.end <= val.margin and val.end >= train.first - val.margin:
        found = verdict(
            "overfitting",
            f"{course(metric, train)}, but {course(f'val_{metric}', val)}: what was learned holds for the "
            f"training data only",
        )
        return replace(found, since=1)
    if gain <= train.margin:
        return verdict("underfitting", f"{course(metric, train)}, so nothing was learned that lasts")
    if train.late_gain > train.margin and val.late_gain > val.margin:
        return verdict(
            "underfitting",
            f"both curves still get better at the end, {metric} by {train.late_gain:.3g} and val_{metric} by "
            f"{val.late_gain:.3g} in the last quarter of the epochs: train longer",
        )
    if reachable is not None and train.end - sign * reachable > SHARE * abs(train.first - sign * reachable):
        return verdict(
            "underfitting", f"{course(metric, train)}, where {reachable:.4g} is known to be reachable"
        )
    return verdict(
        "fitting",
        f"{course(metric, train)} and {course(f'val_{metric}', val)}, within {val.rise_margin:.3g} of its "
        f"best, in epoch {best + 1}",
    )


class _Curve:
    """A curve that is better the lower it is, with what the rule asks of it."""

    def __init__(self, values: Floats) -> None:
        self.smooth = smoothed(values)
        self.first, self.end, self.best = float(values[0]), float(self.smooth[-1]), float(self.smooth.min())
        # a median is flat at the bottom of a valley, where the values themselves tell its lowest point
        start = max(0, int(np.argmin(self.smooth)) - _reach(values))
        self.best_epoch = start + int(np.argmin(values[start : start + 2 * _reach(values) + 1]))
        gain, noise = self.first - self.best, SIGMAS * _scatter(values)
        self.margin = max(SHARE * gain, noise)
        self.rise_margin = max(SHARE * min(gain, abs(self.best)), noise)
        quarter = max(len(values) // 4, 2)
        self.late_gain = float(self.smooth[-1 - quarter]) - self.end


def smoothed(values: Floats) -> Floats:
    """Return the running median of 5 values (3 if there are fewer than 10), of fewer at the ends.

    >>> smoothed(np.array([5.0, 4.0, 9.0, 2.0, 1.0])).tolist()
    [4.5, 5.0, 4.0, 2.0, 1.5]
    """
    reach = _reach(values)
    return np.array([np.median(values[max(0, i - reach) : i + reach + 1]) for i in range(len(values))])


def _reach(values: Floats) -> int:
    return 2 if len(values) >= 10 else 1


def _scatter(values: Floats) -> float:
    """Return the standard deviation of independent noise on a smooth curve.

    The second difference of such noise has 6 times its variance; the median of the absolute value of a
    normal number is 1 / 1.4826 of its standard deviation.
    """
    return float(1.4826 * np.median(np.abs(np.diff(values, 2))) / np.sqrt(6))


def _curves(history: History | Mapping[str, Sequence[float]], metric: str) -> tuple[Floats, Floats]:
    curves: Mapping[str, Any] = history.history if isinstance(history, History) else history
    if metric not in curves:
        raise ValueError(unknown("metric", metric, [name for name in curves if not name.startswith("val_")]))
    if f"val_{metric}" not in curves:
        raise ValueError(
            f"the history has no val_{metric}: overfitting shows on data that were not trained on; "
            f"give fit() validation_split or validation_data"
        )
    training, validation = (np.asarray(curves[name], dtype=np.float64) for name in (metric, f"val_{metric}"))
    if len(training) != len(validation):
        raise ValueError(
            f"expected a validation after each of the {len(training)} epochs, got {len(validation)}; "
            f"leave out validation_freq"
        )
    if len(training) < LEAST_EPOCHS:
        raise ValueError(
            f"expected at least {LEAST_EPOCHS} epochs to tell a trend from scatter, got {len(training)}"
        )
    for name, values in ((metric, training), (f"val_{metric}", validation)):
        if not np.isfinite(values).all():
            epoch = int(np.argmin(np.isfinite(values))) + 1
            raise ValueError(f"{name} is not finite in epoch {epoch}: the training diverged; lower its rate")
    return training, validation
