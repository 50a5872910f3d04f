"""Every frozen record Mirror remembers, checkpoints or passes between packages.

Checkpoints name these classes by module and name, so this file never moves and
a field is added only with a default. Missing is always ``None`` or empty, never zero:
a model without a parameter count is not a model with none.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Record(BaseModel):
    """A frozen value; unknown fields are an error, so a typo can't pass for data."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


# --- the registry -----------------------------------------------------------------------

Relation = Literal["quantized", "mirror", "adapter", "finetune", "merge"]


class LineageEdge(Record):
    """A model's parent and how it was made from it."""

    parent: str
    relation: Relation
    source: str


class Model(Record):
    """One open model: facts only, each with the source that stated it.

    ``params`` counts weights (not bytes); ``params_estimated`` marks counts that a source
    estimated. ``task_inferred`` says why ``task`` differs from the tag, when it does.
    ``downloads`` are those of the last 30 days; ``derivatives`` counts models that name this one
    as their base; ``created`` and ``modified`` (of the last commit) are ISO 8601 instants;
    ``gated`` is "auto" or "manual" where access is asked for. ``provenance`` maps a field to the
    sources it was read from.
    """

    id: str
    params: int | None = None
    params_estimated: bool = False
    params_active: int | None = None
    licence: str | None = None
    languages: tuple[str, ...] = ()
    context_length: int | None = None
    task: str | None = None
    task_inferred: str | None = None
    modalities: tuple[str, ...] = ()
    abilities: tuple[str, ...] = ()
    architecture: str | None = None
    domains: tuple[str, ...] = ()
    bases: tuple[LineageEdge, ...] = ()
    released: str | None = None
    revision: str | None = None
    formats: tuple[str, ...] = ()
    quantization: tuple[str, ...] = ()
    training_datasets: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    downloads: int | None = None
    likes: int | None = None
    downloads_all_time: int | None = None
    trending: float | None = None
    derivatives: int | None = None
    discussions: int | None = None
    created: str | None = None
    modified: str | None = None
    gated: str | None = None
    library: str | None = None
    provenance: dict[str, tuple[str, ...]] = Field(default_factory=dict)


# --- what texts say of a model ----------------------------------------------------------


class Characteristic(Record):
    """One thing that a text about a model says of it, in that text's own words.

    ``question``: which of the questions it answers (``prompts.questions``). ``value``: one choice,
    one name, a sentence, or a number as text with ``number`` in the question's unit. ``quote``: a
    span of ``source`` as a reader sees it. ``origin``: "read" by a language model or found by a
    "rule"; nothing is inherited, since one model's card must not speak for another. ``confidence``
    in (0, 1].
    """

    question: str
    value: str
    number: float | None = None
    source: str
    quote: str
    confidence: float = Field(gt=0.0, le=1.0)
    origin: Literal["read", "rule"]


class Characterization(Record):
    """What the sources of one model say of it, all of it claimed by whoever wrote them.

    ``content``: SHA-256 over the sources; ``reader``: rules or model, with their version.
    ``dropped``: why an answer was left out -> how many. ``notes``: which sources could not be
    read, and why. ``usd``: what reading cost.
    """

    model: str
    content: str
    reader: str
    at: str
    sources: tuple[str, ...]
    characteristics: tuple[Characteristic, ...]
    dropped: dict[str, int] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
    usd: float = 0.0


# --- the request ------------------------------------------------------------------------

LicenceUse = Literal["commercial", "derivative", "network"]


