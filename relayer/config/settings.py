"""The whole configuration file.

Its job: read it, put the sections together, and give each part of the node what it needs.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.sources import InitSettingsSource

from attestation.errors import MalformedSecret
from attestation.schemes import SCHEMES_BY_NAME, Scheme, SigningKey
from relayer.config.faults import refuse, tell
from relayer.config.sections import ChainSection, NodeSection, PeerSection, PolicySection, Section, SignerSection
from relayer.config.values import SecretUrl, is_in_the_clear
from relayer.domain.policy import SpendPolicy
from relayer.errors import ConfigError
from relayer.keys.keystore import PasswordMissing, Secret, load_password, load_secret
from relayer.peers.wire import PEER_SCHEME
from relayer.ports.vm import ChainSettings

MAX_CONFIG_BYTES: Final = 1 << 20
"""A file for a hundred chains has some 100 kB; what is longer is another file, named by mistake."""

_SectionT = TypeVar("_SectionT", bound=Section)


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
        faults += _key_faults(self.signer, peers)
        for key, url in (("database_url", self.database_url), ("guard_database_url", self.guard_database_url)):
            text = url.get_secret_value()
            if text and not text.startswith(("sqlite:///", "postgresql://")):
                faults.append(
                    f"{key}: must start with sqlite:/// or postgresql://; leave it out for a file in data_dir"
                )
        if self.store_url == self.guard_url:
            # SECURITY: the one may be restored from a backup, the other never: a signer that forgot is a signer lost.
            faults.append("guard_database_url: must be another database than database_url")
        refuse(faults)
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

    @property
    def scheme(self) -> Scheme:
        """That of the network's signers."""
        return SCHEMES_BY_NAME[self.signer.scheme]

    def load_signing_key(self) -> SigningKey:
        """The signer's key. Raises `ConfigError`."""
        return self._load_signing_key("signer.key_file", self.signer.key_file, self.scheme)

    def load_peer_key(self) -> SigningKey | None:
        """The key that signs messages to peers, None if the signer's own does. Raises `ConfigError`."""
        path = self.signer.peer_key_file
        return None if path is None else self._load_signing_key("signer.peer_key_file", path, PEER_SCHEME)

    def load_chain_settings(self) -> tuple[ChainSettings, ...]:
        """Each chain as its adapter is told, wallet keys included. Raises `ConfigError` with the faults of all."""
        loaded: list[ChainSettings] = []
        faults: list[str] = []
        for index, chain in enumerate(self.chains):
            try:
                secret = self._load_key(f"chains[{index}].wallet_key_file", chain.wallet_key_file)
                loaded.append(_chain_settings(chain, secret))
            except ConfigError as error:
                faults.extend(error.faults)
        if faults:
            raise ConfigError(faults)
        return tuple(loaded)

    def require_loadable_keys(self) -> None:
        """Return if every key loads and none both signs and pays. Raises `ConfigError` with the faults of all."""
        faults: list[str] = []
        signing: dict[str, bytes] = {}
        chains: tuple[ChainSettings, ...] = ()
        for name, key, path, scheme in (
            ("signer's", "signer.key_file", self.signer.key_file, self.scheme),
            ("peer", "signer.peer_key_file", self.signer.peer_key_file, PEER_SCHEME),
        ):
            if path is None:
                continue
            try:
                secret = self._load_key(key, path)
                _signing_key(key, path, scheme, secret)
                signing[name] = secret.reveal()
            except ConfigError as error:
                faults += error.faults
        try:
            chains = self.load_chain_settings()
        except ConfigError as error:
            faults += error.faults
        # SECURITY: the wallet's key is used for each transaction, the signer's speaks for the network, the peer key for
        # this node: whoever gets hold of the one must not have the others.
        faults += [
            f"chains[{index}].wallet_key_file: holds the {name} key; make another one: xvm keys new"
            for index, chain in enumerate(chains)
            for name, secret in signing.items()
            if chain.wallet_key == secret
        ]
        if faults:
            raise ConfigError(list(dict.fromkeys(faults)))

    def _load_signing_key(self, key: str, path: Path, scheme: Scheme) -> SigningKey:
        return _signing_key(key, path, scheme, self._load_key(key, path))

    def _load_key(self, key: str, path: Path) -> Secret:
        """A key file; its faults name the configuration's key, and where its password is looked for."""
        try:
            return load_secret(path, load_password(self.signer.password_env, self.signer.password_file))
        except PasswordMissing:
            fault = f"{key}: {path} needs a password: set {self.signer.password_env}, or signer.password_file"
            raise ConfigError([fault]) from None
        except ConfigError as error:
            raise ConfigError([f"{key}: {item}" for item in error.faults]) from None


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
        faults = [*tell(error, Settings), *_cross_faults_despite(document)]
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
    except ValueError as error:  # of the text, of its encoding, or of a number with thousands of digits
        raise ConfigError([f"{path}: not TOML: {error}"]) from None
    except RecursionError:
        raise ConfigError([f"{path}: nested deeper than any configuration"]) from None


