"""The file of members: read strictly, keys by their variable's name only."""

import pytest
from pydantic import SecretStr
from routed import fitted

from memory.errors import BadRequest
from tools.routing.members import read

ABOUT = fitted("a", "b").about


def told(tmp_path, text, **secrets):
    path = tmp_path / "members.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(path, ABOUT, lambda name: SecretStr(secrets[name]) if name in secrets else None)


def test_a_member_is_named_by_arm_or_model_and_its_key_by_a_variable(tmp_path):
    text = """
    [a]
    base_url = "http://127.0.0.1:8001/v1/"
    key_env = "A_KEY"
    usd_in = 0.5
    ["acme/b"]
    base_url = "https://b.example/v1"
    model = "b-large"
    """
    (a, b), left_out = told(tmp_path, text, A_KEY="sesame")
    assert (a.name, a.place, a.base_url, a.model) == ("a", 0, "http://127.0.0.1:8001/v1", "acme/a")
    assert (b.name, b.place, b.model, b.key) == ("b", 1, "b-large", None)
    assert a.key.get_secret_value() == "sesame"
    assert "sesame" not in repr(a)
    assert a.usd(2e6, 0) == 1.0
    assert left_out == []


def test_no_key_no_call(tmp_path):
    text = '[a]\nbase_url = "http://x/v1"\nkey_env = "A_KEY"\n[b]\nbase_url = "http://y/v1"\n'
    found, left_out = told(tmp_path, text)
    assert [one.name for one in found] == ["b"]
    assert left_out == ["a is not asked: A_KEY is not set"]
    with pytest.raises(BadRequest, match="leaves no member to ask: b is not in .*A_KEY is not set"):
        told(tmp_path, '[a]\nbase_url = "http://x/v1"\nkey_env = "A_KEY"\n')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "leaves no member"),
        ("[a", "no TOML"),
        (b"\xff", "no TOML"),
        ("a = 1", "a: it"),
        ("[a]\n", "base_url: Field required"),
        ('[a]\nbase_url = "ftp://x"\n', "http://host:port/v1"),
        ('[a]\nbase_url = "http://x"\nkey = "sk-secret"\n', "a: key: Extra"),
        ('[a]\nbase_url = "http://x"\nusd_in = -1\n', "usd_in"),
        ('[a]\nbase_url = "http://x"\nusd_in = nan\n', "usd_in"),
        ('[c]\nbase_url = "http://x"\n', "did not measure 'c'; it has a, b"),
        ('[a]\nbase_url = "http://x"\n["acme/a"]\nbase_url = "http://x"\n', "names a twice"),
    ],
)
def test_what_can_not_be_used_is_said_in_one_line(tmp_path, text, message):
    with pytest.raises(BadRequest, match=message) as caught:
        told(tmp_path, text)
    assert "\n" not in str(caught.value)
    assert "sk-secret" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BadRequest, match="nowhere.toml"):
        read(tmp_path / "nowhere.toml", ABOUT, lambda name: None)
