"""The engine of transfers: object data between this machine and servers, and between servers.

`entries` says what there is to copy and where to; `engine` chooses the way of each pair and runs
them in a `pool` of threads; `upload`, `download`, `copying` are the ways; `wire` the connections.
"""
