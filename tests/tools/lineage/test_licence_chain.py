"""The chain of licences, link by link."""

from memory.records import LineageEdge, Model
from memory.registry import Registry
from tools.lineage.licence_chain import read


def made(id, licence, *parents, relation="finetune"):
    edges = [LineageEdge(parent=p, relation=relation, source="test") for p in parents]
    return Model(id=id, licence=licence, bases=tuple(edges))


def registry(*models):
    return Registry({model.id: model for model in models}, "made")


def test_each_link_says_what_it_forces():
    found = read(
        "you/tuned",
        registry(
            made("you/tuned", "mit", "lab/chat"),
            made("lab/chat", "llama3", "lab/base", "gone/root"),
            made("lab/base", "cc-by-nc-4.0"),
        ),
    )
    assert (found.category, found.clauses[0]) == ("unknown", "non-commercial")
    assert [(link.model, link.relation, link.listed) for link in found.chain] == [
        ("you/tuned", "", True),
        ("lab/chat", "finetune", True),
        ("lab/base", "finetune", True),
        ("gone/root", "finetune", False),
    ]
    assert found.chain[0].forces == ()
    assert found.chain[2].forces == ("no commercial use",)
    assert found.permissions["commercial"].allowed is False
    assert found.permissions["derivative"].allowed is None


def test_a_cycle_and_a_model_that_names_itself_are_read_once():
    found = read(
        "a/a", registry(made("a/a", "mit", "a/a", "a/b"), made("a/b", "qwen-research", "a/a"))
    )
    assert [link.model for link in found.chain] == ["a/a", "a/b"]
    assert found.permissions["commercial"].allowed is False
