"""GetObjectAttributes: chosen facts about an object, its parts among them.

Supported: ETag, Checksum, ObjectParts (x-amz-max-parts, x-amz-part-number-marker), StorageClass,
ObjectSize, versionId. Refused: encryption. Ignored: x-amz-request-payer.
"""

from neve.catalog.catalog import ObjectRow
from neve.s3.call import Call, version_headers
from neve.s3.errors import S3Error
from neve.s3.integrity import checksum_elements, part_checksum_elements
from neve.s3.listing import truncated_xml
from neve.s3.metadata import check_served, unpack
from neve.s3.request import integer
from neve.s3.response import Response, http_date, xml_response

PARTS_MAX = 1000
_ATTRIBUTES = ("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize")


def get_object_attributes(call: Call) -> Response:
    """Return the attributes that are asked for."""
    check_served(call.headers)
    asked = _asked(call)
    row = call.row()
    inner = []
    if "ETag" in asked:
        inner.append(f"<ETag>{row.etag}</ETag>")
    if "Checksum" in asked and row.checksum is not None:
        inner.append(f"<Checksum>{checksum_elements(row.checksum)}</Checksum>")
    if "ObjectParts" in asked:
        inner.append(_parts(call, row))
    if "StorageClass" in asked:
        storage_class = unpack(row.meta).get("x-amz-storage-class", b"STANDARD").decode()
        inner.append(f"<StorageClass>{storage_class}</StorageClass>")
    if "ObjectSize" in asked:
        inner.append(f"<ObjectSize>{row.size}</ObjectSize>")
    headers = [
        (b"last-modified", http_date(row.mtime_us // 1_000_000)),
        *version_headers(call, row.version),
    ]
    return xml_response("GetObjectAttributesResponse", "".join(inner), headers)


def _asked(call: Call) -> set[str]:
    value = call.headers.get(b"x-amz-object-attributes", b"").decode("latin-1")
    names = {name.strip() for name in value.split(",") if name.strip()}
    if not names:
        raise S3Error(
            "InvalidRequest",
            "The x-amz-object-attributes header specifying the attributes to be retrieved is either"
            " missing or empty",
        )
    if not names <= set(_ATTRIBUTES):
        raise S3Error(
            "InvalidArgument",
            "Invalid attribute name specified.",
            ArgumentName="x-amz-object-attributes",
            ArgumentValue=value,
        )
    return names


def _parts(call: Call, row: ObjectRow) -> str:
    parts = call.engine.parts_of(row)
    if parts is None:
        return ""
    fields = {
        name: call.headers.get(f"x-amz-{name}".encode(), b"").decode("latin-1")
        for name in ("max-parts", "part-number-marker")
    }
    limit = integer(fields, "max-parts", PARTS_MAX, 0, PARTS_MAX)
    marker = integer(fields, "part-number-marker", 0, 0, 2**31 - 1)
    after = [part for part in parts if part.number > marker]
    shown = after[:limit]
    following = shown[-1].number if shown else marker
    inner = [
        f"<PartsCount>{len(parts)}</PartsCount><PartNumberMarker>{marker}</PartNumberMarker>",
        f"<NextPartNumberMarker>{following}</NextPartNumberMarker><MaxParts>{limit}</MaxParts>",
        truncated_xml(len(after) > len(shown)),
    ]
    inner += [
        f"<Part><PartNumber>{part.number}</PartNumber><Size>{part.size}</Size>"
        f"{part_checksum_elements(part.checksum)}</Part>"
        for part in shown
    ]
    return f"<ObjectParts>{''.join(inner)}</ObjectParts>"
