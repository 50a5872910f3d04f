"""Weights on this machine: found, unpacked, checked, and the code that comes with some."""
