"""HighwayHash-256, with which MinIO sums every block of a drive.

Source: https://arxiv.org/abs/1612.06257 and the reference at https://github.com/google/highwayhash
Plain Python takes some five microseconds for a packet of 32 bytes, which is 6 MB per second and
core, so whoever has much to sum does it in several processes. The bytes of a "zipper merge" are
moved by `bytes.translate`: the data are the table, the wanted order is the text.
"""

from struct import Struct

PACKET_BYTES = 32
HASH_BYTES = 32

_MUL0 = (0xDBE6D5D5FE4CCE2F, 0xA4093822299F31D0, 0x13198A2E03707344, 0x243F6A8885A308D3)
_MUL1 = (0x3BD39E10CB0EF593, 0xC0ACF169B5F18A8C, 0xBE5466CF34E90C6C, 0x452821E638D01377)
_MASK = 0xFFFFFFFFFFFFFFFF
_LOW = 0xFFFFFFFF
_LANES = Struct("<4Q")
_PAD = bytes(256 - PACKET_BYTES)
_PAIR = (3, 12, 2, 5, 14, 1, 15, 0, 11, 4, 10, 13, 9, 6, 8, 7)
_ORDER = bytes((*_PAIR, *(16 + place for place in _PAIR)))
"""Which byte of two pairs of lanes goes where in a zipper merge."""
_ROUNDS = 10


class HighwayHash:
    """Sums bytes under a key of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        lanes = _LANES.unpack(key)
        self._first = (
            *(mul ^ lane for mul, lane in zip(_MUL0, lanes)),
            *(mul ^ _swap(lane) for mul, lane in zip(_MUL1, lanes)),
            *_MUL0,
            *_MUL1,
        )

    def digest(self, data: bytes) -> bytes:
        """Return the sum of `data`."""
        whole = len(data) - len(data) % PACKET_BYTES
        state = _update(self._first, memoryview(data)[:whole])
        if whole < len(data):
            state = _rest(state, data[whole:])
        for _ in range(_ROUNDS):
            a, b, c, d = state[:4]
            state = _update(state, _LANES.pack(_swap(c), _swap(d), _swap(a), _swap(b)))
        v0, v1, mul0, mul1 = state[:4], state[4:8], state[8:12], state[12:]
        low = [(v + m) & _MASK for v, m in zip(v0, mul0)]
        high = [(v + m) & _MASK for v, m in zip(v1, mul1)]
        return _LANES.pack(
            *_reduce(high[1], high[0], *low[1::-1]), *_reduce(high[3], high[2], *low[:1:-1])
        )


def _swap(lane: int) -> int:
    """The halves of a lane in each other's place."""
    return (lane >> 32) | ((lane & _LOW) << 32)


def _update(state: tuple[int, ...], packets: "bytes | memoryview") -> tuple[int, ...]:
    """Take whole packets in."""
    a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p = state  # noqa: E741
    order, pad, pack, unpack = _ORDER, _PAD, _LANES.pack, _LANES.unpack
    mask, low = _MASK, _LOW
    for w, x, y, z in _LANES.iter_unpack(packets):
        e = (e + i + w) & mask
        f = (f + j + x) & mask
        g = (g + k + y) & mask
        h = (h + l + z) & mask
        i ^= (e & low) * (a >> 32)
        j ^= (f & low) * (b >> 32)
        k ^= (g & low) * (c >> 32)
        l ^= (h & low) * (d >> 32)  # noqa: E741
        a = (a + m) & mask
        b = (b + n) & mask
        c = (c + o) & mask
        d = (d + p) & mask
        m ^= (a & low) * (e >> 32)
        n ^= (b & low) * (f >> 32)
        o ^= (c & low) * (g >> 32)
        p ^= (d & low) * (h >> 32)
        w, x, y, z = unpack(order.translate(pack(e, f, g, h) + pad))
        a = (a + w) & mask
        b = (b + x) & mask
        c = (c + y) & mask
        d = (d + z) & mask
        w, x, y, z = unpack(order.translate(pack(a, b, c, d) + pad))
        e = (e + w) & mask
        f = (f + x) & mask
        g = (g + y) & mask
        h = (h + z) & mask
    return a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p


def _rest(state: tuple[int, ...], rest: bytes) -> tuple[int, ...]:
    """Take in the bytes after the last whole packet, fewer than one."""
    count = len(rest)
    v0 = [(v + (count << 32) + count) & _MASK for v in state[:4]]
    v1 = [_turn(v >> 32, count) << 32 | _turn(v & _LOW, count) for v in state[4:8]]
    fours = count & ~3
    packet = bytearray(PACKET_BYTES)
    packet[:fours] = rest[:fours]
    tail = rest[fours:]
    if count & 16:
        packet[28:] = rest[-4:]
    elif tail:
        packet[16:19] = bytes((tail[0], tail[len(tail) >> 1], tail[-1]))
    return _update((*v0, *v1, *state[8:]), bytes(packet))


def _turn(half: int, count: int) -> int:
    """Rotate 32 bits to the left."""
    return ((half << count) | (half >> (32 - count))) & _LOW


def _reduce(a3: int, a2: int, a1: int, a0: int) -> tuple[int, int]:
    """The two lanes of a sum out of four."""
    a3 &= 0x3FFFFFFFFFFFFFFF
    high = a1 ^ ((a3 << 1) | (a2 >> 63)) ^ ((a3 << 2) | (a2 >> 62))
    low = a0 ^ (a2 << 1) ^ (a2 << 2)
    return low & _MASK, high & _MASK
