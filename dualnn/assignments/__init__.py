"""The classification assignments: iris, digits, MNIST and Fashion-MNIST.

`run` trains one small network, on either backend, and `agreement` says how far two backends agree.
`study` does the whole of an assignment: it searches for the best network, trains it again and tests it.
"""

from dualnn.assignments.architecture import CONVOLUTIONAL, MULTI, SINGLE, Architecture
from dualnn.assignments.one_network import ASSIGNMENTS, Agreement, Assignment, Result, agreement, run
from dualnn.assignments.study import Final, Study, Trial, study

__all__ = [
    "ASSIGNMENTS",
    "CONVOLUTIONAL",
    "MULTI",
    "SINGLE",
    "Agreement",
    "Architecture",
    "Assignment",
    "Final",
    "Result",
    "Study",
    "Trial",
    "agreement",
    "run",
    "study",
]
