"""Requests to a server that misbehaves as scripted: what is sent again, and what is said of it."""

import io
import socket
import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import pytest
from tests.client.scripted_server import Scripted, ScriptedServer, error

from neve.client import transport
from neve.client.alias import Alias
from neve.client.errors import ServerError, Unreachable
from neve.client.refusals import refusal_of
from neve.client.s3 import S3
from neve.client.transport import Answer, Transport


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "BACKOFF_S", 0.001)


_SKEW = "RequestTimeTooSkewed"
_MADE: list[Transport] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while _MADE:
        _MADE.pop().close()


def transport_of(alias: Alias, **options: Any) -> Transport:
    _MADE.append(Transport(alias, **options))
    return _MADE[-1]


def transport_to(server: ScriptedServer, **options: Any) -> Transport:
    return transport_of(Alias("x", server.url, "KEY", "SECRET"), **options)


def said_about(*answers: Scripted, alias: dict[str, str] | None = None, **call: Any) -> str:
    """The sentence that the user reads."""
    with ScriptedServer(*answers) as server:
        keys = {"access_key": "KEY", "secret_key": "SECRET"} if alias is None else alias
        sender = transport_of(Alias("x", server.url, **keys), attempts=1)
        with pytest.raises(ServerError) as caught:
            sender.request(**{"method": "GET", "bucket": "b", "key": "k", **call})
        return str(caught.value).replace(server.url.partition("//")[2], "HOST")


def test_one_connection_serves_many_requests() -> None:
    with ScriptedServer(Scripted(), Scripted(404, error("NoSuchKey")), Scripted()) as server:
        sender = transport_to(server)
        sender.request("HEAD", "b")
        with pytest.raises(ServerError):
            sender.request("GET", "b", "k")
        sender.request("GET", "b", "k")
        assert len({asked.port for asked in server.asked}) == 1


def test_a_stream_that_is_closed_twice_gives_its_connection_back_once() -> None:
    with ScriptedServer(Scripted()) as server:
        sender = transport_to(server)
        stream = sender.stream("GET", "b", "k")
        stream.read()
        stream.close()
        stream.close()
        first = sender.connections.take(sender.host)
        assert sender.connections.kept(sender.host) is None
        first.close()


def test_a_busy_server_is_asked_again() -> None:
    busy = Scripted(503, error("SlowDown"))
    with ScriptedServer(busy, busy, Scripted(200, b"done")) as server:
        assert transport_to(server).request("PUT", "b", "k", body=b"data").body == b"done"
        assert [asked.body for asked in server.asked] == [b"data"] * 3


def test_a_stream_is_sent_again_from_where_it_began() -> None:
    with ScriptedServer(Scripted(500, error("InternalError")), Scripted()) as server:
        body = io.BytesIO(b"xxdata")
        body.seek(2)
        transport_to(server).request("PUT", "b", "k", headers={"content-length": "4"}, body=body)
        assert [asked.body for asked in server.asked] == [b"data"] * 2


def test_what_may_have_taken_effect_is_not_sent_again() -> None:
    with ScriptedServer(Scripted(500, error("InternalError", "oops")), Scripted()) as server:
        with pytest.raises(ServerError, match="oops"):
            transport_to(server).request("POST", "b", "k", query={"uploads": ""})
        assert len(server.asked) == 1


def test_a_lost_connection_is_made_again() -> None:
    with ScriptedServer(Scripted(cut=-1), Scripted(cut=-1), Scripted(200, b"x")) as server:
        assert transport_to(server).request("GET", "b", "k").body == b"x"
        assert len(server.asked) == 3


def test_patience_ends() -> None:
    with ScriptedServer(*[Scripted(503, error("SlowDown"))] * 3) as server:
        with pytest.raises(ServerError, match="too busy to write; tried 3 times") as caught:
            transport_to(server, attempts=3).request("PUT", "b", "k", doing="write")
        assert (caught.value.code, caught.value.status) == ("SlowDown", 503)


def test_a_body_that_breaks_off_is_no_whole_answer() -> None:
    with ScriptedServer(Scripted(200, b"0123456789", cut=4)) as server:
        with pytest.raises(Unreachable, match=r"6 bytes too soon|broke off"):
            transport_to(server).request("GET", "b", "k")


def test_no_redirect_is_followed() -> None:
    elsewhere = {"Location": "https://elsewhere.example.org/"}
    said = said_about(Scripted(307, b"", elsewhere))
    assert said == (
        "HOST redirects to https://elsewhere.example.org/; set the alias to that server."
    )


def test_the_region_that_a_server_names_is_used_from_then_on() -> None:
    wrong = b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>ca-central-1</Region></Error>"
    with ScriptedServer(Scripted(400, wrong), Scripted(), Scripted()) as server:
        sender = transport_to(server)
        sender.request("GET", "b")
        sender.request("GET", "b")
        regions = [asked.headers["authorization"].split("/")[2] for asked in server.asked]
        assert regions == ["us-east-1", "ca-central-1", "ca-central-1"]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Scripted(403, error("InvalidAccessKeyId")), "does not know the access key 'KEY'"),
        (Scripted(403, error("SignatureDoesNotMatch")), "the secret key of the alias 'x' is wrong"),
        (Scripted(404, error("NoSuchBucket")), "there is no bucket 'b' at x."),
        (Scripted(404, error("NoSuchKey")), "there is no object x/b/k."),
        (
            Scripted(403, error("AccessDenied", "Access Denied.")),
            "the key 'KEY' is right but may not look at x/b/k.",
        ),
        (
            Scripted(403, error("AccessDenied", "policy readonly")),
            "the key 'KEY' is right but may not look at x/b/k: policy readonly.",
        ),
        (Scripted(501, error("NotImplemented")), "HOST cannot look: it does not have this"),
        (Scripted(200 + 203, b"<!doctype html><html></html>"), "does not answer as an S3 server"),
        (Scripted(400, b"Client sent an HTTP request to an HTTPS server."), "it speaks HTTPS"),
        (Scripted(418, b"short and stout"), "could not look at x/b/k: short and stout (Http418)."),
        (
            Scripted(400, error("InvalidWhatever", "What you ask is odd.")),
            "could not look at x/b/k: What you ask is odd (InvalidWhatever).",
        ),
        (Scripted(507, b'{"Code":"XFull","Message":"no room"}'), "no room (XFull)"),
    ],
)
def test_refusals_are_one_sentence(answer: Scripted, sentence: str) -> None:
    said = said_about(answer, doing="look")
    assert sentence in said
    assert "\n" not in said


