"""``python -m dualnn``: the command line."""

from dualnn.cli import main

main()
