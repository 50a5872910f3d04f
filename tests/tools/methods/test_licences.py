from __future__ import annotations

import pytest

from tools.methods.licences import CLAUSES, allows, clauses, known, suggestions, verdict

PERMISSIVE = ["apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0", "cc0-1.0", "Apache-2.0 ", "wtfpl"]
NON_COMMERCIAL = [
    "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0", "qwen-research", "mrl", "exaone",
    "fair-noncommercial-research", "minimax-m2.7-non-commercial", "vetjarvis-model-license-1.0-nc",
    "apple-amlr", "katanemo-research", "nsclv1", "polyform-strict-1-0-0", "msrla", "research-only",
]  # fmt: skip
CONDITIONAL = [
    "llama2", "llama3", "llama3.1", "llama3.2", "llama3.3", "llama4", "gemma", "tongyi-qianwen",
    "deepseek", "openrail", "bigscience-bloom-rail-1.0", "nvidia-open-model-license",
    "falcon-llm-license", "health-ai-developer-foundations", "glm-4", "modified-mit", "lfm1.0",
    "agpl-3.0", "gpl-3.0", "cc-by-sa-4.0", "llama3.3,gemma", "other:llama2",
]  # fmt: skip
UNKNOWN = [None, "", "other", "other:med42", "kimi-k3", "glm-5.3", "qwen-community-1.0", "cc"]


@pytest.mark.parametrize("tag", PERMISSIVE)
def test_permissive_allows_everything_without_a_warning(tag: str) -> None:
    found = verdict(tag)
    assert found.category == "permissive"
    for use in ("commercial", "derivative", "network"):
        assert (allows(found, use).allowed, allows(found, use).warnings) == (True, ())


@pytest.mark.parametrize("tag", NON_COMMERCIAL)
def test_non_commercial_forbids_commercial_use(tag: str) -> None:
    found = verdict(tag)
    assert found.category == "restricted"
    assert allows(found, "commercial").allowed is False
    assert tag in allows(found, "commercial").reason


@pytest.mark.parametrize("tag", CONDITIONAL)
def test_conditional_licences_allow_commercial_use_but_are_not_permissive(tag: str) -> None:
    found = verdict(tag)
    assert found.category == "restricted"
    assert allows(found, "commercial").allowed is True


@pytest.mark.parametrize("tag", UNKNOWN)
def test_unknown_is_unknown_not_permissive(tag: str | None) -> None:
    found = verdict(tag)
    assert found.category == "unknown"
    assert allows(found, "commercial").allowed is None
    assert "unknown" in allows(found, "commercial").reason


def test_a_user_limit_is_a_warning_not_a_refusal() -> None:
    warnings = allows(verdict("llama3.1"), "commercial").warnings
    assert any("monthly users" in warning for warning in warnings)


def test_the_strictest_ancestor_wins_and_is_named() -> None:
    found = verdict("apache-2.0", [("lab/tuned", "mit"), ("lab/base", "cc-by-nc-4.0")])
    permission = allows(found, "commercial")
    assert permission.allowed is False
    assert "cc-by-nc-4.0 of lab/base" in permission.reason
    assert found.chain == (
        ("this model", "apache-2.0"), ("lab/tuned", "mit"), ("lab/base", "cc-by-nc-4.0")
    )  # fmt: skip


def test_permissions_never_travel_down() -> None:
    found = verdict("cc-by-nc-4.0", [("lab/base", "apache-2.0")])
    assert allows(found, "commercial").allowed is False
    assert verdict(None, [("lab/base", "apache-2.0")]).category == "unknown"


def test_an_unknown_ancestor_makes_it_unknown_but_a_known_refusal_still_decides() -> None:
    assert allows(verdict("mit", [("lab/base", None)]), "commercial").allowed is None
    both = verdict("mit", [("lab/a", None), ("lab/b", "cc-by-nc-4.0")])
    assert allows(both, "commercial").allowed is False


def test_clauses_add_up_along_the_chain() -> None:
    own = verdict("llama3").clauses
    assert set(verdict("apache-2.0", [("meta/base", "llama3")]).clauses) == set(own)
    joined = verdict("gemma", [("meta/base", "cc-by-sa-4.0")]).clauses
    assert set(joined) == {"acceptable-use", "share-alike"}


