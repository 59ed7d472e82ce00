"""The conformance suite: how exactly every operation of every backend computes, measured on your machine."""
