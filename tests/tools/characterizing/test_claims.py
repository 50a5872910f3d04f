"""How far claims move a model: bounded, shared, and telling apart what the facts leave equal."""

import random

import pytest

from memory.characterizations import Characterizations
from memory.records import Candidate, Characteristic, Characterization, Requirements
from tools.characterizing import claims
from tools.clients.embedder import OnnxEmbedder

SOAP = Requirements(
    text="generate clinical notes (SOAP) from doctor-patient dialogues", domains=("medical",)
)


def claim(asks, value, quote, confidence=0.9):
    return Characteristic(
        question=asks, value=value, source="card", quote=quote, confidence=confidence, origin="read"
    )


def kept(tmp_path, **cards):
    store = Characterizations(tmp_path / "c.sqlite")
    for model, some in cards.items():
        store.keep(
            Characterization(
                model=model, content="c", reader="r", at="2026", sources=("card",),
                characteristics=tuple(some),
            )
        )  # fmt: skip
    return store


def test_no_set_of_claims_adds_more_than_the_most_whatever_they_say():
    rng = random.Random(0)
    asks = [*claims.COMPARED, "safety", "licence"]
    for _ in range(200):
        some = [
            claim(rng.choice(asks), f"v{n}", f"q{n}", rng.uniform(0.01, 1.0))
            for n in range(rng.randint(0, 40))
        ]
        near = {claims.said(one): rng.random() for one in some}
        assert 0.0 <= claims.raise_of(some, near) <= claims.MOST
    assert claims.raise_of([], {}) == 0.0


def test_equal_models_are_told_apart_by_what_their_cards_say_of_the_job(tmp_path):
    store = kept(
        tmp_path,
        notes=[
            claim("domain", "medical", "a medical model"),
            claim("tasks", "summarization", "writes SOAP notes from doctor-patient dialogues"),
        ],
        leaflets=[
            claim("domain", "medical", "a medical model"),
            claim("tasks", "translation", "translates leaflets into Malay"),
        ],
        everything=[
            claim("domain", value, "for medicine, law, finance, chemistry and code")
            for value in ("medical", "law", "finance", "chemistry", "code")
        ],
    )
    equal = [Candidate(model=m, sigma=0.61) for m in ("unread", "everything", "leaflets", "notes")]
    found = claims.overlay(equal, SOAP, store, OnnxEmbedder())
    best = sorted(found, key=lambda one: -one.sigma)
    assert [one.model for one in best] == ["notes", "leaflets", "everything", "unread"]
    assert {one.stated for one in found} == {0.61, None}
    notes = next(one for one in found if one.model == "notes")
    assert notes.sigma == pytest.approx(0.61 + notes.raised)
    assert any("SOAP" in one.quote for one in notes.claimed)
    again = claims.overlay(found, SOAP, store, OnnxEmbedder())
    assert again == found
    store.close()


def test_facts_lead_claims_where_both_say_the_same(tmp_path):
    """A model of which the registry states a fitting domain, and one that only claims it all."""
    every = [
        claim("domain", "medical", "generate clinical notes from doctor-patient dialogues", 1.0),
        claim("tasks", "summarization", "clinical notes from doctor-patient dialogues", 1.0),
        claim("training data", "clinical notes", "doctor-patient dialogues, clinical notes", 1.0),
    ]  # fmt: skip
    store = kept(tmp_path, claimer=every)
    stated, claimer = Candidate(model="stated", sigma=0.42), Candidate(model="claimer", sigma=0.41)
    found = claims.overlay([claimer, stated], SOAP, store, OnnxEmbedder())
    assert max(found, key=lambda one: one.sigma).model == "stated"
    assert found[0].raised > 0
    store.close()


def test_a_claim_orders_also_where_sigma_is_full(tmp_path):
    store = kept(tmp_path, read=[claim("domain", "medical", "a medical model")])
    full = [Candidate(model="unread", sigma=1.0), Candidate(model="read", sigma=1.0)]
    unread, read = claims.overlay(full, SOAP, store, OnnxEmbedder())
    assert read.sigma == unread.sigma == 1.0
    assert (read.by_facts, unread.by_facts) == (1.0, 1.0)
    assert read.raised > unread.raised
    store.close()


def test_without_readings_nothing_changes(tmp_path):
    some = [Candidate(model="a", sigma=0.5)]
    assert claims.overlay(some, SOAP, None, OnnxEmbedder()) == some
    assert claims.overlay(some, SOAP, kept(tmp_path), OnnxEmbedder()) == some
