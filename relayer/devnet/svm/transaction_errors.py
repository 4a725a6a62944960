"""A transaction's error as the RPC writes it, and in the words of the runtime.

Source: `TransactionError` of solana-transaction-error, its variants and their texts.
"""

from __future__ import annotations

import json
from typing import Any, Final

from solders.transaction_status import TransactionErrorFieldless, TransactionErrorType, UiTransactionStatusMeta

BLOCKHASH_NOT_FOUND: Final = "BlockhashNotFound"
ALREADY_PROCESSED: Final = "AlreadyProcessed"
SIGNATURE_FAILURE: Final = "SignatureFailure"
SANITIZE_FAILURE: Final = "SanitizeFailure"
UNSUPPORTED_VERSION: Final = "UnsupportedVersion"

_TEXTS: Final = {
    "AccountInUse": "Account in use",
    "AccountLoadedTwice": "Account loaded twice",
    "AccountNotFound": "Attempt to debit an account but found no record of a prior credit.",
    "ProgramAccountNotFound": "Attempt to load a program that does not exist",
    "InsufficientFundsForFee": "Insufficient funds for fee",
    "InvalidAccountForFee": "This account may not be used to pay transaction fees",
    ALREADY_PROCESSED: "This transaction has already been processed",
    BLOCKHASH_NOT_FOUND: "Blockhash not found",
    "CallChainTooDeep": "Loader call chain is too deep",
    "MissingSignatureForFee": "Transaction requires a fee but has no signature present",
    "InvalidAccountIndex": "Transaction contains an invalid account reference",
    SIGNATURE_FAILURE: "Transaction did not pass signature verification",
    "InvalidProgramForExecution": "This program may not be used for executing instructions",
    SANITIZE_FAILURE: "Transaction failed to sanitize accounts offsets correctly",
    UNSUPPORTED_VERSION: "Transaction version is unsupported",
    "InvalidWritableAccount": "Transaction loads a writable account that cannot be written",
    "TooManyAccountLocks": "Transaction locked too many accounts",
    "AddressLookupTableNotFound": "Transaction loads an address table account that doesn't exist",
    "InvalidAddressLookupTableOwner": "Transaction loads an address table account with an invalid owner",
    "InvalidAddressLookupTableData": "Transaction loads an address table account with invalid data",
    "InvalidAddressLookupTableIndex": "Transaction address table lookup uses an invalid index",
    "InvalidRentPayingAccount": "Transaction leaves an account with a lower balance than rent-exempt minimum",
    "MaxLoadedAccountsDataSizeExceeded": "Transaction exceeded max loaded accounts data size cap",
    "InvalidLoadedAccountsDataSizeLimit": "LoadedAccountsDataSizeLimit set for transaction must be greater than 0.",
    "UnbalancedTransaction": "Sum of account balances before and after transaction do not match",
    "ProgramCacheHitMaxLimit": "Program cache hit max limit",
}

ErrorJson = str | dict[str, Any]
"""A variant without fields is its name; one with fields an object of one member."""


def error_json(error: TransactionErrorType) -> ErrorJson:
    """The error in the RPC's JSON."""
    if isinstance(error, TransactionErrorFieldless):
        return str(error).rpartition(".")[2]
    document = UiTransactionStatusMeta(err=error, fee=0, pre_balances=[], post_balances=[]).to_json()
    written: ErrorJson = json.loads(document)["err"]
    return written


def error_text(error: ErrorJson, logs: list[str]) -> str:
    """The error in words. What an instruction failed with, the runtime itself has written last into the logs."""
    match error:
        case str(name):
            return _TEXTS.get(name, name)
        case {"InstructionError": [index, {"Custom": int(code)}]}:
            return f"Error processing Instruction {index}: custom program error: {code:#x}"
        case {"InstructionError": [index, reason]}:
            _, failed, text = logs[-1].partition(" failed: ") if logs else ("", "", "")
            return f"Error processing Instruction {index}: {text if failed else reason}"
        case {"InsufficientFundsForRent": {"account_index": index}}:
            return f"Transaction results in an account ({index}) with insufficient funds for rent"
        case {"DuplicateInstruction": index}:
            return f"Transaction contains a duplicate instruction ({index}) that is not allowed"
    return json.dumps(error)
