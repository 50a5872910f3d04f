import pytest

from memory.records import BenchmarkChoice
from tools.benchmark_characterizer import SAMPLES, SHOWN, with_samples
from tools.clients.benchmarks.items import available
from tools.clients.fakes import HashEmbedder


def choice(task, here="carrier"):
    return BenchmarkChoice(task=task, weight=1.0, reason="near", items_source=here)


@pytest.mark.skipif("pubmedqa" not in available(), reason="no evaluation items are installed")
def test_a_benchmark_with_items_here_shows_different_ones_always_the_same(tmp_path):
    found = with_samples(choice("pubmedqa"), HashEmbedder(), tmp_path)
    assert len(set(found.samples)) == SAMPLES
    assert all(0 < len(text) <= SHOWN + 2 for text in found.samples)
    assert with_samples(choice("pubmedqa"), HashEmbedder(), tmp_path) == found
    assert list(tmp_path.glob("items-pubmedqa.*"))


def test_without_items_a_choice_stays_as_it_is(tmp_path):
    for one in (choice("pubmedqa", None), choice("examples:123"), choice("no-such-task")):
        assert with_samples(one, HashEmbedder(), tmp_path) == one
