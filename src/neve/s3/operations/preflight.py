"""PreflightRequest: the question of a browser whether another site may use a bucket.

No bucket has a CORS configuration yet, so the answer is AWS's for such a bucket: AccessForbidden.
"""

from neve.s3.call import Call
from neve.s3.errors import S3Error
from neve.s3.response import Response


def preflight_request(call: Call) -> Response:
    """Refuse the other site."""
    if b"origin" not in call.headers:
        raise S3Error("BadRequest", "Insufficient information. Origin request header needed.")
    method = call.headers.get(b"access-control-request-method", b"").decode("latin-1")
    if not method:
        raise S3Error("BadRequest", "Invalid Access-Control-Request-Method: null")
    path = call.request.raw_path.strip(b"/")
    resource = "OBJECT" if b"/" in path else "BUCKET"
    raise S3Error("AccessForbidden", Method=method, ResourceType=resource)
