"""Neve: an S3-compatible object store for scientific data."""

__version__ = "0.1.0"
