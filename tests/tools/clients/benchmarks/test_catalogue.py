import time

import pytest

from memory.errors import MirrorError
from tools.clients.backends.task_files import dataset_of, read_tasks, tasks_folder
from tools.clients.benchmarks import installed
from tools.clients.benchmarks.catalogue import PER_FAMILY, LmEvalCatalogue, fold
from tools.clients.embedder import OnnxEmbedder
from tools.clients.fakes import HashEmbedder

OVERVIEW = """# Tasks
| Task Family | Description | Language(s) |
|-------------|-------------|-------------|
| [exams](exams/README.md) | Medical exam questions. | English, German, Korean |
| [pictures](pictures/README.md) | Questions about charts. | Image, Text |
| plain | A plain test of arithmetic. | English |
| [world](world/README.md) | The same test everywhere. | Multiple (30 languages) |
"""
FILES = {
    "README.md": OVERVIEW,
    "exams/README.md": "# Exams\n\nTitle: `Exams for Doctors`\n\nHomepage: https://x.org\n\n"
    + "A collection of **licensing** exams for doctors and nurses, see [here](https://x.org). " * 2
    + "\n\n```\n@article{x}\n```\n",
    "exams/_template": "metric_list:\n  - metric: acc_norm\n  - metric: acc\n",
    "exams/exams_en_law.yaml": "task: exams_en_law\ninclude: _template\ndescription: About law.\n",
    "exams/exams_de_law.yaml": "task: exams_de_law\ninclude: _template\ndescription: Über Recht.\n",
    "exams/exams_ko.yaml": "task: exams_ko\ninclude: _template\ndoc_to_text: !function u.text\n",
    "exams/exams_law_generative.yaml": "task: exams_law_generative\noutput_type: generate_until\n",
    "exams/group.yaml": "group: exams\ntask: [exams_ko]\naggregate_metric_list:\n  - metric: acc\n",
    "pictures/a.yaml": "task: chart\noutput_type: generate_until\n",
    "plain/plain.yaml": "task: plain\nmetric_list:\n  - metric: !function utils.score\n",
    "plain/broken.yaml": "task: [unclosed\n",
    "plain/loop.yaml": "task: loop\ninclude: loop.yaml\n",
    "plain/other.yaml": "just a text\n",
    "world/world_fr.yaml": "task: world_fr\n",
    "world/world_xyz.yaml": "task: world_xyz\n",
}


def quiet(done, total):
    pass


