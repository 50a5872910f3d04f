"""What a model inherits, against the characterization of the whole registry."""

import numpy as np
import pytest

from memory.records import LineageEdge, Model
from memory.registry import Registry
from tools.characterizer import characteristics
from tools.lineage.inherited import inherited


def made(id, *parents, relation="finetune", **stated):
    edges = [LineageEdge(parent=p, relation=relation, source="test") for p in parents]
    return Model(id=id, bases=tuple(edges), **stated)


MODELS = [
    made("l/base", task="text-generation"),
    made("l/medical", "l/base", domains=("medical",), training_datasets=("PubMed",)),
    made("l/law", "l/base", domains=("law",)),
    made("l/plain", "l/base"),
    made("l/plain-gguf", "l/plain", relation="quantized"),
    made("x/other", domains=("finance",)),
]
REGISTRY = Registry({model.id: model for model in MODELS}, "made")


@pytest.mark.parametrize("name", [model.id for model in MODELS])
def test_it_is_what_the_characterization_holds(name):
    whole = characteristics(REGISTRY.models)
    row = whole.models.index(name)
    lent = np.asarray((whole.matrix - whole.own)[[row], :].todense()).ravel()
    expected = {whole.labels[k]: lent[k] for k in np.flatnonzero(lent)}
    found = {one.label: one.weight for one in inherited(name, REGISTRY)}
    assert found == pytest.approx(expected)


def test_who_lent_it_is_named():
    medical = {one.label: one for one in inherited("l/plain", REGISTRY)}["domain: medical"]
    assert medical.lenders[0][0] == "l/medical"
    assert sum(part for _, part in medical.lenders) == pytest.approx(medical.weight)
    assert "domain: finance" not in {one.label for one in inherited("l/plain", REGISTRY)}


def test_a_model_without_relatives_inherits_nothing():
    assert inherited("x/other", REGISTRY) == []
