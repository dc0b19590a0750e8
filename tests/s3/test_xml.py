"""The XML reader against documents that mean harm, and the escaping of what is written."""

import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neve.s3.errors import S3Error
from neve.s3.xml import DEPTH_MAX, ELEMENTS_MAX, document, escape, parse_xml, stamp


def test_text_children_and_namespaces() -> None:
    root = parse_xml(
        b'<?xml version="1.0"?><p:Root xmlns:p="urn:x" xmlns="urn:y"><A> a &amp; <!-- c -->b </A>'
        b"<B><C>1</C><C>2</C></B><p:D/></p:Root>",
        "Root",
    )
    found = root.find("A")
    assert found is not None
    assert found.text == " a & b "
    assert root.value("A") == "a & b"
    inner = root.find("B")
    assert inner is not None
    assert [child.text for child in inner.all("C")] == ["1", "2"]
    assert root.value("D") == ""
    assert root.value("E") is None
    assert root.find("E") is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  \n",
        b"text",
        b"<Root>",
        b"<Root></Other>",
        b"<Root/><Root/>",
        b"<Other/>",
        b"<Root>&undefined;</Root>",
        b"<Root>\x00</Root>",
        b"<Root>\xff</Root>",
        b"<Root a=1/>",
        b'<?xml version="1.0" encoding="no-such"?><Root/>',
        b"<!DOCTYPE Root><Root/>",
        b'<!DOCTYPE Root SYSTEM "file:///etc/passwd"><Root/>',
        b'<!DOCTYPE Root [<!ENTITY a "b">]><Root>&a;</Root>',
        b'<!DOCTYPE Root [<!ENTITY a SYSTEM "file:///etc/passwd">]><Root>&a;</Root>',
        b'<!DOCTYPE Root [<!ENTITY % a SYSTEM "http://x.test/">%a;]><Root/>',
        b'<!DOCTYPE Root [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><Root>&b;</Root>',
    ],
)
def test_what_is_not_a_plain_document_is_malformed(body: bytes) -> None:
    with pytest.raises(S3Error, match="MalformedXML"):
        parse_xml(body, "Root")


def nested(depth: int) -> bytes:
    return b"<Root>" + b"<a>" * (depth - 1) + b"</a>" * (depth - 1) + b"</Root>"


def test_depth_and_number_of_elements_are_bounded() -> None:
    parse_xml(nested(DEPTH_MAX), "Root")
    with pytest.raises(S3Error, match="MalformedXML"):
        parse_xml(nested(DEPTH_MAX + 1), "Root")
    with pytest.raises(S3Error, match="MalformedXML"):
        parse_xml(nested(1_000_000), "Root")
    parse_xml(b"<Root>" + b"<a/>" * (ELEMENTS_MAX - 1) + b"</Root>", "Root")
    with pytest.raises(S3Error, match="MalformedXML"):
        parse_xml(b"<Root>" + b"<a/>" * ELEMENTS_MAX + b"</Root>", "Root")


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_malformed(body: bytes) -> None:
    for data in (body, b"<Root>" + body + b"</Root>"):
        try:
            parse_xml(data, "Root")
        except S3Error as error:
            assert error.code == "MalformedXML"


_XML_TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
)


@given(_XML_TEXT)
def test_escaped_text_is_read_back_as_it_was(text: str) -> None:
    written = document("Root", f"<A>{escape(text)}</A>")
    assert ElementTree.fromstring(written).findtext("{*}A") == text
    found = parse_xml(written, "Root").find("A")
    assert found is not None
    assert found.text == text


def test_times_are_written_as_aws_does() -> None:
    assert stamp(0) == "1970-01-01T00:00:00.000Z"
    assert stamp(1_795_412_167) == "2026-11-23T05:36:07.000Z"
