"""What all tests share: a live server, and no settings of the machine they run on."""

import os

from neve.testing.server import fresh_server, live_server

__all__ = ["fresh_server", "live_server"]

# Settings of the tests themselves, which say how long they go on.
KEPT = (
    "NEVE_KILL_ROUNDS",
    "NEVE_MODEL_EXAMPLES",
    "NEVE_FUZZ_S",
    "NEVE_FUZZ_SEED",
    "NEVE_MIRROR_ROUNDS",
    "NEVE_MIRROR_SEED",
)

for name in [name for name in os.environ if name.startswith(("AWS_", "NEVE_", "MINIO_"))]:
    if name not in KEPT:
        del os.environ[name]
os.environ.update(
    AWS_CONFIG_FILE=os.devnull,
    AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    AWS_EC2_METADATA_DISABLED="true",
)
