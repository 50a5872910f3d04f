"""HERD's second stage: the user's own examples and how answers to them are graded."""
