"""Measure any S3 endpoint: server CPU per operation, throughput, latency, memory.

`python -m bench --help` is the way in. Nothing here imports the server.
"""
