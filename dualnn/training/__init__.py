"""Training: data, steps, the loops, callbacks and the record of a run."""
