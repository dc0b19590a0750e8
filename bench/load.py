"""The load generator: a few processes, each driving a share of the connections with epoll.

A run stops asking at its deadline (or count) and ends when every answer asked for has arrived,
so operations counted are operations the server finished. Every answer's status and length are
checked, a sample's content too. Nothing waits for ever: a silent server becomes an error.
"""

from __future__ import annotations

import multiprocessing
import re
import select
import time
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection as Pipe
from multiprocessing.process import BaseProcess
from typing import Protocol

from bench.connection import BadAnswer, Connection, ConnectionLost, Exchange
from bench.errors import MeasurementFailed
from bench.workload import Workload

SILENCE_S = 30.0
"""A server that answers nothing for so long has failed the requests under way."""
ERRORS_MAX = 1000
"""A run with so many errors is stopped: it measures nothing."""
RESULT_POLL_S = 0.5
_CODE = re.compile(rb"<Code>([A-Za-z0-9]{1,64})</Code>")


@dataclass(slots=True)
class Outcome:
    """What one run did; outcomes of several processes can be added up."""

    operations: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    checked: int = 0
    """Answers whose content was compared."""
    reconnects: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    """Of the generator itself: it must not be what is measured."""
    latencies_us: array[int] = field(default_factory=lambda: array("I"))

    def add(self, other: Outcome) -> None:
        """Add what another process did at the same time."""
        self.operations += other.operations
        self.errors += other.errors
        self.checked += other.checked
        self.reconnects += other.reconnects
        self.seconds = max(self.seconds, other.seconds)
        self.cpu_seconds += other.cpu_seconds
        self.latencies_us += other.latencies_us


