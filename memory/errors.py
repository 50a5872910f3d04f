"""The errors a person can act on.

Each carries one line that says what is wrong and what to do. Surfaces print the line and
stop with ``exit_code``; anything else that escapes is a bug and keeps its traceback.
"""


class MirrorError(Exception):
    """Something the user can put right; ``str(error)`` is the one line they see."""

    exit_code = 2


class BadRequest(MirrorError):
    """The request is empty, absurd or contradicts itself."""


class NothingSurvives(MirrorError):
    """No model passes; the line names the relaxation that helps most."""


class DamagedStore(MirrorError):
    """A database, index or snapshot can't be read. It is named and never overwritten."""


class NotApproved(MirrorError):
    """Spending was asked for without a valid approval of exactly this plan."""


class PlannerFailed(MirrorError):
    """The planning model called an unknown tool, passed wrong arguments or looped."""


class ThreadBusy(MirrorError):
    """Another process is working on this conversation."""


class UnknownThread(MirrorError):
    """There is no conversation or run of that name."""


class BackendUntrustworthy(MirrorError):
    """A back end gave wrong answers to known questions; its scores would be worthless."""


class AcrossProtocols(MirrorError):
    """Scores of different protocols were asked to be compared; the line says which they are."""