_PATH_KEYS: Final = {
    "node": ("data_dir",),
    "signer": ("key_file", "peer_key_file", "password_file"),
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


def _signing_key(key: str, path: Path, scheme: Scheme, secret: Secret) -> SigningKey:
    try:
        return scheme.signing_key(secret.reveal())
    except MalformedSecret as error:
        fault = f"{key}: {path} holds no key of {scheme.name}: {error}; make another one: xvm keys new"
        raise ConfigError([fault]) from None


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
        max_fee_per_gas=chain.max_fee,
        request_timeout_seconds=chain.request_timeout_seconds,
        wallet_key=wallet_key.reveal(),
    )


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
        # SECURITY: a list of attestations is its sender's own; one sender with two signers could speak for either.
        ("peers[].peer_key", [f"0x{key.hex()}" for key in {p.signer: p.message_key for p in peers.values()}.values()]),
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
                if is_in_the_clear(url.get_secret_value()):
                    yield f"chains[{index}].{key}[{position}]: {advice}"
    for index, peer in peers.items():
        if is_in_the_clear(peer.url):
            yield f"peers[{index}].url: {advice}"


def _key_faults(signer: SignerSection, peers: Mapping[int, PeerSection]) -> Iterable[str]:
    """Keys that are not of the signers' scheme, and peer keys that are missing."""
    scheme = SCHEMES_BY_NAME[signer.scheme]
    has_own = scheme is not PEER_SCHEME
    if has_own and signer.peer_key_file is None:
        yield (
            f"signer.peer_key_file: is missing; a key of {scheme.name} signs no messages to peers; "
            "make a key for them: xvm keys new"
        )
    for index, peer in peers.items():
        if len(peer.signer_key) != scheme.public_key_length:
            yield (
                f"peers[{index}].signer: has {len(peer.signer_key)} bytes, a key of {scheme.name} has "
                f"{scheme.public_key_length}; correct it, or signer.scheme"
            )
        if has_own and peer.peer_key is None:
            yield f"peers[{index}].peer_key: is missing; a key of {scheme.name} signs no messages; ask its operator"


def _cross_faults_despite(document: Mapping[str, Any]) -> Iterable[str]:
    """The same, of those sections of a faulty file that are right in themselves."""
    node = document.get("node")
    allow_insecure = isinstance(node, dict) and node.get("allow_insecure") is True
    chains = _valid_sections(ChainSection, document.get("chains"))
    peers = _valid_sections(PeerSection, document.get("peers"))
    signer = _valid_sections(SignerSection, [document.get("signer")]).get(0)
    key_faults = () if signer is None else _key_faults(signer, peers)
    return (*_cross_faults(chains, peers, allow_insecure=allow_insecure), *key_faults)


def _valid_sections(model: type[_SectionT], items: object) -> dict[int, _SectionT]:
    valid: dict[int, _SectionT] = {}
    for index, item in enumerate(items if isinstance(items, list) else ()):
        try:
            valid[index] = model.model_validate(item)
        except ValidationError:
            continue
    return valid


_FAULT_SEPARATOR: Final = "\n"
