"""Options of the suite: what a test needs that most machines don't have."""


def pytest_addoption(parser):
    parser.addoption(
        "--vllm-python",
        help="interpreter of an environment with vLLM and lm-eval, for the tests that run it",
    )
