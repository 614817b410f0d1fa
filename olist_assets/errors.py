"""Errors that a user can act on. One class per kind of situation; the command line prints each as one line."""


class OlistError(Exception):
    """Something is wrong: one line that says what, where, and what to do."""


class SettingsError(OlistError):
    """A setting or an option has a value that is not accepted."""


class DeliveryError(OlistError):
    """A dump or a delivery cannot be used as it is."""


class LakeNotFoundError(OlistError):
    """There is no lake, or no storage, where the settings say."""


class LeaseError(OlistError):
    """A table's lease cannot be taken, or was lost."""


class EngineError(OlistError):
    """An engine cannot run steps: something is missing, or a job failed outside the step."""


class QueryError(OlistError):
    """A SQL statement or its parameters cannot be accepted or answered."""


class CatalogError(OlistError):
    """A data catalog, such as Glue, refused a request."""
