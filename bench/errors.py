"""The error that ends a bench."""


class BenchError(Exception):
    """A bench that cannot go on, or whose tables are not equal: one line that says what is wrong."""
