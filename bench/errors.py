"""The error that ends a benchmark."""


class BenchError(Exception):
    """A benchmark failed, or its tables differ: one line that names the cause."""
