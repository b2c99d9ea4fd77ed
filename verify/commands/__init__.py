"""Commands of `python -m verify` beside the simulation checks."""
