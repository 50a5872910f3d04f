"""Which arm should answer which prompt, learnt from the answers HERD's second stage paid for.

Where answers were graded, prompts are parted into regions and each goes to the arm that does best
in its region (``tools.methods.cluster_router``); whether that beats the best single arm is tested
on examples held out (``tools.methods.routing``), and unless it does, the advice is that one arm.
Where no answer was graded, one arm is taken for everything, by what is known of the models
(``tools.scores.standing``) and by how their answers agree (``tools.methods.label_free``): without
a grade nothing could show that choosing per prompt pays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from memory.records import CONSTANT, RouteGain, RouteMember, RouteRegion, Routing
from memory.routers import FittedRouter
from tools.judging.families import kinship
from tools.methods import cluster_router, label_free
from tools.methods.routing import best_single, gain
from tools.scores.standing import standing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from memory.records import Arm, Example, ItemResult
    from memory.registry import Registry
    from tools.deps import Deps, Embedder
    from tools.methods.cluster_router import ClusterRouter
    from tools.real_task.own_task import Graded

    Floats = NDArray[np.float64]

REGIONS = (1, 2, 4, 8, 16, 32)
FEWEST_A_REGION = 8  # examples, on average
SHOWN, LETTERS = 3, 80


def learn(
    run: str,
    task: Graded,
    deps: Deps,
    models: Sequence[str] | None = None,
    priors: Mapping[str, float] | None = None,
    protocol: str | None = None,
) -> FittedRouter | None:
    """Fit to every answer to the task's examples that the ledger holds.

    Args:
        run: The name it is kept under.
        task: The user's examples, with their metric.
        deps: Where the ledger, the embedder, the registry and the clock are.
        models: Only arms of these; None: of all.
        priors: What is known of a model's quality, more is better; used where no answer was
            graded. Default: its standing among all that were ever measured.
        protocol: How the answers were made. Default: as a plan made now would.

    None when no arm has answered any.
    """
    how = protocol or task.protocol(deps.runner.name)
    found = [
        (arm, result)
        for arm, result in deps.ledger.answers(task.task.name, how)
        if arm.model != CONSTANT and (models is None or arm.model in models)
    ]
    if not found:
        return None
    made = _Answers(task, found)
    return _fitted(run, made, deps, priors or {})


def order(router: FittedRouter, prompt: Floats) -> tuple[int | None, Floats]:
    """The region of an embedded prompt (p,) and each member's value (m,) there; most is best.

    A vector that is not finite has no region, and the mean value over all prompts.
    """
    if not np.isfinite(prompt).all():
        size = np.array([region.n for region in router.about.regions], dtype=np.float64)
        return None, np.asarray(size @ router.value / size.sum())
    region = int(cluster_router.region_of(prompt[None], router.centres)[0])
    return region, router.value[region]


def explain(router: FittedRouter, embedder: Embedder, prompt: str | None = None) -> list[str]:
    """In words: whether routing pays and why, then the regions, or that of one ``prompt``."""
    about = router.about
    lines = [about.reason]
    chosen = range(len(about.regions))
    if prompt is not None:
        vector = embedder.encode([prompt])[0].astype(np.float64)
        region, _ = order(router, vector)
        chosen = range(0) if region is None else range(region, region + 1)
    for i in chosen:
        region_ = about.regions[i]
        like = "; ".join(f"“{text}”" for text in region_.examples)
        means = sorted(region_.means.items(), key=lambda one: -one[1])
        against = ", ".join(
            f"{name} {mean:.2f} ({region_.graded.get(name, 0)} graded)" for name, mean in means
        )
        basis = f": {against}" if against else ""
        lines.append(f"For prompts like these ({region_.n}), {region_.best}{basis}. Such as {like}")
    return lines


class _Answers:
    """The answers as arrays: ``scores`` (n, m), NaN where not graded, beside the texts."""

    def __init__(self, task: Graded, found: Sequence[tuple[Arm, ItemResult]]) -> None:
        self.task = task
        by_arm: dict[str, dict[str, ItemResult]] = {}
        self.models: dict[str, str] = {}
        for arm, result in found:
            by_arm.setdefault(arm.name, {}).setdefault(result.item, result)
            self.models[arm.name] = arm.model
        answered = {item for items in by_arm.values() for item in items}
        self.examples: list[Example] = [one for one in task.usable if one.id in answered]
        self.arms = list(by_arm)
        self.cells = [[by_arm[arm].get(one.id) for arm in self.arms] for one in self.examples]
        self.scores = np.array(
            [
                [np.nan if c is None or c.correct is None else c.correct for c in r]
                for r in self.cells
            ]
        ).reshape(len(self.examples), len(self.arms))

    def members(self) -> tuple[RouteMember, ...]:
        """The arms with what their answers were worth and took."""
        return tuple(self._member(j) for j in range(len(self.arms)))

    def _member(self, j: int) -> RouteMember:
        given = [row[j] for row in self.cells]
        known = [one for one in given if one is not None]
        grades = self.scores[:, j][~np.isnan(self.scores[:, j])]
        return RouteMember(
            name=self.arms[j],
            model=self.models[self.arms[j]],
            n=len(grades),
            mean=float(grades.mean()) if grades.size else None,
            seconds=float(np.mean([one.seconds for one in known])),
            usd=float(np.mean([one.usd for one in known])),
        )

    def embedded(self, embedder: Embedder) -> Floats:
        """(n, m, d) of the answers; NaN where there is none, or an empty one."""
        texts = [[c.answer if c else "" for c in row] for row in self.cells]
        flat = embedder.encode([text for row in texts for text in row]).astype(np.float64)
        flat[[not text.strip() for row in texts for text in row]] = np.nan
        return flat.reshape(len(self.examples), len(self.arms), -1)


def _fitted(run: str, made: _Answers, deps: Deps, priors: Mapping[str, float]) -> FittedRouter:
    prompts = deps.embedder.encode([one.input for one in made.examples]).astype(np.float64)
    tested: RouteGain | None = None
    if len(made.arms) == 1:
        basis, router = "nothing", _single(prompts, np.ones((1, 1)))
        reason = f"Only {made.arms[0]} has answered; there is nothing to choose from."
    elif np.isnan(made.scores).all():
        basis, router = "answers", _single(prompts, _by_answers(made, deps, priors))
        reason = _ungraded(made.arms[int(np.nanargmax(router.value[0]))])
    else:
        basis, router, tested = "grades", *_by_grades(prompts, made.scores)
        best = made.arms[best_single(made.scores)]
        reason = _verdict(best, tested, len(router.centres) > 1, _graded(made.scores))
    pays = tested is not None and len(router.centres) > 1
    answers = [c.answer for row in made.cells for c in row if c]
    about = Routing(
        run=run,
        at=deps.clock().isoformat(timespec="seconds"),
        benchmark=made.task.task.name,
        instruction=made.task.task.instruction,
        embedder=deps.embedder.name,
        basis=basis,
        members=made.members(),
        regions=_regions(made, prompts, router),
        gain=tested,
        pays=pays,
        best=made.arms[best_single(router.value if basis != "grades" else made.scores)],
        reason=reason,
        chars_in=float(np.mean([len(made.task.prompt(one)) for one in made.examples])),
        chars_out=float(np.mean([len(text) for text in answers])),
    )
    return FittedRouter(about, router.centres, router.value)


def _by_grades(prompts: Floats, scores: Floats) -> tuple[ClusterRouter, RouteGain | None]:
    """Regions where they pay on examples held out, else one; and what was gained there."""
    usable = ~np.isnan(scores).all(axis=1)
    prompts, scores = prompts[usable], scores[usable]
    found = gain(prompts, scores, _regional)
    tested = None
    if found is not None:
        tested = RouteGain(
            routed=found.routed,
            single=found.single,
            difference=found.difference,
            low=found.low,
            high=found.high,
            p=found.p,
            n=found.n,
        )
    if found is None or not found.pays:
        return cluster_router.fit(prompts, scores, regions=1), tested
    return _regional(prompts, scores), tested


def _regional(prompts: Floats, scores: Floats) -> ClusterRouter:
    sizes = [k for k in REGIONS if k == 1 or k * FEWEST_A_REGION <= len(prompts)]
    return cluster_router.fit_best(prompts, scores, candidates=sizes)


def _by_answers(made: _Answers, deps: Deps, priors: Mapping[str, float]) -> Floats:
    """(1, m): what is known of the models, then how far their answers agree."""
    models = [made.models[arm] for arm in made.arms]
    if not priors:
        priors = standing(models, deps.scores.observations(), deps.registry)
    known = [priors.get(model, np.nan) for model in models]
    answers = made.embedded(deps.embedder)
    if np.isnan(answers).all():  # nobody said anything; what is known is left
        answers = np.zeros((1, len(models), 1))
    families = _families(models, deps.registry)
    return label_free.weights(answers, clusters=families, prior=known)[None]


def _families(models: Sequence[str], registry: Registry) -> list[int]:
    """A number per family; kin of kin are kin."""
    family = list(range(len(models)))
    for i, one in enumerate(models):
        for j in range(i):
            if one == models[j] or kinship(one, models[j], registry):
                old, new = family[i], family[j]
                family = [new if label == old else label for label in family]
    return family


def _single(prompts: Floats, value: Floats) -> ClusterRouter:
    return cluster_router.ClusterRouter(prompts.mean(axis=0, keepdims=True), value)


def _regions(made: _Answers, prompts: Floats, router: ClusterRouter) -> tuple[RouteRegion, ...]:
    region = cluster_router.region_of(prompts, router.centres)
    return tuple(
        _region(made, prompts, router, i, np.flatnonzero(region == i))
        for i in range(len(router.centres))
    )


def _region(
    made: _Answers, prompts: Floats, router: ClusterRouter, i: int, rows: NDArray[np.intp]
) -> RouteRegion:
    away = ((prompts[rows] - router.centres[i]) ** 2).sum(axis=1)
    near = rows[np.argsort(away, kind="stable")][:SHOWN]
    graded = (~np.isnan(made.scores[rows])).sum(axis=0)
    means = {} if not _graded(made.scores) else dict(zip(made.arms, router.value[i], strict=True))
    return RouteRegion(
        n=len(rows),
        examples=tuple(_short(made.examples[row].input) for row in near),
        best=made.arms[int(np.nanargmax(router.value[i]))],
        means={name: float(mean) for name, mean in means.items() if np.isfinite(mean)},
        graded={name: int(n) for name, n in zip(made.arms, graded, strict=True)},
    )


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LETTERS else line[: LETTERS - 1] + "…"


def _graded(scores: Floats) -> int:
    return int((~np.isnan(scores)).any(axis=1).sum())


def _ungraded(best: str) -> str:
    return (
        f"Use {best} for everything, by what is known of it elsewhere and by how far its answers"
        " agree: none was graded, so nothing can show that choosing per prompt pays."
    )


def _verdict(best: str, tested: RouteGain | None, routed: bool, graded: int) -> str:
    if tested is None:
        return (
            f"Use {best} for everything: {graded} graded examples are too few to test whether"
            " choosing per prompt pays (10 are the least)."
        )
    said = (
        f"{tested.difference:+.3f} ({tested.low:+.3f} to {tested.high:+.3f}, p = {tested.p:.2g})"
        f" on {tested.n} examples held out"
    )
    if routed:
        return (
            f"Choosing per prompt pays: {tested.routed:.3f} where {best} alone scores"
            f" {tested.single:.3f}, {said}."
        )
    return f"Use {best} for everything: choosing per prompt gains {said}."
