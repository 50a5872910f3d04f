"""Language models as judges: the rubric of RELM's appendix B, and pairs in both orders.

``grade`` rates each answer on five dimensions, ``compare`` chooses between two answers, once with
either first. An answer enters as data (``tools.envelope``), what comes back is validated, repaired
once, and missing when it still can't be read. Every reply is kept in the ledger under (model, item,
protocol, prompt version) the moment it is paid for, so a run that was killed pays nothing twice.

Departs from the paper: its medical questions became a slot for the domain, its free text typed
JSON, and a judge must not be of the candidate's family (``tools.judging.families``) and must rate
two constant answers below the real ones (``tools.judging.controls``).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from memory.errors import NotApproved
from memory.ledger import ReplyKey
from memory.records import Grade, Preference
from prompts import library
from tools.clients.chat import ChatFailed, ChatRefused
from tools.deps import Message, Progress, silent
from tools.envelope import enclose, fence
from tools.judging.families import check_impartial
from tools.judging.reply import DIMENSIONS, Choice, Form, Review, read_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from memory.records import Control, JudgedItem, JudgedTask
    from memory.registry import Registry
    from prompts.library import Prompt
    from tools.judging.chat import Judge

GIVE_UP = 3
"""So many items in a row without a reply end a run: the server is down, not the item odd."""

NO_REPLY = "no reply: "
NO_ANSWER = "a model gave no answer"
Result = TypeVar("Result", Grade, Preference)


@dataclass(frozen=True)
class Judged:
    """What a run of judging found. ``stopped``: why it ended early, None when it did not.

    ``controls``: of each judge, where they were asked for (``tools.judging.controls``).
    """

    grades: list[Grade] = field(default_factory=list)
    preferences: list[Preference] = field(default_factory=list)
    stopped: str | None = None
    controls: dict[str, list[Control]] = field(default_factory=dict)


def grade(
    task: JudgedTask,
    items: Sequence[JudgedItem],
    answers: Mapping[str, Mapping[str, str | None]],
    judges: Sequence[Judge],
    *,
    registry: Registry | None,
    progress: Callable[[Progress], None] = silent,
) -> Judged:
    """Each judge's ratings of each model's answers, item by item.

    ``answers``: model -> item id -> answer. An answer that was not given and a reply that can't
    be read are grades with ``ratings`` None. When the cap or the server stops it, what was graded
    until then is returned with the reason. ``registry`` tells which judges are kin of a model;
    None: the answers are of no model, as in calibration.

    Raises:
        JudgeRefused: a judge is of a model's family; nobody was asked.
    """
    _check(judges, answers, registry)
    work = [
        partial(grade_answer, task, item, model, answers[model].get(item.id), judge)
        for judge in judges
        for item in items
        for model in answers
    ]
    kept, stopped = _walk(work, "judging", progress)
    return Judged(grades=kept, stopped=stopped)


def compare(
    task: JudgedTask,
    items: Sequence[JudgedItem],
    a: tuple[str, Mapping[str, str | None]],
    b: tuple[str, Mapping[str, str | None]],
    judges: Sequence[Judge],
    *,
    registry: Registry | None,
    progress: Callable[[Progress], None] = silent,
) -> Judged:
    """Each judge's choice between two models' answers to each item, asked in both orders.

    ``a``, ``b``: a model's name and its answers. All else as in ``grade``.
    """
    _check(judges, (a[0], b[0]), registry)
    work = [partial(_preference, task, item, a, b, judge) for judge in judges for item in items]
    kept, stopped = _walk(work, "comparing", progress)
    return Judged(preferences=kept, stopped=stopped)


def _check(judges: Sequence[Judge], models: Iterable[str], registry: Registry | None) -> None:
    if registry is not None:
        check_impartial([judge.name for judge in judges], models, registry)


def _walk(
    work: Sequence[Callable[[], Result]], what: str, progress: Callable[[Progress], None]
) -> tuple[list[Result], str | None]:
    """Do ``work`` in order until there is a reason to stop: what came of it, and that reason."""
    kept: list[Result] = []
    silence = 0
    try:
        for ask in work:
            result = ask()
            kept.append(result)
            progress(Progress(what, len(kept), len(work)))
            silence = silence + 1 if result.reason.startswith(NO_REPLY) else 0
            if silence == GIVE_UP:
                return kept, given_up(result.reason)
    except (NotApproved, ChatRefused) as reason:
        return kept, str(reason)
    return kept, None


def given_up(reason: str) -> str:
    """Why nobody is asked any more, from the last reply that did not come."""
    return f"{GIVE_UP} in a row without a reply: {reason.removeprefix(NO_REPLY)}"


def grade_answer(
    task: JudgedTask, item: JudgedItem, model: str, answer: str | None, judge: Judge
) -> Grade:
    """One judge's ratings of one answer; ``model`` says whose it is and is not shown.

    Raises:
        NotApproved: the cap would be passed, or it was neither approved nor paid for before.
        ChatRefused: the judge's server said no, and will again.
    """
    prompt = library.load("judge/rubric")
    ungraded = Grade(judge=judge.name, model=model, item=item.id, prompt=prompt.id, ratings=None)
    if answer is None:
        return ungraded.model_copy(update={"reason": NO_ANSWER})
    message = graded_message(task, item, answer, prompt)
    got = _judge(judge, Review, f"{item.id} of {model}", "rubric", prompt, message)
    found: dict[str, object] = {"reason": got.reason, "usd": got.usd}
    if got.read is not None:
        ratings = {dimension: getattr(got.read, dimension) for dimension in DIMENSIONS}
        found |= {"ratings": ratings, "comment": got.read.comment}
    return ungraded.model_copy(update=found)


def disagreement(grades: Sequence[Grade]) -> dict[tuple[str, str], float]:
    """Mean difference of two judges' scores (0 to 1) over the answers both graded, by pair."""
    by_judge: dict[str, dict[tuple[str, str], float]] = {}
    for one in grades:
        if one.score is not None:
            by_judge.setdefault(one.judge, {})[one.model, one.item] = one.score
    gaps = {}
    for first, second in combinations(sorted(by_judge), 2):
        shared = by_judge[first].keys() & by_judge[second].keys()
        if shared:
            total = sum(abs(by_judge[first][key] - by_judge[second][key]) for key in shared)
            gaps[first, second] = total / len(shared)
    return gaps


