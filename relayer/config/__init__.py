"""What an operator decides, read once at the start from one TOML file.

Its job: turn the file into frozen values that the rest can trust, or name every fault at once, each with the key at
fault and what to do. It opens no connection and starts nothing.

SECURITY: no secret stands in the file. Keys are files, passwords are files or environment variables, and an RPC URL,
which often holds an access key, may be written `env:NAME` or `file:PATH`. None of them appears in a repr or an error.
"""

from relayer.config.sections import FinalitySection, LogFormat, PeerSection
from relayer.config.settings import Settings, load_config

__all__ = ["FinalitySection", "LogFormat", "PeerSection", "Settings", "load_config"]
