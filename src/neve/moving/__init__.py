"""What MinIO left on a drive, read without MinIO, and brought into a store that nobody serves.

`highway`, `xlmeta`, `drive` and `settings` know MinIO's formats and nothing of Neve's store;
`adoption` writes objects into the store; `mover` runs the whole import and fills the report.
Facts about the formats are from MinIO's own files and published documents; all code is our own.
"""
