"""Vectors of what is asked and said: addresses, requests, statements and their trees."""

from collections.abc import Sequence
from typing import Any, Final

from attestation.address import InteroperableAddress, parse_account_text, parse_chain_text
from attestation.keccak import keccak256
from attestation.merkle import merkle_path, merkle_root
from attestation.request import Mode, Request, RequestId, encode_request_struct, request_id, route_of
from attestation.statement import EMPTY_DATA_HASH, Execute, Outcome, OutcomeKind, Prices, Rotate, guard_key
from attestation.statement_codec import encode_statements
from tests.vectors.examples import (
    DESTINATION_GATEWAY,
    SENDER,
    SOLANA_MAINNET,
    SOURCE_GATEWAY,
    TARGET,
    UINT32_MAX,
    UINT64_MAX,
    UINT256_MAX,
    example_leaves,
    hash_of,
    text_of,
    word_of,
)

VALID_ACCOUNTS: Final = (
    ("evm mainnet account", "eip155:1:0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045", None),
    ("evm development chain account", "eip155:31337:0x5FbDB2315678afecb367f032d93F642f64180aa3", None),
    ("evm account of zeros", "eip155:256:0x0000000000000000000000000000000000000000", None),
    ("evm widest chain id", f"eip155:{UINT256_MAX}:0xFFfFfFffFFfffFFfFFfFFFFFffFFFffffFfFFFfF", None),
    ("evm chain alone", "eip155:31337", None),
    ("solana mainnet account", f"{SOLANA_MAINNET}:MJKqp326RZCHnAAbew9MDdui3iCKWco7fsK9sVuZTX2", None),
    ("solana system program", f"{SOLANA_MAINNET}:11111111111111111111111111111111", None),
    ("solana chain alone", SOLANA_MAINNET, None),
    ("cosmos account of 20 bytes", "cosmos:cosmoshub-4:cosmos1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5lzv7xu", "cosmos"),
    ("cosmos account without prefix", "cosmos:cosmoshub-4:0x0102030405060708090a0b0c0d0e0f1011121314", None),
    ("cosmos account of 32 bytes", f"cosmos:wasmd-devnet:0x{'ab' * 32}", None),
    ("cosmos chain alone", "cosmos:wasmd-devnet", None),
    ("aptos framework account", f"aptos:1:0x{1:064x}", None),
    ("aptos account", f"aptos:300:0x{'c3' * 32}", None),
    ("aptos chain alone", "aptos:300", None),
    ("qvm account", "qvm:1121:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", None),
    ("qvm chain alone", "qvm:1121", None),
)

REJECTED_BYTES: Final = (
    ("empty", ""),
    ("header cut", "0001000001"),
    ("version 0", "0000000001010100"),
    ("version 2", "00020000010100"),
    ("unknown chain type", "0001ffff010100"),
    ("no chain reference", "00010000001400000000000000000000000000000000000000aa"),
    ("chain id of zero", "00010000010014" + "aa" * 20),
    ("chain id with a leading zero", "0001000002000114" + "aa" * 20),
    ("chain id of 33 bytes", "0001000021" + "01" * 33 + "00"),
    ("chain reference cut", "0001000004010203"),
    ("address length missing", "000100000101"),
    ("evm address of 19 bytes", "00010000010113" + "aa" * 19),
    ("evm address of 32 bytes", "00010000010120" + "aa" * 32),
    ("evm address cut", "00010000010114" + "aa" * 19),
    ("evm address with a byte after it", "00010000010114" + "aa" * 21),
    ("chain alone with a byte after it", "0001000001010000"),
    ("solana reference of 31 bytes", "000100021f" + "01" * 31 + "00"),
    ("solana address of 20 bytes", "0001000220" + "01" * 32 + "14" + "aa" * 20),
    ("cosmos chain id with a colon", "0001c001033a612d00"),
    ("cosmos chain id of 33 characters", "0001c00121" + "61" * 33 + "00"),
    ("cosmos address of 21 bytes", "0001c0010161" + "15" + "aa" * 21),
    ("aptos address of 20 bytes", "0001a0010101" + "14" + "aa" * 20),
    ("qvm address of 32 bytes", "00019a010101" + "20" + "aa" * 32),
)


def address_of_text(text: str) -> InteroperableAddress:
    """An account of CAIP-10 text, or a chain of CAIP-2 text."""
    if text.count(":") == 1:
        return InteroperableAddress(parse_chain_text(text), b"")
    return parse_account_text(text)


def addresses() -> dict[str, Any]:
    """ERC-7930 bytes and CAIP text."""
    values = [address_of_text(text) for _, text, _ in VALID_ACCOUNTS]
    return {
        "description": "ERC-7930 v1 addresses and their CAIP text; then bytes that no strict parser takes",
        "name": [name for name, _, _ in VALID_ACCOUNTS],
        "text": [text for _, text, _ in VALID_ACCOUNTS],
        "bech32Prefix": [prefix or "" for _, _, prefix in VALID_ACCOUNTS],
        "namespace": [value.chain.namespace.value for value in values],
        "chainReference": [text_of(value.chain.reference) for value in values],
        "address": [text_of(value.address) for value in values],
        "encoded": [text_of(value.to_bytes()) for value in values],
        "encodedHash": [text_of(keccak256(value.to_bytes())) for value in values],
        "rejectedName": [name for name, _ in REJECTED_BYTES],
        "rejectedEncoded": [f"0x{digits}" for _, digits in REJECTED_BYTES],
    }


