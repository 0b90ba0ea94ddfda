"""Files, environment and flags become one configuration, by a fixed precedence."""

import os
from pathlib import Path
from typing import Protocol

import pytest

from llm_edge_agent.config import Loaded, Secret, load, load_part, load_tree, search_path
from llm_edge_agent.errors import ConfigError
from tests.unit.config.broken import OPENAI

EQUAL = {
    "yaml": """
        version: 1
        providers:
          openai: {type: openai, api_key: "${KEY}"}
        routes:
          chat:
            models: [m, "t/*"]
            targets: [{provider: openai, weight: 2}]
            cache: {ttl_s: 1.5}
    """,
    "toml": """
        version = 1
        [providers.openai]
        type = "openai"
        api_key = "${KEY}"
        [routes.chat]
        models = ["m", "t/*"]
        cache.ttl_s = 1.5
        [[routes.chat.targets]]
        provider = "openai"
        weight = 2
    """,
    "json": """
        {"version": 1, "providers": {"openai": {"type": "openai", "api_key": "${KEY}"}},
        \t"routes": {"chat": {"models": ["m", "t/*"], "cache": {"ttl_s": 1.5},
         "targets": [{"provider": "openai", "weight": 2}]}}}
    """,
}


class Read(Protocol):
    """Load a configuration from a file with this text."""

    def __call__(
        self,
        text: str,
        env: dict[str, str] | None = None,
        flags: dict[str, object] | None = None,
    ) -> Loaded: ...


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def reader(
        text: str, env: dict[str, str] | None = None, flags: dict[str, object] | None = None
    ) -> Loaded:
        file = tmp_path / "llm-edge.yaml"
        file.write_text(text)
        return load(file, env=env or {}, flags=flags)

    return reader


def test_the_three_formats_say_the_same(tmp_path: Path) -> None:
    found = []
    for form, text in EQUAL.items():
        file = tmp_path / f"c.{form}"
        file.write_text(text)
        found.append(load(file, env={"KEY": "sk-1"}).config)
    assert found[0] == found[1] == found[2]
    assert found[0].routes["chat"].targets[0].weight == 2


def test_flags_beat_variables_beat_the_file_beats_defaults(read: Read) -> None:
    text = OPENAI + "workers: 2\ndrain_s: 5\nlisten: {api: '127.0.0.1:1'}\n"
    env = {"LLM_EDGE_WORKERS": "3", "LLM_EDGE_LISTEN__API": "127.0.0.1:2"}
    config = read(text, env, {"listen.api": "127.0.0.1:3", "listen.admin": None}).config
    assert (config.listen.api, config.workers, config.drain_s) == ("127.0.0.1:3", 3, 5)
    assert config.listen.admin == "127.0.0.1:8081"