def test_no_derivatives_and_network_copyleft_speak_to_their_own_use() -> None:
    fixed, served = verdict("cc-by-nd-4.0"), verdict("agpl-3.0")
    assert allows(fixed, "derivative").allowed is False
    assert allows(fixed, "commercial").allowed is True
    assert allows(served, "network").allowed is True
    assert any("network" in warning for warning in allows(served, "network").warnings)
    assert not any("network" in warning for warning in allows(served, "commercial").warnings)


def test_further_names_come_from_scancode_categories() -> None:
    categories = {"zpl-2.1": "Permissive", "cecill-2.1": "Copyleft", "bespoke": "Proprietary Free"}
    assert clauses("zpl-2.1") is None
    assert clauses("zpl-2.1", categories) == frozenset()
    assert clauses("CeCILL-2.1", categories) == {"share-alike"}
    assert clauses("bespoke", categories) is None


def test_every_clause_has_words() -> None:
    assert all(clause in CLAUSES for tag in CONDITIONAL for clause in clauses(tag) or ())


def test_names_typed_by_a_person() -> None:
    assert known("Apache-2.0")
    assert not known("apahce-2.0")
    assert suggestions("apahce-2.0")[0] == "apache-2.0"
    assert suggestions("zzzzzz") == ()


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("llama2", "user-limit acceptable-use output-limit"),
        ("llama3", "user-limit acceptable-use naming output-limit"),
        ("llama3.1", "user-limit acceptable-use naming"),
        ("llama3.2", "user-limit acceptable-use naming"),
        ("llama3.3", "user-limit acceptable-use naming"),
        ("llama4", "user-limit acceptable-use naming territory"),
        ("gemma", "acceptable-use"),
        ("qwen", "user-limit naming"),
        ("qwen-research", "non-commercial research-only naming"),
        ("tongyi-qianwen", "user-limit output-limit"),
        ("mnpl", "non-commercial"),
        ("mrl", "non-commercial research-only"),
        ("deepseek", "acceptable-use"),
        ("cc-by-nc-4.0", "non-commercial"),
        ("cc-by-nc-sa-4.0", "non-commercial share-alike"),
        ("cc-by-nc-nd-4.0", "non-commercial no-derivatives"),
        ("openrail", "acceptable-use"),
        ("openrail++", "acceptable-use"),
        ("bigcode-openrail-m", "acceptable-use"),
        ("creativeml-openrail-m", "acceptable-use"),
        ("bigscience-bloom-rail-1.0", "acceptable-use"),
        ("bigscience-rail-1.0", "acceptable-use"),
        ("falcon-llm-license", "acceptable-use naming"),
        ("falcon-180b", "acceptable-use hosting"),
        ("yi-license", "registration acceptable-use"),
    ],
)
def test_which_clauses_a_family_of_licences_brings(tag: str, expected: str) -> None:
    assert clauses(tag) == frozenset(expected.split())
    assert clauses(f"other:{tag.upper()}") == frozenset(expected.split())


@pytest.mark.parametrize(
    ("link", "meant"),
    [
        ("https://creativecommons.org/licenses/by-nc-sa/4.0/deed.en", "cc-by-nc-sa-4.0"),
        ("https://www.apache.org/licenses/LICENSE-2.0", "apache-2.0"),
        ("https://ai.google.dev/gemma/terms", "gemma"),
        ("https://ai.meta.com/llama/license/", "llama2"),
        ("https://www.llama.com/llama3_1/license/", "llama3.1"),
        ("https://www.llama.com/llama4/license/", "llama4"),
        ("https://mistral.ai/licenses/MRL-0.1.md", "mrl"),
        ("https://mistral.ai/licenses/MNPL-0.1.md", "mnpl"),
        ("https://github.com/deepseek-ai/DeepSeek-V2/blob/main/LICENSE-MODEL", "deepseek"),
    ],
)
def test_a_link_to_a_published_text_is_read_as_it(link: str, meant: str) -> None:
    assert clauses(link) == clauses(meant)
    assert clauses(meant) is not None


def test_a_link_to_a_models_own_file_is_unknown() -> None:
    assert clauses("https://huggingface.co/lab/model/blob/main/LICENSE") is None
    assert clauses("other") is None


def test_a_hosting_limit_forbids_offering_it_over_a_network() -> None:
    permission = allows(verdict("mit", [("lab/base", "falcon-180b")]), "network")
    assert permission.allowed is False
    assert "falcon-180b of lab/base" in permission.reason
    assert allows(verdict("falcon-180b"), "commercial").allowed is True
