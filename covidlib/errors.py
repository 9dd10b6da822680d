"""Errors that tell a user what to do."""


class CovidlibError(Exception):
    """Anything the library refuses; the message says what to change."""


class DataError(CovidlibError):
    """Data that break their contract: wrong range, wrong column, wrong count."""


class DatasetMissing(DataError):
    """A data set that is not under the data root."""


class UnreadableImages(DataError):
    """Images that cannot be decoded, all of them named."""


class RunError(CovidlibError):
    """A run that cannot start, or that stopped: the spec, step and batch are named."""
