"""What stops a measurement; the message is for the person who started it."""


class MeasurementFailed(Exception):
    """The endpoint, or the load generator, could not do what a measurement needs."""