class Requirements(Record):
    """What the user needs (MSM stages 1 and 2). ``None`` or empty means: not asked for.

    ``max_params`` in weights; ``gpu_memory_gb`` per device in 1e9 bytes; ``context`` in tokens;
    ``precision_bits`` per weight, used to turn memory into parameters. ``examples`` names the
    user's own example set (``memory.example_sets``); ``synthesize``: so many are to be written
    instead, for ``instruction`` (None: the request); ``judges`` as in ``OwnTask``.
    """

    text: str
    task: str | None = None
    modality: str = "text"
    max_params: int | None = Field(None, gt=0, le=10**15)
    min_params: int | None = Field(None, ge=0, le=10**15)
    gpu_memory_gb: float | None = Field(None, gt=0, le=1e9)
    gpu_count: int = Field(1, ge=1, le=10**6)
    precision_bits: int = Field(16, ge=1, le=64)
    context: int | None = Field(None, gt=0, le=10**9)
    licence_use: tuple[LicenceUse, ...] | None = None
    licences: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    ecosystem: tuple[str, ...] = ()
    examples: str | None = None
    synthesize: int | None = Field(None, ge=1, le=200)
    instruction: str | None = None
    judges: tuple[str, ...] = ()
    budget_usd: float | None = Field(None, ge=0, le=1e9)


class Question(Record):
    """One thing the machine must know before it goes on; the cheapest is asked first."""

    id: str
    field: str
    text: str
    options: tuple[str, ...] = ()


# --- the user's own task ----------------------------------------------------------------


class Example(Record):
    """One example of the user's job: what a model is given, and the answer wanted.

    ``reference`` None: the user stated none, which is not an empty answer. ``extra`` holds the
    other columns as text. ``row`` counts from 1 in the file; None when ``synthetic``: made by a
    language model from the request, not by the user.
    """

    id: str
    input: str
    reference: str | None = None
    extra: dict[str, str] = Field(default_factory=dict)
    row: int | None = None
    synthetic: bool = False


class SensitiveFinding(Record):
    """Rows that seem to hold a secret or personal identifier; never the value itself.

    ``kind`` such as "e-mail address"; ``column`` where it was seen.
    """

    kind: str
    column: str
    rows: tuple[int, ...]


class ExampleSet(Record):
    """The usable examples of one file or synthesis, and what became of the others.

    ``sha256`` of the file's bytes (of the prompt and answers when synthetic). ``quarantined``:
    reason -> rows left out; ``missing_references`` counts kept examples without one;
    ``notes`` say what is odd but usable.
    """

    source: str
    sha256: str
    input_field: str
    reference_field: str | None
    examples: tuple[Example, ...]
    read: int
    quarantined: dict[str, tuple[int, ...]] = Field(default_factory=dict)
    missing_references: int = 0
    notes: tuple[str, ...] = ()
    sensitive: tuple[SensitiveFinding, ...] = ()
    synthetic: bool = False


class OwnTask(Record):
    """The user's real task, as HERD's second stage measures it: examples and an instruction.

    ``may_leave``: whether the examples may be sent to a server that is not on this machine.
    ``judges``: who is to grade the answers (``NAME`` or ``NAME=URL``), in matters of ``domain``.
    """

    name: str
    instruction: str
    may_leave: bool = False
    judges: tuple[str, ...] = ()
    domain: str = ""
    examples: ExampleSet


class MetricChoice(Record):
    """The metric that fits the references, why, and the labels when they are few.

    "judge": there are no references, so only a judge can grade.
    """

    metric: Literal["accuracy", "token F1", "ROUGE-L", "judge"]
    reason: str
    labels: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


class MetricScore(Record):
    """A metric over graded answers in [0, 1] with its 90 % bootstrap interval.

    ``missing`` answers had nothing to grade (none came, or no label in it): neither right nor
    wrong, and not in ``value``.
    """

    metric: str
    value: float
    low: float
    high: float
    n: int
    missing: int = 0


class PrototypeAnswer(Record):
    """One arm's answer to one prompt; ``answer`` None when none came. ``seconds`` of wall time."""

    arm: str
    example: str
    answer: str | None
    seconds: float | None = None
    tokens: int | None = None


class PrototypeArm(Record):
    """What one arm did on the shared prompts (MSM: prototype delta analysis).

    ``means``: measure -> mean over the answers it could be taken of; one that could be taken of
    none is absent, not zero. ``format_failures``: what was wrong -> in how many answers.
    """

    arm: str
    prompts: int
    answered: int
    means: dict[str, float] = Field(default_factory=dict)
    format_failures: dict[str, int] = Field(default_factory=dict)


