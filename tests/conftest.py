"""Options of the suite: what a test needs that most machines don't have."""

import signal


def pytest_configure(config):
    """A shell that starts the suite in the background has Ctrl-C ignored; some tests press it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    parser.addoption(
        "--vllm-python",
        help="interpreter of an environment with vLLM and lm-eval, for the tests that run it",
    )
    parser.addoption(
        "--rewrite-screens", action="store_true", help="keep what the terminal shows as the screens"
    )