def example_requests() -> dict[str, Request]:
    """Requests that touch every field and both ends of every range."""
    simple = Request(
        source_gateway=SOURCE_GATEWAY,
        sender=SENDER,
        destination_gateway=DESTINATION_GATEWAY,
        target=TARGET,
        nonce=0,
        mode=Mode.CALL,
        own_account=False,
        payload=bytes.fromhex("d09de08a"),
        execution_gas_limit=500_000,
        callback_gas_limit=300_000,
        return_limit=1_024,
        expiry=1_800_000_000,
        ordered_after=0,
        origin=0,
        code_hash=bytes(32),
        dispute_blocks=0,
        metadata=b"",
    )
    ordered = Request(
        source_gateway=SOURCE_GATEWAY,
        sender=SENDER,
        destination_gateway=DESTINATION_GATEWAY,
        target=TARGET,
        nonce=1,
        mode=Mode.CALL,
        own_account=True,
        payload=bytes.fromhex("a9059cbb") + hash_of("recipient") + (10**18).to_bytes(32, "big"),
        execution_gas_limit=10_000_000,
        callback_gas_limit=1,
        return_limit=0,
        expiry=1_800_000_001,
        ordered_after=int.from_bytes(request_id(simple), "big"),
        origin=int.from_bytes(hash_of("first attempt"), "big"),
        code_hash=hash_of("code"),
        dispute_blocks=7_200,
        metadata=b"order 7",
    )
    query = Request(
        source_gateway=SOURCE_GATEWAY,
        sender=SENDER,
        destination_gateway=b"",
        target=TARGET,
        nonce=2,
        mode=Mode.QUERY,
        own_account=False,
        payload=b"",
        execution_gas_limit=100_000,
        callback_gas_limit=200_000,
        return_limit=32,
        expiry=0,
        ordered_after=0,
        origin=0,
        code_hash=bytes(32),
        dispute_blocks=0,
        metadata=b"",
    )
    extreme = Request(
        source_gateway=address_of_text(VALID_ACCOUNTS[3][1]).to_bytes(),
        sender=address_of_text(VALID_ACCOUNTS[3][1]).to_bytes(),
        destination_gateway=address_of_text(VALID_ACCOUNTS[5][1]).to_bytes(),
        target=address_of_text(VALID_ACCOUNTS[6][1]).to_bytes(),
        nonce=UINT64_MAX,
        mode=Mode.CALL,
        own_account=True,
        payload=bytes(range(256)),
        execution_gas_limit=UINT64_MAX,
        callback_gas_limit=UINT64_MAX,
        return_limit=UINT32_MAX,
        expiry=UINT64_MAX,
        ordered_after=UINT256_MAX,
        origin=UINT256_MAX,
        code_hash=b"\xff" * 32,
        dispute_blocks=UINT32_MAX,
        metadata=b"\xff" * 256,
    )
    return {"simple call": simple, "ordered retry": ordered, "query": query, "every range's end": extreme}


def requests() -> dict[str, Any]:
    """Requests, their encoding, ids and routes."""
    examples = example_requests()
    values = list(examples.values())
    return {
        "description": "requests field by field; encoded = typeHash and encodeData; id = keccak256(encoded)",
        "name": list(examples),
        "sourceGateway": [text_of(value.source_gateway) for value in values],
        "sender": [text_of(value.sender) for value in values],
        "destinationGateway": [text_of(value.destination_gateway) for value in values],
        "target": [text_of(value.target) for value in values],
        "nonce": [str(value.nonce) for value in values],
        "mode": [int(value.mode) for value in values],
        "ownAccount": [value.own_account for value in values],
        "payload": [text_of(value.payload) for value in values],
        "executionGasLimit": [str(value.execution_gas_limit) for value in values],
        "callbackGasLimit": [str(value.callback_gas_limit) for value in values],
        "returnLimit": [value.return_limit for value in values],
        "expiry": [str(value.expiry) for value in values],
        "orderedAfter": [word_of(value.ordered_after) for value in values],
        "origin": [word_of(value.origin) for value in values],
        "codeHash": [text_of(value.code_hash) for value in values],
        "disputeBlocks": [value.dispute_blocks for value in values],
        "metadata": [text_of(value.metadata) for value in values],
        "encoded": [text_of(encode_request_struct(value)) for value in values],
        "id": [text_of(request_id(value)) for value in values],
        "route": [text_of(route_of(value)) for value in values],
        "routeHash": [text_of(keccak256(route_of(value))) for value in values],
    }


def example_executes() -> list[Execute]:
    """Execute statements, plain and at the ends of their ranges."""
    return [
        Execute(request_id(example_requests()["simple call"]), 1_234, hash_of("block"), 3, 1),
        Execute(RequestId(bytes(32)), 0, bytes(32), 0, 0),
        Execute(RequestId(b"\xff" * 32), UINT64_MAX, b"\xff" * 32, UINT32_MAX, UINT32_MAX),
    ]


