"""The audit webhook: whatever its receiver does, every line arrives or is counted as dropped."""

import http.server
import logging
import threading
import time
from collections.abc import Iterator

import pytest

from neve.audit.webhook import Webhook
from neve.testing.server import wait_until


class Receiver:
    """A receiver on loopback that answers as it is told to; it may be down."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.requests = 0
        self.status = 200
        self.wait_s = 0.0
        self.path = ""
        self._server: http.server.ThreadingHTTPServer | None = None
        self.port = 0

    def up(self) -> None:
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests += 1
                receiver.path = self.path
                receiver.headers.append(dict(self.headers))
                time.sleep(receiver.wait_s)
                if receiver.status == 200:
                    receiver.lines += body.splitlines()
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def down(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/audit?from=neve"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    made.up()
    yield made
    made.down()


class Counted:
    def __init__(self) -> None:
        self.put = self.delivered = self.dropped = 0

    def __call__(self, put: int, delivered: int, dropped: int) -> None:
        self.put += put
        self.delivered += delivered
        self.dropped += dropped


def make(receiver: Receiver, counted: Counted, token: str = "", room: int = 1 << 20) -> Webhook:
    return Webhook(
        receiver.url,
        token,
        counted,
        queue_bytes_max=room,
        gather_s=0.02,
        backoff_max_s=0.3,
    )


def line(number: int) -> bytes:
    return b'{"request_id":"%d"}\n' % number


def numbered(lines: list[bytes]) -> list[bytes]:
    return sorted(lines, key=lambda text: int(text.split(b'"')[3]))


def test_lines_arrive_in_order_and_in_batches(receiver: Receiver) -> None:
    counted = Counted()
    webhook = make(receiver, counted)
    for number in range(1000):
        webhook.put(line(number))
    wait_until(lambda: counted.delivered == 1000)
    webhook.close(5.0)
    assert receiver.lines == [line(number).strip() for number in range(1000)]
    assert receiver.requests < 100
    assert receiver.path == "/audit?from=neve"
    assert receiver.headers[0]["Content-Type"] == "application/x-ndjson"
    assert "Authorization" not in receiver.headers[0]
    assert counted.dropped == 0


@pytest.mark.parametrize(
    ("token", "header"), [("t0ken", "Bearer t0ken"), ("Splunk 1234", "Splunk 1234")]
)
def test_the_token_is_sent(receiver: Receiver, token: str, header: str) -> None:
    counted = Counted()
    webhook = make(receiver, counted, token)
    webhook.put(line(1))
    wait_until(lambda: counted.delivered == 1)
    webhook.close(5.0)
    assert receiver.headers[0]["Authorization"] == header


def test_all_arrives_once_the_receiver_is_up_again(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    counted = Counted()
    receiver.down()
    webhook = make(receiver, counted)
    with caplog.at_level(logging.INFO):
        for number in range(100):
            webhook.put(line(number))
        wait_until(lambda: "takes no entries" in caplog.text)
        receiver.status = 500
        receiver.up()
        wait_until(lambda: receiver.requests >= 2)
        assert counted.delivered == 0
        receiver.status = 200
        wait_until(lambda: counted.delivered == 100)
        wait_until(lambda: "takes entries again" in caplog.text)
    webhook.close(5.0)
    assert numbered(receiver.lines) == [line(number).strip() for number in range(100)]
    assert counted.dropped == 0


def test_a_slow_receiver_never_makes_anybody_wait(receiver: Receiver) -> None:
    counted = Counted()
    receiver.wait_s = 0.3
    webhook = make(receiver, counted)
    webhook.put(line(0))
    wait_until(lambda: receiver.requests == 1)
    started = time.monotonic()
    for number in range(1, 200):
        webhook.put(line(number))
    assert time.monotonic() - started < 0.2
    wait_until(lambda: counted.delivered == 200)
    webhook.close(5.0)


def test_what_does_not_fit_the_queue_is_dropped_counted_and_said(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    counted = Counted()
    receiver.down()
    webhook = make(receiver, counted, room=len(line(100)) * 50)
    with caplog.at_level(logging.WARNING):
        for number in range(100, 300):
            webhook.put(line(number))
        assert counted.dropped == 150
        assert "its queue is full" in caplog.text
        receiver.up()
        wait_until(lambda: counted.delivered == 50)
    assert "149 audit entries did not get into the audit webhook 127.0.0.1: it works" in caplog.text
    webhook.put(line(999))
    wait_until(lambda: counted.delivered == 51)
    webhook.close(5.0)
    assert receiver.lines[-1] == line(999).strip()


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_batch_that_will_never_be_taken_does_not_stop_those_behind_it(
    receiver: Receiver, status: int
) -> None:
    counted = Counted()
    receiver.status = status
    webhook = make(receiver, counted)
    webhook.put(line(1))
    wait_until(lambda: counted.dropped == 1)
    receiver.status = 200
    webhook.put(line(2))
    wait_until(lambda: counted.delivered == 1)
    webhook.close(5.0)
    assert receiver.lines == [line(2).strip()]


def test_closing_sends_what_is_queued(receiver: Receiver) -> None:
    counted = Counted()
    webhook = make(receiver, counted)
    for number in range(50):
        webhook.put(line(number))
    webhook.close(5.0)
    assert (counted.delivered, counted.dropped) == (50, 0)


def test_closing_beside_a_dead_receiver_ends_in_time_and_counts_what_is_lost(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    counted = Counted()
    receiver.down()
    webhook = make(receiver, counted)
    for number in range(50):
        webhook.put(line(number))
    started = time.monotonic()
    with caplog.at_level(logging.ERROR):
        webhook.close(0.5)
        webhook.put(line(51))
    assert time.monotonic() - started < 3.0
    assert (counted.put, counted.delivered, counted.dropped) == (51, 0, 51)
    assert "50 audit entries" in caplog.text


def test_a_receiver_that_never_answers_does_not_hold_up_the_end(receiver: Receiver) -> None:
    counted = Counted()
    receiver.wait_s = 5.0
    webhook = make(receiver, counted)
    webhook.put(line(1))
    wait_until(lambda: receiver.requests == 1)
    started = time.monotonic()
    webhook.close(0.3)
    assert time.monotonic() - started < 2.0
    assert (counted.delivered, counted.dropped) == (0, 1)
