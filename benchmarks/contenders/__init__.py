"""Ways to reset a course, a file each. What their workers run is in `benchmarks/jobs/`."""