def test_a_reference_takes_variable_default_and_file(read: Read, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from-file\n")
    text = f"""
providers:
  a: {{type: openai, api_key: "x-${{A}}-${{B:-b}}-$$-$c"}}
  b: {{type: openai, api_key: "${{file:{tmp_path}/secret}}"}}
workers: ${{W:-4}}
"""
    loaded = read(text, {"A": "a"})
    assert loaded.config.providers["a"].credentials[0].reveal() == "x-a-b-$-$c"
    assert loaded.config.providers["b"].credentials[0].reveal() == "from-file"
    assert loaded.config.workers == 4
    assert str(tmp_path / "secret") in loaded.source.files


def test_what_a_variable_holds_is_not_looked_at_again(read: Read) -> None:
    loaded = read('providers: {a: {type: openai, api_key: "${A}"}}\n', {"A": "${B}$$"})
    assert loaded.config.providers["a"].credentials[0].reveal() == "${B}$$"


def test_words_that_old_yaml_takes_for_switches_stay_words(read: Read) -> None:
    assert read(OPENAI + "request_log: {mode: off}\n").config.request_log.mode == "off"


def test_an_empty_section_means_its_defaults(read: Read) -> None:
    config = read(OPENAI + "keys:\n  # - {name: app}\nlimits:\nroutes:\n").config
    assert config.keys == []
    assert config.limits.headers_max == 128


def test_merge_keys_and_anchors_work(read: Read) -> None:
    text = (
        "providers:\n  a: &a {type: openai, api_key: sk-a, models: [m]}\n"
        "  b: {<<: *a, api_key: sk-b}\n"
    )
    providers = read(text).config.providers
    assert providers["b"].credentials[0].reveal() == "sk-b"
    assert providers["b"].models == ["m"]


def value_at(here: object, path: str) -> object:
    for part in path.split("."):
        if isinstance(here, list):
            here = here[int(part)]
        else:
            here = here[part] if isinstance(here, dict) else getattr(here, part)
    return here


@pytest.mark.parametrize(
    ("variable", "value", "path", "expected"),
    [
        ("LLM_EDGE_INSECURE", "true", "insecure", True),
        ("LLM_EDGE_DRAIN_S", "2.5", "drain_s", 2.5),
        ("LLM_EDGE_LIMITS__HEADERS_MAX", "64", "limits.headers_max", 64),
        ("LLM_EDGE_ROUTES__CHAT__MODELS", "[a, b]", "routes.chat.models", ["a", "b"]),
        ("LLM_EDGE_ROUTES__CHAT__TARGETS__0__WEIGHT", "7", "routes.chat.targets.0.weight", 7),
        ("LLM_EDGE_PROVIDERS__MY_LOCAL__TYPE", "openai", "providers.my-local.type", "openai"),
        ("LLM_EDGE_STATE_DIR", "12", "state_dir", "12"),
    ],
)
def test_a_variable_reaches_its_option(
    variable: str, value: str, path: str, expected: object, read: Read
) -> None:
    text = (
        "providers: {my-local: {type: openai_compatible, base_url: 'http://h/v1', api_key: x}}\n"
        "routes: {chat: {models: [m], targets: [{provider: my-local}]}}\n"
    )
    loaded = read(text, {variable: value})
    assert value_at(loaded.config, path) == expected
    assert loaded.source.env == (variable,)


def test_a_default_of_the_image_holds_where_nothing_is_said(read: Read) -> None:
    env = {"LLM_EDGE_DEFAULT_LISTEN__API": "0.0.0.0:8080", "LLM_EDGE_DEFAULT_DRAIN_S": "7"}
    insecure = OPENAI + "insecure: true\n"
    silent = read(insecure, env=env).config
    assert (silent.listen.api, silent.listen.admin) == ("0.0.0.0:8080", "127.0.0.1:8081")
    assert silent.drain_s == 7
    said = read(insecure + "listen: {api: '0.0.0.0:9000'}\ndrain_s: 0\n", env=env).config
    assert (said.listen.api, said.drain_s) == ("0.0.0.0:9000", 0)
    set_too = env | {"LLM_EDGE_LISTEN__API": "0.0.0.0:9001"}
    assert read(insecure, env=set_too).config.listen.api == "0.0.0.0:9001"


def test_a_default_that_names_no_option_is_a_warning(read: Read) -> None:
    (warning,) = read(OPENAI, env={"LLM_EDGE_DEFAULT_NONSENSE": "1"}).warnings
    assert "LLM_EDGE_DEFAULT_NONSENSE: names no option" in warning


def test_a_part_is_read_without_a_look_at_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        "state_dir: /here\nlisten: {api: '0.0.0.0:9000'}\nlimits: {x: 1}\n"
        'keys: [{name: a, key: "${NOT_SET}"}]\n'
    )
    env = {"LLM_EDGE_LISTEN__API": "0.0.0.0:1", "LLM_EDGE_WORKERS": "many"}
    part = load_part(("listen",), file, env=env)
    assert (part.listen.api, part.state_dir, part.keys) == ("0.0.0.0:1", None, [])
    assert load_part(("state_dir",), file, env={}).state_dir == "/here"
    with pytest.raises(ConfigError, match="NOT_SET"):
        load_part(("keys",), file, env={})


def test_a_refused_configuration_names_the_files_it_was_read_from(tmp_path: Path) -> None:
    file, absent = tmp_path / "c.yaml", tmp_path / "absent"
    file.write_text(OPENAI + f'workers: "${{file:{absent}}}"\n')
    with pytest.raises(ConfigError) as by_reference:
        load(file, env={})
    assert by_reference.value.files == (str(file), str(absent))
    tls = f"tls: {{cert_file: {absent}, key_file: {absent}}}\n"
    file.write_text(OPENAI + tls)
    with pytest.raises(ConfigError) as by_rule:
        load(file, env={})
    assert by_rule.value.files == (str(file), str(absent))
    file.write_text("a: [")
    with pytest.raises(ConfigError) as by_syntax:
        load(file, env={})
    assert by_syntax.value.files == (str(file),)


