"""A devnet's description, `devnet.json`, as commands read it.

Its job: from the file to values, naming what is missing. It knows the published format and nothing of how a devnet is
made, so that a file which another program wrote serves as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from relayer.errors import ConfigError

SCHEMA_VERSION: Final = 1

FILE_NAME: Final = "devnet.json"


_HttpUrl = Annotated[str, Field(pattern=r"^https?://[!-~]+$")]


class _Part(BaseModel):
    """Frozen. Unknown keys are passed over: a later devnet may tell more."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class DevnetAccount(_Part):
    """An account with money, for whoever wants to try something."""

    address: str
    private_key: SecretStr


class DevnetChain(_Part):
    """One chain, with the addresses of our contracts in the chain's own text form."""

    name: str
    caip2: str
    rpc_url: _HttpUrl
    block_time_seconds: float
    gateway: str
    accounts: tuple[DevnetAccount, ...]


class DevnetRelayer(_Part):
    """One relayer's public side."""

    name: str
    api_url: _HttpUrl


class Devnet(_Part):
    """The whole file, as far as commands need it."""

    schema_version: int = Field(ge=SCHEMA_VERSION, le=SCHEMA_VERSION)
    chains: tuple[DevnetChain, ...]
    relayers: tuple[DevnetRelayer, ...]

    def chain(self, name: str) -> DevnetChain:
        """The chain with this name or CAIP-2. Raises `ConfigError`."""
        for chain in self.chains:
            if name in {chain.name, chain.caip2}:
                return chain
        known = ", ".join(f"{chain.name} ({chain.caip2})" for chain in self.chains)
        raise ConfigError([f"{name}: no such chain in this devnet; it has {known}"])


def load_devnet(folder: Path) -> Devnet:
    """The devnet whose description stands in `folder`. Raises `ConfigError`."""
    path = folder / FILE_NAME
    try:
        return Devnet.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise ConfigError(
            [f"{path}: there is none; start a devnet with `xvm devnet up`, or name the folder of one that is up"]
        ) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except ValidationError as error:
        # SECURITY: the library's error can hold what was in the file, private keys among it.
        faults = [f"{path}: {'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise ConfigError(faults) from None
