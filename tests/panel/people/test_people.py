"""Users, groups, policies and keys in the panel; what they come to is checked over S3 and IAM."""

import html
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.panel.conftest import Shown, Visitor

from neve.testing.server import LiveServer

HOSTILE = "<img src=x onerror=alert(1)>&\"'"


def secret_on(shown: Shown) -> tuple[str, str]:
    """The access key and the secret that a page shows once."""
    access_key, secret_key = re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", shown.text)[:2]
    return html.unescape(access_key), html.unescape(secret_key)


def as_user(server: LiveServer, access_key: str, secret_key: str) -> Any:
    return server.client(aws_access_key_id=access_key, aws_secret_access_key=secret_key)


def refusal(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


def test_user_is_made_with_rights_and_its_secret_is_shown_once(
    administrator: Visitor, server: LiveServer
) -> None:
    server.client().create_bucket(Bucket="results")
    server.client().put_object(Bucket="results", Key="a", Body=b"1")
    administrator.get("/users/new")
    shown = administrator.post("/users/new", name="alice", role="reader", bucket="results")
    assert shown.status == 200
    access_key, secret_key = secret_on(shown)
    assert access_key == "alice"
    alice = as_user(server, "alice", secret_key)
    assert alice.get_object(Bucket="results", Key="a")["Body"].read() == b"1"
    assert refusal(lambda: alice.put_object(Bucket="results", Key="b")) == "AccessDenied"
    for path in ("/users", "/user?name=alice", "/audit"):
        assert secret_key not in administrator.get(path).text
    assert secret_key not in server.output()


def test_user_form_keeps_what_was_typed(administrator: Visitor) -> None:
    administrator.get("/users/new")
    shown = administrator.post("/users/new", name="bo b", secret="short", role="reader")
    assert shown.status == 400
    assert 'value="bo b"' in shown.text
    assert "at least 8 characters" in shown.words


def test_user_of_that_name_is_not_overwritten(administrator: Visitor, server: LiveServer) -> None:
    administrator.get("/users/new")
    administrator.post("/users/new", name="twice", secret="the-first-secret", role="readwrite")
    shown = administrator.post("/users/new", name="twice", secret="another-secret")
    assert shown.status == 409
    as_user(server, "twice", "the-first-secret").list_buckets()


def test_disabling_shuts_out_and_enabling_lets_in(
    administrator: Visitor, server: LiveServer, user: Callable[..., Visitor]
) -> None:
    user("carl", "readwrite")
    carl = as_user(server, "carl", "secret-of-the-user")
    carl.list_buckets()
    administrator.get("/user?name=carl")
    administrator.post("/user/state", name="carl", enabled="no")
    assert refusal(carl.list_buckets) in ("InvalidAccessKeyId", "AccessDenied")
    administrator.post("/user/state", name="carl", enabled="yes")
    carl.list_buckets()


def test_policies_and_groups_come_and_go(
    administrator: Visitor, server: LiveServer, user: Callable[..., Visitor]
) -> None:
    user("dora")
    dora = as_user(server, "dora", "secret-of-the-user")
    assert refusal(lambda: dora.create_bucket(Bucket="doras")) == "AccessDenied"
    administrator.get("/groups")
    administrator.post("/groups", name="lab")
    administrator.post("/group/attach", name="lab", policy="selfservice")
    administrator.post("/user/join", name="dora", group="lab")
    dora.create_bucket(Bucket="doras")
    assert "dora" in administrator.get("/group?name=lab").words
    shown = administrator.post("/group/remove", name="lab")
    assert "take them out first" in shown.words
    administrator.post("/user/leave", name="dora", group="lab")
    assert refusal(lambda: dora.create_bucket(Bucket="doras-2")) == "AccessDenied"
    administrator.post("/user/attach", name="dora", policy="readwrite")
    dora.create_bucket(Bucket="doras-2")
    administrator.post("/user/detach", name="dora", policy="readwrite")
    assert refusal(lambda: dora.create_bucket(Bucket="doras-3")) == "AccessDenied"
    assert administrator.post("/group/remove", name="lab").status == 200
    assert "lab" not in administrator.get("/groups").words


def test_access_is_granted_to_a_folder(
    administrator: Visitor, server: LiveServer, user: Callable[..., Visitor]
) -> None:
    server.client().create_bucket(Bucket="shared-with-eve")
    user("eve")
    eve = as_user(server, "eve", "secret-of-the-user")
    administrator.get("/grant?bucket=shared-with-eve")
    shown = administrator.post(
        "/grant", who="user:eve", bucket="shared-with-eve", role="contributor", prefix="eve/"
    )
    assert "eve may read and write shared-with-eve now." in shown.words
    eve.put_object(Bucket="shared-with-eve", Key="eve/x", Body=b"1")
    put = lambda: eve.put_object(Bucket="shared-with-eve", Key="other/x")  # noqa: E731
    assert refusal(put) == "AccessDenied"


def test_removal_asks_for_the_name(
    administrator: Visitor, server: LiveServer, user: Callable[..., Visitor]
) -> None:
    user("frank", "readwrite")
    administrator.get("/user/remove?name=frank")
    assert administrator.post("/user/remove", name="frank", typed="fran").status == 400
    as_user(server, "frank", "secret-of-the-user").list_buckets()
    assert administrator.post("/user/remove", name="frank", typed="frank").status == 200
    gone = as_user(server, "frank", "secret-of-the-user")
    assert refusal(gone.list_buckets) == "InvalidAccessKeyId"


def test_policy_is_built_from_a_form_and_saved(administrator: Visitor, server: LiveServer) -> None:
    administrator.get("/policy/edit")
    shown = administrator.post(
        "/policy/edit", do="add", name="cmip6", kind=["list", "read"], bucket="cmip6", prefix="tas/"
    )
    text = html.unescape(re.search(r"<textarea[^>]*>(.*?)</textarea>", shown.text, re.DOTALL)[1])  # type: ignore[index]
    statement = json.loads(text)["Statement"][0]
    assert statement["Resource"] == ["arn:aws:s3:::cmip6", "arn:aws:s3:::cmip6/tas/*"]
    administrator.post("/policy/edit", do="save", name="cmip6", document=text)
    page = administrator.get("/policy?name=cmip6")
    assert "s3:GetObject" in page.words
    assert "Nobody." in page.words
    shown = administrator.post("/policy/edit", do="save", name="cmip6", document=text)
    assert "a policy of this name already" in shown.words
    assert "removed" in administrator.post("/policy/remove", name="cmip6").words


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("{", "line 1, column 2"),
        ('{"Version": "2012-10-17", "Statement": [{"Effect": "Maybe"}]}', "not a valid policy"),
        ("[]", ""),
    ],
)
def test_bad_policy_is_refused_with_what_was_typed(
    administrator: Visitor, document: str, said: str
) -> None:
    administrator.get("/policy/edit")
    shown = administrator.post("/policy/edit", do="save", name="bad", document=document)
    assert shown.status == 400
    assert said in shown.words
    assert html.escape(document, quote=False).replace('"', "&#34;") in shown.text


