"""A way out for huggingface_hub while everything else stays offline.

It speaks through one client for the whole process, which ``HF_HUB_OFFLINE`` closes; for the one
call that a person said yes to, another is put in its place.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT = 30.0  # seconds without a byte


@contextmanager
def open_line() -> Iterator[None]:
    """Let huggingface_hub reach the network meanwhile."""
    import httpx2
    from huggingface_hub import set_client_factory
    from huggingface_hub.utils._http import default_client_factory

    set_client_factory(lambda: httpx2.Client(follow_redirects=True, timeout=TIMEOUT))
    try:
        yield
    finally:
        set_client_factory(default_client_factory)  # closes the client, too
