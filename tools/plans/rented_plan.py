"""A plan for rented GPUs: who of the shortlist is worth its price, and what that is.

Bought is what could change the choice, most per dollar first
(``tools.plans.value_of_information``), with the model that leads now among it, because a rival
can only be compared on the same items.
The paper measures every missing cell of the shortlist instead (RELM section 4.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.plans import renting
from tools.plans.local_plan import THE_BAR, joined, settles
from tools.plans.value_of_information import doubt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.records import Arm, Model, Step
    from tools.deps import Deps
    from tools.dossier import Dossier

MOST_ARMS = 4
TOO_MANY = f"only {MOST_ARMS} arms fit in one run"


def rented(
    rental: renting.Rental, shortlist: Sequence[Model], constant: Arm, dossier: Dossier, deps: Deps
) -> tuple[tuple[Step, ...], dict[str, str]]:
    """Steps that this machine can't run, and why the rest of the shortlist has none."""
    if not rental.benchmarks:
        return (), dict.fromkeys((model.id for model in shortlist), "no benchmark is recommended")
    reasons = {model.id: renting.UNKNOWN for model in shortlist if not model.params}
    priced = {model.id: model for model in shortlist if model.params}
    names, change, why_not = _worth(rental, priced, dossier, deps)
    rivals = [priced[name] for name in names[:MOST_ARMS]]
    for name, model in priced.items():
        if model not in rivals:
            reasons[name] = f"{TOO_MANY if name in names else why_not}; {rental.quote(model)}"
    items = rental.items * len(rental.benchmarks)
    which = f"which of the {len(rivals)} leads" if rivals[1:] else "whether it earns a place"
    told = joined(which, change, settles(items))
    steps = [step for model in rivals for step in rental.steps(model, deps.runner, told)]
    if steps:
        steps += rental.baseline(constant, deps.runner, THE_BAR)
    return tuple(steps), reasons


def _worth(
    rental: renting.Rental, priced: dict[str, Model], dossier: Dossier, deps: Deps
) -> tuple[list[str], str, str]:
    """Names in the order of purchase, what that could change, and why others are not among them."""
    open_question = doubt(dossier, rental.items, suspected=deps.ledger.checks())
    if open_question is None or not priced:
        return list(priced), "", TOO_MANY
    prices = {
        (name, step.benchmark): step.usd
        for name, model in priced.items()
        for step in rental.steps(model, deps.runner, "")
    }
    needed = dossier.get("requirements")
    budget = needed.budget_usd if needed and needed.budget_usd is not None else float("inf")
    names, advice = open_question.advice(prices, budget)
    leader, surely = open_question.leader
    if names and leader in priced:
        names = list(dict.fromkeys([leader, *names]))
    change = (
        f"changes the choice with p = {advice.chance:.2f}"
        f" (now {leader}, the best with p = {surely:.2f})"
    )
    hardly = f"all that is for sale would change the choice with p = {advice.doubt:.2f} only"
    return names, change if names else "", advice.stopped if names else hardly
