"""Counting and measuring. ``python -m benchmarks`` does all of it; see its modules for the parts."""
