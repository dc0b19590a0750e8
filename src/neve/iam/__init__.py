"""Who asks, what policies say, and the one pure function that decides.

Nothing here touches a socket, a disk or the catalog: documents and requests come in as values.
"""
