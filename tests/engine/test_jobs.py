"""The periodic work: that it all runs, and that it keeps its pace."""

from pathlib import Path

from neve.engine.jobs import Jobs
from neve.testing.engine import Store, on_folder


def test_every_job_runs_on_a_store_with_data(tmp_path: Path) -> None:
    async def scenario(store: Store) -> None:
        bucket = await store.engine.create_bucket("bucket", "me", "r")
        await store.put(bucket, "k", b"data")
        jobs = Jobs(store.engine, oldest_read_us=lambda: None)
        for job in jobs.all():
            assert job.period_s > 0
            job.run()
        assert store.get(bucket, "k") == b"data"

    on_folder(tmp_path, scenario)


def test_the_scrub_rests_after_a_slice_and_stops_after_a_walk(tmp_path: Path) -> None:
    async def scenario(store: Store) -> None:
        bucket = await store.engine.create_bucket("bucket", "me", "r")
        for number in range(450):
            await store.put(bucket, f"k{number}", b"data")
        jobs = Jobs(store.engine, oldest_read_us=lambda: None)
        scrub = next(job.run for job in jobs.all() if job.name == "scrub")
        scrub()
        checked = jobs.scrubber.place().objects
        assert 0 < checked < 450
        scrub()
        assert jobs.scrubber.place().objects == checked, "it rests"
        while not jobs.scrubber.place().finished_us:
            jobs._scrub_rests_until = 0.0
            scrub()
        finished = jobs.scrubber.place()
        assert finished.objects == 450
        jobs._scrub_rests_until = 0.0
        scrub()
        assert jobs.scrubber.place() == finished, "the next walk is a week away"

    on_folder(tmp_path, scenario)
