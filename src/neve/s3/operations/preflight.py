"""PreflightRequest: the question of a browser whether a script of another site may send a request.

It comes without keys and gives away nothing but the rules that match it.
"""

from neve.errors import NoSuchBucket
from neve.s3.call import Call
from neve.s3.cors import METHODS, NOT_ALLOWED, preflight_headers, rules_of
from neve.s3.errors import S3Error
from neve.s3.response import Response


def preflight_request(call: Call) -> Response:
    """Say which request the other site may send."""
    headers = call.headers
    origin = headers.get(b"origin", b"").decode("latin-1")
    if not origin:
        raise S3Error("BadRequest", "Insufficient information. Origin request header needed.")
    method = headers.get(b"access-control-request-method", b"").decode("latin-1")
    if not method:
        raise S3Error("BadRequest", "Invalid Access-Control-Request-Method: null")
    asked = headers.get(b"access-control-request-headers", b"").decode("latin-1").lower()
    if method in METHODS and call.pipeline.panel.asks(headers):
        return Response(200, call.pipeline.panel.fields(headers))
    names = [name.strip() for name in asked.split(",") if name.strip()]
    try:
        rules = rules_of(call.engine, call.name, call.pipeline.cors)
    except NoSuchBucket as error:
        raise S3Error("AccessForbidden", "CORSResponse: Bucket not found") from error
    fields = preflight_headers(rules, origin, method, names)
    if fields is not None:
        return Response(200, fields)
    path = call.request.raw_path.strip(b"/")
    resource = "OBJECT" if b"/" in path else "BUCKET"
    message = NOT_ALLOWED if rules else ""
    raise S3Error("AccessForbidden", message, Method=method, ResourceType=resource)
