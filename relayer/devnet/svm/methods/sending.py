"""Methods that run transactions: send, simulate, airdrop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from relayer.devnet.svm.account_json import AccountForm
from relayer.devnet.svm.blocks import Block
from relayer.devnet.svm.chain import Chain, Simulated
from relayer.devnet.svm.messages import MAX_TRANSACTION_BYTES, TransactionRefusedError, is_signed, parse_transaction
from relayer.devnet.svm.methods.answering import Method, block_of, in_context, reader_at
from relayer.devnet.svm.params import Options, Params, as_base58, as_base64, as_blockhash, as_pubkey
from relayer.devnet.svm.rpc_errors import RpcError, invalid_params, preflight_failure, signature_verification_failure
from relayer.devnet.svm.transaction_errors import SIGNATURE_FAILURE, error_text
from relayer.devnet.svm.transaction_json import inner_json, return_data_json

_MAX_TEXT: Final = 2 * MAX_TRANSACTION_BYTES
"""Base64 needs a third more characters than bytes, base58 not half more."""

_MAX_AIRDROP_LAMPORTS: Final = 1_000_000 * 10**9
_MAX_SIMULATED_ACCOUNTS: Final = 64
_ENCODINGS: Final = ("base58", "base64")


def send_transaction(chain: Chain, params: Params) -> Any:
    """Execute a transaction, after a simulation unless that is skipped; its signature."""
    options = params.options(1)
    transaction = _transaction(params, options)
    # A transaction is executed at once or never: there is nothing to send again.
    options.integer("maxRetries")
    skips_preflight = options.flag("skipPreflight")
    block = block_of(chain, options, name="preflightCommitment")
    if not skips_preflight:
        if not is_signed(transaction):
            raise signature_verification_failure()
        simulated = chain.simulate(transaction, block, is_blockhash_replaced=False)
        if simulated.error is not None:
            result = _simulated_json(simulated)
            raise preflight_failure(error_text(simulated.error, result["logs"]), result)
    try:
        chain.send(transaction)
    except TransactionRefusedError as refused:
        if refused.error == SIGNATURE_FAILURE:
            raise signature_verification_failure() from None
        # A validator has taken it by now, and nobody hears of it again.
    return str(transaction.signatures[0])


def simulate_transaction(chain: Chain, params: Params) -> Any:
    """What a transaction would do upon the state of a commitment."""
    options = params.options(1)
    transaction = _transaction(params, options)
    is_verified, is_replaced = options.flag("sigVerify"), options.flag("replaceRecentBlockhash")
    if is_verified and is_replaced:
        raise invalid_params("sigVerify may not be used with replaceRecentBlockhash")
    shows_inner = options.flag("innerInstructions")
    form, addresses = _wanted_accounts(options)
    block = block_of(chain, options)
    if is_verified and not is_signed(transaction):
        raise signature_verification_failure()
    simulated = chain.simulate(transaction, block, is_blockhash_replaced=is_replaced)
    result = _simulated_json(simulated)
    if addresses is not None:
        result["accounts"] = _accounts_json(chain, simulated, block, form, addresses)
    if shows_inner and simulated.result is not None and simulated.keys is not None:
        result["innerInstructions"] = inner_json(simulated.result, simulated.keys, is_parsed=True)
    if is_replaced:
        blockhash, last_height = chain.blockhash_at(block)
        result["replacementBlockhash"] = {"blockhash": str(blockhash), "lastValidBlockHeight": last_height}
    return in_context(block.slot, result)


def request_airdrop(chain: Chain, params: Params) -> Any:
    """Send lamports from the faucet; the signature of the transfer."""
    key, lamports = params.pubkey(0), params.integer(1, most=_MAX_AIRDROP_LAMPORTS)
    options = params.options(2)
    options.commitment()
    recent = options.raw("recentBlockhash")
    blockhash = chain.blockhash_at(chain.ledger.open)[0] if recent is None else as_blockhash(recent)
    try:
        return str(chain.airdrop(key, lamports, blockhash).signature)
    except TransactionRefusedError as refused:
        raise RpcError(-32603, f"Internal error: {refused}") from None


def _transaction(params: Params, options: Options) -> VersionedTransaction:
    """The transaction in the first parameter.

    Raises:
        RpcError: it is none.
    """
    text = params.text(0, _MAX_TEXT)
    encoding = options.choice("encoding", _ENCODINGS, "base58")
    decode = as_base64 if encoding == "base64" else as_base58
    try:
        return parse_transaction(decode(text, MAX_TRANSACTION_BYTES))
    except ValueError as error:
        raise invalid_params(
            f"failed to deserialize solana_transaction::versioned::VersionedTransaction: {error}"
        ) from None
    except TransactionRefusedError as refused:
        raise invalid_params(f"invalid transaction: {error_text(refused.error, [])}") from None


def _wanted_accounts(options: Options) -> tuple[AccountForm, list[Pubkey] | None]:
    accounts = options.nested("accounts")
    if accounts is None:
        return AccountForm("base64", None), None
    form = AccountForm(accounts.choice("encoding", ("base64", "jsonParsed"), "base64"), None)
    return form, [as_pubkey(value) for value in accounts.items("addresses", _MAX_SIMULATED_ACCOUNTS)]


def _accounts_json(
    chain: Chain, simulated: Simulated, block: Block, form: AccountForm, addresses: Sequence[Pubkey]
) -> list[dict[str, Any] | None]:
    """Accounts as they would be; null for each that the transaction does not name, and for all if it fails."""
    named = () if simulated.error is not None or simulated.keys is None else simulated.keys.all
    after, read = dict(simulated.accounts), reader_at(chain, block.slot)
    # What the transaction only reads stays what it was.
    found = [(after.get(key) or read(key)) if key in named else None for key in addresses]
    return [None if account is None else form.write(account, read) for account in found]


def _simulated_json(simulated: Simulated) -> dict[str, Any]:
    result = simulated.result
    return {
        "err": simulated.error,
        "logs": [] if result is None else result.logs(),
        "accounts": None,
        "unitsConsumed": 0 if result is None else result.compute_units_consumed(),
        "returnData": None if result is None else return_data_json(result),
        "innerInstructions": None,
        "replacementBlockhash": None,
    }


SENDING_METHODS: Final[Mapping[str, Method]] = {
    "requestAirdrop": Method(3, request_airdrop),
    "sendTransaction": Method(2, send_transaction),
    "simulateTransaction": Method(2, simulate_transaction),
}