@pytest.fixture
def root(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / "tasks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "tasks/plain/binary.yaml").write_bytes(b"task: \xff\xfe")
    return tmp_path / "tasks"


@pytest.fixture
def tasks(root):
    return {task.name: task for task in read_tasks(root, quiet)}


def test_tasks_and_groups_are_read_and_unreadable_files_skipped(tasks):
    assert set(tasks) == {
        *("exams", "exams_en_law", "exams_de_law", "exams_ko", "exams_law_generative"),
        *("plain", "loop", "world_fr", "world_xyz"),
    }


def test_includes_give_the_metric_and_accuracy_is_preferred(tasks):
    assert tasks["exams_en_law"].metric == "acc"
    assert tasks["exams_law_generative"].metric == "exact_match"
    assert tasks["plain"].metric == "score"


def test_what_a_family_is_about_comes_without_markup(tasks):
    about = tasks["exams_ko"].about
    assert about.startswith("Medical exam questions. Exams for Doctors. A collection of licensing")
    assert not set("*`[]@") & set(about)
    assert "http" not in about


def test_instructions_in_other_scripts_are_left_out(tasks):
    assert tasks["exams_en_law"].subject == "About law."
    assert tasks["exams_de_law"].subject == ""


def test_variants_fold_and_are_chosen_by_language(tasks):
    folded = {(one.family, one.words): one for one in fold(list(tasks.values()))}
    law = folded["exams", "law"]
    assert law.in_languages(["en"]) == ("exams_en_law", "acc")
    assert law.in_languages(["de"]) == ("exams_de_law", "acc")
    assert law.in_languages(["fr"]) is None or law.in_languages(["fr"])[0] == "exams_law_generative"
    world = folded["world", ""]
    assert world.in_languages(["fr"]) == ("world_fr", "score")
    assert world.in_languages(["en"]) is None


def test_progress_and_a_missing_package(root, monkeypatch):
    steps = []
    read_tasks(root, lambda *step: steps.append(step))
    assert steps[0][0] == 0
    assert steps[-1][0] == steps[-1][1] > 0
    monkeypatch.setattr(installed, "folder", lambda package: None)
    with pytest.raises(MirrorError, match="lm-eval is not installed; run `make setup`"):
        tasks_folder()


@pytest.fixture
def catalogue(root, tmp_path, monkeypatch):
    monkeypatch.setattr("tools.clients.benchmarks.catalogue.tasks_folder", lambda: root)
    return LmEvalCatalogue(tmp_path / "cache", HashEmbedder())


def test_weights_sum_to_one_and_reasons_are_given(catalogue):
    found = catalogue.search("medical exam questions for doctors", ["medical"], 3)
    assert sum(one.weight for one in found) == pytest.approx(1.0)
    assert found[0].task.startswith("exams")
    assert "cosine" in found[0].reason
    assert sum(one.task.startswith("exams") for one in found) <= PER_FAMILY
    assert catalogue.search("exam", [], 0) == []


@pytest.mark.parametrize("damage", [b"", b"[{}]", b"{", b'[{"family": 1}]'])
def test_a_damaged_cache_is_made_again(catalogue, tmp_path, damage):
    expected = catalogue.tests
    (file,) = (tmp_path / "cache").glob("*.json")
    file.write_bytes(damage)
    again = LmEvalCatalogue(tmp_path / "cache", HashEmbedder())
    assert again.tests == expected
    assert file.read_bytes() != damage


def test_the_cache_is_used(catalogue, tmp_path, monkeypatch):
    expected = catalogue.search("arithmetic", [], 2)

    def refuse(*_):
        raise AssertionError("read again")

    monkeypatch.setattr("tools.clients.benchmarks.catalogue.read_tasks", refuse)
    again = LmEvalCatalogue(tmp_path / "cache", HashEmbedder())
    assert again.search("arithmetic", [], 2) == expected


# --- the installed lm-eval, really embedded -----------------------------------------------


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    folder = tmp_path_factory.mktemp("catalogue")
    catalogue = LmEvalCatalogue(folder, OnnxEmbedder())
    catalogue.search("warm", [], 1)
    return catalogue, folder


def names(found):
    return [one.task for one in found]


@pytest.mark.weights
def test_the_whole_catalogue(real):
    catalogue, folder = real
    variants = [name for one in catalogue.tests for name, _ in one.variants.values()]
    assert len(catalogue.tests) > 3000
    assert len(variants) == len(set(variants))
    assert {"pubmedqa", "medmcqa", "medqa_4options", "gsm8k", "boolq"} <= set(variants)
    again = LmEvalCatalogue(folder, catalogue._embedder)
    started = time.perf_counter()
    again.search("warm", [], 1)
    assert time.perf_counter() - started < 1.5  # 0.1 s alone; other work may share the cores


@pytest.mark.weights
@pytest.mark.parametrize(
    ("query", "domains", "expected", "within"),
    [
        ("biomedical research questions yes/no/maybe from abstract", [], "pubmedqa", 3),
        ("clinical notes from doctor-patient dialogues", ["medical"], "mts_dialog", 1),
        ("solve grade school math word problems", ["math"], "gsm8k", 8),
        ("write python functions from their docstrings", ["code"], "humaneval", 3),
        ("answer medical exam questions in Korean", ["medical"], "kormedmcqa", 1),
    ],
)
def test_requests_find_their_benchmark(real, query, domains, expected, within):
    assert expected in names(real[0].search(query, domains, within))


@pytest.mark.weights
def test_a_medical_request_gets_medical_benchmarks_in_english(real):
    catalogue, _ = real
    found = catalogue.search("SOAP notes from doctor-patient dialogues", ["medical"], 5)
    assert all("medical" in one.reason for one in found)
    assert not any(name.startswith(("kor", "cmmlu", "mmmlu")) for name in names(found))
    assert "mts_dialog" in names(found)


@pytest.mark.parametrize(
    ("task", "dataset"),
    [
        ("pubmedqa", "bigbio/pubmed_qa"),
        ("gsm8k", "openai/gsm8k"),
        ("boolq", "aps/super_glue"),  # its file is named default.yaml
        ("mmlu_anatomy", "cais/mmlu"),  # named in a template that its file includes
        ("nobodys_task", None),
    ],
)
def test_the_data_set_a_task_draws_on(task, dataset):
    assert dataset_of(tasks_folder(), task) == dataset