class PrototypeDelta(Record):
    """One measure of two arms on the prompts both answered: mean a - b with 90 % interval.

    A single prompt has no interval.
    """

    measure: str
    a: str
    b: str
    difference: float
    low: float | None
    high: float | None
    n: int


class PrototypeDeltas(Record):
    """The top arms side by side on identical prompts."""

    arms: tuple[PrototypeArm, ...]
    deltas: tuple[PrototypeDelta, ...]
    answers: tuple[PrototypeAnswer, ...]


# --- the funnel -------------------------------------------------------------------------


class Elimination(Record):
    """The one constraint that removed a model, and the value that failed it."""

    model: str
    stage: Literal["critical", "important"]
    constraint: str
    reason: str


class Relaxation(Record):
    """How many models come back when one constraint alone is loosened."""

    constraint: str
    change: str
    gains: int


class Funnel(Record):
    """One stage's count: how many came in, fell (per constraint) and were left.

    ``survivors`` names those left while they are at most 10,000; ``left`` counts them all (None:
    as many as are named).
    """

    stage: Literal["critical", "important"]
    considered: int
    removed: dict[str, int]
    survivors: tuple[str, ...]
    folded: int = 0
    relaxations: tuple[Relaxation, ...] = ()
    left: int | None = None

    @property
    def remaining(self) -> int:
        """How many were left."""
        return len(self.survivors) if self.left is None else self.left


class Candidate(Record):
    """A surviving model with its relevance σ_model in [0, 1] and why it matched.

    ``claimed``: what its own sources say that fits the request, each with its quote; ``raised``:
    what these claims add to ``stated``, the σ by facts alone (None: no source was read).
    """

    model: str
    sigma: float
    matched: tuple[str, ...] = ()
    also_matched: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    claimed: tuple[Characteristic, ...] = ()
    stated: float | None = None
    raised: float = 0.0

    @property
    def by_facts(self) -> float:
        """σ without what the model's own sources claim."""
        return self.sigma if self.stated is None else self.stated


class BenchmarkChoice(Record):
    """A recommended benchmark (an lm-eval task), its weight σ_benchmark and the reason.

    ``metric`` is lm-eval's name; ``items_source`` names the installed items, None if none;
    ``available`` counts them where that is known; ``samples``: items that stand for the others.
    """

    task: str
    weight: float
    reason: str
    description: str = ""
    metric: str = "acc"
    items_source: str | None = None
    available: int | None = None
    samples: tuple[str, ...] = ()


# --- the score matrix P_ij --------------------------------------------------------------


class Origin(StrEnum):
    """Where a score comes from, most trusted first."""

    MEASURED = "measured here"
    VERIFIED = "verified"
    ELSEWHERE = "measured elsewhere"
    REPORTED = "self-reported"
    INHERITED = "inherited"
    PREDICTED = "predicted"


class Score(Record):
    """One observation of P_ij in [0, 1], with the protocol it was measured under.

    ``low``/``high``: the 90 % interval where it is known. ``n`` items; ``cost_usd`` paid.
    ``precision``: of reduced weights; None means the weights as published.
    """

    model: str
    revision: str | None = None
    precision: str | None = None
    benchmark: str
    protocol: str
    value: float = Field(ge=0.0, le=1.0)
    low: float | None = None
    high: float | None = None
    n: int | None = None
    metric: str = "acc"
    origin: Origin
    source: str
    date: str | None = None
    cost_usd: float | None = None
    run: str | None = None

    @property
    def reduced(self) -> bool:
        """Whether the weights were not as published ("BF16 safetensors" and the like are)."""
        return self.precision is not None and not self.precision.endswith(" safetensors")


