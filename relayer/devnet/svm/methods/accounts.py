"""Methods about accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from relayer.devnet.svm.account_json import filter_of, form_of
from relayer.devnet.svm.chain import Chain
from relayer.devnet.svm.methods.answering import Method, block_of, in_context, reader_at
from relayer.devnet.svm.params import Params, as_pubkey

_MAX_ACCOUNTS: Final = 100
"""Of one call; Source: MAX_MULTIPLE_ACCOUNTS of agave."""

_MAX_ACCOUNT_BYTES: Final = 10 * 1024 * 1024


def get_account_info(chain: Chain, params: Params) -> Any:
    """One account, or null."""
    key, options = params.pubkey(0), params.options(1)
    form, slot = form_of(options), block_of(chain, options).slot
    account = chain.account(key, slot)
    return in_context(slot, None if account is None else form.write(account, reader_at(chain, slot)))


def get_multiple_accounts(chain: Chain, params: Params) -> Any:
    """Several accounts of one state, null for each that is not there."""
    keys = [as_pubkey(value) for value in params.items(0, _MAX_ACCOUNTS)]
    options = params.options(1)
    form, slot = form_of(options, "base64"), block_of(chain, options).slot
    read = reader_at(chain, slot)
    accounts = [read(key) for key in keys]
    return in_context(slot, [None if account is None else form.write(account, read) for account in accounts])


def get_program_accounts(chain: Chain, params: Params) -> Any:
    """All accounts of a program that pass the filters, in order of their addresses."""
    program, options = params.pubkey(0), params.options(1)
    form, passes, slot = form_of(options), filter_of(options), block_of(chain, options).slot
    read = reader_at(chain, slot)
    found = [(bytes(key), key, account) for key, account in chain.program_accounts(program, slot)]
    answer = [
        {"pubkey": str(key), "account": form.write(account, read)}
        for _, key, account in sorted(found, key=lambda item: item[0])
        if passes(account.data)
    ]
    return in_context(slot, answer) if options.flag("withContext") else answer


def get_balance(chain: Chain, params: Params) -> Any:
    """Lamports of an account; 0 if there is none."""
    key = params.pubkey(0)
    slot = block_of(chain, params.options(1)).slot
    account = chain.account(key, slot)
    return in_context(slot, 0 if account is None else account.lamports)


def get_minimum_balance_for_rent_exemption(chain: Chain, params: Params) -> Any:
    """Lamports that an account of so many bytes must hold."""
    size = params.integer(0, most=_MAX_ACCOUNT_BYTES)
    params.options(1).commitment()
    return chain.rent_exempt_minimum(size)


ACCOUNT_METHODS: Final[Mapping[str, Method]] = {
    "getAccountInfo": Method(2, get_account_info),
    "getBalance": Method(2, get_balance),
    "getMinimumBalanceForRentExemption": Method(2, get_minimum_balance_for_rent_exemption),
    "getMultipleAccounts": Method(2, get_multiple_accounts),
    "getProgramAccounts": Method(2, get_program_accounts),
}
