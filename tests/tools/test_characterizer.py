import numpy as np
import pytest

from memory.records import LineageEdge, Model
from memory.registry import Registry
from tools.characteristics import COLUMNS
from tools.characteristics import characteristics as of_facts
from tools.characterizer import NAMED, facet_of, labels_of, phrase
from tools.lineage_edges import edges_of
from tools.request.domains import DOMAINS, domains_of, words_of


def characteristics(models):
    facts = Registry(models, "made").facts(COLUMNS)
    return of_facts(facts, edges_of(facts))


def edge(parent, relation="finetune"):
    return LineageEdge(parent=parent, relation=relation, source="test")


MEDICAL = Model(
    id="m42/med42-70b",
    params=70_000_000_000,
    task="text-generation",
    domains=("medical", "general"),
    languages=("en", "xx"),
    abilities=("chat",),
    architecture="llama",
    training_datasets=("MedicalQARetrieval",),
    bases=(edge("meta-llama/Llama-2-70b"),),
)


def test_every_stated_fact_becomes_a_label():
    assert labels_of(MEDICAL) == {
        "task: text generation": 1.0,
        "domain: medical": 1.0,
        "language: English": 1.0,
        "language: xx": 1.0,
        "ability: follows instructions and chats": 1.0,
        "architecture: llama": 1.0,
        "trained on: MedicalQARetrieval": 1.0,
        "based on: Llama-2-70b": 1.0,
        "size: very large, above 40B parameters": 1.0,
    }


def test_a_model_nothing_is_known_of_has_no_size_and_no_domain():
    assert labels_of(Model(id="a/b")) == {}


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("OpenDFM/ChemDFM-v1.0-13B", "chemistry"),
        ("Go4miii/DISC-FinLLM", "finance"),
        ("BioMistral/BioMistral-7B", "biology"),
        ("bitext/Mistral-7B-Mortgage-Loans", "finance"),
        ("Qwen/Qwen2.5-Coder-7B", "code"),
        ("AdaptLLM/law-chat", "law"),
        ("EleutherAI/llemma-math-7b", "math"),
        ("wanglab/ClinicalCamel-70B", "medical"),
    ],
)
def test_names_suggest_domains_with_less_weight(name, domain):
    assert labels_of(Model(id=name))[f"domain: {domain}"] == NAMED


@pytest.mark.parametrize(
    "name", ["a/Mistral-7B-Instruct", "a/Finch-7B", "a/Lawrence", "a/Codec", "medical/llama"]
)
def test_parts_of_words_and_owners_suggest_nothing(name):
    assert not [label for label in labels_of(Model(id=name)) if facet_of(label) == "domain"]


def test_stated_outweighs_suggested():
    labels = labels_of(Model(id="a/chem-1b", domains=("chemistry",)))
    assert labels["domain: chemistry"] == 1.0


def test_packaging_is_no_meaning_but_words_are():
    labels = labels_of(Model(id="x/process-loans-instruct-GGUF-4bit"))
    said = {label for label in labels if facet_of(label) == "name says"}
    assert said == {"name says: process", "name says: loans"}


def test_relatives_lend_domain_and_language_but_not_size_or_name():
    models = {
        "o/base": Model(id="o/base", params=7_000_000_000, languages=("en",)),
        "o/clinic": Model(id="o/clinic", domains=("medical",), bases=(edge("o/base"),)),
        "o/copy": Model(id="o/copy", bases=(edge("o/clinic", "quantized"),)),
        "o/alone": Model(id="o/alone"),
    }
    found = characteristics(models)
    dense, own = found.matrix.toarray(), found.own.toarray()
    row, column = list(models).index, found.labels.index
    copy, medical = row("o/copy"), column("domain: medical")
    assert own[copy, medical] == 0 < dense[copy, medical] <= 1
    assert 0 < dense[row("o/base"), medical] < dense[row("o/clinic"), medical] == 1
    assert 0 < dense[row("o/clinic"), column("language: English")] < 1
    assert dense[copy, column("name says: clinic")] == 0
    assert dense[copy, column("size: medium, 4 to 15B parameters")] == 0
    assert not dense[row("o/alone"), [medical, column("language: English")]].any()


def test_one_medical_child_among_a_hundred_says_nothing_about_the_parent():
    models = {"o/base": Model(id="o/base")}
    for i in range(100):
        domains = ("medical",) if i == 0 else ()
        models[f"o/c{i}"] = Model(id=f"o/c{i}", domains=domains, bases=(edge("o/base"),))
    found = characteristics(models)
    assert found.matrix.toarray()[:, found.labels.index("domain: medical")].sum() == 1.0


def test_unknown_parents_and_cycles_are_tolerated():
    models = {
        "a/a": Model(id="a/a", domains=("law",), bases=(edge("a/b"), edge("gone/model"))),
        "a/b": Model(id="a/b", bases=(edge("a/a"), edge("a/b"))),
    }
    found = characteristics(models)
    assert np.isfinite(found.matrix.data).all()
    assert found.matrix.data.max() <= 1.0


def test_no_models_give_an_empty_matrix():
    assert characteristics({}).matrix.shape == (0, 0)


def test_phrases_are_for_what_requests_talk_about():
    assert phrase("domain: law") == DOMAINS["law"].gloss
    assert phrase("name says: loans") == "loans"
    assert "medical" in phrase("trained on: MedicalQARetrieval")
    assert phrase("based on: Llama-2-70b") == phrase("size: x") == phrase("architecture: y") == ""


def test_words_split_camel_case_and_keep_the_whole():
    assert words_of("ChemDFM-v1") == ["chem", "dfm", "v", "chemdfm"]
    assert domains_of("") == ()
    assert domains_of("doctors ask about bank loans and credit")[0] == "finance"


def test_the_same_rules_for_one_model_and_for_all():
    models = Registry.load().models
    some = {id: models[id] for id in list(models)[::40]}
    some["x/K\u212aelvin-\u0130stanbul"] = Model(id="x/K\u212aelvin-\u0130stanbul")
    found = characteristics(some)
    own = found.own.tocsr()
    for row, model in enumerate(some.values()):
        cells = dict(zip(own[[row], :].indices.tolist(), own[[row], :].data.tolist(), strict=True))
        told = {found.labels[k]: value for k, value in cells.items()}
        assert told == pytest.approx(labels_of(model))


def test_words_of_few_models_among_many_are_no_labels(monkeypatch):
    models = {f"o/common{k}": Model(id=f"o/common-{k}", domains=("law",)) for k in range(30)}
    models["o/rare"] = Model(id="o/rare-word", domains=("chemistry",))
    models = {model.id: model for model in models.values()}
    assert "name says: rare" in characteristics(models).labels
    monkeypatch.setattr("tools.characteristics.RARE", 10)
    labels = characteristics(models).labels
    assert "name says: common" in labels
    assert "name says: rare" not in labels
    assert "domain: chemistry" in labels  # a closed vocabulary stays whole