class Generator:
    """The connections of one process and the loop that keeps them busy."""

    def __init__(self, address: tuple[str, int], clients: int, source: Workload) -> None:
        self._source = source
        self._poll = select.epoll()
        self._connections: dict[int, Connection] = {}
        self._idle: list[Connection] = []
        self._outcome = Outcome()
        for _ in range(clients):
            connection = Connection(address)
            self._register(connection)
            self._idle.append(connection)

    def run(self, seconds: float, count: int) -> Outcome:
        """Keep every connection busy for so long, or until count operations were begun."""
        outcome = self._outcome = Outcome()
        started, cpu = time.perf_counter(), time.process_time()
        deadline, left = started + seconds, count
        while True:
            if outcome.errors and outcome.errors.total() > ERRORS_MAX:
                left = 0
            while self._idle and left > 0 and time.perf_counter() < deadline:
                exchange = self._source.next()
                if exchange is None:
                    left = 0
                    break
                left -= 1
                self._begin(self._idle.pop(), exchange)
            if len(self._idle) == len(self._connections):
                break
            events = self._poll.poll(SILENCE_S)
            if not events:
                self._give_up()
            for number, event in events:
                connection = self._connections.get(number)
                if connection is not None:
                    self._handle(connection, event)
        outcome.seconds = time.perf_counter() - started
        outcome.cpu_seconds = time.process_time() - cpu
        return outcome

    def close(self) -> None:
        """Close every connection."""
        for connection in self._connections.values():
            connection.close()
        self._poll.close()

    def _register(self, connection: Connection) -> None:
        number = connection.socket.fileno()
        self._connections[number] = connection
        self._poll.register(number, select.EPOLLIN)

    def _begin(self, connection: Connection, exchange: Exchange) -> None:
        try:
            if not connection.begin(exchange):
                self._wait_for(connection, select.EPOLLIN | select.EPOLLOUT)
        except ConnectionLost:
            self._lost(connection)

    def _wait_for(self, connection: Connection, events: int) -> None:
        self._poll.modify(connection.socket.fileno(), events)

    def _handle(self, connection: Connection, event: int) -> None:
        if connection.exchange is None:
            # Closed by the server while nothing was asked.
            self._reconnect(connection)
            return
        try:
            if event & select.EPOLLOUT and connection.flush():
                self._wait_for(connection, select.EPOLLIN)
            if event & ~select.EPOLLOUT and connection.receive():
                self._finish(connection)
        except ConnectionLost:
            self._lost(connection)
        except BadAnswer as error:
            self._fail(connection, str(error))

    def _finish(self, connection: Connection) -> None:
        exchange = connection.exchange
        assert exchange is not None
        elapsed = time.perf_counter_ns() - connection.started_ns
        fault = self._fault(connection, exchange)
        if fault:
            self._outcome.errors[fault] += 1
        else:
            self._outcome.operations += 1
            self._outcome.latencies_us.append(min(elapsed // 1000, 2**32 - 1))
        connection.exchange = None
        connection.fresh = False
        self._idle.append(connection)
        if connection.must_close or not connection.sent_everything:
            self._reconnect(connection)

    def _fault(self, connection: Connection, exchange: Exchange) -> str | None:
        if connection.status != exchange.status:
            code = _CODE.search(connection.body)
            return f"{connection.status} {code[1].decode() if code else ''}".strip()
        if exchange.length is not None and connection.length != exchange.length:
            return f"length {connection.length} instead of {exchange.length}"
        if exchange.keep:
            self._outcome.checked += 1
            return self._source.check(exchange, connection.body)
        return None

    def _lost(self, connection: Connection) -> None:
        """Try once more on a new socket: keep-alive may end between two requests."""
        exchange = connection.exchange
        assert exchange is not None
        if connection.fresh or connection.status:
            self._fail(connection, "connection lost")
            return
        self._reconnect(connection)
        self._begin(connection, exchange)

    def _fail(self, connection: Connection, reason: str) -> None:
        self._outcome.errors[reason] += 1
        connection.exchange = None
        self._reconnect(connection)
        self._idle.append(connection)

    def _give_up(self) -> None:
        for connection in list(self._connections.values()):
            if connection.exchange is not None:
                self._fail(connection, f"no answer within {SILENCE_S:.0f} s")

    def _reconnect(self, connection: Connection) -> None:
        number = connection.socket.fileno()
        del self._connections[number]
        self._poll.unregister(number)
        connection.close()
        connection.connect()
        self._register(connection)
        self._outcome.reconnects += 1


class Fleet:
    """Several generator processes that run at the same time."""

    def __init__(
        self, address: tuple[str, int], clients: int, sources: Callable[[int, int], Workload],
        processes: int,
    ) -> None:  # fmt: skip
        """Start them and wait until all are connected. sources(index, count) makes a workload."""
        count = min(processes, clients)
        context = multiprocessing.get_context("fork")
        self._members: list[tuple[BaseProcess, Pipe]] = []
        for index in range(count):
            ours, theirs = context.Pipe()
            # Ends that a fork inherits must be closed there, or nobody ever sees the end.
            inherited = [ours, *(pipe for _, pipe in self._members)]
            share = clients // count + (index < clients % count)
            source = partial(sources, index, count)
            arguments = (theirs, inherited, address, share, source)
            member = context.Process(target=_serve, args=arguments, daemon=True)
            member.start()
            theirs.close()
            self._members.append((member, ours))
        for _, pipe in self._members:
            _receive(pipe, None)

    def run(self, seconds: float, count: int, tick: Tick | None = None) -> Outcome:
        """Let every process run; call tick now and then while waiting."""
        for _, pipe in self._members:
            pipe.send((seconds, -(-count // len(self._members))))
        total = Outcome()
        for _, pipe in self._members:
            outcome = _receive(pipe, tick)
            assert isinstance(outcome, Outcome)
            total.add(outcome)
        return total

    def close(self) -> None:
        """End the processes."""
        for member, pipe in self._members:
            pipe.close()
            member.join(SILENCE_S)
            if member.is_alive():
                member.kill()


class Tick(Protocol):
    """Called about twice a second while a run is under way."""

    def __call__(self) -> None: ...


class GeneratorFailed(MeasurementFailed):
    """A generator process ended early or could not connect."""


def _receive(pipe: Pipe, tick: Tick | None) -> object:
    while not pipe.poll(RESULT_POLL_S):
        if tick:
            tick()
    try:
        answer = pipe.recv()
    except EOFError as error:
        raise GeneratorFailed("a generator process died") from error
    if isinstance(answer, str):
        raise GeneratorFailed(answer)
    return answer


def _serve(
    pipe: Pipe, inherited: list[Pipe], address: tuple[str, int], clients: int,
    source: Callable[[], Workload],
) -> None:  # fmt: skip
    """Be a generator process: connect, then run whenever asked, until the pipe closes."""
    for other in inherited:
        other.close()
    try:
        generator = Generator(address, clients, source())
        pipe.send(None)
        while True:
            seconds, count = pipe.recv()
            pipe.send(generator.run(seconds, count))
    except EOFError:
        pass
    except OSError as error:
        pipe.send(f"{address[0]}:{address[1]}: {error}")
