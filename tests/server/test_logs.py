"""What is written down: one line per entry, no secrets, whole lines from many writers."""

import io
import json
import logging
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from neve.errors import StoreRefused
from neve.server.logs import AccessLog, JsonFormatter, TextFormatter


def request(**changes: object) -> SimpleNamespace:
    values: dict[str, object] = {
        "method": "GET",
        "raw_path": b"/bucket/key",
        "raw_query": b"",
        "headers": {b"user-agent": b"Boto3/1.36"},
        "client": "192.0.2.7",
        "id": "00AA",
        "operation": "GetObject",
        "principal": "root-user",
        "bucket": "bucket",
        "key": "key",
        "error_code": "",
    }
    return SimpleNamespace(**(values | changes))


def logged(formatter: logging.Formatter, emit: object) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger = logging.Logger("neve.test")
    logger.addHandler(handler)
    emit(logger)  # type: ignore[operator]
    return stream.getvalue()


def fail(logger: logging.Logger) -> None:
    try:
        raise ValueError("bad\nvalue")
    except ValueError:
        logger.exception("it failed\r\nfor %s", "you")


def test_text_entry_is_one_line_even_with_a_traceback() -> None:
    text = logged(TextFormatter("worker-0"), fail)
    assert text.count("\n") == 1
    assert "\r" not in text
    assert " ERROR worker-0: it failed\\x0d\\x0afor you | Traceback" in text
    assert "ValueError: bad" in text


def test_json_entry_is_one_object_on_one_line() -> None:
    text = logged(JsonFormatter("steward"), fail)
    assert text.count("\n") == 1
    entry = json.loads(text)
    assert entry["process"] == "steward"
    assert entry["level"] == "error"
    assert entry["message"] == "it failed\r\nfor you"
    assert "ValueError: bad" in entry["traceback"]


def test_access_line_has_everything_asked_of_it(tmp_path: Path) -> None:
    log = AccessLog(str(tmp_path / "access.log"), "text")
    log.write(request(error_code="NoSuchKey"), 404, 12, 345, 0.0125)
    log.close()
    line = (tmp_path / "access.log").read_text()
    assert line.startswith("192.0.2.7 root-user [")
    assert line.endswith(
        '"GET /bucket/key" 404 NoSuchKey 12 345 12.50 GetObject 00AA "Boto3/1.36"\n'
    )


def test_access_line_as_json(tmp_path: Path) -> None:
    log = AccessLog(str(tmp_path / "access.log"), "json")
    log.write(request(key="gl\u00e4tscher"), 206, 0, 345, 0.5)
    log.close()
    entry = json.loads((tmp_path / "access.log").read_text())
    assert entry["request_id"] == "00AA"
    assert entry["key"] == "gl\u00e4tscher"
    assert (entry["status"], entry["bytes_out"], entry["ms"]) == (206, 345, 500.0)


@pytest.mark.parametrize("form", ["text", "json"])
def test_presigned_signature_and_token_do_not_get_into_the_access_log(
    tmp_path: Path, form: str
) -> None:
    query = b"X-Amz-Signature=5ec7e7&x-id=GetObject&x-amz-security-token=t0ken&Signature=51g"
    log = AccessLog(str(tmp_path / "access.log"), form)
    log.write(request(raw_query=query), 200, 0, 1, 0.1)
    log.close()
    text = (tmp_path / "access.log").read_text()
    assert "x-id=GetObject" in text
    for secret in ("5ec7e7", "t0ken", "51g"):
        assert secret not in text


def test_client_cannot_forge_lines(tmp_path: Path) -> None:
    forged = request(headers={b"user-agent": b'x" 200\n192.0.2.9 - "'}, raw_path=b'/b/"\xff\x01')
    log = AccessLog(str(tmp_path / "access.log"), "text")
    log.write(forged, 200, 0, 0, 0.1)
    log.close()
    text = (tmp_path / "access.log").read_text()
    assert text.count("\n") == 1
    assert text.count('"') - text.count('\\"') == 4


def test_lines_of_several_processes_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    pids = []
    for number in range(4):
        pid = os.fork()
        if not pid:
            log = AccessLog(str(path), "json")
            for index in range(500):
                log.write(request(id=f"{number}-{index}", key="k" * 300), 200, 0, 0, 0.1)
            log.close()
            os._exit(0)
        pids.append(pid)
    for pid in pids:
        assert os.waitpid(pid, 0)[1] == 0
    ids = [json.loads(line)["request_id"] for line in path.read_text().splitlines()]
    assert len(ids) == len(set(ids)) == 2000


def test_reopen_writes_to_the_new_file_after_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    log = AccessLog(str(path), "text")
    log.write(request(id="OLD"), 200, 0, 0, 0.1)
    path.rename(tmp_path / "access.log.1")
    log.reopen()
    log.write(request(id="NEW"), 200, 0, 0, 0.1)
    log.close()
    assert " OLD " in (tmp_path / "access.log.1").read_text()
    assert " NEW " in path.read_text()
    assert " OLD " not in path.read_text()


def test_unwritable_access_log_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreRefused, match=r"access log .* cannot be written: .*\.$"):
        AccessLog(str(tmp_path / "missing" / "access.log"), "text")
