"""A deployment plan as people write it: one TOML file.

Its job: turn the file into the values that the deployment takes, or name every fault at once. It reaches no chain.
"""

from __future__ import annotations

import re
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    model_validator,
)

from attestation.address import parse_account_text, parse_chain_text
from attestation.errors import AttestationError
from attestation.schemes import DEFAULT_SCHEME, SCHEMES_BY_NAME
from attestation.signer_set import Signer, SignerSet, operator_id, verify_rules
from attestation.textcodecs import bech32_encode
from relayer.cli.text_file import read_text
from relayer.config.faults import place, refuse, told_errors
from relayer.config.sections import FinalitySection
from relayer.config.values import ChainText, SecretUrl, is_account, scheme_text
from relayer.deployment import deployable_namespaces
from relayer.errors import ConfigError
from relayer.ports.deployment import ChainPlan, DeploymentPlan, Grant, Operator, RouteTerms

MAX_PLAN_CHARACTERS: Final = 1 << 20
"""A plan of a hundred chains and their members takes a tenth of it."""

_PER_GIGA: Final = 10**9
"""Wei of a gwei, and gas of what prices are for."""

_KEY: Final = re.compile(r"0x(?:[0-9a-fA-F]{2}){1,512}")
_DENOMINATION: Final = r"^[a-zA-Z][a-zA-Z0-9/:._-]{2,127}$"
_ADDRESS_TEXT_LENGTH: Final = 42
_ADDRESS_HELP: Final = "0x and 40 hex digits, with its checksum or in lower case"


def _address(text: str) -> str:
    try:
        parse_account_text(f"eip155:1:{text}")
    except AttestationError:
        # SECURITY: what was written is not repeated: it may be a key in the wrong place.
        raise ValueError(f"not an address; write {_ADDRESS_HELP}") from None
    return text


def _name(text: str) -> str:
    operator_id(text)
    return text


def _key(text: str) -> str:
    """A key as signer sets list it; whether it is one of the set's scheme the rules of sets say."""
    if len(text) == _ADDRESS_TEXT_LENGTH:
        return _address(text)
    if not _KEY.fullmatch(text):
        # SECURITY: what was written is not repeated: it may be a secret in the wrong place.
        raise ValueError("not a key; write 0x and the hex digits that `xvm keys show` prints")
    return text


def _bech32_prefix(text: str) -> str:
    try:
        bech32_encode(text, b"")
    except AttestationError:
        raise ValueError("not a bech32 prefix; write the letters before the 1 of the chain's accounts") from None
    return text


