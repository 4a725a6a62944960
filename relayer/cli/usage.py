"""What was typed and cannot be meant.

Its job: one error, by which a command ends with the exit code of wrong usage. What a file says, or a chain, is another
matter: that is a `ConfigError` or any other.
"""

from __future__ import annotations

from typing import Final

from relayer.errors import ConfigError

USAGE_EXIT_CODE: Final = 2
"""As the command line's library ends for what it refuses itself."""


class WrongUsage(ConfigError):  # noqa: N818 - named as relayer.errors names its own
    """Arguments or options that contradict each other, or are not of their form; each fault names which."""
