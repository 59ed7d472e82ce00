"""The conformance suite: how exactly every operation of every backend computes, measured on your machine.

    dualnn conform                          # from the command line
    pytest --pyargs dualnn.conformance      # as tests

    from dualnn.conformance import conform
    report = conform(level="quick")
    report.passed, report.bad, report.known

A case (`case.py`) says what is run, what a reference of higher precision gives, and how many roundings
lead to the result; `measure.py` derives from that how far the two may be apart; `runner.py` runs the cases of
`cases/` on every backend, device, dtype and way of execution; `known.py` lists what is a framework's own.
"""

from dualnn.conformance.suite import Report, conform

__all__ = ["Report", "conform"]
