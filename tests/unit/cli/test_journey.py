"""What is told of a request that is asked and followed. The chains are in memory, behind the sessions' interfaces."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from eth_abi.abi import encode

from attestation.address import parse_account_text, parse_chain_text
from attestation.request import Mode, RequestId
from attestation.statement import OutcomeKind
from relayer.cli.asking import Ask, Asked, Cancelled, Ending, Endpoint, Place, Receipt, TypedCall
from relayer.cli.evm.payload import EvmPayloadCodec
from relayer.cli.journey import Journey
from relayer.errors import RpcUnavailable

HOME = parse_chain_text("eip155:31337")
TARGET = parse_account_text("eip155:31338:0x" + "7a" * 20)
SENDER = parse_account_text("eip155:31337:0x" + "5e" * 20)
IDENTIFIER = RequestId(b"\x0a" * 32)
FIVE = encode(["uint256"], [5])


def ending(kind: OutcomeKind = OutcomeKind.EXECUTED, data: bytes = FIVE, *, failed: bool = False) -> Ending:
    return Ending(kind, kind is OutcomeKind.EXECUTED, failed, cut=False, return_data=data, place=Place(19, "0xca11"))


@dataclass
class Script:
    """Both sides of a request. Each look at the source takes the next of `looks`; the last one stays."""

    looks: list[Ending | Cancelled | RpcUnavailable | None]
    receipts: list[Receipt | None] = field(
        default_factory=lambda: [None, Receipt(OutcomeKind.EXECUTED, Place(33, "0xe8"))]
    )
    asked: list[tuple[Ask, int]] = field(default_factory=list)

    def quote(self, ask: Ask) -> int:
        return 100 + len(ask.payload)

    def send(self, ask: Ask, fee: int) -> Asked:
        self.asked.append((ask, fee))
        return Asked(IDENTIFIER, SENDER, fee, Place(12, "0xa5"))

    def fetch_ending(self, asked: Asked) -> Ending | Cancelled | None:
        assert asked.request_id == IDENTIFIER
        look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(look, RpcUnavailable):
            raise look
        return look

    def fetch_receipt(self, asked: Asked) -> Receipt | None:
        assert asked.request_id == IDENTIFIER
        return self.receipts.pop(0)


def journey(script: Script, *, mode: Mode = Mode.CALL, returns: str | None = None, as_json: bool = False) -> Journey:
    ask = Ask(mode, TARGET, b"\x01\x02")
    return Journey(
        script,
        Endpoint(HOME, "", f"0x{bytes(20).hex()}"),
        None,
        script,
        ask,
        EvmPayloadCodec(TypedCall(TARGET, TARGET, data=b"")),
        returns,
        as_json,
        look_seconds=0,
    )


def told(script: Script, capsys: pytest.CaptureFixture[str], **options: object) -> Sequence[str]:
    travelled = journey(script, **options)  # type: ignore[arg-type]
    travelled.wait(travelled.send(), 60)
    return capsys.readouterr().out.splitlines()


def test_the_quote_is_paid() -> None:
    script = Script([ending()])
    journey(script).send()
    assert script.asked[0][1] == 102


def test_a_person_reads_what_happened_where(capsys: pytest.CaptureFixture[str]) -> None:
    lines = told(Script([None, None, ending()]), capsys, returns="uint256")
    assert lines[:2] == [
        f"request     0x{'0a' * 32}",
        "fee         102 (smallest unit of eip155:31337)",
    ]
    assert lines[2].startswith("requested   eip155:31337 block 12, 0xa5, ")
    assert lines[3].startswith("executed    eip155:31338 block 33, 0xe8, ")
    assert lines[4].startswith("called back eip155:31337 block 19, 0xca11, ")
    assert lines[4].endswith(" s EXECUTED")
    assert lines[5:] == ["result      5"]


def test_a_program_reads_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    travelled = journey(Script([None, None, ending()]), returns="uint256", as_json=True)
    assert travelled.wait(travelled.send(), 60) is OutcomeKind.EXECUTED
    travelled.tell()
    document = json.loads(capsys.readouterr().out)
    assert document.pop("seconds") >= 0
    assert document == {
        "request_id": f"0x{'0a' * 32}",
        "mode": "CALL",
        "sender": str(SENDER),
        "target": str(TARGET),
        "payload": "0x0102",
        "fee": "102",
        "kept_at": None,
        "requested": {"chain": "eip155:31337", "block": 12, "tx_hash": "0xa5"},
        "executed": {"chain": "eip155:31338", "block": 33, "tx_hash": "0xe8", "kind": "EXECUTED"},
        "called_back": {"chain": "eip155:31337", "block": 19, "tx_hash": "0xca11"},
        "kind": "EXECUTED",
        "success": True,
        "is_handler_failed": False,
        "cut": False,
        "return_data": f"0x{FIVE.hex()}",
        "result": ["5"],
        "failure": None,
    }


def test_a_query_has_no_receipt_to_look_for(capsys: pytest.CaptureFixture[str]) -> None:
    lines = told(Script([ending()], receipts=[]), capsys, mode=Mode.QUERY)
    assert not any(line.startswith("executed") for line in lines)
    assert lines[-1] == f"returned    0x{FIVE.hex()}"


@pytest.mark.parametrize(
    ("kind", "data", "last"),
    [
        (OutcomeKind.REVERTED, b"", "failure     no reason given, or out of gas"),
        (OutcomeKind.DUPLICATE, b"\x07", "returned    0x07"),
        (OutcomeKind.UNREACHED, b"", "UNREACHED"),
        (OutcomeKind.EXPIRED, b"", "EXPIRED"),
    ],
)
def test_each_end_is_told(kind: OutcomeKind, data: bytes, last: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = told(Script([ending(kind, data)]), capsys, returns="uint256")
    assert lines[-1].endswith(last)


def test_values_with_named_fields_are_told_on_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    class Named(EvmPayloadCodec):
        def decode_result(self, types: str, data: bytes) -> list[Any]:
            assert (types, data) == ("Mint", FIVE)
            return [{"supply": "5", "owners": ["a", None], "is_open": True}]

    script = Script([ending()])
    made = journey(script, returns="Mint")
    made.codec = Named(TypedCall(TARGET, TARGET, data=b""))
    made.wait(made.send(), 10)
    assert "result      {supply: 5, owners: [a,none], is_open: true}\n" in capsys.readouterr().out


def test_lists_are_told_as_they_are_typed(capsys: pytest.CaptureFixture[str]) -> None:
    data = encode(["(uint8,bool)[]", "string"], [[(1, True), (2, False)], "hi"])
    lines = told(Script([ending(data=data)]), capsys, returns="(uint8,bool)[],string")
    assert lines[-2:] == ["result      [[1,true],[2,false]]", "result      hi"]


def test_a_result_that_does_not_decode_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    travelled = journey(Script([ending(data=b"\x01")]), returns="uint256")
    assert travelled.wait(travelled.send(), 60) is OutcomeKind.EXECUTED
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1] == "returned    0x01"
    assert "--returns: the data is none of uint256" in printed.err


@pytest.mark.parametrize(("kind", "what"), [(OutcomeKind.EXECUTED, "result"), (OutcomeKind.REVERTED, "failure")])
def test_security_what_a_contract_says_cannot_write_codes_or_lines_of_its_own_to_a_terminal(
    kind: OutcomeKind, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """SECURITY: an answer with escape codes or line ends could show another outcome than there was."""
    words = encode(["string"], ["é\x1b[2J\ncalled back\u202e"])
    data = words if kind is OutcomeKind.EXECUTED else bytes.fromhex("08c379a0") + words
    lines = told(Script([ending(kind, data)]), capsys, returns="string")
    assert lines[-1] == f"{what:<12}é\\x1b[2J\\ncalled back\\u202e"


def test_a_failed_handler_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(Script([ending(failed=True)]), capsys)[-2].endswith("EXECUTED, its handler failed")


def test_an_endpoint_that_is_away_for_a_while_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(Script([RpcUnavailable("away"), ending()]), capsys)[-1].startswith("returned")


def test_a_cancelled_request_ends_without_a_callback_and_may_have_been_executed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cancelled = Cancelled(70, Place(900, "0xca"))
    travelled = journey(Script([cancelled], [None]))
    assert travelled.wait(travelled.send(), 60) is cancelled
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1].startswith("cancelled   eip155:31337 block 900, 0xca, ")
    assert printed.out.endswith(" s 70 returned\n")
    assert "it may have been executed" in printed.err


def test_a_cancelled_request_whose_execution_was_seen_needs_no_warning(capsys: pytest.CaptureFixture[str]) -> None:
    travelled = journey(Script([Cancelled(70, Place(900, "0xca"))], [Receipt(OutcomeKind.EXECUTED, Place(33, "0xe8"))]))
    travelled.wait(travelled.send(), 60)
    assert not capsys.readouterr().err


def test_a_program_reads_that_it_was_cancelled(capsys: pytest.CaptureFixture[str]) -> None:
    travelled = journey(Script([Cancelled(70, Place(900, "0xca"))]), mode=Mode.QUERY, as_json=True)
    travelled.wait(travelled.send(), 60)
    travelled.tell()
    document = json.loads(capsys.readouterr().out)
    assert document["cancelled"] == {"chain": "eip155:31337", "block": 900, "tx_hash": "0xca", "returned": "70"}
    assert "kind" not in document


def test_without_a_callback_in_time_there_is_no_kind_and_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    travelled = journey(Script([RpcUnavailable("away")]), mode=Mode.QUERY)
    assert travelled.wait(travelled.send(), 0) is None
    hint = f"xvm: no callback within 0 s (away); see: xvm request explain 0x{'0a' * 32}\n"
    assert capsys.readouterr().err == hint


def test_where_the_source_chain_keeps_a_request_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    class Keeper(Script):
        def send(self, ask: Ask, fee: int) -> Asked:
            return replace(super().send(ask, fee), kept_at="an account")

    journey(Keeper([None])).send()
    assert "kept at     an account\n" in capsys.readouterr().out
