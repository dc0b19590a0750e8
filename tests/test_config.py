"""Where settings come from, what is refused, and that nothing secret shows."""

from dataclasses import fields

import pytest

from neve.config import Address, Config, InvalidSetting, available_cpus, load, parse_size
from neve.server.http_limits import HttpLimits


def test_defaults_hold_without_flags_and_environment() -> None:
    config = load("data", {}, {})
    assert config.address == Address("127.0.0.1", 9000)
    assert config.panel_address == Address("127.0.0.1", 9001)
    assert config.workers == available_cpus()
    assert config.durability == "full"
    assert config.folder.startswith("/")


def test_flag_beats_environment_beats_default() -> None:
    environ = {"NEVE_REGION": "ca-east-1", "NEVE_WORKERS": "7"}
    config = load("data", {"region": "eu-west-3", "workers": None}, environ)
    assert (config.region, config.workers) == ("eu-west-3", 7)


def test_status_page_follows_the_host_of_s3() -> None:
    assert load("d", {"address": "0.0.0.0:9100"}, {}).panel_address == Address("0.0.0.0", 9001)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9000", Address("127.0.0.1", 9000)),
        (":9000", Address("", 9000)),
        ("9000", Address("", 9000)),
        ("[::1]:0", Address("::1", 0)),
        ("data.example.org:443", Address("data.example.org", 443)),
    ],
)
def test_address_forms(text: str, address: Address) -> None:
    assert load("d", {"address": text}, {}).address == address


@pytest.mark.parametrize(
    ("flags", "environ", "said"),
    [
        ({"address": "host"}, {}, "--address cannot be used"),
        ({"address": "host:70000"}, {}, "--address cannot be used"),
        ({"address": "::1:9000"}, {}, "brackets"),
        ({"panel_address": "127.0.0.1:9000"}, {}, "cannot share"),
        ({"workers": "0"}, {}, "--workers cannot be used"),
        ({"workers": "1000"}, {}, "at most 256"),
        ({"durability": "none"}, {}, "full or relaxed"),
        ({"region": "mars!"}, {}, "--region cannot be used"),
        ({"domain": "a b"}, {}, "not a domain name"),
        ({"cors_allow_origins": "viewer.example.org"}, {}, "no origin"),
        ({"cors_allow_origins": "https://*.*.org"}, {}, "no origin"),
        ({"cors_allow_origins": "https://a.org/path"}, {}, "no origin"),
        ({"server_url": "s3.example.org"}, {}, "--server-url cannot be used"),
        ({"server_url": "ftp://s3.example.org"}, {}, "http://HOST"),
        ({"server_url": "https://a b"}, {}, "http://HOST"),
        ({"panel_url": "https://example.org/panel"}, {}, "nothing but a scheme"),
        ({"panel_url": "https://me@example.org"}, {}, "nothing but a scheme"),
        ({"panel_url": "https://example.org:x"}, {}, "--panel-url cannot be used"),
        ({}, {"MINIO_BROWSER_REDIRECT_URL": "https://a/b"}, "MINIO_BROWSER_REDIRECT_URL cannot"),
        ({"drain_timeout_s": "-1"}, {}, "--drain-timeout-s cannot be used"),
        ({"tls_cert": "cert.pem"}, {}, "both --tls-cert and --tls-key"),
        ({}, {"NEVE_HEADER_BYTES_MAX": "many"}, "NEVE_HEADER_BYTES_MAX cannot be used"),
        ({}, {"NEVE_METRICS_PUBLIC": "maybe"}, "on or off"),
        ({}, {"NEVE_ROOT_USER": "ab", "NEVE_ROOT_PASSWORD": "12345678"}, "at least 3"),
        ({}, {"NEVE_ROOT_USER": "abc", "NEVE_ROOT_PASSWORD": "1234567"}, "at least 8"),
        ({}, {"NEVE_ROOT_USER": "a/b", "NEVE_ROOT_PASSWORD": "12345678"}, "slash"),
        ({}, {"NEVE_ROOT_USER": "abc"}, "Set both"),
    ],
)
def test_refusals_are_one_sentence_that_names_the_setting(
    flags: dict[str, str], environ: dict[str, str], said: str
) -> None:
    with pytest.raises(InvalidSetting) as refusal:
        load("d", flags, environ)
    text = str(refusal.value)
    assert said in text
    assert "\n" not in text
    assert text.endswith(".")


def test_minio_root_variables_are_taken_when_ours_are_unset() -> None:
    minio = {"MINIO_ROOT_USER": "minio-root", "MINIO_ROOT_PASSWORD": "minio-secret"}
    assert load("d", {}, minio).root_access_key == "minio-root"
    both = minio | {"NEVE_ROOT_USER": "ours", "NEVE_ROOT_PASSWORD": "our-secret"}
    assert load("d", {}, both).root_access_key == "ours"


@pytest.mark.parametrize(
    ("text", "site"),
    [
        ("https://S3.Example.org/", "https://s3.example.org"),
        ("https://s3.example.org:443", "https://s3.example.org"),
        ("http://s3.example.org:443", "http://s3.example.org:443"),
        ("http://10.0.0.1:80", "http://10.0.0.1"),
        ("http://[2001:DB8::1]:9000", "http://[2001:db8::1]:9000"),
    ],
)
def test_sites_are_kept_as_browsers_name_them(text: str, site: str) -> None:
    assert load("d", {"server_url": text}, {}).server_url == site
    assert load("d", {}, {"MINIO_SERVER_URL": text}).server_url == site
    assert load("d", {}, {"MINIO_BROWSER_REDIRECT_URL": text}).panel_url == site


def test_minio_switch_makes_metrics_public() -> None:
    assert load("d", {}, {"MINIO_PROMETHEUS_AUTH_TYPE": "public"}).metrics_public
    assert not load("d", {}, {"MINIO_PROMETHEUS_AUTH_TYPE": "jwt"}).metrics_public


def test_secret_does_not_show_in_representations() -> None:
    environ = {"NEVE_ROOT_USER": "root-user", "NEVE_ROOT_PASSWORD": "very-secret-word"}
    config = load("d", {}, environ)
    assert config.root_secret_key == "very-secret-word"
    assert "very-secret-word" not in repr(config)


def test_several_domains() -> None:
    assert load("d", {"domain": "S3.Example.org., data.test"}, {}).domain == (
        "s3.example.org",
        "data.test",
    )


def test_several_origins() -> None:
    text = "https://a.example.org:8443, http://localhost:*,*"
    assert load("d", {"cors_allow_origins": text}, {}).cors_allow_origins == (
        "https://a.example.org:8443",
        "http://localhost:*",
        "*",
    )


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("4096", 4096), ("64K", 65536), ("8MiB", 8 << 20), ("2gb", 2 << 30)],
)
def test_size_forms(text: str, size: int) -> None:
    assert parse_size(text) == size


def test_http_limits_are_settings_with_the_same_defaults() -> None:
    settings = {item.name: item.default for item in fields(Config)}
    for item in fields(HttpLimits):
        assert settings[item.name] == item.default
