"""How fast a reset runs, beside two other ways to do the same: `python -m benchmarks`."""
