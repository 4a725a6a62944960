"""A chain that does everything twice: here, and on npm's cw-simulate; and holds the one to the other.

Its job: run, compare, and know why what differs may. Where the two differ, what CosmWasm and wasmd document is right;
`KNOWN` says for each difference what that is. What cw-simulate cannot run at all is mended in `simulate.cjs`.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from relayer.devnet.cosmwasm.chain_errors import ChainError
from relayer.devnet.cosmwasm.events import Event
from relayer.devnet.cosmwasm.keeper import FailedError, Json, Keeper, TxResult, json_bytes

HERE: Final = Path(__file__).parent

CHAINS_EVENTS: Final = "events of the chain's own"
ORDER: Final = "order of attributes"
FAILURE_TEXTS: Final = "texts of failures"

KNOWN: Final = {
    CHAINS_EVENTS: (
        "wasmd and the SDK log coin_spent, coin_received, transfer, message and, of a reply, the contract alone; "
        "cw-simulate logs other ones. Compared are the events that contracts make, which all begin with `wasm`."
    ),
    ORDER: (
        "wasmd sorts, in place, the attributes of the events that a reply is told; cw-simulate leaves them as they "
        "were made. Compared sorted."
    ),
    FAILURE_TEXTS: (
        "wasmd appends the registered error (`: execute wasm contract failed`) and tells a reply nothing else of what "
        "nodes need not agree on (`codespace: wasm, code: 5`); cw-simulate hands any text on. Compared is a contract's "
        "own error where a transaction ends with it, and of a receipt that tells of a failure all but its text."
    ),
}
"""Where cw-simulate is not what the reference implementation documents, and what is compared instead.

