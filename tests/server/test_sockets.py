"""A port belongs to one server, and its workers share it."""

import socket

import pytest

from neve.config import Address
from neve.errors import StoreRefused
from neve.server.sockets import listen, reserve

LOOPBACK = Address("127.0.0.1", 0)


def refused(address: Address) -> str:
    with pytest.raises(StoreRefused) as refusal:
        reserve(address, "S3", "--address").close()
    text = str(refusal.value)
    assert text.endswith(".")
    assert "\n" not in text
    return text


def test_free_port_is_chosen_and_told() -> None:
    reservation = reserve(LOOPBACK, "S3", "--address")
    assert reservation.address.port > 0
    assert str(reservation.address) == f"127.0.0.1:{reservation.address.port}"
    reservation.close()


def test_several_processes_can_listen_and_all_are_reached() -> None:
    reservation = reserve(LOOPBACK, "S3", "--address")
    listeners = [listen(reservation)[0] for _ in range(2)]
    served: set[int] = set()
    for _ in range(200):
        client = socket.create_connection(reservation.address)
        for index, each in enumerate(listeners):
            try:
                each.accept()[0].close()
                served.add(index)
            except BlockingIOError:
                continue
        client.close()
        if len(served) == 2:
            break
    assert served == {0, 1}
    for each in listeners:
        each.close()
    reservation.close()


def test_reserved_port_does_not_answer_before_a_worker_listens() -> None:
    reservation = reserve(LOOPBACK, "S3", "--address")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(reservation.address)
    reservation.close()


def test_port_of_another_program_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        text = refused(Address("127.0.0.1", port))
    assert f"Port {port} for S3 is taken" in text
    assert "--address" in text


def test_port_of_a_program_that_shares_ports_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as other:
        assert "is taken" in refused(Address(*other.getsockname()))


def test_second_server_is_refused_while_the_workers_of_the_first_listen() -> None:
    reservation = reserve(LOOPBACK, "S3", "--address")
    listeners = listen(reservation)
    assert "is taken" in refused(reservation.address)
    for each in listeners:
        each.close()
    reservation.close()


def test_port_can_be_taken_again_at_once_after_connections_were_served() -> None:
    reservation = reserve(LOOPBACK, "S3", "--address")
    listener = listen(reservation)[0]
    client = socket.create_connection(reservation.address)
    server, _ = listener.accept()
    server.close()
    assert client.recv(1) == b""
    client.close()
    listener.close()
    reservation.close()
    reserve(reservation.address, "S3", "--address").close()


def test_name_of_this_machine_is_listened_on_at_every_address() -> None:
    reservation = reserve(Address("localhost", 0), "S3", "--address")
    listeners = listen(reservation)
    socket.create_connection(("127.0.0.1", reservation.address.port)).close()
    for each in listeners:
        each.close()
    reservation.close()


def test_address_of_another_machine_is_refused() -> None:
    assert "not an address of this machine" in refused(Address("192.0.2.1", 0))
