"""Who asks, what policies say, and the one pure function that decides.

Evaluation is pure: documents and requests come in as values. The directory keeps users, groups,
policies and access keys in settings that it is handed by whoever has a catalog; the one file that
is read or written here is that of the store's key.
"""
