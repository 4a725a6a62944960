"""Methods about SPL tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from solders.pubkey import Pubkey

from relayer.devnet.svm.account_json import form_of
from relayer.devnet.svm.chain import Chain
from relayer.devnet.svm.methods.answering import Method, block_of, in_context, reader_at
from relayer.devnet.svm.params import Params, as_pubkey
from relayer.devnet.svm.rpc_errors import invalid_params
from relayer.devnet.svm.tokens import PROGRAMS, amount_json, parse_mint, parse_token_account


def get_token_account_balance(chain: Chain, params: Params) -> Any:
    """The balance of a token account."""
    key = params.pubkey(0)
    slot = block_of(chain, params.options(1)).slot
    account = chain.account(key, slot)
    if account is None:
        raise invalid_params("could not find account")
    held = parse_token_account(account)
    mint = None if held is None else parse_mint(chain.account(held.mint, slot))
    if held is None or mint is None:
        raise invalid_params("not a Token account")
    return in_context(slot, amount_json(held.amount, mint.decimals))


def get_token_supply(chain: Chain, params: Params) -> Any:
    """The supply of a mint."""
    key = params.pubkey(0)
    slot = block_of(chain, params.options(1)).slot
    account = chain.account(key, slot)
    if account is None:
        raise invalid_params("could not find account")
    mint = parse_mint(account)
    if mint is None:
        raise invalid_params("not a Token mint")
    return in_context(slot, amount_json(mint.supply, mint.decimals))


def get_token_accounts_by_owner(chain: Chain, params: Params) -> Any:
    """The token accounts of an owner, of one mint or of one token program."""
    owner, wanted, options = params.pubkey(0), params.raw(1), params.options(2)
    form, slot = form_of(options), block_of(chain, options).slot
    read = reader_at(chain, slot)
    mint, program = _wanted(wanted)
    if mint is not None:
        account = read(mint)
        if account is None or account.owner not in PROGRAMS:
            raise invalid_params("could not find mint")
        program = account.owner
    if program not in PROGRAMS:
        raise invalid_params("unrecognized Token program id")
    found = []
    for key, account in chain.program_accounts(program, slot):
        held = parse_token_account(account)
        if held is not None and held.owner == owner and mint in (None, held.mint):
            found.append((bytes(key), {"pubkey": str(key), "account": form.write(account, read)}))
    return in_context(slot, [written for _, written in sorted(found, key=lambda item: item[0])])


def _wanted(value: Any) -> tuple[Pubkey | None, Pubkey | None]:
    """The mint, or the program, that a call limits itself to."""
    match value:
        case {"mint": mint, **more} if not more:
            return as_pubkey(mint), None
        case {"programId": program, **more} if not more:
            return None, as_pubkey(program)
    raise invalid_params("the second parameter must be an object of mint or programId")


TOKEN_METHODS: Final[Mapping[str, Method]] = {
    "getTokenAccountBalance": Method(2, get_token_account_balance),
    "getTokenAccountsByOwner": Method(3, get_token_accounts_by_owner),
    "getTokenSupply": Method(2, get_token_supply),
}
