"""What a refusal or a failed connection means for the user: one sentence with the likely cause."""

import errno
import re
import socket
import ssl
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from xml.etree import ElementTree

from neve.client.alias import Alias
from neve.client.errors import ServerError, Unreachable

if TYPE_CHECKING:
    from neve.client.transport import Answer

_OF_STATUS = {
    301: "PermanentRedirect",
    400: "BadRequest",
    401: "AccessDenied",
    403: "AccessDenied",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    412: "PreconditionFailed",
    416: "InvalidRange",
    501: "NotImplemented",
    503: "ServiceUnavailable",
}
_SENTENCES = {
    "NoSuchBucket": "there is no bucket {bucket!r} at {alias}.",
    "NoSuchKey": "there is no object {place}.",
    "NoSuchVersion": "the object {place} has no such version.",
    "NoSuchUpload": "the upload to {place} does not exist, or was ended meanwhile.",
    "InvalidAccessKeyId": "{host} does not know the access key {key_id!r} of the alias {alias!r}; "
    "set it again with neve alias set {alias} {url}",
    "SignatureDoesNotMatch": "the secret key of the alias {alias!r} is wrong (access key "
    "{key_id!r}); set it again with neve alias set {alias} {url}",
    "ExpiredToken": "the session token of the alias {alias!r} has expired.",
    "BucketAlreadyOwnedByYou": "the bucket {bucket!r} exists already, and is yours.",
    "BucketAlreadyExists": "the bucket {bucket!r} exists already, and belongs to somebody else.",
    "BucketNotEmpty": "the bucket {bucket!r} is not empty.",
    "InvalidBucketName": "{bucket!r} cannot name a bucket: 3 to 63 lower-case letters, digits, "
    "'-' and '.'.",
    "NotImplemented": "{host} cannot {doing}: it does not have this operation.",
    "MethodNotAllowed": "{host} cannot {doing}: it does not have this operation here.",
    "PreconditionFailed": "{place} is not (any more) as it was expected to be; nothing was done.",
    "InvalidRange": "{place} has no such range of bytes.",
    "SlowDown": "{host} is too busy to {doing}; tried {attempts} times.",
    "ServiceUnavailable": "{host} is not available to {doing} now; tried {attempts} times.",
    "KeyTooLongError": "the key is too long: {place}",
}
_SHOWN_MAX = 300
_REASON = re.compile(r"^\[[^\]]*\] |\(_ssl\.c:\d+\)|certificate verify failed: ")


def refusal_of(
    answer: "Answer", alias: Alias, bucket: str, key: str, doing: str, attempts: int = 1
) -> ServerError:
    """Return the error that an answer other than 2xx means."""
    code, said = code_of(answer, key, bucket)
    # Without a bucket the key is a path of the server's own, which says nothing to a user.
    place = "/".join(part for part in (alias.name, bucket, key if bucket else "") if part)
    values = {
        "alias": alias.name,
        "url": alias.url,
        "host": urlsplit(alias.url).netloc,
        "key_id": alias.access_key,
        "bucket": bucket,
        "place": place,
        "doing": doing or "do this",
        "attempts": attempts,
    }
    if code in _SENTENCES:
        sentence = _SENTENCES[code].format(**values)
    elif code in ("AccessDenied", "AllAccessDisabled"):
        sentence = _denied(alias, place, values["doing"], said)
    elif code == "RequestTimeTooSkewed":
        sentence = _skew(answer)
    elif code == "NotS3":
        sentence = f"{values['host']} does not answer as an S3 server: is this its web page's port?"
    elif 300 <= answer.status < 400:
        where = answer.headers.get("location") or "another address"
        sentence = f"{values['host']} redirects to {where}; set the alias to that server."
    else:
        what = said.rstrip(". ") or f"status {answer.status}"
        sentence = f"could not {values['doing']} at {place}: {what} ({code})."
    return ServerError(sentence, code, answer.status, said, place)


