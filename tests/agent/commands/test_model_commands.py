"""``mirror lineage`` and ``mirror licence`` as people meet them."""

import json

import pytest

from agent.__main__ import main
from agent.commands import licence
from memory.records import LineageEdge, Model
from memory.registry import Registry


def made(id, *bases, **stated):
    edges = tuple(LineageEdge(parent=p, relation=how, source="test") for p, how in bases)
    return Model(id=id, bases=edges, **stated)


@pytest.fixture(autouse=True)
def registry(monkeypatch, tmp_path):
    models = [
        made("lab/base", licence="cc-by-nc-4.0", downloads=90),
        made("lab/medical", ("lab/base", "finetune"), licence="mit", domains=("medical",)),
        made("lab/plain", ("lab/base", "finetune"), licence="mit", downloads=7),
        made("q/plain-gguf", ("lab/plain", "quantized")),
        made("odd/self", ("odd/self", "finetune"), ("[red]gone/base", "merge"), licence="mit"),
        made("free/model", licence="apache-2.0"),
    ]
    held = Registry({model.id: model for model in models}, "made")
    monkeypatch.setattr(Registry, "load", lambda: held)
    monkeypatch.setenv("MIRROR_HOME", str(tmp_path))


def run(capsys, *words):
    code = main(list(words))
    return code, capsys.readouterr().out


def test_the_tree_shows_relations_folded_copies_and_who_lent_what(capsys):
    code, out = run(capsys, "lineage", "lab/plain")
    assert code == 0
    assert "lab/plain mit · 7 downloads · 1 copy folded" in out
    assert "finetune lab/base cc-by-nc-4.0 · 90 downloads" in out
    assert "lab/plain: domain: medical" in out
    assert "from lab/medical" in out


def test_what_is_odd_is_marked_and_never_read_as_markup(capsys):
    _, out = run(capsys, "lineage", "odd/self")
    assert "finetune odd/self (names itself)" in out
    assert "merge [red]gone/base (not in the registry)" in out


def test_lineage_as_json(capsys):
    _, out = run(capsys, "lineage", "lab/base", "--json", "--top", "1")
    found = json.loads(out)
    assert [one["id"] for one in found["made_into"]] == ["lab/plain"]
    assert found["made_into"][0]["copies"] == 1
    assert found["made_into_more"] == 1
    (medical,) = [
        one
        for one in found["inherited"]
        if one["model"] == "lab/plain" and one["label"] == "domain: medical"
    ]
    assert medical["lenders"][0][0] == "lab/medical"
    assert sum(part for _, part in medical["lenders"]) == pytest.approx(medical["weight"])


def test_a_permissive_tag_over_a_non_commercial_base_is_not_allowed(capsys):
    code, out = run(capsys, "licence", "lab/plain", "--for", "commercial")
    assert code == licence.NOT_ALLOWED
    assert "lab/plain  restricted: non-commercial" in out
    assert "itself: mit, permissive" in out
    assert "finetune of lab/base: cc-by-nc-4.0, no commercial use" in out
    assert "commercial use: not allowed, no commercial use (cc-by-nc-4.0 of lab/base)" in out


def test_exit_codes_tell_allowed_unknown_and_bad_input_apart(capsys):
    assert run(capsys, "licence", "free/model", "--for", "commercial", "--for", "network")[0] == 0
    assert run(capsys, "licence", "q/plain-gguf", "--for", "derivative")[0] == licence.NOT_ALLOWED
    assert run(capsys, "licence", "lab/plain")[0] == 0  # nothing was asked
    assert run(capsys, "licence", "lab/plian")[0] == 2
    with pytest.raises(SystemExit) as stopped:
        main(["licence", "lab/plain", "--for", "fun"])
    assert stopped.value.code == 2


def test_licence_as_json(capsys):
    code, out = run(capsys, "licence", "q/plain-gguf", "--for", "commercial", "--json")
    found = json.loads(out)
    assert code == licence.NOT_ALLOWED
    assert found["verdict"] == "unknown"  # the copy itself states none
    assert [link["model"] for link in found["chain"]] == ["q/plain-gguf", "lab/plain", "lab/base"]
    assert found["chain"][2]["clauses"] == ["non-commercial"]
    assert found["uses"]["commercial"]["verdict"] == "not allowed"


def test_community_beside_quality(capsys):
    code, out = run(capsys, "community", "lab/plain", "free/model")
    assert code == 0
    assert "7 downloads in 30 days · 1 made from it" in out
    assert "nothing is known" in out
    _, out = run(capsys, "community", "lab/plain", "--json")
    assert json.loads(out)["community"][0]["downloads"] == 7
    assert run(capsys, "community", "no/such")[0] == 2