def test_an_answer_to_head_says_only_a_status() -> None:
    assert said_about(Scripted(404), method="HEAD") == "there is no object x/b/k."
    assert said_about(Scripted(404), method="HEAD", key="") == "there is no bucket 'b' at x."
    code = Scripted(404, headers={"x-minio-error-code": "NoSuchBucket"})
    assert said_about(code, method="HEAD") == "there is no bucket 'b' at x."
    assert "may not" in said_about(Scripted(403), method="HEAD")


def test_a_wrong_clock_is_measured() -> None:
    answer = Answer(403, {"date": formatdate(time.time() - 3600, usegmt=True)}, error(_SKEW))
    refused = refusal_of(answer, Alias("x", "http://h", "KEY", "SECRET"), "b", "k", "look")
    assert str(refused) == "the clock of this machine is 60 minutes ahead of the server's."


def test_anonymous_requests_are_unsigned_and_told_how_to_get_keys() -> None:
    with ScriptedServer(Scripted(403, error("AccessDenied"))) as server:
        with pytest.raises(ServerError, match=r"anonymous requests may not .* neve alias set x"):
            transport_of(Alias("x", server.url)).request("GET", "b")
        assert "authorization" not in server.asked[0].headers


def test_where_nothing_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Unreachable, match=rf"nothing listens at 127\.0\.0\.1:{port}"):
        transport_of(Alias("x", f"http://127.0.0.1:{port}")).request("GET")
    with pytest.raises(Unreachable, match=r"host name 'no\.such\.invalid' is not known"):
        transport_of(Alias("x", "http://no.such.invalid")).request("GET")


def test_a_server_without_https_is_named() -> None:
    with ScriptedServer(Scripted()) as server:
        with pytest.raises(Unreachable, match="does not speak HTTPS"):
            transport_of(Alias("x", server.url.replace("http", "https"))).request("GET")


def test_debug_shows_requests_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    with ScriptedServer(Scripted(200, b"", {"X-Thing": "shown"})) as server:
        alias = Alias("x", server.url, "KEY", "SECRET", "TOKEN")
        query = {"X-Amz-Signature": "abcdef", "versionId": "v1"}
        headers = {"x-amz-server-side-encryption-customer-key": "CUSTOMER"}
        transport_of(alias, debug=True).request("GET", "b", "k", query, headers)
        signature = server.asked[0].headers["authorization"].partition("Signature=")[2]
    shown = capsys.readouterr().err
    assert "> GET" in shown
    assert "versionId=v1" in shown
    assert "< x-thing: shown" in shown
    assert len(signature) == 64
    for secret in (signature, "SECRET", "TOKEN", "abcdef", "CUSTOMER"):
        assert secret not in shown


def test_where_the_bucket_stands() -> None:
    def url(server: str, path: str, bucket: str = "b") -> str:
        return transport_of(Alias("x", server, path=path)).url(bucket, "a b/ü")

    key = "a%20b/%C3%BC"
    assert url("https://h:9000", "auto") == f"https://h:9000/b/{key}"
    assert url("https://h:9000", "off") == f"https://b.h:9000/{key}"
    assert url("https://s3.amazonaws.com", "auto") == f"https://b.s3.amazonaws.com/{key}"
    assert url("https://s3.amazonaws.com", "on") == f"https://s3.amazonaws.com/b/{key}"
    dotted = url("https://s3.amazonaws.com", "auto", "b.c")
    assert dotted == f"https://s3.amazonaws.com/b.c/{key}"


def test_listings_ask_page_by_page() -> None:
    def page(keys: list[str], token: str) -> Scripted:
        rows = "".join(
            f"<Contents><Key>{key}</Key><Size>1</Size><ETag>&quot;e&quot;</ETag>"
            f"<LastModified>2026-11-28T12:00:00.000Z</LastModified></Contents>"
            for key in keys
        )
        more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{token}"
        more += "</NextContinuationToken>"
        text = f'<ListBucketResult xmlns="urn:x"><EncodingType>url</EncodingType>{rows}'
        return Scripted(200, f"{text}{more if token else ''}</ListBucketResult>".encode())

    with ScriptedServer(page(["a", "b+c%2B"], "T/1"), page(["d"], "")) as server:
        listing = S3(transport_to(server)).objects("b", "p")
        first = next(listing)
        assert len(server.asked) == 1, "a page is only asked for when it is wanted"
        assert [first.key, *(row.key for row in listing)] == ["a", "b c+", "d"]
        assert "continuation-token=T%2F1" in server.asked[1].path
        assert all("prefix=p" in asked.path for asked in server.asked)


def test_headers_are_read_as_they_were_written() -> None:
    written = {"X-Amz-Meta-A": "Zoé".encode().decode("latin-1"), "X-Amz-Meta-B": "Zoé"}
    with ScriptedServer(Scripted(headers=written)) as server:
        found = S3(transport_to(server)).head("b", "k").metadata
    assert found == {"a": "Zoé", "b": "Zoé"}