def code_of(answer: "Answer", key: str = "", bucket: str = "") -> tuple[str, str]:
    """Return code and message of a refusal, from the document, the headers, or the status."""
    code = answer.headers.get("x-minio-error-code", "")
    if code:
        said = answer.headers.get("x-minio-error-desc", "").strip('"')
        return _specific(code, key, bucket), said
    text = answer.body.lstrip()
    if text.startswith(b"{"):
        return _of_json(text, answer)
    if text.startswith(b"<"):
        try:
            root = ElementTree.fromstring(text)
        except ElementTree.ParseError:
            return ("NotS3", "") if b"<html" in text[:500].lower() else _of_status(answer, "", "")
        found = {child.tag.rpartition("}")[2]: (child.text or "").strip() for child in root}
        if found.get("Code"):
            return found["Code"], found.get("Message", "")[:_SHOWN_MAX]
        if root.tag.lower().endswith("html"):
            return "NotS3", ""
    elif b"HTTP request to an HTTPS server" in text or b"plain HTTP request" in text:
        return "TlsWanted", "it speaks HTTPS: set the alias to an https:// URL"
    return _of_status(answer, key, bucket)


def region_of(answer: "Answer") -> str:
    """Return the region that the refusal says the bucket is in, '' when it says none."""
    if answer.status not in (301, 307, 400):
        return ""
    header = answer.headers.get("x-amz-bucket-region")
    if header:
        return header
    if b"AuthorizationHeaderMalformed" not in answer.body:
        return ""
    match = re.search(rb"<Region>([\w-]+)</Region>", answer.body)
    return match[1].decode() if match else ""


def unreachable_of(error: Exception, alias: Alias, attempts: int = 1) -> Unreachable:
    """Return the error that a failed connection means."""
    parts = urlsplit(alias.url)
    host = parts.netloc
    if isinstance(error, ConnectionRefusedError):
        return Unreachable(f"nothing listens at {host}: is the server running?", "Refused", host)
    if isinstance(error, socket.gaierror):
        return Unreachable(f"the host name {parts.hostname!r} is not known.", "UnknownHost", host)
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = error.verify_message.rstrip(".") or "it cannot be verified"
        return Unreachable(
            f"the certificate of {host} is not trusted: {reason}. Put its authority's certificate "
            "into certs/CAs of the settings' folder, or go on without checking: --insecure",
            "Untrusted",
            host,
        )
    if isinstance(error, ssl.SSLError) and "WRONG_VERSION" in str(error.reason):
        return Unreachable(f"{host} does not speak HTTPS: try http://{host}", "NotTls", host)
    if isinstance(error, TimeoutError):
        return Unreachable(f"{host} does not answer in time.", "Timeout", host)
    if isinstance(error, OSError) and error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return Unreachable(f"there is no way to {host} from here.", "NoRoute", host)
    reason = _REASON.sub("", str(error)).strip() or type(error).__name__
    tried = f" (tried {attempts} times)" if attempts > 1 else ""
    return Unreachable(f"the connection to {host} failed: {reason}{tried}.", "Lost", host)


def _denied(alias: Alias, place: str, doing: object, said: str) -> str:
    plain = said.rstrip(". ")
    why = "" if plain in ("", "Access Denied", "Forbidden") else f": {plain}"
    if alias.anonymous:
        return (
            f"anonymous requests may not {doing} at {place}{why}; "
            f"for keys: neve alias set {alias.name} {alias.url}"
        )
    return f"the key {alias.access_key!r} is right but may not {doing} at {place}{why}."


def _skew(answer: "Answer") -> str:
    try:
        moment = parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError:
        return "the clock of this machine or of the server is wrong."
    ahead = time.time() - moment.timestamp()
    side = "ahead of" if ahead > 0 else "behind"
    return f"the clock of this machine is {abs(ahead) / 60:.0f} minutes {side} the server's."


def _of_json(text: bytes, answer: "Answer") -> tuple[str, str]:
    import json

    try:
        document = json.loads(text)
    except ValueError:
        return _of_status(answer, "", "")
    code = document.get("Code") or document.get("code") or ""
    said = document.get("Message") or document.get("message") or ""
    return (str(code), str(said)[:_SHOWN_MAX]) if code else _of_status(answer, "", "")


def _of_status(answer: "Answer", key: str, bucket: str) -> tuple[str, str]:
    code = _OF_STATUS.get(answer.status) or f"Http{answer.status}"
    said = (
        ""
        if answer.body.lstrip().startswith(b"<")
        else answer.body[:_SHOWN_MAX].decode(errors="replace")
    )
    return _specific(code, key, bucket), said.strip()


def _specific(code: str, key: str, bucket: str) -> str:
    """An answer to HEAD says 404 and no more: say what is absent."""
    if code == "NotFound":
        return "NoSuchKey" if key and bucket else "NoSuchBucket" if bucket else code
    return code