def test_key_of_ones_own_with_less_rights_and_an_end(
    server: LiveServer, user: Callable[..., Visitor]
) -> None:
    server.client().create_bucket(Bucket="for-keys")
    server.client().create_bucket(Bucket="not-for-keys")
    gina = user("gina", "readwrite")
    gina.get("/keys/new")
    shown = gina.post(
        "/keys/new", name="nightly", life="1h", limit="write", bucket="for-keys", user=""
    )
    access_key, secret_key = secret_on(shown)
    key = as_user(server, access_key, secret_key)
    key.put_object(Bucket="for-keys", Key="k", Body=b"1")
    assert refusal(lambda: key.put_object(Bucket="not-for-keys", Key="k")) == "AccessDenied"
    assert "nightly" in gina.get("/keys").words
    gina.post("/key/state", id=access_key, enabled="no")
    assert refusal(lambda: key.get_object(Bucket="for-keys", Key="k")) != ""
    assert "refused from the next request" in gina.post("/key/remove", id=access_key).words
    gina.post("/key/remove", id=access_key, sure="yes")
    assert "nightly" not in gina.get("/keys").words


def test_users_see_no_page_about_others(user: Callable[..., Visitor]) -> None:
    henry = user("henry", "readwrite")
    for path in ("/users", "/groups", "/policies", "/user?name=alice", "/keys?all=yes"):
        shown = henry.get(path)
        assert shown.status == 403, path
        assert "Your policies do not allow this." in shown.words
    words = henry.get("/buckets").words
    assert "Users" not in words
    assert "My access keys" in words
    henry.get("/keys")
    for path, fields in (
        ("/users/new", {"name": "puppet", "role": "consoleAdmin"}),
        ("/user/attach", {"name": "henry", "policy": "consoleAdmin"}),
        ("/user/state", {"name": "alice", "enabled": "no"}),
        ("/user/secret", {"name": "alice", "secret": "henrys-choice"}),
        ("/group/add", {"name": "lab", "member": "henry"}),
        ("/grant", {"who": "user:henry", "bucket": "results", "role": "contributor"}),
        ("/policy/edit", {"do": "save", "name": "p", "document": "{}"}),
        ("/keys/new", {"user": "alice", "life": "1h", "limit": "none"}),
    ):
        assert henry.post(path, **fields).status == 403, path


