"""How fast a reset runs, beside other ways to do the same: `python -m benchmarks`."""
