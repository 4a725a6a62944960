"""What an operator decides, read once at the start from one TOML file.

Its job: turn the file into frozen values that the rest can trust, or name every fault at once, each with the key at
fault and what to do. It opens no connection and starts nothing.

SECURITY: no secret stands in the file. Keys are files, passwords are files or environment variables, and an RPC URL,
which often holds an access key, may be written `env:NAME` or `file:PATH`. None of them appears in a repr or an error.
"""

from __future__ import annotations

import ipaddress
import os
import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Final, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.sources import InitSettingsSource

from attestation.address import parse_account_text, parse_chain_text
from attestation.errors import AttestationError
from relayer.domain.finality import FinalityRule, FinalityTag
from relayer.domain.policy import SpendPolicy
from relayer.errors import ConfigError
from relayer.keys.keystore import Secret, load_password, load_secret
from relayer.ports.vm import ChainSettings

MAX_CONFIG_BYTES: Final = 1 << 20
"""A file for a hundred chains has some 100 kB; what is longer is another file, named by mistake."""

DEFAULT_TRANSACTION_GAS_CAP: Final = 16_777_216
"""EIP-7825: no larger transaction is taken by chains that follow it."""

_WEI_PER_GWEI: Final = 10**9
_PASSWORD_VARIABLE: Final = "XVM_PASSWORD"  # noqa: S105 - the name of a variable, not a password
_SIGNER_KEY_LENGTH: Final = 20
_NAME: Final = r"^[a-z0-9][a-z0-9-]{0,31}$"


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """`auto` is text on a terminal and JSON off it."""

    AUTO = "auto"
    TEXT = "text"
    JSON = "json"


_SectionT = TypeVar("_SectionT", bound="_Section")


class _Section(BaseModel):
    """Frozen, and an unknown key is a fault: a misspelt limit must not silently be the default."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _chain_text(text: str) -> str:
    try:
        return str(parse_chain_text(text))
    except AttestationError as error:
        raise ValueError(f"{error}; write the chain as CAIP-2, such as eip155:31337") from None


def _signer_text(text: str) -> str:
    digits = text.removeprefix("0x")
    try:
        key = bytes.fromhex(digits)
    except ValueError:
        key = b""
    if len(key) != _SIGNER_KEY_LENGTH or not text.startswith("0x"):
        raise ValueError("write the peer's signer key as 0x and 40 hex digits; `xvm keys show` prints it")
    return f"0x{key.hex()}"


def _secret_url(value: SecretStr) -> SecretStr:
    """Resolve `env:NAME` and `file:PATH`; the text of a fault never holds the URL."""
    text = value.get_secret_value()
    kind, _, place = text.partition(":")
    if kind == "env":
        found = os.environ.get(place)
        if not found:
            raise ValueError(f"the environment variable {place} is not set")
        return SecretStr(found.strip())
    if kind == "file":
        try:
            return SecretStr(Path(place).read_text("utf-8").strip())
        except (OSError, UnicodeDecodeError):
            raise ValueError(f"the file {place} cannot be read") from None
    return value


def _url(text: str) -> str:
    if not _is_url(text, ("http", "https")):
        raise ValueError("not a URL that starts with http:// or https://")
    return text


def _key_file(path: Path) -> Path:
    if not path.is_file():
        raise ValueError(f"{path} is not a file; `xvm keys new` makes a key file")
    return path


ChainText = Annotated[str, AfterValidator(_chain_text)]
SecretUrl = Annotated[SecretStr, AfterValidator(_secret_url)]
KeyFile = Annotated[Path, AfterValidator(_key_file)]


class NodeSection(_Section):
    """`[node]`: this relayer itself."""

    name: str = Field(pattern=_NAME, description="short name of this relayer: lower-case letters, digits, hyphens")
    network: str = Field(
        min_length=1, max_length=64, description="name of the relayer network, the same at all its relayers"
    )
    data_dir: Path = Field(description="folder for databases; made if it is missing")
    api_host: str = Field("127.0.0.1", description="address that the API listens on")
    api_port: int = Field(8600, ge=0, le=65535, description="port that the API listens on; 0 takes a free one")
    log_level: LogLevel = Field(LogLevel.INFO, description="debug, info, warning or error")
    log_format: LogFormat = Field(LogFormat.AUTO, description="auto, text or json")
    allow_insecure: bool = Field(
        default=False, description="accept http:// and ws:// URLs that leave this machine; for closed networks only"
    )


class SignerSection(_Section):
    """`[signer]`: the key that attests. The same password opens the chains' wallet keys."""

    key_file: KeyFile = Field(description="key file of this relayer's signer; `xvm keys new` makes one")
    password_file: Path | None = Field(None, description="file with the password of the key files, mode 0600")
    password_env: str = Field(
        _PASSWORD_VARIABLE, description="environment variable with the password, read if there is no password_file"
    )