class Prediction(Record):
    """A missing P_ij's likely value in [0, 1] with its 90 % interval; never an observation.

    ``trusted`` False: too little is known for it to be cited; it may still order models.
    ``basis`` says what it rests on.
    """

    model: str
    benchmark: str
    protocol: str
    value: float = Field(ge=0.0, le=1.0)
    low: float
    high: float
    trusted: bool
    basis: str
    origin: Literal[Origin.PREDICTED, Origin.INHERITED] = Origin.PREDICTED


class Selected(Record):
    """One member of S* (RELM Eq. 1): s = α σ_model + (1-α) Σ_j σ_bench(j) P_ij.

    Of its ``cells``, ``known_cells`` are observed and ``predicted_cells`` predicted. ``related``:
    its standing in [0, 1] by ``related_cells`` scores on other benchmarks; None: it has none.
    """

    model: str
    s: float
    sigma: float
    benchmark_term: float
    known_cells: int
    cells: int
    predicted_cells: int = 0
    related: float | None = None
    related_cells: int = 0


class Balance(Record):
    """The weights of Eq. 1: ``alpha`` of relevance against benchmarks, ``beta`` of exploitation
    against exploration (a model is chosen when β s > 1 - β)."""

    alpha: float = Field(0.25, ge=0.0, le=1.0)
    beta: float = Field(0.9, ge=0.0, le=1.0)


# --- contamination ----------------------------------------------------------------------


class ContaminationFlag(Record):
    """One signal that a model may have seen a benchmark, with its evidence.

    ``flagged`` is p < ``threshold``, which is the level shared out among the signals tried.
    ``n``: shards or items.
    """

    method: Literal["order", "min-k%++", "paraphrase gap"]
    statistic: float
    p: float
    threshold: float
    n: int
    note: str

    @property
    def flagged(self) -> bool:
        """Whether the signal stands out."""
        return self.p < self.threshold


class Contamination(Record):
    """What all signals say of one P_ij; ``weight`` in (0, 1] multiplies it where scores are pooled.

    ``reason`` states the factor and why, also when nothing was found or tried. ``precision`` and
    ``revision`` are the arm's, as in ``Score``.
    """

    arm: str
    model: str
    benchmark: str
    precision: str | None = None
    revision: str | None = None
    flags: tuple[ContaminationFlag, ...]
    weight: float
    reason: str


# --- evaluation -------------------------------------------------------------------------


class Arm(Record):
    """A thing to measure: a model at a precision, through a back end.

    ``model == CONSTANT`` is the constant-answer baseline that every candidate must beat.
    ``download``: bytes that must be fetched from the Hub first. ``code``: Python files that come
    with the weights and run when they are loaded; ``trusted``: a person said they may.
    """

    name: str
    model: str
    backend: str
    weights: str | None = None
    precision: str | None = None
    revision: str | None = None
    note: str = ""
    download: int = 0
    code: tuple[str, ...] = ()
    trusted: bool = False

    @property
    def identity(self) -> str:
        """What makes two arms the same thing to measure: not the remark, nor how they got here."""
        return self.model_dump_json(exclude={"note", "download", "code", "trusted"})

    @property
    def tick(self) -> str:
        """What a person trusts when they let the arm's code run: the model at this revision."""
        return f"{self.model}@{self.revision}"


CONSTANT = "constant-answer"


class Step(Record):
    """One priced cell of a plan: an arm on a benchmark, with a cost and time range.

    ``here``: whether this machine can run it; else the price is that of another. ``basis``: what
    earlier work its time was learnt from. ``judges`` grade its answers; ``judge_usd`` and its ends
    are what of the price is theirs.
    """

    arm: Arm
    benchmark: str
    protocol: str
    items: int
    usd_low: float
    usd: float
    usd_high: float
    minutes_low: float
    minutes: float
    minutes_high: float
    could_change: str = ""
    here: bool = True
    basis: str = ""
    judges: tuple[str, ...] = ()
    judge_usd_low: float = 0.0
    judge_usd: float = 0.0
    judge_usd_high: float = 0.0
    reused: int = 0
    measured: str | None = None


