"""Proposes files to a repository of the Hub: one commit, a pull request for its owner to decide on.

huggingface_hub knows how a commit is sent. It is never sent twice: a second could open a second
pull request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.clients.backends.open_line import open_line
from tools.clients.hub.answers import complaint
from tools.clients.hub.api import HubUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tools.clients.hub.api import Hub

NO_MODEL = "has no such model, or hides it from this token"


def open_pull_request(
    hub: Hub, repository: str, files: Mapping[str, str], title: str, description: str
) -> str | None:
    """The address of the pull request; None when the repository holds these very files.

    Raises:
        BadRequest: ``repository`` can't be a model's id.
        HubUnavailable: the Hub refuses, is not reached, or has no such repository. Whether the
            pull request was opened is then not known; the line says where to look.
    """
    import httpx2
    from huggingface_hub import CommitOperationAdd, HfApi, errors

    # Asked first, as huggingface_hub tries for half a minute where nothing listens.
    if hub.get(f"models/{repository}", repository, {}) is None:
        raise _failed(hub, repository, NO_MODEL)
    operations = [
        CommitOperationAdd(path_in_repo=path, path_or_fileobj=text.encode())
        for path, text in files.items()
    ]
    token = hub.token.get_secret_value() if hub.token else False
    api = HfApi(endpoint=hub.endpoint, token=token, user_agent="mirror")
    try:
        with open_line():
            done = api.create_commit(
                repo_id=repository,
                operations=operations,
                commit_message=title,
                commit_description=description,
                create_pr=True,
            )
    except errors.RepositoryNotFoundError:
        raise _failed(hub, repository, NO_MODEL) from None
    except errors.HfHubHTTPError as error:
        raise _failed(hub, repository, complaint(error.response)) from None
    except httpx2.RequestError as error:
        raise _failed(hub, repository, f"can't be reached ({type(error).__name__})") from None
    except (ValueError, KeyError):  # an answer of another shape
        raise _failed(hub, repository, "sent no readable answer") from None
    return done.pr_url


def _failed(hub: Hub, repository: str, what: str) -> HubUnavailable:
    return HubUnavailable(
        f"The Hub at {hub.endpoint} {what}. Before trying again, see whether the pull request is"
        f" there: {hub.endpoint}/{repository}/discussions"
    )