class FinalitySection(_Section):
    """`finality`: when a block of the chain is final. Exactly one of both."""

    depth_blocks: int | None = Field(None, ge=0, description="blocks under the tip")
    tag: FinalityTag | None = Field(None, description="`finalized` or `safe`, as the chain reports it")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.depth_blocks is None) == (self.tag is None):
            raise ValueError('write either { depth_blocks = N } or { tag = "finalized" }')
        return self

    def rule(self) -> FinalityRule:
        """As the domain has it."""
        return FinalityRule(self.depth_blocks, self.tag)


class ChainSection(_Section):
    """`[[chains]]`: one chain that this relayer serves."""

    name: str = Field(pattern=_NAME, description="short name of the chain, for people and metrics")
    caip2: ChainText = Field(description="the chain as CAIP-2, such as eip155:1")
    rpc_urls: tuple[SecretUrl, ...] = Field(
        min_length=1, repr=False, description="independent RPC endpoints: URLs, or env:NAME, or file:PATH"
    )
    rpc_quorum: int | None = Field(
        None, ge=1, description="how many endpoints must agree before anything is signed; the majority if not given"
    )
    ws_urls: tuple[SecretUrl, ...] = Field(
        (), repr=False, description="WebSocket endpoints; they only wake, nothing is believed from them"
    )
    gateway: str = Field(description="address of the XVM gateway on this chain")
    verifier: str = Field(description="address of the gateway's certificate verifier")
    registry: str | None = Field(None, description="address of the XVM registry on this chain, if it has one")
    start_block: int = Field(0, ge=0, description="first block to look at: that of the gateway's deployment")
    finality: FinalitySection = Field(description='{ depth_blocks = N } or { tag = "finalized" }')
    block_time_seconds: float = Field(gt=0, description="average time between blocks")
    max_blocks_per_fetch: int = Field(64, ge=1, le=2048, description="blocks asked for in one exchange")
    transaction_gas_cap: int = Field(
        DEFAULT_TRANSACTION_GAS_CAP, ge=1_000_000, description="most gas that one transaction may have on this chain"
    )
    max_fee_per_gas_gwei: Decimal = Field(Decimal(500), gt=0, description="never offer more per gas than this, in gwei")
    request_timeout_seconds: float = Field(10.0, gt=0, description="for one exchange with an endpoint")
    wallet_key_file: KeyFile = Field(description="key file of the account that pays on this chain")
    native_price: Decimal = Field(
        Decimal(1), gt=0, description="worth of one coin of this chain, in any unit common to all chains"
    )
    native_decimals: int = Field(18, ge=0, le=36, description="decimals of that coin")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        faults = [
            # SECURITY: what was written is not repeated: it may be a key in the wrong place.
            f"{key} is not an account of {self.caip2}; on EVM chains: 0x and 40 hex digits, checksummed or lower-case"
            for key, text in (("gateway", self.gateway), ("verifier", self.verifier), ("registry", self.registry))
            if text is not None and not _is_account(self.caip2, text)
        ]
        if self.rpc_quorum is not None and self.rpc_quorum > len(self.rpc_urls):
            faults.append(f"rpc_quorum is {self.rpc_quorum}, but there are {len(self.rpc_urls)} rpc_urls; lower it")
        # SECURITY: one endpoint named twice would be two voices.
        if len({url.get_secret_value() for url in self.rpc_urls}) < len(self.rpc_urls):
            faults.append("rpc_urls names one endpoint twice; each must be another one")
        for key, urls, schemes in (
            ("rpc_urls", self.rpc_urls, ("http", "https")),
            ("ws_urls", self.ws_urls, ("ws", "wss")),
        ):
            faults.extend(
                f"{key}[{index}] is not a URL that starts with {schemes[0]}:// or {schemes[1]}://"
                for index, url in enumerate(urls)
                if not _is_url(url.get_secret_value(), schemes)
            )
        _refuse(faults)
        return self

    @property
    def quorum(self) -> int:
        """How many endpoints must agree: as configured, or the majority."""
        return self.rpc_quorum or len(self.rpc_urls) // 2 + 1