class Plan(Record):
    """What the machine asks money (or machine time) for. Approved by hash, never by position.

    ``gpu_usd_per_hour``: the rate assumed for a rented GPU; None when nothing is rented.
    ``waiting``: steps of arms whose own code nobody has said may run; they are no part of the run.
    ``notes``: what a person must know of the judges and examples before saying yes.
    """

    thread: str
    run: str
    steps: tuple[Step, ...]
    seed: int
    cap_usd: float
    not_measured: dict[str, str] = Field(default_factory=dict)
    registry: str = ""
    requirements: str = ""
    gpu_usd_per_hour: float | None = None
    waiting: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def hash(self) -> str:
        """The first 16 hex digits of SHA-256 over the whole plan."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    @property
    def usd(self) -> float:
        """Expected dollars of all steps."""
        return sum(step.usd for step in self.steps)

    @property
    def minutes(self) -> float:
        """Expected minutes of all steps, one after another."""
        return sum(step.minutes for step in self.steps)

    @property
    def trusted(self) -> tuple[str, ...]:
        """The ticks its steps rest on: models at a revision whose own code will run."""
        return tuple(dict.fromkeys(step.arm.tick for step in self.steps if step.arm.trusted))


class Approval(Record):
    """A person's answer to one plan. Only ``approve`` spends, and only up to ``cap_usd``.

    ``trust``: the ticks (model@revision) given with it; no other model's own code is run.
    """

    plan: str
    decision: Literal["approve", "edit", "drop", "trust", "refuse"]
    by: str
    surface: str
    at: str
    cap_usd: float | None = None
    drop: tuple[str, ...] = ()
    reason: str = ""
    trust: tuple[str, ...] = ()


class ItemResult(Record):
    """One arm's outcome on one item. ``correct`` None means missing (never zero).

    ``run``: the run that paid for it; None when it was kept before runs were noted.
    """

    arm: str
    benchmark: str
    item: str
    correct: float | None
    answer: str = ""
    target: str = ""
    seconds: float = 0.0
    usd: float = 0.0
    run: str | None = None


class Measurement(Record):
    """An arm's score on a benchmark from its items, with a 90 % interval.

    ``reused``: items that an earlier run paid for; ``seconds`` and ``usd`` are of the others.
    """

    arm: str
    model: str
    benchmark: str
    protocol: str
    value: float
    low: float
    high: float
    n: int
    missing: int = 0
    reused: int = 0
    seconds: float = 0.0
    usd: float = 0.0


class Comparison(Record):
    """Two arms on the same items: mean difference a - b, 90 % interval and exact p-value."""

    a: str
    b: str
    difference: float
    low: float
    high: float
    p: float
    n: int


# --- routing ----------------------------------------------------------------------------


class RouteMember(Record):
    """An arm that prompts may be sent to: its mean grade over ``n`` answers (None: none graded).

    ``seconds`` and ``usd`` are means of an answer, as the ledger has them.
    """

    name: str
    model: str
    n: int
    mean: float | None = None
    seconds: float = 0.0
    usd: float = 0.0


class RouteRegion(Record):
    """``n`` prompts that are alike, some in words, and each member's mean grade among them.

    ``graded`` counts each member's grades there; the means are drawn towards its mean everywhere.
    """

    n: int
    examples: tuple[str, ...]
    best: str
    means: dict[str, float]
    graded: dict[str, int]


class RouteGain(Record):
    """Mean grade of routed answers and of the best single member's on ``n`` prompts held out."""

    routed: float
    single: float
    difference: float
    low: float
    high: float
    p: float
    n: int


