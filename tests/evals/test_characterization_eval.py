"""The figures of ``evals.characterization``, on cards made for it."""

import gzip
import json

import pytest

from evals import characterization


@pytest.fixture
def data(tmp_path):
    cards = {
        f"org{n % 4}/m{n}": "---\nlicense: mit\nbase_model: ab/base\n---\n"
        f"License: {'mit' if n % 2 else 'apache-2.0'}\n\nIt is a fine-tuned version of ab/base.\n"
        for n in range(40)
    }
    path = tmp_path / characterization.CARDS
    path.parent.mkdir()
    rows = [{"model_id": model, "card": card} for model, card in cards.items()]
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in [*rows, {"model_id": "x/y", "card": ""}])
    return tmp_path, [model for model in cards if characterization.reported(model)]


def test_agreement_is_counted_on_the_reported_half_with_the_front_matter_hidden(data, capsys):
    folder, models = data
    characterization.main(["--data", str(folder), "--json"])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])["rules"]
    assert 0 < found["cards"] == len(models) < 40
    assert found["quoted"] == 1.0
    base, licence = found["agreement"]["base model"], found["agreement"]["licence"]
    assert (base["n"], base["agree"]) == (len(models), 1.0)
    odd = sum(int(model.split("/m")[1]) % 2 for model in models)
    assert licence["agree"] == pytest.approx(odd / len(models), abs=0.001)
    assert licence["low"] < licence["agree"] < licence["high"]
    assert found["agreement"]["languages"]["agree"] is None
