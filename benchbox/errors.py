"""The faults that benchbox explains to its user in one line.

Anything else is a bug and keeps its traceback.

A message says what is wrong, where (file, line, id) and what to do about it.
"""


class BenchboxError(Exception):
    """A fault outside benchbox's code: the command line prints it as one line and exits with 2."""


class DataError(BenchboxError):
    """A dataset, an annotation file or an image is missing, incomplete or malformed."""


class CheckError(DataError):
    """Labels, boxes or pictures are not what they should be: the command line exits with 1."""


class ProtocolError(BenchboxError):
    """A protocol card is unknown or breaks the schema."""


class PluginError(BenchboxError):
    """A method is unknown, cannot be loaded or breaks the contract; names the culprit."""


class ResultError(BenchboxError):
    """Predictions or a stored result are unreadable, incomplete or do not fit the protocol."""