def test_own_secret_is_changed_with_the_old_one(
    server: LiveServer, user: Callable[..., Visitor]
) -> None:
    ida = user("ida", "readwrite")
    other = Visitor(server).login("ida", "secret-of-the-user")
    ida.get("/account")
    fields = {"old": "wrong-secret", "new": "another-secret", "again": "another-secret"}
    assert ida.post("/account/secret", **fields).status == 403
    fields["old"] = "secret-of-the-user"
    assert ida.post("/account/secret", **(fields | {"again": "differs-here"})).status == 400
    assert "Other sessions have ended" in ida.post("/account/secret", **fields).words
    as_user(server, "ida", "another-secret").list_buckets()
    assert other.get("/buckets", follow=False).status == 303
    assert ida.get("/buckets", follow=False).status == 200


def test_explanation_says_why(
    administrator: Visitor, server: LiveServer, user: Callable[..., Visitor]
) -> None:
    server.client().create_bucket(Bucket="explained")
    user("jack", "reader:explained")
    words = administrator.get("/explain?who=jack&action=s3:PutObject&bucket=explained&key=x").words
    assert "denied" in words
    words = administrator.get("/explain?who=jack&action=s3:GetObject&bucket=explained&key=x").words
    assert "allowed" in words
    assert "reader:explained" in words
    assert "there is no such action" in administrator.get("/explain?action=s3:Nothing").words


def test_hostile_names_are_text(administrator: Visitor) -> None:
    pages = [
        administrator.get("/user", name=HOSTILE),
        administrator.get("/group", name=HOSTILE),
        administrator.get("/policy", name=HOSTILE),
        administrator.get("/keys", user=HOSTILE),
        administrator.get("/grant", who=HOSTILE, bucket=HOSTILE, prefix=HOSTILE),
        administrator.get("/explain", who=HOSTILE, action=HOSTILE, bucket=HOSTILE, key=HOSTILE),
        administrator.post("/users/new", name=HOSTILE, role=HOSTILE, bucket=HOSTILE),
        administrator.post("/groups", name=HOSTILE),
        administrator.post("/policy/edit", do="save", name=HOSTILE, document=HOSTILE),
        administrator.get("/users"),
        administrator.get("/groups"),
    ]
    for page in pages:
        assert "<img src=x" not in page.text
        assert page.status < 500