class PeerSection(_Section):
    """`[[peers]]`: another relayer of the network."""

    name: str = Field(pattern=_NAME, description="short name of the peer")
    url: Annotated[str, AfterValidator(_url)] = Field(description="base URL of its API")
    signer: Annotated[str, AfterValidator(_signer_text)] = Field(description="its signer key: 0x and 40 hex digits")


class PolicySection(_Section):
    """`[policy]`: when to act and what to spend. It has no say in what is signed."""

    takeover_seconds: float = Field(4.0, gt=0, description="how long each rank waits for the one before it")
    split_seconds: float = Field(
        20.0, gt=0, description="after this long without a quorum, the parts of a batch are signed as well"
    )
    hold_recheck_seconds: float = Field(30.0, gt=0, description="how often what does not pay is looked at again")
    cost_limit_percent: int = Field(
        100, ge=0, description="hold what costs more than this part of its fees; above 100 subsidises, 0 spends nothing"
    )


class Settings(BaseSettings):
    """The whole file."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    node: NodeSection = Field(description="this relayer")
    signer: SignerSection = Field(description="its signing key")
    chains: tuple[ChainSection, ...] = Field(min_length=2, description="the chains: at least two [[chains]] sections")
    peers: tuple[PeerSection, ...] = Field((), description="the other relayers")
    policy: PolicySection = Field(default={}, validate_default=True, description="when to act and what to spend")
    database_url: SecretUrl = Field(
        SecretStr(""),
        repr=False,
        description="where requests are kept: sqlite:///FILE, postgresql://..., env:NAME or file:PATH; "
        "a SQLite file in data_dir if not given",
    )
    guard_database_url: SecretUrl = Field(
        SecretStr(""),
        repr=False,
        description="where the signing guard keeps its memory; another SQLite file in data_dir if not given",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The file alone: a stray environment variable must not change what a signer believes."""
        assert isinstance(init_settings, InitSettingsSource)
        return (init_settings,)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        chains, peers = dict(enumerate(self.chains)), dict(enumerate(self.peers))
        faults = list(_cross_faults(chains, peers, allow_insecure=self.node.allow_insecure))
        for key, url in (("database_url", self.database_url), ("guard_database_url", self.guard_database_url)):
            text = url.get_secret_value()
            if text and not text.startswith(("sqlite:///", "postgresql://")):
                faults.append(
                    f"{key}: must start with sqlite:/// or postgresql://; leave it out for a file in data_dir"
                )
        if self.store_url == self.guard_url:
            # SECURITY: the one may be restored from a backup, the other never: a signer that forgot is a signer lost.
            faults.append("guard_database_url: must be another database than database_url")
        _refuse(faults)
        return self

    @property
    def store_url(self) -> str:
        """SQLAlchemy URL of the node's database. It may hold a password."""
        return self.database_url.get_secret_value() or f"sqlite:///{self.node.data_dir / 'relayer.sqlite3'}"

    @property
    def guard_url(self) -> str:
        """SQLAlchemy URL of the signing guard's database. SECURITY: never restore it from a backup."""
        return self.guard_database_url.get_secret_value() or f"sqlite:///{self.node.data_dir / 'guard.sqlite3'}"

    def spend_policy(self) -> SpendPolicy:
        """The operator's terms, with prices per smallest unit of each chain's coin."""
        prices = {chain.caip2: Fraction(chain.native_price) / 10**chain.native_decimals for chain in self.chains}
        return SpendPolicy(self.policy.cost_limit_percent, prices)

    def load_signer_secret(self) -> Secret:
        """The signer's key. Raises `ConfigError`."""
        return load_secret(self.signer.key_file, self._password())

    def load_chain_settings(self) -> tuple[ChainSettings, ...]:
        """Each chain as its adapter is told, wallet keys included. Raises `ConfigError` with the faults of all."""
        password = self._password()
        loaded: list[ChainSettings] = []
        faults: list[str] = []
        for chain in self.chains:
            try:
                loaded.append(_chain_settings(chain, load_secret(chain.wallet_key_file, password)))
            except ConfigError as error:
                faults.extend(error.faults)
        if faults:
            raise ConfigError(faults)
        return tuple(loaded)

    def _password(self) -> str | None:
        return load_password(self.signer.password_env, self.signer.password_file)


