"""YAML that somebody else wrote: how deep it is, before anything that recurses reads it."""

from __future__ import annotations

import yaml


def too_deep(text: str, deepest: int) -> bool:
    """Whether the text is nested more than ``deepest`` deep; libyaml's composer recurses.

    Raises ``yaml.YAMLError`` for what is no YAML.
    """
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > deepest:
            return True
    return False