class Routing(Record):
    """Which member answers which prompts, learnt from answers that were paid for, and why.

    ``basis``: what it was learnt from, grades or (where none is known) the answers alone; "nothing"
    where there was no choice to learn. ``pays`` False: ``best`` should answer everything.
    ``chars_in`` and ``chars_out``: letters of a typical prompt and answer.
    """

    run: str
    at: str
    benchmark: str
    instruction: str
    embedder: str
    basis: Literal["grades", "answers", "nothing"]
    members: tuple[RouteMember, ...]
    regions: tuple[RouteRegion, ...] = ()
    gain: RouteGain | None = None
    pays: bool
    best: str | None
    reason: str
    chars_in: float = 0.0
    chars_out: float = 0.0


# --- the judge --------------------------------------------------------------------------


class ChatReply(Record):
    """What a language model answered; ``text`` is empty when it said nothing.

    ``finish_reason``: "stop", "length" (cut off at the token limit), "content_filter", …
    Tokens are as the server counted them, None where it did not. ``usd`` is what was settled.
    """

    model: str
    text: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    finish_reason: str | None = None
    seconds: float = 0.0
    usd: float = 0.0


class JudgedItem(Record):
    """One thing that was to be done, from ``source`` (a dialogue, a question, …)."""

    id: str
    source: str


class JudgedTask(Record):
    """What a judge must know of the job: RELM's appendix B with its domain left open.

    ``role`` completes "You are …"; ``task`` "The task was to …"; ``source`` and ``answer`` name
    the two kinds of text, such as "dialogue" and "clinical note".
    """

    domain: str
    role: str
    task: str
    source: str = "source text"
    answer: str = "answer"


class Grade(Record):
    """One judge's ratings (1 to 5) of one answer by dimension; None means missing, never zero.

    ``prompt``: name and version of the wording. ``reason`` says why ratings are missing.
    """

    judge: str
    model: str
    item: str
    prompt: str
    ratings: dict[str, int] | None
    comment: str = ""
    reason: str = ""
    usd: float = 0.0

    @property
    def score(self) -> float | None:
        """The mean rating brought to [0, 1]."""
        if not self.ratings:
            return None
        return (sum(self.ratings.values()) / len(self.ratings) - 1) / 4


class Preference(Record):
    """One judge's choice between the answers of ``a`` and ``b``, asked in both orders.

    ``a_first`` and ``b_first``: what it chose with that answer shown first; None is missing.
    """

    judge: str
    a: str
    b: str
    item: str
    prompt: str
    a_first: Literal["a", "b", "tie"] | None
    b_first: Literal["a", "b", "tie"] | None
    reason: str = ""
    usd: float = 0.0

    @property
    def merged(self) -> Literal["a", "b", "tie"] | None:
        """What both orders agree on; a tie where they differ, None where one is missing."""
        if self.a_first is None or self.b_first is None:
            return None
        return self.a_first if self.a_first == self.b_first else "tie"


class Interval(Record):
    """An estimate with its 90 % interval; ``value`` None: it can't be estimated."""

    value: float | None
    low: float
    high: float


class Control(Record):
    """A constant answer, given to every item and graded like the real ones.

    ``lead``: by how much the real answers' mean score (0 to 1) beats it on the same ``n`` items.
    """

    name: Literal["null", "longest"]
    answer: str
    n: int
    mean: float | None
    lead: Interval
    passed: bool
    reason: str


class Calibration(Record):
    """How far a judge agrees with people, measured on labelled pairs or ratings.

    A verdict is positive where it says answer 1 (pairs) or "good", 4 and 5 of 5 (ratings).
    ``hits`` of ``positives`` and ``rejections`` of ``negatives`` (by people) are the counts that
    correct a rate; a verdict that is a tie or missing is in neither. ``position``: how much more
    often than half the answer shown first wins. ``length``: how much more often the judge prefers
    the longer answer than people do. ``positional_agreement``: how often both orders agree.
    """

    judge: str
    prompt: str
    at: str
    source: str
    kind: Literal["pairs", "ratings"]
    n: int
    missing: int
    ties: int
    accuracy: Interval
    kappa: float | None
    hits: int
    positives: int
    rejections: int
    negatives: int
    position: Interval | None = None
    positional_agreement: float | None = None
    length: Interval | None = None
    usd: float = 0.0


