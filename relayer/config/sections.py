"""The sections of the configuration file, key by key, each with what it is for.

Its job: what each key may hold, and what within one section contradicts itself.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from attestation.address import parse_chain_text
from attestation.schemes import DEFAULT_SCHEME
from relayer.config.faults import refuse
from relayer.config.values import (
    MAX_BLOCK,
    SCHEME_NAMES,
    ChainText,
    Folder,
    KeyFile,
    PlainPath,
    Price,
    Seconds,
    SecretUrl,
    is_account,
    is_url,
    peer_key_text,
    scheme_text,
    signer_text,
    url_text,
)
from relayer.domain.finality import FinalityRule, FinalityTag
from relayer.peers.wire import PEER_SCHEME

DEFAULT_TRANSACTION_GAS_CAP: Final = 16_777_216
"""EIP-7825: no larger transaction is taken by chains that follow it."""

MAX_GAS_CAP: Final = 2**53
"""No chain has blocks as large."""

MAX_FEE_PER_GAS: Final = 2**63 - 1
"""Beyond any fee of any chain."""

_WEI_PER_GWEI: Final = 10**9

MAX_PERCENT: Final = 1_000_000
"""Ten thousand times its fees: more for a request is a slip of the finger."""

MAX_WINDOW_REQUESTS: Final = 1_000_000
"""More than any chain carries while a transaction is open."""

_PASSWORD_VARIABLE: Final = "XVM_PASSWORD"  # noqa: S105 - the name of a variable, not a password
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


class Section(BaseModel):
    """Frozen, and an unknown key is a fault: a misspelt limit must not silently be the default."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """The library takes true for 1; an operator who wrote it meant something else."""
        if isinstance(value, bool) and cls.model_fields[info.field_name or ""].annotation is not bool:
            raise ValueError("true and false mean nothing here; `xvm config example` shows what does")
        return value


class NodeSection(Section):
    """`[node]`: this relayer itself."""

    name: str = Field(pattern=_NAME, description="short name of this relayer: lower-case letters, digits, hyphens")
    network: str = Field(
        min_length=1, max_length=64, description="name of the relayer network, the same at all its relayers"
    )
    data_dir: Folder = Field(description="folder for databases; made if it is missing")
    api_host: str = Field("127.0.0.1", description="address that the API listens on")
    api_port: int = Field(8600, ge=0, le=65535, description="port that the API listens on; 0 takes a free one")
    log_level: LogLevel = Field(LogLevel.INFO, description="debug, info, warning or error")
    log_format: LogFormat = Field(LogFormat.AUTO, description="auto, text or json")
    allow_insecure: bool = Field(
        default=False, description="accept http:// and ws:// URLs that leave this machine; for closed networks only"
    )


class SignerSection(Section):
    """`[signer]`: the key that attests. The same password opens the peer key and the chains' wallet keys."""

    key_file: KeyFile = Field(description="key file of this relayer's signer; `xvm keys new` makes one")
    scheme: Annotated[str, AfterValidator(scheme_text)] = Field(
        DEFAULT_SCHEME.name, description=f"signature scheme of the network's signers: {SCHEME_NAMES}"
    )
    peer_key_file: KeyFile | None = Field(
        None,
        description="key file of what signs messages to peers; the signer's own if not given, where it can "
        f"({PEER_SCHEME.name})",
    )
    password_file: PlainPath | None = Field(None, description="file with the password of the key files, mode 0600")
    password_env: str = Field(
        _PASSWORD_VARIABLE, description="environment variable with the password, read if there is no password_file"
    )


class FinalitySection(Section):
    """`finality`: when a block of the chain is final. Exactly one of both."""

    depth_blocks: int | None = Field(None, ge=0, le=MAX_BLOCK, description="blocks under the tip")
    tag: FinalityTag | None = Field(None, description="`finalized` or `safe`, as the chain reports it")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.depth_blocks is None) == (self.tag is None):
            raise ValueError('write either { depth_blocks = N } or { tag = "finalized" }')
        return self

    def rule(self) -> FinalityRule:
        """As the domain has it."""
        return FinalityRule(self.depth_blocks, self.tag)