def load_config(path: Path) -> Settings:
    """Read and check the file at `path`. Paths in it are relative to its folder.

    Raises:
        ConfigError: with every fault at once, each as `key: what is wrong; what to do`.
    """
    document = _anchored(_read(path), path.resolve().parent)
    try:
        return Settings(**document)
    except ValidationError as error:
        # SECURITY: no `from`: the library's error holds what was in the file.
        faults = [*_faults(error), *_cross_faults_despite(document)]
        raise ConfigError(list(dict.fromkeys(faults))) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}; name another with --config"]) from error
    if len(content) > MAX_CONFIG_BYTES:
        raise ConfigError([f"{path}: longer than {MAX_CONFIG_BYTES} bytes; is it the right file?"])
    try:
        return tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: not TOML: {error}"]) from None


_PATH_KEYS: Final = {
    "node": ("data_dir",),
    "signer": ("key_file", "password_file"),
    "chains": ("wallet_key_file",),
}


def _anchored(document: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The document with relative paths made absolute from `folder`. Values of a wrong type are left to the model."""

    def anchor(section: object, keys: Iterable[str]) -> object:
        if not isinstance(section, dict):
            return section
        moved = {key: str(folder / section[key]) for key in keys if isinstance(section.get(key), str)}
        return {**section, **moved}

    anchored = dict(document)
    for name, keys in _PATH_KEYS.items():
        section = document.get(name)
        if isinstance(section, list):
            anchored[name] = [anchor(item, keys) for item in section]
        elif section is not None:
            anchored[name] = anchor(section, keys)
    return anchored


def _chain_settings(chain: ChainSection, wallet_key: Secret) -> ChainSettings:
    return ChainSettings(
        name=chain.name,
        caip2=chain.caip2,
        rpc_urls=tuple(url.get_secret_value() for url in chain.rpc_urls),
        rpc_quorum=chain.quorum,
        ws_urls=tuple(url.get_secret_value() for url in chain.ws_urls),
        gateway=chain.gateway,
        verifier=chain.verifier,
        finality=chain.finality.rule(),
        block_time_seconds=chain.block_time_seconds,
        max_blocks_per_fetch=chain.max_blocks_per_fetch,
        transaction_gas_cap=chain.transaction_gas_cap,
        max_fee_per_gas=int(chain.max_fee_per_gas_gwei * _WEI_PER_GWEI),
        request_timeout_seconds=chain.request_timeout_seconds,
        wallet_key=wallet_key.reveal(),
    )


def _is_account(caip2: str, text: str) -> bool:
    try:
        parse_account_text(f"{caip2}:{text}")
    except AttestationError:
        return False
    return True


def _is_url(url: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_in_the_clear(url: str) -> bool:
    """Whether the URL is unencrypted and its host is not this machine's loopback."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "ws"}:
        return False
    host = parts.hostname or ""
    if host == "localhost":
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


def _cross_faults(
    chains: Mapping[int, ChainSection], peers: Mapping[int, PeerSection], *, allow_insecure: bool
) -> Iterable[str]:
    """What sections say that cannot stand together; each by its index in the file."""
    for where, values in (
        ("chains[].name", [chain.name for chain in chains.values()]),
        ("chains[].caip2", [chain.caip2 for chain in chains.values()]),
        ("peers[].name", [peer.name for peer in peers.values()]),
        ("peers[].url", [peer.url for peer in peers.values()]),
        ("peers[].signer", [peer.signer for peer in peers.values()]),
    ):
        for value in sorted({value for value in values if values.count(value) > 1}):
            yield f"{where}: {value} is used twice; each must be another one"
    if allow_insecure:
        return
    advice = "is not encrypted and leaves this machine; use TLS, or set node.allow_insecure on a closed network"
    for index, chain in chains.items():
        for key, urls in (("rpc_urls", chain.rpc_urls), ("ws_urls", chain.ws_urls)):
            for position, url in enumerate(urls):
                # SECURITY: whoever sits on the way could tell this signer what is final.
                if _is_in_the_clear(url.get_secret_value()):
                    yield f"chains[{index}].{key}[{position}]: {advice}"
    for index, peer in peers.items():
        if _is_in_the_clear(peer.url):
            yield f"peers[{index}].url: {advice}"


def _cross_faults_despite(document: Mapping[str, Any]) -> Iterable[str]:
    """The same, of those sections of a faulty file that are right in themselves."""
    node = document.get("node")
    allow_insecure = isinstance(node, dict) and node.get("allow_insecure") is True
    chains = _valid_sections(ChainSection, document.get("chains"))
    return _cross_faults(chains, _valid_sections(PeerSection, document.get("peers")), allow_insecure=allow_insecure)


def _valid_sections(model: type[_SectionT], items: object) -> dict[int, _SectionT]:
    valid: dict[int, _SectionT] = {}
    for index, item in enumerate(items if isinstance(items, list) else ()):
        try:
            valid[index] = model.model_validate(item)
        except ValidationError:
            continue
    return valid


_FAULT_SEPARATOR: Final = "\n"


def _refuse(faults: Iterable[str]) -> None:
    """Raise all faults, if any, as one error: the library takes one error a validator."""
    found = list(faults)
    if found:
        raise ValueError(_FAULT_SEPARATOR.join(found))


def _faults(error: ValidationError) -> Iterable[str]:
    """Each fault as `key: what is wrong; what to do`, without what was in the file."""
    for item in told_errors(error):
        where = place(item["loc"])
        description = _description(item["loc"])
        match item["type"]:
            case "missing":
                yield f"{where}: missing; set it: {description}"
            case "extra_forbidden":
                yield f"{where}: no such key; `xvm config example` shows all of them"
            case "value_error":
                for fault in item["msg"].removeprefix("Value error, ").split(_FAULT_SEPARATOR):
                    yield f"{where}: {fault}" if where else fault
            case _:
                message = item["msg"][0].lower() + item["msg"][1:]
                yield f"{where}: {message}; it is {description}"


def told_errors(error: ValidationError) -> list[ErrorDetails]:
    """The library's errors worth telling, without what was in the file.

    A sequence whose items are faulty is "too short" as well, for only faultless items are counted: that is left out.
    """
    items = error.errors(include_url=False, include_input=False)
    return [
        item
        for item in items
        if item["type"] != "too_short" or not any(_is_within(other["loc"], item["loc"]) for other in items)
    ]


def place(location: tuple[int | str, ...]) -> str:
    """A key as people write it, such as `chains[0].name`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _is_within(location: tuple[int | str, ...], outer: tuple[int | str, ...]) -> bool:
    return len(location) > len(outer) and location[: len(outer)] == outer


def _description(location: tuple[int | str, ...]) -> str:
    """What the key at `location` means, from the model."""
    sections: dict[str, type[BaseModel]] = {
        "node": NodeSection,
        "signer": SignerSection,
        "chains": ChainSection,
        "peers": PeerSection,
        "policy": PolicySection,
        "finality": FinalitySection,
    }
    model: type[BaseModel] = Settings
    description = "see `xvm config example`"
    for part in location:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        if field is None:
            break
        description = field.description or description
        model = sections.get(part, model)
    return description
