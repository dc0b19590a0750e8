"""MemoryBlobStore passes the conformance suite."""

from neve.blobs.blobs import SEGMENT, Blob
from neve.blobs.memory import MemoryBlobStore
from neve.testing.blobs import BlobStoreTests, Place


class TestMemoryBlobStore(BlobStoreTests):
    def open(self, place: Place, *, epoch: int, worker: int) -> MemoryBlobStore:
        store = MemoryBlobStore(
            new_segment=place.new_segment,
            epoch=epoch,
            worker=worker,
            segment_bytes_max=self.segment_bytes_max,
        )
        store.segment_bytes = place.shared.setdefault("segments", store.segment_bytes)
        store.file_bytes = place.shared.setdefault("files", store.file_bytes)
        return store

    def flip(self, place: Place, blob: Blob, offset: int) -> None:
        held = place.shared["segments" if blob.tier == SEGMENT else "files"]
        data = bytearray(held[blob.id])
        data[offset] ^= 255
        held[blob.id] = data if blob.tier == SEGMENT else bytes(data)
