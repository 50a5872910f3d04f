"""Cards: what authors report of their models, one odd result at a time."""

import pytest

from memory.errors import BadRequest
from memory.records import Origin, Score
from tools.scores.sources import model_card
from tools.scores.sources.entry import Refused, Skipped
from tools.scores.sources.hub_names import task_of

CARD = """---
license: apache-2.0
model-index:
- name: m
  results:
  - task: {type: text-generation, name: Text Generation}
    dataset: {name: GSM8k (5-shot), type: openai/gsm8k, config: main, split: test,
              args: {num_few_shot: 5}}
    metrics:
    - {type: acc, value: 49.81, verified: true, verifyToken: mine}
    - {type: wer, value: 3.2}
    - {type: Score, value: 5.26}
    source: {url: https://example.org/board, name: A Board}
  - task: {type: text-generation}
    dataset: {name: New, type: acme/new-test}
    metrics:
    - {type: accuracy, value: 0.5}
  - dataset: {name: no task}
    metrics: [{type: acc, value: 1}]
  - task: {type: t}
    dataset: {name: d, type: d}
  - 7
---
# A model
"""


@pytest.fixture
def card(tmp_path):
    def write(text, name="README.md"):
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return write


def test_a_card_is_self_reported_whatever_it_says_of_itself(card):
    gsm, wer, bench, new, *rest = model_card.read(card(CARD), "acme/m", 100)
    assert gsm == Score(
        model="acme/m",
        benchmark="gsm8k",
        protocol="model card · openai/gsm8k main test · 5-shot · acc · A Board",
        value=0.4981,
        origin=Origin.REPORTED,
        source="https://example.org/board",
    )
    assert (type(wer), type(bench)) == (Skipped, Skipped)
    assert "fraction" in new.reason  # percent and fractions are mixed: neither is guessed
    assert [(type(one), one.where) for one in rest] == [
        (Refused, "result 3"),
        (Refused, "result 4"),
        (Refused, "result 5"),
    ]
    assert "lacks 'task'" in rest[0].reason
    plain = list(model_card.read(card(CARD), "acme/m"))
    assert plain[3].value == 0.5
    assert plain[3].benchmark == "acme/new-test"
    assert "--scale 100" in plain[0].reason


def test_front_matter_alone_is_a_card_too(card):
    path = card(CARD.split("---")[1], "card.yaml")
    assert list(model_card.read(path, "acme/m", 100))[0].value == 0.4981


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("# no front matter", "no front matter"),
        ("---\nlicense: mit\n---\n", "no model-index"),
        ("---\n- a\n---\n", "no model-index"),
        ("---\na: [\n---\n", "no YAML"),
        ("---\na: " + "[" * 50_000 + "]" * 50_000 + "\n---\n", "deep"),
        ("---\nmodel-index:\n- name: m\n  results: []\n---\n", "--model"),
        ("---\nmodel-index:\n- name: [x]\n  results: []\n---\n", "--model"),
    ],
)
def test_what_states_no_scores_is_named(card, text, says):
    with pytest.raises(BadRequest, match=says):
        list(model_card.read(card(text)))


@pytest.mark.parametrize("field", ["type", "value", "verified"])
def test_nested_aliases_cost_nothing(card, field):
    bombs = "".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 9)}]\n" for n in range(1, 12))
    metric = {"type": "acc", "value": "0.5"} | {field: "*b11"}
    inner = ", ".join(f"{name}: {value}" for name, value in metric.items())
    text = (
        f"---\nb0: &b0 [x]\n{bombs}model-index:\n- name: a/m\n  results:\n  - task: {{type: t}}\n"
        f"    dataset: {{type: d, name: d}}\n    metrics: [{{{inner}}}]\n---\n"
    )
    (one,) = model_card.read(card(text))
    assert isinstance(one, Score) == (field == "verified")


def test_results_are_read_up_to_a_bound(card, monkeypatch):
    monkeypatch.setattr(model_card, "MOST", 2)
    *kept, last = model_card.read(card(CARD), "acme/m", 100)
    assert len(kept) == 2
    assert "only the first 2" in last.reason


@pytest.mark.parametrize(
    ("dataset", "part", "task"),
    [
        ("openai/gsm8k", "main", "gsm8k"),
        ("cais/mmlu", "anatomy", "mmlu_anatomy"),
        ("cais/mmlu", "all", "mmlu"),
        ("a/new-test", None, "a/new-test"),
        ("a/new-test", "new_test", "a/new-test"),
        ("a/new-test", "part", "a/new-test#part"),
        ("Idavidrein/gpqa", "gpqa_diamond", "gpqa_diamond_n_shot"),
        ("someone/else", "gsm8k", "someone/else#gsm8k"),
        ("allenai/ai2_arc", "ARC-Challenge", "arc_challenge"),
    ],
)
def test_names_of_the_hub_join_lm_evals_where_the_bundle_knows_them(dataset, part, task):
    assert task_of(dataset, part) == task
