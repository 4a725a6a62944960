"""Contracts that others wrote, and that run on chains, run here as they are."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from relayer.devnet.cosmwasm.keeper import Keeper

_CODE = Path(__file__).resolve().parents[3] / "node_modules" / "@oraichain" / "common-contracts-build" / "data"
_MORE = ("cw20-ics20", "cw3-fixed-multisig", "cw721-base")


def _code(chain: Keeper, owner: str, name: str) -> int:
    return chain.store_code(owner, (_CODE / f"{name}.wasm").read_bytes())


def _token(chain: Keeper, owner: str) -> str:
    balances = [{"address": owner, "amount": "1000"}]
    made = {"name": "Token", "symbol": "TOK", "decimals": 6, "initial_balances": balances}
    return chain.instantiate(owner, _code(chain, owner, "cw20-base"), made)


def _b64(value: Any) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def _balance(chain: Keeper, token: str, address: str, height: int | None = None) -> int:
    return int(json.loads(chain.query_smart(token, {"balance": {"address": address}}, height))["balance"])


@pytest.mark.parametrize("name", _MORE)
def test_public_code_passes_the_gate(chain: Keeper, owner: str, name: str) -> None:
    assert _code(chain, owner, name) == 1


def test_a_cw20_token_moves_and_says_so_and_fails_with_its_own_words(chain: Keeper, owner: str) -> None:
    token, other = _token(chain, owner), chain.addresses.text(bytes(20))
    chain.advance()
    result = chain.execute(owner, token, {"transfer": {"recipient": other, "amount": "7"}})
    assert result.events[-1].attributes == [
        ("_contract_address", token),
        ("action", "transfer"),
        ("from", owner),
        ("to", other),
        ("amount", "7"),
    ]
    assert (_balance(chain, token, owner), _balance(chain, token, other)) == (993, 7)
    assert _balance(chain, token, owner, height=1) == 1000
    accounts = json.loads(chain.query_smart(token, {"all_accounts": {}}))["accounts"]
    assert sorted(accounts) == sorted([owner, other])
    refused = chain.execute(other, token, {"transfer": {"recipient": owner, "amount": "8"}})
    assert (refused.codespace, refused.code) == ("wasm", 5)
    assert "Cannot Sub with 7 and 8: execute wasm contract failed" in refused.log


def test_a_cw1_proxy_passes_messages_on_to_a_token(chain: Keeper, owner: str) -> None:
    token, other = _token(chain, owner), chain.addresses.text(bytes(20))
    made = {"admins": [owner], "mutable": False}
    proxy = chain.instantiate(owner, _code(chain, owner, "cw1-whitelist"), made)
    chain.execute(owner, token, {"transfer": {"recipient": proxy, "amount": "10"}})
    call = {"contract_addr": token, "msg": _b64({"transfer": {"recipient": other, "amount": "4"}}), "funds": []}
    passed = {"execute": {"msgs": [{"wasm": {"execute": call}}]}}
    assert chain.execute(owner, proxy, passed).code == 0
    assert (_balance(chain, token, proxy), _balance(chain, token, other)) == (6, 4)
    assert chain.execute(other, proxy, passed).code == 5
