"""What people say after their first request, and which of it the machine has to act on.

A question about what was found ("why not Qwen?", "compare A and B") only reads; it leaves the
state machine, and a plan that waits for approval, as they are. A change of mind, a branch or
another weighting changes the dossier and makes void what rests on what was changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from pydantic import ValidationError

from memory.errors import BadRequest
from memory.records import Balance
from tools.dossier import void_after
from tools.request import revising
from tools.request import vocabulary as say

if TYPE_CHECKING:
    from memory.records import Requirements
    from tools.dossier import Dossier

Topic = Literal["shortlist", "plan", "budget", "benchmarks", "scores", "requirements", "report"]


@dataclass(frozen=True)
class Why:
    """Why a model was chosen, or was not. ``model``: a model's or a family's name; None: the
    leader."""

    model: str | None


@dataclass(frozen=True)
class Compare:
    """Two models or more, side by side; fewer than two names: the two that lead."""

    models: tuple[str, ...]


@dataclass(frozen=True)
class Show:
    """One part of what is known."""

    topic: Topic


@dataclass(frozen=True)
class Recall:
    """What is remembered from other conversations."""

    query: str


@dataclass(frozen=True)
class Change:
    """Other requirements; ``branch``: beside this conversation instead of in it."""

    requirements: Requirements
    branch: bool = False


@dataclass(frozen=True)
class Weigh:
    """Other weights of Eq. 1."""

    balance: Balance


Question: TypeAlias = Why | Compare | Show | Recall
Turn: TypeAlias = Change | Weigh

WHY = r"^(?:and |but |so )?(?:why|how come|what(?:'s| is) wrong with|what about)\b"
BRANCH = r"what if|and if|suppose|how about|alternatively|in parallel|branch"
COMPARE = r"\bcompare\b|\bversus\b|\bvs\.?(?!\w)|\bdifference between\b|\bor better\b"
REMEMBER = r"\b(?:remember(?:ed)?|recall|in memory)\b(?: (?:about|of|from|on|anything|what))*"
TOPICS: tuple[tuple[Topic, str], ...] = (
    ("budget", r"budget|spent|cost(?:s|ed)?|how much (?:money|did|have|is)|money|price"),
    ("plan", r"plan"),
    ("report", r"report"),
    ("benchmarks", r"benchmarks?|what (?:is|was) measured"),
    ("scores", r"scores?|evidence|measurements?"),
    ("shortlist", r"shortlist|candidates|who leads|which models|alternatives|runner-?up"),
    ("requirements", r"requirements?|constraints?|what (?:did|have) (?:i|you) (?:ask|underst\w+)"),
)
ASKING = r"^(?:show|list|what|which|who|how|where|give|tell|display|print|/)"
WEIGHTS = rf"\b(alpha|beta|α|β)\s*(?:=|to|:|of)?\s*{say.NUMBER}"
_NAME = r"[\w.\-]+(?:/[\w.\-]+)?"
_FILLERS = frozenset(
    word
    for words in (
        "why not is was were did didn't wasn't isn't the a an this that it model models and but so",
        "chosen choose pick picked win won lose lost dropped out removed eliminated rejected",
        "recommended selected how come about what what's s wrong with of for in on you do does use",
        "using fall fell better worse than first one ones there then at all just me please versus",
        "vs compare between difference or against to",
    )
    for word in words.split()
)


def read(text: str, dossier: Dossier) -> Question | Turn | None:
    """What ``text`` means after a first request, read by rules; None when they can't tell.

    ``dossier`` must hold requirements.

    Raises:
        BadRequest: a change that means nothing (a licence nobody knows, a value out of bounds).
    """
    before = dossier["requirements"]
    assert before is not None, "there is nothing to follow up before the requirements are known"
    plain = " ".join(text.split())
    if weights := dict(re.findall(WEIGHTS, plain.lower())):
        return Weigh(_balance(weights, dossier.get("balance") or Balance()))
    if re.search(COMPARE, plain, re.IGNORECASE):
        return Compare(_names(plain))
    if about := re.search(REMEMBER, plain, re.IGNORECASE):
        return Recall(plain[about.end() :].strip(" ?.!:") or before.text)
    changed = revising.revise(plain, before)
    why = re.search(WHY, plain, re.IGNORECASE)
    if why and (changed == before or not plain.lower().startswith("what about")):
        return Why(next(iter(_names(plain[why.end() :])), None))
    if changed != before:
        return Change(changed, branch=say.found(BRANCH, plain))
    if re.search(ASKING, plain, re.IGNORECASE) or len(plain.split()) <= 3:
        return next((Show(topic) for topic, words in TOPICS if say.found(words, plain)), None)
    return None


def apply(turn: Turn) -> Dossier:
    """The change that ``turn`` makes to a dossier: its own key, and what rests on it made void."""
    if isinstance(turn, Weigh):
        return {**void_after("scores"), "balance": turn.balance}
    return {**void_after("requirements"), "requirements": turn.requirements}


def _balance(weights: dict[str, str], before: Balance) -> Balance:
    names = {"α": "alpha", "β": "beta"}
    stated = {names.get(name, name): say.number(digits) for name, digits in weights.items()}
    try:
        return Balance.model_validate({**before.model_dump(), **stated})
    except ValidationError as error:
        wrong = error.errors()[0]
        raise BadRequest(f"{wrong['loc'][0]} is from 0 to 1, not {wrong['input']:g}") from None


def _names(text: str) -> tuple[str, ...]:
    """What may be names of models, in order: words of the text that are no filler."""
    words = [word.strip(".-") for word in re.findall(_NAME, text)]
    names = [word for word in words if len(word) > 1 and word.lower() not in _FILLERS]
    return tuple(dict.fromkeys(names))
