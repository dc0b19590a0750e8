"""The MinIO admin protocol: what an unmodified `mc admin` and `minio.MinioAdmin` ask of a server.

It speaks the protocol and knows no rule of its own: what it changes it changes through
`neve.engine` and `neve.iam`.
"""