def test_file_variables_hold_the_value_of_an_option(read: Read, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-from-file\n")
    env = {"LLM_EDGE_PROVIDERS__OPENAI__API_KEY_FILE": str(tmp_path / "key")}
    loaded = read("providers: {openai: {type: openai}}\n", env)
    assert loaded.config.providers["openai"].credentials == [Secret("sk-from-file")]
    assert str(tmp_path / "key") in loaded.source.files


def test_an_option_that_itself_ends_in_file_is_meant_as_it_is(read: Read) -> None:
    with pytest.raises(
        ConfigError, match=r"LLM_EDGE_TLS__CERT_FILE: tls\.cert_file: the file `/none`"
    ):
        read(
            OPENAI + "tls: {cert_file: a, key_file: /dev/null}\n",
            {"LLM_EDGE_TLS__CERT_FILE": "/none"},
        )


def test_variables_made_up_by_a_container_platform_are_passed_over(read: Read) -> None:
    env = {
        "LLM_EDGE_SERVICE_HOST": "10.0.0.1",
        "LLM_EDGE_PORT": "tcp://10.0.0.1:8080",
        "LLM_EDGE_PORT_8080_TCP_ADDR": "10.0.0.1",
        "LLM_EDGE_AGENT_SERVICE_PORT_API": "8080",
        "LLM_EDGE_VERSION": "1.2.3",
    }
    assert read(OPENAI, env).warnings == ()


def test_a_variable_that_names_no_option_is_a_warning(read: Read) -> None:
    warning = read(OPENAI, {"LLM_EDGE_LISTN__API": "x"}).warnings[0]
    assert warning.startswith("LLM_EDGE_LISTN__API: names no option")
    assert "`listen`" in warning


def test_without_a_file_providers_are_found_by_their_keys() -> None:
    env = {
        "OPENAI_API_KEY": "sk-o",
        "ANTHROPIC_API_KEY": "sk-a",
        "AZURE_OPENAI_API_KEY": "sk-z",
        "AZURE_OPENAI_ENDPOINT": "https://r.openai.azure.com",
    }
    loaded = load(env=env, search=())
    assert list(loaded.config.providers) == ["openai", "anthropic", "azure_openai"]
    assert loaded.config.providers["azure_openai"].base_url == "https://r.openai.azure.com"
    assert loaded.source.file is None
    assert set(loaded.source.env) == set(env)


def test_without_a_file_an_azure_key_without_endpoint_is_no_provider() -> None:
    loaded = load(env={"OPENAI_API_KEY": "sk-o", "AZURE_OPENAI_API_KEY": "sk-z"}, search=())
    assert list(loaded.config.providers) == ["openai"]


def test_with_a_file_no_provider_appears_unasked(read: Read) -> None:
    config = read("mock: true\n", {"OPENAI_API_KEY": "sk-o"}).config
    assert list(config.providers) == ["mock"]


def test_a_key_from_the_environment_completes_a_provider_at_its_own_address(read: Read) -> None:
    loaded = read("providers: {o: {type: openai}}\n", {"OPENAI_API_KEY": "sk-o"})
    provider = loaded.config.providers["o"]
    assert provider.base_url == "https://api.openai.com/v1"
    assert provider.credentials == [Secret("sk-o")]


def test_the_mock_comes_last_and_is_known_to_be_wanted(read: Read) -> None:
    config = read("mock: true\n" + OPENAI).config
    assert list(config.providers) == ["openai", "mock"]
    assert read("providers: {m: {type: mock}}\n").config.mock
    assert not read("providers: {m: {type: mock, base_url: 'http://127.0.0.1:1'}}\n").config.mock


def test_the_search_takes_the_first_file_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    env = {"XDG_CONFIG_HOME": str(tmp_path / "xdg"), "HOME": "/home/x"}
    assert search_path(env)[-1] == Path("/etc/llm-edge-agent/llm-edge.yaml")
    in_home = Path("/home/x/.config/llm-edge-agent/llm-edge.yaml")
    assert search_path({"HOME": "/home/x"})[1] == in_home
    xdg = tmp_path / "xdg/llm-edge-agent/llm-edge.yaml"
    xdg.parent.mkdir(parents=True)
    xdg.write_text(OPENAI)
    assert load(env=env).source.file == str(xdg)
    Path("llm-edge.yaml").write_text(OPENAI)
    assert load(env=env).source.file == "llm-edge.yaml"
    assert load(env=env | {"LLM_EDGE_CONFIG": str(xdg)}).source.file == str(xdg)


def test_a_configuration_in_code_is_not_changed_by_the_environment() -> None:
    tree = {"mock": True, "workers": 1}
    env = {"LLM_EDGE_WORKERS": "7", "OPENAI_API_KEY": "sk-o"}
    config = load_tree(tree, env=env, flags={"drain_s": 1}).config
    assert (config.workers, config.drain_s, list(config.providers)) == (1, 1, ["mock"])
    assert tree == {"mock": True, "workers": 1}


def test_loading_leaves_the_environment_alone(read: Read) -> None:
    before = dict(os.environ)
    read(OPENAI)
    assert dict(os.environ) == before


def test_a_fault_found_later_stands_where_its_option_would_stand(read: Read) -> None:
    loaded = read("version: 1\nproviders:\n  v: {type: openai, api_key: sk-x}\n")
    for path, line in (("providers.v.api_key", 3), ("providers.v.google.location", 3), ("keys", 1)):
        fault = loaded.locate(ConfigError("is wrong", path=path, hint="mend it"))
        assert (fault.path, fault.line, fault.hint) == (path, line, "mend it")
        assert (fault.file or "").endswith("llm-edge.yaml")
