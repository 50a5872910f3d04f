"""What the Hub calls a benchmark, and what lm-eval calls it.

The Hub names a data set and, within it, a configuration or task. Where the bundled columns know
the test by that name, the score joins that lm-eval task's column; else the Hub's name stays. It
is a match by topic: the protocol keeps the Hub's name, so nothing is compared because of it.
"""

from __future__ import annotations

from memory.scores import BUNDLED

_WHOLE = frozenset({"default", "main", "all", "test"})

# Names that the most reported tests have on the Hub only.
_ALSO = {
    "ai2_arc/arc_challenge": "arc_challenge",
    "ai2_arc/arc_easy": "arc_easy",
    "openai_humaneval": "humaneval",
    "truthful_qa/multiple_choice": "truthfulqa_mc2",
    "winogrande/winogrande_xl": "winogrande",
}


def task_of(dataset: str, part: str | None = None) -> str:
    """The lm-eval task for a part of a data set; else ``dataset`` or ``dataset#part``.

    >>> task_of("openai/gsm8k", "main"), task_of("cais/mmlu", "anatomy"), task_of("a/new-test")
    ('gsm8k', 'mmlu_anatomy', 'a/new-test')
    """
    last = dataset.rpartition("/")[2].lower().replace("-", "_")
    inner = (part or "").lower().replace("-", "_")
    if inner in _WHOLE or inner == last:
        inner = ""
    known = BUNDLED.tasks | {task: task for task in BUNDLED.tasks.values()} | _ALSO
    names = [f"{last}/{inner}", f"{last}_{inner}"] if inner else [last]
    if "_" in inner:  # a name of its own, such as arc_challenge; "math" alone could be anything
        names.append(inner)
    found = next((known[name] for name in names if name in known), None)
    return found or (f"{dataset}#{part}" if inner else dataset)
