"""Benchmarks at hand: lm-eval's catalogue, and the items installed on this machine."""