def example_outcomes() -> list[Outcome]:
    """One outcome of each kind, and one at the ends of all ranges."""
    identifier = request_id(example_requests()["simple call"])
    payee = bytes(12) + hash_of("payee")[12:]

    def landed(kind: OutcomeKind, data: bytes, *, cut: bool = False) -> Outcome:
        return Outcome(identifier, kind, cut, keccak256(data), 987, hash_of("destination block"), 5, 2, payee, 0)

    return [
        landed(OutcomeKind.EXECUTED, b"returned"),
        landed(OutcomeKind.REVERTED, b"returned", cut=True),
        landed(OutcomeKind.UNREACHED, b""),
        landed(OutcomeKind.EXPIRED, b""),
        landed(OutcomeKind.DUPLICATE, hash_of("slot word")),
        Outcome(
            request_id=identifier,
            kind=OutcomeKind.EXECUTED,
            cut=False,
            return_data_hash=EMPTY_DATA_HASH,
            height=0,
            block_hash=bytes(32),
            tx_index=0,
            log_index=0,
            payee=bytes(32),
            round=3,
        ),
        Outcome(
            request_id=RequestId(b"\xff" * 32),
            kind=OutcomeKind.DUPLICATE,
            cut=True,
            return_data_hash=b"\xff" * 32,
            height=UINT64_MAX,
            block_hash=b"\xff" * 32,
            tx_index=UINT32_MAX,
            log_index=UINT32_MAX,
            payee=b"\xff" * 32,
            round=UINT32_MAX,
        ),
    ]


def statements() -> dict[str, Any]:
    """Statements of all kinds, their hashes and guard keys, and their binary form as one list."""
    executes, outcomes = example_executes(), example_outcomes()
    rotates = [Rotate(hash_of("signer set"), 2), Rotate(b"\xff" * 32, UINT64_MAX)]
    prices = [Prices(hash_of("table"), 1, 1_800_000_000), Prices(b"\xff" * 32, UINT64_MAX, UINT64_MAX)]

    def hashes(items: Sequence[Execute | Outcome | Rotate | Prices]) -> dict[str, list[str]]:
        return {
            "structHash": [text_of(item.struct_hash) for item in items],
            "leaf": [text_of(item.leaf) for item in items],
            "guardKey": [text_of(guard_key(item, DESTINATION_GATEWAY)) for item in items],
        }

    return {
        "description": "statements; guard keys are for `gateway`; encoded = the binary form of all, in file order",
        "gateway": text_of(DESTINATION_GATEWAY),
        "execute": {
            "requestId": [text_of(item.request_id) for item in executes],
            "height": [str(item.height) for item in executes],
            "blockHash": [text_of(item.block_hash) for item in executes],
            "txIndex": [item.tx_index for item in executes],
            "logIndex": [item.log_index for item in executes],
            **hashes(executes),
        },
        "outcome": {
            "requestId": [text_of(item.request_id) for item in outcomes],
            "kind": [int(item.kind) for item in outcomes],
            "cut": [item.cut for item in outcomes],
            "returnDataHash": [text_of(item.return_data_hash) for item in outcomes],
            "height": [str(item.height) for item in outcomes],
            "blockHash": [text_of(item.block_hash) for item in outcomes],
            "txIndex": [item.tx_index for item in outcomes],
            "logIndex": [item.log_index for item in outcomes],
            "payee": [text_of(item.payee) for item in outcomes],
            "round": [item.round for item in outcomes],
            **hashes(outcomes),
        },
        "rotate": {
            "signerSetHash": [text_of(item.signer_set_hash) for item in rotates],
            "newEpoch": [str(item.new_epoch) for item in rotates],
            **hashes(rotates),
        },
        "prices": {
            "tableHash": [text_of(item.table_hash) for item in prices],
            "sequence": [str(item.sequence) for item in prices],
            "validUntil": [str(item.valid_until) for item in prices],
            **hashes(prices),
        },
        "encoded": text_of(encode_statements([*executes, *outcomes, *rotates, *prices])),
    }


TREE_COUNTS: Final = (1, 2, 3, 4, 5, 7, 8, 13, 256)
FULL_TREE_PATHS: Final = (0, 1, 2, 127, 128, 254, 255)


def merkle() -> dict[str, Any]:
    """Trees: leaves, root, paths of all leaves or, in the full one, of some."""
    cases: list[dict[str, Any]] = []
    for count in TREE_COUNTS:
        leaves = example_leaves(count)
        indices = FULL_TREE_PATHS if count > 13 else tuple(range(count))
        cases.append(
            {
                "count": count,
                "leaves": [text_of(leaf) for leaf in leaves],
                "root": text_of(merkle_root(leaves)),
                "pathIndex": list(indices),
                "path": [[text_of(node) for node in merkle_path(leaves, index)] for index in indices],
            }
        )
    return {"description": "leaves in batch order, root, and path[i] of leaf pathIndex[i]", "cases": cases}
