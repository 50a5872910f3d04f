"""Family trees: folding, bounds, and graphs as crooked as the real ones."""

import pytest

from memory.errors import BadRequest
from memory.records import LineageEdge, Model
from memory.registry import Registry
from tools.lineage.tree import family


def made(id, *bases, **stated):
    edges = [LineageEdge(parent=p, relation=how, source="test") for p, how in bases]
    return Model(id=id, bases=tuple(edges), **stated)


def registry(*models):
    return Registry({model.id: model for model in models}, "made")


def names(kin):
    return [one.id for one in kin.kin]


def test_ancestors_and_descendants_with_how_each_was_made():
    found = family(
        "lab/tuned",
        registry(
            made("lab/base", licence="llama3"),
            made("lab/tuned", ("lab/base", "finetune")),
            made("you/adapter", ("lab/tuned", "adapter"), downloads=5),
            made("you/merge", ("lab/tuned", "merge"), ("else/where", "merge"), downloads=9),
        ),
    )
    (base,) = found.made_from.kin
    assert (base.id, base.relation, base.licence) == ("lab/base", "finetune", "llama3")
    assert [(one.id, one.relation) for one in found.made_into.kin] == [
        ("you/merge", "merge"),
        ("you/adapter", "adapter"),
    ]


def test_copies_are_folded_and_what_was_made_from_them_hangs_under_the_original():
    found = family(
        "lab/base",
        registry(
            made("lab/base"),
            made("q/base-gguf", ("lab/base", "quantized")),
            made("q/base-gguf-mirror", ("q/base-gguf", "mirror")),
            made("you/tuned", ("q/base-gguf", "finetune")),
        ),
    )
    assert found.made_into.copies == 2
    assert names(found.made_into) == ["you/tuned"]


def test_a_big_family_is_bounded_by_downloads():
    many = [made(f"c/{i:04}", ("lab/base", "finetune"), downloads=i) for i in range(4130)]
    found = family("lab/base", registry(made("lab/base"), *many), top=10)
    assert names(found.made_into) == [f"c/{i:04}" for i in range(4129, 4119, -1)]
    assert found.made_into.more == 4120


def test_depth_is_bounded_and_what_is_beyond_is_counted():
    chain = [made(f"c/{i}", (f"c/{i - 1}", "finetune")) for i in range(1, 6)]
    found = family("c/3", registry(made("c/0"), *chain), depth=1)
    assert names(found.made_into) == ["c/4"]
    assert found.made_into.kin[0].more == 1
    assert names(found.made_from) == ["c/2"]
    assert found.made_from.kin[0].more == 1


@pytest.mark.parametrize("start", ["a/a", "a/b", "a/c"])
def test_a_cycle_of_three_is_marked_where_it_closes(start):
    found = family(
        start,
        registry(
            made("a/a", ("a/c", "finetune")),
            made("a/b", ("a/a", "finetune")),
            made("a/c", ("a/b", "finetune")),
        ),
        depth=50,
    )
    for way in (found.made_from, found.made_into):
        shown = list(way.everyone())
        assert len(shown) == 4
        assert shown[0] == shown[-1] == start
    last = found.made_from.kin[0].kin[0].kin[0]
    assert last.mark == "closes a cycle"


def test_a_model_that_names_itself_and_a_missing_parent_are_marked():
    one = made("a/a", ("a/a", "finetune"), ("gone/base", "quantized"))
    found = family("a/a", registry(one))
    assert [(kin.id, kin.mark) for kin in found.made_from.kin] == [
        ("a/a", "names itself"),
        ("gone/base", "not in the registry"),
    ]
    assert [kin.mark for kin in found.made_into.kin] == ["names itself"]


def test_a_cycle_of_copies_ends():
    two = registry(made("a/a", ("a/b", "quantized")), made("a/b", ("a/a", "quantized")))
    assert family("a/a", two).made_into.copies == 1


def test_an_unknown_model_is_refused():
    with pytest.raises(BadRequest, match="no model 'a/b'"):
        family("a/b", registry(made("lab/base")))
