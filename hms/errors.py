"""Mistakes a user can make and mend; an entry point prints them without a traceback."""


class UserError(Exception):
    """The base of both; its text names the place, the wish and the value."""


class ConfigError(UserError):
    """A config that cannot be built."""


class DataError(UserError):
    """A file, or several, that cannot be used."""