Address = Annotated[str, AfterValidator(_address)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class OwnerSection(_Section):
    """`[owner]`: the account that deploys."""

    key_file: Path
    password_file: Path | None = None


class MemberSection(_Section):
    """`[[signers.members]]`: one signer and who runs it."""

    name: Annotated[str, AfterValidator(_name)]
    key: Annotated[str, AfterValidator(_key)]
    weight: PositiveInt = 1
    endpoint: str = Field(max_length=256)
    payout: Address


class SignersSection(_Section):
    """`[signers]`: the first signer set."""

    scheme: Annotated[str, AfterValidator(scheme_text)] = DEFAULT_SCHEME.name
    threshold: PositiveInt
    valid_until: datetime | PositiveInt
    grace_seconds: PositiveInt
    members: tuple[MemberSection, ...] = Field(min_length=2)

    @property
    def valid_until_seconds(self) -> int:
        """Unix seconds."""
        return int(self.valid_until.timestamp()) if isinstance(self.valid_until, datetime) else self.valid_until


class TermsSection(_Section):
    """`[terms]`: what gateways offer each other."""

    min_expiry_seconds: PositiveInt = 60
    default_expiry_seconds: PositiveInt = 1800
    max_expiry_seconds: PositiveInt = 86_400
    max_deadline_blocks: PositiveInt = 1_000_000
    allows_queries: bool = True


class GrantEntry(_Section):
    """`grants`: money to send on the way."""

    account: str
    amount: int = Field(gt=0)


class ChainSection(_Section):
    """`[[chains]]`: one chain. Accounts are in the chain's own text form, money in the smallest unit of its coin."""

    name: str
    caip2: ChainText
    rpc_url: SecretUrl = Field(repr=False)
    gateway: str | None = None
    finality: FinalitySection
    block_time_seconds: float = Field(gt=0)
    gas_price_gwei: Decimal | None = Field(None, gt=0)
    price_per_gigagas: PositiveInt | None = None
    native_price: Decimal = Field(Decimal(1), gt=0)
    signers_fee: NonNegativeInt | None = None
    owner: str | None = None
    guardian: str | None = None
    treasury: str | None = None
    max_pause_blocks: PositiveInt = 7_200
    quote_validity_blocks: PositiveInt = 25
    sender_window_blocks: NonNegativeInt = 100
    sender_max_requests: NonNegativeInt = 1_000
    max_fee_per_gas_gwei: Decimal | None = Field(None, gt=0)
    max_fee_per_gas: PositiveInt | None = None
    bech32_prefix: Annotated[str, AfterValidator(_bech32_prefix)] | None = None
    fee_denom: str | None = Field(None, pattern=_DENOMINATION)
    coin_decimals: int | None = Field(None, ge=0, le=36)
    grants: tuple[GrantEntry, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        accounts = {key: getattr(self, key) for key in ("gateway", "owner", "guardian", "treasury")}
        accounts |= {f"grants[{index}].account": grant.account for index, grant in enumerate(self.grants)}
        faults = [
            # SECURITY: what was written is not repeated: it may be a key in the wrong place.
            f"{key} is not an account of {self.caip2}, in the form that the chain gives it"
            for key, text in accounts.items()
            if text is not None and not is_account(self.caip2, text, self.bech32_prefix)
        ]
        if (self.gas_price_gwei is None) == (self.price_per_gigagas is None):
            faults.append("write either gas_price_gwei, or price_per_gigagas: smallest units for 10^9 gas")
        if self.max_fee_per_gas_gwei is not None and self.max_fee_per_gas is not None:
            faults.append("write either max_fee_per_gas_gwei or max_fee_per_gas")
        refuse(faults)
        return self


class PlanDocument(_Section):
    """The whole file."""

    owner: OwnerSection
    signers: SignersSection
    chains: tuple[ChainSection, ...] = Field(min_length=2)
    terms: TermsSection = TermsSection()


@dataclass(frozen=True, slots=True)
class PlanFile:
    """What the file says. `rpc_urls` by CAIP-2. SECURITY: they may hold access keys, and show in no repr."""

    plan: DeploymentPlan
    rpc_urls: dict[str, str]
    owner_key_file: Path
    owner_password_file: Path | None

    def __repr__(self) -> str:
        return f"PlanFile(plan={self.plan!r})"


def load_plan(path: Path) -> PlanFile:
    """Read and check the plan. Paths in it are relative to its folder.

    Raises:
        ConfigError: every fault at once, each with its key.
    """
    try:
        raw = tomllib.loads(read_text(path, MAX_PLAN_CHARACTERS))
    except ValueError as error:  # of the text, or of a number with thousands of digits
        raise ConfigError([f"{path}: not TOML: {error}"]) from None
    except RecursionError:
        raise ConfigError([f"{path}: nested deeper than any plan"]) from None
    try:
        document = PlanDocument.model_validate(raw)
    except ValidationError as error:
        # SECURITY: no `from`: the library's error holds what was in the file.
        raise ConfigError(list(_faults(error))) from None
    faults = [
        f"chains[{index}].caip2: nothing that is installed deploys to {chain.caip2}"
        for index, chain in enumerate(document.chains)
        if parse_chain_text(chain.caip2).namespace.value not in deployable_namespaces()
    ]
    if len({chain.caip2 for chain in document.chains}) < len(document.chains):
        faults.append("chains: one caip2 is named twice")
    if faults:
        raise ConfigError(faults)
    plan = _plan(document)
    try:
        verify_rules(plan.signer_set, int(time.time()))
    except AttestationError as error:
        raise ConfigError([f"signers: {error}"]) from None
    folder = path.resolve().parent
    password_file = document.owner.password_file
    return PlanFile(
        plan=plan,
        rpc_urls={chain.caip2: chain.rpc_url.get_secret_value() for chain in document.chains},
        owner_key_file=folder / document.owner.key_file,
        owner_password_file=None if password_file is None else folder / password_file,
    )


def _faults(error: ValidationError) -> Iterator[str]:
    for item in told_errors(error):
        for fault in item["msg"].removeprefix("Value error, ").splitlines():
            yield f"{place(item['loc'])}: {fault}"


def _plan(document: PlanDocument) -> DeploymentPlan:
    signers = document.signers
    scheme = SCHEMES_BY_NAME[signers.scheme]
    members = [(member, operator_id(member.name)) for member in signers.members]
    return DeploymentPlan(
        chains=tuple(_chain_plan(chain) for chain in document.chains),
        signer_set=SignerSet(
            scheme=scheme.number,
            threshold=signers.threshold,
            valid_until=signers.valid_until_seconds,
            grace_seconds=signers.grace_seconds,
            signers=tuple(Signer(_bytes(member.key), member.weight, name) for member, name in members),
        ),
        operators=tuple(Operator(name, member.endpoint, _bytes(member.payout)) for member, name in members),
        terms=RouteTerms(**document.terms.model_dump()),
    )


def _chain_plan(chain: ChainSection) -> ChainPlan:
    def account(text: str) -> bytes:
        return parse_account_text(f"{chain.caip2}:{text}", chain.bech32_prefix).address

    def optional_account(text: str | None) -> bytes | None:
        return None if text is None else account(text)

    return ChainPlan(
        name=chain.name,
        chain=parse_chain_text(chain.caip2),
        finality=chain.finality.rule(),
        block_time_seconds=chain.block_time_seconds,
        price_per_gigagas=chain.price_per_gigagas or int((chain.gas_price_gwei or 0) * _PER_GIGA * _PER_GIGA),
        native_price=float(chain.native_price),
        signers_fee=chain.signers_fee,
        gateway=optional_account(chain.gateway),
        owner=optional_account(chain.owner),
        guardian=optional_account(chain.guardian),
        treasury=optional_account(chain.treasury),
        max_pause_blocks=chain.max_pause_blocks,
        quote_validity_blocks=chain.quote_validity_blocks,
        sender_window_blocks=chain.sender_window_blocks,
        sender_max_requests=chain.sender_max_requests,
        max_fee_per_gas=_max_fee_per_gas(chain),
        grants=tuple(Grant(account(grant.account), grant.amount) for grant in chain.grants),
        bech32_prefix=chain.bech32_prefix,
        fee_denom=chain.fee_denom,
        coin_decimals=chain.coin_decimals,
    )


def _max_fee_per_gas(chain: ChainSection) -> int | None:
    gwei = chain.max_fee_per_gas_gwei
    return chain.max_fee_per_gas if gwei is None else int(gwei * _PER_GIGA)


def _bytes(address: str) -> bytes:
    return bytes.fromhex(address[2:])
