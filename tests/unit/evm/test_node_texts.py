from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.ports.wallet import SendResult
from relayer.vms.evm.pool_errors import classify_send_fault
from relayer.vms.evm.vm_faults import is_unknown_method, parse_revert
from relayer.vms.jsonrpc.rpc import RpcFault
from relayer.vms.jsonrpc.weighing import UNANSWERED

PANIC = "0x4e487b71" + "00" * 31 + "11"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("already known", SendResult.KNOWN),  # geth, erigon, reth
        ("known transaction: 0x7f65", SendResult.KNOWN),  # older geth
        ("Known transaction", SendResult.KNOWN),  # besu
        ("AlreadyKnown", SendResult.KNOWN),  # nethermind
        ("transaction already imported", SendResult.KNOWN),  # anvil
        ("INTERNAL_ERROR: existing tx with same hash", SendResult.KNOWN),  # erigon
        ("nonce too low: next nonce 5, tx nonce 4", SendResult.NONCE_TOO_LOW),  # geth, reth, anvil
        ("Nonce too low", SendResult.NONCE_TOO_LOW),  # besu
        ("OldNonce, Current nonce: 22, nonce of rejected tx: 17", SendResult.NONCE_TOO_LOW),  # nethermind
        ("replacement transaction underpriced", SendResult.UNDERPRICED),  # geth, erigon, reth
        ("transaction underpriced: tip needed 1000000, tip permitted 1", SendResult.UNDERPRICED),  # geth
        ("FeeTooLow, MaxFeePerGas too low. MaxFeePerGas: 50, BaseFee: 100", SendResult.UNDERPRICED),  # nethermind
        ("FeeTooLowToCompete", SendResult.UNDERPRICED),  # nethermind
        ("ReplacementNotAllowed", SendResult.UNDERPRICED),  # nethermind
        ("OwnNonceAlreadyUsed", SendResult.UNDERPRICED),  # nethermind
        ("max fee per gas less than block base fee: address 0x1", SendResult.UNDERPRICED),  # reth, anvil
        ("fee cap less than block base fee", SendResult.UNDERPRICED),  # erigon
        ("Gas price below configured minimum gas price", SendResult.UNDERPRICED),  # besu
        ("insufficient funds for gas * price + value: balance 0, tx cost 1", SendResult.INSUFFICIENT_FUNDS),  # geth
        ("Insufficient funds for gas * price + value", SendResult.INSUFFICIENT_FUNDS),  # anvil
        ("InsufficientFunds, Account balance: 4, cumulative cost: 22", SendResult.INSUFFICIENT_FUNDS),  # nethermind
        ("Upfront cost exceeds account balance", SendResult.INSUFFICIENT_FUNDS),  # besu
        ("exceeds block gas limit", SendResult.REFUSED),
        ("oversized data: transaction size 200000, limit 131072", SendResult.REFUSED),
        ("txpool is full", SendResult.REFUSED),
        ("intrinsic gas too low", SendResult.REFUSED),
        ("nonce too high", SendResult.REFUSED),
        ("", SendResult.REFUSED),
    ],
)
def test_the_texts_of_nodes_pools_are_understood(text: str, result: SendResult) -> None:
    assert classify_send_fault(RpcFault(-32000, text)) is result


@given(st.integers(), st.text())
def test_no_text_means_accepted(code: int, text: str) -> None:
    assert classify_send_fault(RpcFault(code, text)) is not SendResult.ACCEPTED


