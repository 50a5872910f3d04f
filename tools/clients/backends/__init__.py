"""Measuring an arm: lm-eval in a process of its own, over transformers, vLLM or a server."""
