"""The import of a drive, whole: buckets and what they are told, users, objects.

The store must not be served meanwhile, and MinIO must not run on the drive. Running it again brings
what is new; settings and users are taken again as they are on the drive.
"""

import asyncio
import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from types import SimpleNamespace
from typing import NamedTuple, cast

from neve.admin.admin import Admin
from neve.admin.bucket_archive import take_settings
from neve.admin.call import AdminCall
from neve.admin.iam_archive import take_identities
from neve.admin.inner import root_call
from neve.admin.node import Node
from neve.config import Config
from neve.engine.buckets import ChangeBucket
from neve.engine.core import Shared
from neve.engine.engine import Engine
from neve.engine.sealing import prepare_key
from neve.engine.store import open_engine, prepare
from neve.errors import NoSuchBucket
from neve.iam.directory import Directory
from neve.iam.keyring import store_keyring
from neve.moving.adoption import Adoption
from neve.moving.drive import Drive
from neve.moving.report import Report
from neve.moving.settings import Identities, bucket_settings, identities
from neve.moving.xlmeta import Damaged, NotTaken
from neve.s3.pipeline import Pipeline
from neve.s3.sigv4 import Verifier

LOOK_S = 0.5


class Wanted(NamedTuple):
    """What is asked of an import."""

    buckets: list[str]
    """Empty: all, and users, groups, policies and access keys."""
    root_user: str = ""
    root_password: str = ""
    """MinIO's; without them what is encrypted stays behind."""
    bitrot: bool = True
    """Whether sums are compared even where the ETag is an MD5."""


def locked_identities(drive: Drive) -> list[str]:
    """What on the drive can be read only with MinIO's root credentials."""
    return identities(drive, "", root="", new_root="").locked


def import_drive(
    drive: Drive, config: Config, shared: Shared, wanted: Wanted, report: Report
) -> None:
    """Bring a drive into the store in `config.folder`, whose lock the caller holds.

    Raises: StoreRefused, StoreFault.
    """
    prepare(config.folder)
    prepare_key(config.folder, config.key_file)
    pool = ProcessPoolExecutor(
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin_summing,
        initargs=(os.getpid(),),
    )
    try:
        asyncio.run(_Mover(drive, config, wanted, report, pool).run(shared))
    finally:
        pool.shutdown(cancel_futures=True)


def _begin_summing(parent: int) -> None:
    """Prepare a process that sums: Ctrl-C is for its parent, and it ends when that is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """A killed parent tells nobody, and the pool's own pipes never end."""
    while os.getppid() == parent:
        time.sleep(LOOK_S)
    os._exit(1)


class _Mover:
    """One import."""

    def __init__(
        self,
        drive: Drive,
        config: Config,
        wanted: Wanted,
        report: Report,
        pool: ProcessPoolExecutor,
    ) -> None:
        self._drive = drive
        self._config = config
        self._wanted = wanted
        self._report = report
        self._pool = pool

    async def run(self, shared: Shared) -> None:
        """Do it."""
        engine = open_engine(
            self._config.folder, shared, free_bytes_min=self._config.disk_reserve_bytes
        )
        engine.start()
        try:
            admin = _admin(engine, self._config)
            try:
                await self._bring(engine, root_call(admin))
            finally:
                admin.close()
        finally:
            await engine.close()

    async def _bring(self, engine: Engine, call: AdminCall) -> None:
        there = self._drive.buckets()
        for name in self._wanted.buckets:
            if name not in there:
                self._report.miss(name, "there is no such bucket on the drive")
        if not self._wanted.buckets:
            await self._bring_identities(call)
        flags = {"bitrot": self._wanted.bitrot}
        objects = Adoption(self._drive, engine, self._report, self._pool, **flags)
        for name in there:
            if self._wanted.buckets and name not in self._wanted.buckets:
                continue
            if await self._bring_bucket(engine, call, name):
                self._report.buckets += 1
                await objects.bring(name)
        self._report.uploads = self._drive.uploads()

    async def _bring_bucket(self, engine: Engine, call: AdminCall, name: str) -> bool:
        """Make the bucket, tell it what it is told; whether it is there now."""
        created_us = 0
        files: dict[str, bytes] = {}
        try:
            created_us, files = bucket_settings(self._drive, name)
        except (Damaged, NotTaken, OSError) as error:
            self._report.miss(f"settings of {name}", str(error))
        new = not _has(engine, name)
        done = await take_settings(call, name, files)
        if not _has(engine, name):
            self._report.miss(name, done.get("error") or "the bucket cannot be made")
            return False
        for kind, answer in done.items():
            if kind == "error":
                self._report.miss(f"settings of {name}", answer)
            elif answer.get("error"):
                self._report.miss(f"{kind} of {name}", answer["error"])
        if new and created_us:
            await engine.change_bucket(
                ChangeBucket(name, lambda row: row._replace(created_us=created_us))
            )
        return True

    async def _bring_identities(self, call: AdminCall) -> None:
        wanted = self._wanted
        secret = f"{wanted.root_user}:{wanted.root_password}" if wanted.root_password else ""
        found: Identities = await asyncio.to_thread(
            identities,
            self._drive,
            secret,
            root=wanted.root_user,
            new_root=self._config.root_access_key,
        )
        for name in found.locked:
            self._report.miss(
                name,
                "it is encrypted, and not with these root credentials"
                if secret
                else "it is encrypted: give MinIO's root credentials",
            )
        for name, why in found.damaged.items():
            self._report.miss(name, why)
        done = await take_identities(call, found.documents)
        for kind, failures in done.failed.items():
            for failure in failures:
                self._report.miss(f"{kind}/{failure['name']}", failure["error"])
        self._report.users = len(done.added.get("users", ()))
        self._report.groups = len(done.added.get("groups", ()))
        self._report.policies = len(done.added.get("policies", ()))
        self._report.keys = len(done.added.get("serviceAccounts", ()))


def _has(engine: Engine, name: str) -> bool:
    try:
        engine.bucket(name)
        return True
    except NoSuchBucket:
        return False


def _admin(engine: Engine, config: Config) -> Admin:
    """The admin protocol's machinery without a server around it."""
    root = {config.root_access_key: config.root_secret_key}
    directory = Directory(engine, store_keyring(config.folder, config.key_file), root)
    verifier = Verifier(directory.secret_of, config.region)
    pipeline = Pipeline(engine, verifier, region=config.region, directory=directory)
    # Of the server that is not there only its settings are asked.
    return Admin(pipeline, cast("Node", SimpleNamespace(config=config)))
