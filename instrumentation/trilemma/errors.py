"""Own every error trilemma raises off the user's live call.

::

    TrilemmaError
    ├── ConfigurationError      a setting, option or argument has a value that cannot work
    │   ├── ArgumentError       a call of our API with an argument that cannot be; a ValueError too
    │   ├── MissingExtraError   a command needs an extra that is not installed
    │   └── ProviderNotFoundError  a provider was asked for by name and its SDK is not there
    ├── CollectorError          the embedded collector cannot start or go on
    │   ├── CollectorBuildError the official builder could not build the production collector
    │   ├── PortInUseError
    │   └── DataDirectoryError  locked by another process, unreadable, truncated
    ├── StoreError              the ClickHouse store cannot be reached or refuses
    │   └── MigrationError      an unknown, missing or changed migration
    └── ImportFileError         a mapping or a log file cannot be used

Each message names the thing, the value and the next step.
"""

__all__ = [
    "ArgumentError",
    "CollectorBuildError",
    "CollectorError",
    "ConfigurationError",
    "DataDirectoryError",
    "ImportFileError",
    "MigrationError",
    "MissingExtraError",
    "PortInUseError",
    "ProviderNotFoundError",
    "StoreError",
    "TrilemmaError",
]


class TrilemmaError(Exception):
    """Be the root of all errors trilemma raises."""


class ConfigurationError(TrilemmaError):
    """Say which setting has which impossible value, and what to set."""


class ArgumentError(ConfigurationError, ValueError):
    """Say which argument of which function has which impossible value, and what it may be."""


class MissingExtraError(ConfigurationError):
    """Say which extra to install: ``pip install 'trilemma[local]'``."""


class ProviderNotFoundError(ConfigurationError):
    """Say which provider SDK was asked for by name and is not installed."""


class CollectorError(TrilemmaError):
    """Say why the embedded collector cannot start or go on."""


class CollectorBuildError(CollectorError):
    """Say why the production collector could not be built, and where the builder's log is."""


class PortInUseError(CollectorError):
    """Say which address is taken and how to choose another."""


class DataDirectoryError(CollectorError):
    """Say what is wrong with the data directory: its owner, its state, or its content."""


class StoreError(TrilemmaError):
    """Say which store cannot be reached, or what it refused."""


class MigrationError(StoreError):
    """Say which migration is unknown, missing or changed."""


class ImportFileError(TrilemmaError):
    """Say which mapping or log file cannot be used, where, and why."""