class ChainSection(Section):
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
    start_block: int = Field(
        0, ge=0, le=MAX_BLOCK, description="first block to look at: that of the gateway's deployment"
    )
    finality: FinalitySection = Field(description='{ depth_blocks = N } or { tag = "finalized" }')
    block_time_seconds: Seconds = Field(description="average time between blocks")
    max_blocks_per_fetch: int = Field(64, ge=1, le=2048, description="blocks asked for in one exchange")
    transaction_gas_cap: int = Field(
        DEFAULT_TRANSACTION_GAS_CAP,
        ge=1_000_000,
        le=MAX_GAS_CAP,
        description="most gas that one transaction may have on this chain",
    )
    max_fee_per_gas_gwei: Price = Field(Decimal(500), description="never offer more per gas than this, in gwei")
    max_fee_per_gas: int | None = Field(
        None,
        ge=1,
        le=MAX_FEE_PER_GAS,
        description="holds in its place: in the smallest unit of the chain's fees, where gwei mean nothing",
    )
    request_timeout_seconds: Seconds = Field(10.0, description="for one exchange with an endpoint")
    wallet_key_file: KeyFile = Field(description="key file of the account that pays on this chain")
    native_price: Price = Field(
        Decimal(1), description="worth of one coin of this chain, in any unit common to all chains"
    )
    native_decimals: int = Field(18, ge=0, le=36, description="decimals of that coin")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        faults = [
            # SECURITY: what was written is not repeated: it may be a key in the wrong place.
            f"{key} is not an account of {self.caip2}; write {parse_chain_text(self.caip2).account_form}"
            for key, text in (("gateway", self.gateway), ("verifier", self.verifier), ("registry", self.registry))
            if text is not None and not is_account(self.caip2, text)
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
                if not is_url(url.get_secret_value(), schemes)
            )
        refuse(faults)
        return self

    @property
    def max_fee(self) -> int:
        """The most to offer per gas, in the smallest unit of the chain's fees."""
        return self.max_fee_per_gas or int(self.max_fee_per_gas_gwei * _WEI_PER_GWEI)

    @property
    def quorum(self) -> int:
        """How many endpoints must agree: as configured, or the majority."""
        return self.rpc_quorum or len(self.rpc_urls) // 2 + 1


class PeerSection(Section):
    """`[[peers]]`: another relayer of the network."""

    name: str = Field(pattern=_NAME, description="short name of the peer")
    url: Annotated[str, AfterValidator(url_text)] = Field(description="base URL of its API")
    signer: Annotated[str, AfterValidator(signer_text)] = Field(
        description="its signer key: 0x and hex digits; the public key alone, without its proof"
    )
    peer_key: Annotated[str, AfterValidator(peer_key_text)] | None = Field(
        None,
        description="what signs its messages: 0x and 40 hex digits; its signer key if not given, where that can",
    )

    @property
    def signer_key(self) -> bytes:
        """The signer's public key."""
        return bytes.fromhex(self.signer[2:])

    @property
    def message_key(self) -> bytes:
        """What its messages are signed with: the 20-byte peer key, or its signer key."""
        return bytes.fromhex((self.peer_key or self.signer)[2:])


class PolicySection(Section):
    """`[policy]`: when to act and what to spend. It has no say in what is signed."""

    takeover_seconds: Seconds = Field(4.0, description="how long each rank waits for the one before it")
    split_seconds: Seconds = Field(
        20.0, description="after this long without a quorum, the parts of a batch are signed as well"
    )
    hold_recheck_seconds: Seconds = Field(30.0, description="how often what does not pay is looked at again")
    window_requests: int = Field(
        1_000,
        ge=1,
        le=MAX_WINDOW_REQUESTS,
        description="so many requests of a route may be in this node's open transactions; what is beyond waits",
    )
    cost_limit_percent: int = Field(
        100,
        ge=0,
        le=MAX_PERCENT,
        description="hold what costs more than this part of its fees; above 100 subsidises, 0 spends nothing",
    )