@pytest.mark.parametrize(
    ("fault", "data"),
    [
        (RpcFault(3, "execution reverted", "0x"), b""),  # geth, reth, anvil
        (RpcFault(3, "execution reverted: Panic", PANIC), bytes.fromhex(PANIC[2:])),
        (RpcFault(3, "execution reverted: out of gas", "0x0102"), b"\x01\x02"),
        (RpcFault(-32000, "execution reverted"), b""),  # older geth
        (RpcFault(-32000, "Execution reverted", "0x0102"), b"\x01\x02"),  # besu
        (RpcFault(-32015, "VM execution error.", "Reverted 0x0102"), b"\x01\x02"),  # parity's line
        (RpcFault(-32000, "execution reverted", {"data": "0x0102"}), b"\x01\x02"),
        (RpcFault(-32000, "out of gas"), b""),  # geth
        (RpcFault(-32000, "invalid opcode: INVALID"), b""),
        (RpcFault(-32000, "invalid jump destination"), b""),
        (RpcFault(-32000, "stack underflow (0 <=> 2)"), b""),
        (RpcFault(-32000, "stack limit reached 1024 (1023)"), b""),
        (RpcFault(-32000, "write protection"), b""),
        (RpcFault(-32000, "gas uint64 overflow"), b""),
        (RpcFault(-32000, "err: intrinsic gas too low: have 20000, want 21000 (supplied gas 20000)"), b""),
        (RpcFault(-32000, "insufficient gas for floor data gas cost: gas 21000, minimum needed 22000"), b""),
        (RpcFault(-32603, "EVM error OutOfGas"), b""),  # anvil
        (RpcFault(-32603, "EVM error InvalidFEOpcode"), b""),
        (RpcFault(-32603, "EVM error StackUnderflow"), b""),
        (RpcFault(-32000, "intrinsic gas too high -- CallGasCostMoreThanGasLimit"), b""),
        (RpcFault(-32000, "Bad jump destination"), b""),  # besu
        (RpcFault(-32015, "invalid instruction"), b""),  # nethermind
    ],
)
def test_reverts_and_halts_are_answers(fault: RpcFault, data: bytes) -> None:
    assert parse_revert(fault) == data


@pytest.mark.parametrize(
    "fault",
    [
        RpcFault(-32000, "missing trie node 1234 (path 00) state 0x12 is not available"),
        RpcFault(-32000, "header not found"),
        RpcFault(-32000, "hash 0x12 is not currently canonical"),
        RpcFault(-32001, "Resource not found"),
        RpcFault(-32000, "historical state not available in path scheme yet"),
        RpcFault(-32000, "execution aborted (timeout = 5s)"),
        RpcFault(-32005, "limit exceeded"),
        RpcFault(429, "compute units per second exceeded"),
        RpcFault(-32603, "internal error"),
        RpcFault(-32603, "EVM error FatalExternalError"),
        RpcFault(-32602, "invalid argument 0: json: cannot unmarshal"),
        RpcFault(-32601, "the method eth_call does not exist/is not available"),
        RpcFault(-32000, "", "0x0102"),
    ],
)
def test_security_a_nodes_failure_is_no_answer(fault: RpcFault) -> None:
    """SECURITY: a failure taken for a halt would be signed as the answer REVERTED."""
    assert parse_revert(fault) is None


@pytest.mark.parametrize("data", [None, 7, "", "0x1", "zz", [], {}, {"data": 7}])
def test_revert_data_that_is_none_is_empty(data: Any) -> None:
    assert parse_revert(RpcFault(3, "execution reverted", data)) == b""


@pytest.mark.parametrize(
    ("fault", "is_unknown"),
    [
        (RpcFault(-32601, "Method not found"), True),
        (RpcFault(-32600, "The method eth_simulateV1 does not exist/is not available"), True),
        (RpcFault(-32004, "Unsupported method: eth_simulateV1"), True),
        (RpcFault(-32000, "header not found"), False),
    ],
)
def test_a_method_that_a_node_lacks_is_noticed(fault: RpcFault, *, is_unknown: bool) -> None:
    assert is_unknown_method(fault) is is_unknown


def test_security_no_answer_is_no_halt() -> None:
    """SECURITY: a call that no node finished must never be signed as REVERTED."""
    assert parse_revert(UNANSWERED) is None
    assert not is_unknown_method(UNANSWERED)