class JudgedArm(Record):
    """What one judge said of one arm: ``n`` graded answers, ``missing`` ones it did not grade.

    ``means``: dimension -> mean rating, 1 to 5; ``score``: their mean brought to [0, 1]. ``good``:
    the share of answers rated 4 or 5 on average, and ``corrected`` by the judge's calibration.
    """

    arm: str
    n: int
    missing: int
    score: float | None = None
    means: dict[str, float] = Field(default_factory=dict)
    good: Interval | None = None
    corrected: Interval | None = None


class JudgeFinding(Record):
    """One judge in one run. ``missing``: why grades are missing -> how many.

    ``weight`` multiplies what its scores count, by how many ``controls`` failed. ``calibration``:
    which one corrected its rates, or why none did. ``usd``: what it was paid in this run.
    """

    judge: str
    prompt: str
    arms: tuple[JudgedArm, ...]
    controls: tuple[Control, ...]
    weight: float
    missing: dict[str, int] = Field(default_factory=dict)
    calibration: str = ""
    usd: float = 0.0


class JudgeGap(Record):
    """By how much two judges' scores (0 to 1) of one answer differ in the mean of ``n``."""

    a: str
    b: str
    gap: float
    n: int


class Judging(Record):
    """All judges of one benchmark in one run; ``weight`` is the least of theirs."""

    benchmark: str
    domain: str
    judges: tuple[JudgeFinding, ...]
    gaps: tuple[JudgeGap, ...] = ()

    @property
    def weight(self) -> float:
        """What the benchmark's own weight is multiplied by."""
        return min((one.weight for one in self.judges), default=1.0)


# --- the decision -----------------------------------------------------------------------


class Ranked(Record):
    """One line of the final ranking; ``standing`` says how far to believe it."""

    model: str
    value: float | None
    low: float | None = None
    high: float | None = None
    origin: Origin | None = None
    standing: Literal["winner", "runner-up", "too close to call", "rejected", "not measured"]
    reason: str


class Decision(Record):
    """What Mirror concluded, and what it could not."""

    thread: str
    run: str
    at: str
    winner: str | None
    runner_up: str | None
    summary: str
    ranking: tuple[Ranked, ...]
    measurements: tuple[Measurement, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    spent_usd: float = 0.0
    spent_minutes: float = 0.0
    caveats: tuple[str, ...] = ()


FindingKind = Literal[
    "characterization", "evaluation", "contamination", "decision", "preference", "reopened"
]


class Finding(Record):
    """Something worth remembering across threads, recalled by meaning and cited by date.

    ``subject`` is what it is about, in a form that another finding about the same has too; of two
    with one subject the later counts. ``says``: what it says of that, short; None for an
    ``evaluation``, whose ``score`` says it. ``model``, ``revision`` and ``registry`` are what it
    rests on: when they change it is stale. ``note``: what to mind about it; it is written when the
    finding is recalled and never kept.
    """

    id: str
    kind: FindingKind
    text: str
    at: str
    thread: str | None = None
    run: str | None = None
    subject: str | None = None
    says: str | None = None
    model: str | None = None
    revision: str | None = None
    registry: str | None = None
    score: Score | None = None
    note: str = ""


class LedgerEntry(Record):
    """One line of the append-only ledger; ``usd`` is negative only for a release of a reserve."""

    at: str
    run: str
    plan: str
    approval: str
    what: str
    usd: float
    seconds: float = 0.0


class Forecast(Record):
    """What loading an arm (``benchmark`` None) or one item was expected to take, in seconds.

    Written when ``run`` first does it, under the name ``what`` of its ledger lines. ``raw``: as
    the back end's pace says; ``seconds``: as promised, corrected by the history of that moment.
    ``edition``: of the pace, because ratios to another one's estimates mean something else.
    """

    run: str
    arm: Arm
    benchmark: str | None
    what: str
    raw_low: float
    raw: float
    raw_high: float
    low: float
    seconds: float
    high: float
    edition: int