Not compared at all: gas, which cw-simulate does not count as chains do, and submessages' limits of it, which it
ignores.
"""


class DifferenceError(AssertionError):
    """The two chains say different things."""


class Simulation:
    """The other chain, in a process of node's."""

    def __init__(self, chain_id: str) -> None:
        node = shutil.which("node")
        assert node is not None, "node is not on PATH"
        self._process = subprocess.Popen(
            [node, "simulate.cjs", chain_id],
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        """Ends it."""
        self._process.communicate()

    def ask(self, command: str, **given: Any) -> Any:
        """An answer: an object with `ok` or `error`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"command": command, **given}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "cw-simulate ended: run make test-python, which fetches it"
        return json.loads(line)


def coins_json(funds: Mapping[str, int] | None) -> list[dict[str, str]]:
    """Coins as messages have them; none of nothing."""
    return [{"denom": denom, "amount": str(amount)} for denom, amount in sorted((funds or {}).items()) if amount]


class TwinKeeper(Keeper):
    """A `Keeper` whose transactions and queries are compared with the other chain's."""

    def __init__(self, chain_id: str, *, height: int, time_ns: int, cache: Path) -> None:
        self.compared: list[str] = []
        """What was done, in order."""

        self.differences: set[str] = set()
        """Those of `KNOWN` that showed."""

        self._simulation = Simulation(chain_id)
        self._people: set[str] = set()
        self._salts = 0
        super().__init__(chain_id, height=height, time_ns=time_ns, cache=cache)

    def close(self) -> None:
        """Ends the other chain."""
        self._simulation.close()

    def mint(self, address: str, funds: Mapping[str, int]) -> None:
        super().mint(address, funds)
        self._people.add(address)
        self._ask("mint", address=address, coins=coins_json(funds))

    def store_code(self, sender: str, wasm: bytes) -> int:
        stored = super().store_code(sender, wasm)
        path = HERE.parents[2] / ".cache" / "differential.wasm"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(wasm)
        self._agree("store", stored, self._ask("store", sender=sender, file=str(path))["ok"])
        return stored

    def instantiate(self, sender: str, code_id: int, message: Json, **given: Any) -> str:
        """Always by instantiate2: cw-simulate derives other addresses as chains did before wasmd 0.20."""
        self._salts += 1
        salt = given.pop("salt", None) or b"%d" % self._salts
        funds, admin = given.get("funds"), given.get("admin", "")
        other = self._ask(
            "instantiate",
            sender=sender,
            code_id=code_id,
            message=json.loads(json_bytes(message)),
            label="contract",
            admin=admin,
            salt=b64encode(salt).decode(),
            funds=coins_json(funds),
        )
        try:
            address = super().instantiate(sender, code_id, message, salt=salt, **given)
        except FailedError as error:
            self._agree_on_failure("instantiate", error.result.log, other)
            raise
        told = other["ok"]["events"][0]["attributes"][0]["value"] if "ok" in other else other
        self._agree("instantiate", address, told)
        self._people.add(address)
        self._agree_on_money()
        return address

    def execute(
        self,
        sender: str,
        contract: str,
        message: Json,
        *,
        funds: Mapping[str, int] | None = None,
        gas_limit: int = 50_000_000,
    ) -> TxResult:
        result = super().execute(sender, contract, message, funds=funds, gas_limit=gas_limit)
        body = json.loads(json_bytes(message))
        other = self._ask("execute", sender=sender, contract=contract, message=body, funds=coins_json(funds))
        what = f"execute {next(iter(body))}"
        if result.code:
            self._agree_on_failure(what, result.log, other)
        else:
            if "error" in other:
                raise DifferenceError(f"{what}: fails there: {other['error']}")
            self._agree_on_events(what, result.events, other["ok"]["events"])
            data = b64encode(result.data).decode() if result.data else None
            self._agree(what, data, other["ok"]["data"] or None)
        self._agree_on_money()
        return result

    def query_smart(self, contract: str, message: Json, height: int | None = None) -> bytes:
        assert height is None, "cw-simulate keeps no earlier heights"
        body = json.loads(json_bytes(message))
        other = self._ask("query", contract=contract, message=body)
        what = f"query {next(iter(body))}"
        try:
            told = super().query_smart(contract, message)
        except ChainError as error:
            self._agree_on_failure(what, str(error), other)
            raise
        self._agree(what, json.loads(told), other.get("ok", other))
        return told

    def _ask(self, command: str, **given: Any) -> Any:
        return self._simulation.ask(command, height=self.block.height, seconds=self.block.time_ns // 10**9, **given)

    def _agree(self, what: str, ours: Any, theirs: Any) -> None:
        self.compared.append(what)
        if ours != theirs:
            raise DifferenceError(f"{what}\n here: {ours}\nthere: {theirs}")

    def _agree_on_events(self, what: str, events: tuple[Event, ...], others: list[Any]) -> None:
        ours = [(event.type, event.attributes) for event in events]
        theirs = [(event["type"], [(pair["key"], pair["value"]) for pair in event["attributes"]]) for event in others]
        if [event for event in ours if not _is_made(event)] != [event for event in theirs if not _is_made(event)]:
            self.differences.add(CHAINS_EVENTS)
        ours, theirs = list(filter(_is_made, ours)), list(filter(_is_made, theirs))
        if ours != theirs:
            self.differences.add(ORDER)
        ours, theirs = ([(kind, sorted(pairs)) for kind, pairs in made] for made in (ours, theirs))
        if ours != theirs:
            self.differences.add(FAILURE_TEXTS)
        self._agree(what, list(map(_without_text, ours)), list(map(_without_text, theirs)))

    def _agree_on_failure(self, what: str, log: str, other: Any) -> None:
        if "error" not in other:
            raise DifferenceError(f"{what}: fails here alone: {log}")
        self.compared.append(f"{what} refused")
        ours = _error_name(log.split("message index: 0: ", 1)[-1])
        if ours and ours not in other["error"]:
            raise DifferenceError(f"{what}\n here: {log}\nthere: {other['error']}")

    def _agree_on_money(self) -> None:
        for address in sorted(self._people):
            theirs = {coin["denom"]: int(coin["amount"]) for coin in self._ask("balance", address=address)["ok"]}
            ours = dict(self.balances(address))
            self._agree("balance", ours, {denom: amount for denom, amount in theirs.items() if amount})


def _error_name(log: str) -> str:
    """A contract's own error, with its detail; nothing where the chain speaks."""
    found = re.match(r"[A-Z]\w+(?=: )", log)
    return found[0] if found and "wasmvm" not in log else ""


_Made = tuple[str, list[tuple[str, str]]]
"""An event's type and attributes."""


def _is_made(event: _Made) -> bool:
    """Whether a contract made it."""
    return event[0].startswith("wasm")


def _without_text(event: _Made) -> _Made:
    """A receipt of a failure without what the failing target said."""
    kind, pairs = event
    if kind == "wasm-XVMCallConcluded" and ("kind", "1") in pairs:
        return kind, [pair for pair in pairs if pair[0] != "return_data"]
    return event