# --- asking -----------------------------------------------------------------------------


def graded_message(task: JudgedTask, item: JudgedItem, answer: str, prompt: Prompt) -> Message:
    """The rubric with the item's source and the answer in envelopes."""
    mark = fence(item.source, answer)
    source, enclosed = enclose(task.source, item.source, mark), enclose(task.answer, answer, mark)
    return _message(prompt, task, mark, source=source, answer=enclosed)


def paired_message(
    task: JudgedTask, item: JudgedItem, first: str, second: str, prompt: Prompt
) -> Message:
    """The pairwise question with the item's source and both answers in envelopes."""
    mark = fence(item.source, first, second)
    shown = {
        "source": enclose(task.source, item.source, mark),
        "first": enclose(f"{task.answer} 1", first, mark),
        "second": enclose(f"{task.answer} 2", second, mark),
    }
    return _message(prompt, task, mark, **shown)


def _message(prompt: Prompt, task: JudgedTask, mark: str, **enclosed: str) -> Message:
    slots = {"source_kind": task.source, "answer_kind": task.answer, "fence": mark}
    about = {"domain": task.domain, "role": task.role, "task": task.task}
    return Message("user", prompt.render(**about, **slots, **enclosed))


@dataclass(frozen=True)
class _Got(Generic[Form]):
    """What was read from a judge's reply, or why nothing was; and what asking cost."""

    read: Form | None
    reason: str
    usd: float


def _judge(
    judge: Judge, form: type[Form], item: str, protocol: str, prompt: Prompt, message: Message
) -> _Got[Form]:
    """Ask, and once more with the complaint when the reply can't be read."""
    digest = hashlib.sha256(message.content.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    key = ReplyKey(judge.name, f"{item} #{digest}", f"{protocol}, {judge.max_tokens}", prompt.id)
    messages, usd, complaint = [message], 0.0, ""
    repair = library.load("judge/repair")
    for _ in range(2):  # the reply, and its repair
        try:
            reply = judge.ask(key, messages)
        except ChatRefused:
            raise  # so would every other item be
        except ChatFailed as error:
            return _Got(None, f"{NO_REPLY}{error}", usd)
        usd += reply.usd
        try:
            return _Got(read_reply(reply.text, form), "", usd)
        except ValueError as error:
            complaint = str(error)
        said = Message("assistant", reply.text or "(nothing)")
        messages = [message, said, Message("user", repair.render(complaint=complaint))]
        key = key._replace(protocol=f"{key.protocol}, {repair.id}")
    return _Got(None, f"the judge's reply can't be read: {complaint}", usd)


def _preference(
    task: JudgedTask,
    item: JudgedItem,
    a: tuple[str, Mapping[str, str | None]],
    b: tuple[str, Mapping[str, str | None]],
    judge: Judge,
) -> Preference:
    prompt = library.load("judge/pairwise")
    texts = {"a": a[1].get(item.id), "b": b[1].get(item.id)}
    chosen: dict[str, Literal["a", "b", "tie"] | None] = {"a": None, "b": None}
    reasons, usd = [], 0.0
    for first, second in (("a", "b"), ("b", "a")):
        shown, other = texts[first], texts[second]
        if shown is None or other is None:
            reasons = [NO_ANSWER]
            break
        name = f"{item.id} of {a[0]} and {b[0]}"
        message = paired_message(task, item, shown, other, prompt)
        got = _judge(judge, Choice, name, f"pairwise, {first} first", prompt, message)
        usd += got.usd
        if got.read is None:
            reasons.append(got.reason)
        elif got.read.better == "tie":
            chosen[first] = "tie"
        else:
            winner = first if str(got.read.better) == "1" else second
            chosen[first] = "a" if winner == "a" else "b"
    return Preference(
        judge=judge.name,
        a=a[0],
        b=b[0],
        item=item.id,
        prompt=prompt.id,
        a_first=chosen["a"],
        b_first=chosen["b"],
        reason="; ".join(dict.fromkeys(reasons)),
        usd=usd,
    )
