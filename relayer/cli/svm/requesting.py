"""What a request costs at the gateway on Solana, and the instruction that makes it.

Its job: from what is asked for and the route's terms to lamports and to data and accounts. It fetches nothing.

Source: contracts/svm/README.md, Fees; contracts/svm/src/source.h; contracts/svm/xvm_gateway.idl.json, `request`.
"""

from __future__ import annotations

import struct
from typing import Final

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from attestation.address import InteroperableAddress
from relayer.cli.asking import Ask
from relayer.cli.usage import WrongUsage
from relayer.vms.svm.accounts import Terms
from relayer.vms.svm.addresses import SYSTEM_PROGRAM, GatewayAddresses

_TAG: Final = b"\x0d"
_NUMBERS: Final = struct.Struct("<QQ")
_OPTIONS: Final = struct.Struct("<B?QQIQ?32sIQ")
_NO_CALLBACK: Final = b"\0"
_DEFAULT_EXECUTION_GAS: Final = 500_000
_DEFAULT_CALLBACK_GAS: Final = 300_000
_PRICED_GAS: Final = 1_000_000
"""So much gas is what a price is of."""


def quote_lamports(ask: Ask, terms: Terms) -> int:
    """The fee: execution, delivery, callback and signers, as the gateway reckons them."""
    execution_gas = ask.execution_gas_limit or min(_DEFAULT_EXECUTION_GAS, terms.max_execution_gas)
    callback_gas = ask.callback_gas_limit or min(_DEFAULT_CALLBACK_GAS, terms.max_callback_gas)
    gas = execution_gas + terms.execution_overhead_gas + terms.execution_gas_per_byte * len(ask.payload)
    return (
        _price(gas, terms.execution_price)
        + terms.delivery_lamports
        + _price(callback_gas, terms.callback_price)
        + terms.signers_lamports
    )


def request_instruction(
    addresses: GatewayAddresses, sender: Pubkey, ask: Ask, *, salt: int, max_fee: int, expiry: int
) -> Instruction:
    """Ask, as a wallet that pays for itself: the event alone will be its callback. `expiry` in Unix seconds or 0.

    Raises `WrongUsage` for limits that fit no field.
    """
    try:
        options = _OPTIONS.pack(
            ask.mode,
            ask.own_account,
            ask.execution_gas_limit,
            ask.callback_gas_limit,
            ask.return_limit,
            expiry,
            False,
            ask.code_hash,
            0,
            ask.deadline_blocks,
        )
    except struct.error:
        raise WrongUsage(
            ["a limit in gas, bytes, seconds or blocks is larger than any that the gateway takes"]
        ) from None
    data = b"".join(
        (
            _TAG,
            _NUMBERS.pack(salt, max_fee),
            _sized(ask.target.to_bytes()),
            _sized(ask.payload),
            options,
            _sized(ask.metadata),
            _NO_CALLBACK,
        )
    )
    accounts = [
        AccountMeta(sender, is_signer=True, is_writable=True),
        _readable(addresses.config),
        _readable(addresses.event_authority),
        _readable(addresses.program),
        AccountMeta(sender, is_signer=True, is_writable=False),
        _readable(addresses.outbound(chain_of(ask.target))),
        _writable(addresses.sender(sender)),
        _writable(addresses.pending(sender, salt)),
        _readable(addresses.program),  # of what is ordered: left out
        _readable(SYSTEM_PROGRAM),
    ]
    return Instruction(addresses.program, data, accounts)


def chain_of(target: InteroperableAddress) -> bytes:
    """The chain-only ERC-7930 address of a target's chain, under which a gateway knows a destination."""
    return target.chain.to_bytes()


def _price(gas: int, price: int) -> int:
    return -(-gas * price // _PRICED_GAS)


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(4, "little") + data


def _readable(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=False, is_writable=False)


def _writable(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=False, is_writable=True)
