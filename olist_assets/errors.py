"""The error that a user can mend."""


class OlistError(Exception):
    """Something is not as it must be: one line that says what is wrong, where, and what to do."""
