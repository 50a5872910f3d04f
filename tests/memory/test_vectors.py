import numpy as np
import pytest

from memory.vectors import CHUNK, cache_file, cached_vectors, write_atomically


class Counting:
    """An embedding that counts what it is asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, texts):
        self.asked += list(texts)
        return np.array([[len(text), sum(map(ord, text))] for text in texts], dtype=np.float32)


def quiet(done, total):
    pass


def test_only_new_texts_are_encoded_and_rows_keep_their_order(tmp_path):
    file, encode = tmp_path / "labels.npz", Counting()
    first = cached_vectors(["a", "bb", "a"], encode, file, quiet)
    assert encode.asked == ["a", "bb"]
    again = cached_vectors(["ccc", "bb", "a"], encode, file, quiet)
    assert encode.asked == ["a", "bb", "ccc"]
    np.testing.assert_array_equal(first[[1, 0]], again[[1, 2]])
    assert cached_vectors(["a"], Counting(), file, quiet).tolist() == [[1.0, 97.0]]


def test_texts_no_longer_wanted_leave_the_file(tmp_path):
    file, encode = tmp_path / "labels.npz", Counting()
    cached_vectors(["a", "bb"], encode, file, quiet)
    cached_vectors(["a"], encode, file, quiet)
    cached_vectors(["bb"], encode, file, quiet)
    assert encode.asked == ["a", "bb", "bb"]


@pytest.mark.parametrize("damage", [b"", b"junk", "truncate", "flip"])
def test_a_damaged_cache_is_made_again(tmp_path, damage):
    file = tmp_path / "labels.npz"
    expected = cached_vectors(["a", "bb"], Counting(), file, quiet)
    content = file.read_bytes()
    flipped = bytearray(content)
    flipped[-40] ^= 0xFF
    flipped[len(content) // 2] ^= 0xFF
    file.write_bytes({"truncate": content[:-50], "flip": bytes(flipped)}.get(damage, damage))
    np.testing.assert_array_equal(cached_vectors(["a", "bb"], Counting(), file, quiet), expected)
    encode = Counting()
    cached_vectors(["a", "bb"], encode, file, quiet)
    assert encode.asked == []


def test_a_pickle_is_never_loaded(tmp_path):
    file, encode = tmp_path / "labels.npz", Counting()
    np.savez(file, texts=np.array(["a"], dtype=object), vectors=np.zeros((1, 2)))
    cached_vectors(["a"], encode, file, quiet)
    assert encode.asked == ["a"]


def test_progress_reaches_the_total(tmp_path):
    seen = []
    texts = [f"text {i}" for i in range(CHUNK + 1)]
    cached_vectors(texts, Counting(), tmp_path / "x.npz", lambda *step: seen.append(step))
    assert seen == [(0, CHUNK + 1), (CHUNK, CHUNK + 1), (CHUNK + 1, CHUNK + 1)]


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    vectors = cached_vectors(["a"], Counting(), blocked / "x.npz", quiet)
    assert vectors.tolist() == [[1.0, 97.0]]


def test_nothing_is_left_behind_when_writing_fails(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError):  # noqa: PT011 - which one depends on the system
        write_atomically(tmp_path / "taken", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_embeddings_never_share_a_file(tmp_path):
    assert cache_file(tmp_path, "labels", "org/a b") != cache_file(tmp_path, "labels", "org/a-b")
    assert cached_vectors([], Counting(), tmp_path / "x.npz", quiet).shape[0] == 0
