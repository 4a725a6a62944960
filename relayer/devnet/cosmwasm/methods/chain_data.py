"""Methods that show blocks, and the node itself.

Source: rpc/core/{blocks,consensus,health,net,status,abci}.go of CometBFT 0.38.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from relayer.devnet.cosmwasm.block_json import (
    Json,
    base64_text,
    block_id_json,
    block_json,
    block_results_json,
    commit_json,
    header_json,
    hex_text,
    params_json,
    time_text,
)
from relayer.devnet.cosmwasm.blocks import Block
from relayer.devnet.cosmwasm.chain import Chain
from relayer.devnet.cosmwasm.headers import BLOCK_PROTOCOL, NO_BLOCK
from relayer.devnet.cosmwasm.limits import BLOCK_MAX_BYTES, BLOCK_MAX_GAS
from relayer.devnet.cosmwasm.merkle import HASH_BYTES
from relayer.devnet.cosmwasm.methods.answering import COMETBFT_VERSIONS, Method, block_of, page_of
from relayer.devnet.cosmwasm.params import Params
from relayer.devnet.cosmwasm.rpc_errors import internal_error
from relayer.devnet.cosmwasm.validator import VOTING_POWER

_MAX_BLOCKCHAIN: Final = 20
_MAX_QUERY_BYTES: Final = 1_000_000
_NODE_ID_BYTES: Final = 20
_P2P_PROTOCOL: Final = 8


def health(chain: Chain, params: Params) -> Any:
    """That the node is there."""
    del chain, params
    return {}


def status(chain: Chain, params: Params) -> Any:
    """Who the node is, and how far it is."""
    del params
    latest, earliest = chain.block(chain.view_height), chain.block(chain.lowest_height)
    node_id = hashlib.sha256(f"node of {chain.settings.chain_id}".encode()).digest()[:_NODE_ID_BYTES]
    return {
        "node_info": {
            "protocol_version": {"p2p": str(_P2P_PROTOCOL), "block": str(BLOCK_PROTOCOL), "app": "0"},
            "id": node_id.hex(),
            "listen_addr": "tcp://127.0.0.1:0",
            "network": chain.settings.chain_id,
            "version": COMETBFT_VERSIONS[chain.settings.dialect.value],
            "channels": "40202122233038606100",
            "moniker": "devnet",
            "other": {"tx_index": "on", "rpc_address": "tcp://127.0.0.1:0"},
        },
        "sync_info": {
            **_place_json("latest", latest, chain),
            **_place_json("earliest", earliest, chain),
            "catching_up": bool(chain.faults.lag_blocks),
        },
        "validator_info": _validator_json(chain),
    }


def net_info(chain: Chain, params: Params) -> Any:
    """That the node has no peers."""
    del chain, params
    return {"listening": True, "listeners": ["Listener(@)"], "n_peers": "0", "peers": []}


def abci_info(chain: Chain, params: Params) -> Any:
    """What the application says of itself."""
    del params
    height = chain.view_height
    block = chain.block(height)
    app_hash = chain.genesis_app_hash if block is None else block.app_hash
    response = {"data": "xvm", "version": "0.1.0", "last_block_height": str(height)}
    return {"response": {**response, "last_block_app_hash": base64_text(app_hash)}}


def abci_query(chain: Chain, params: Params) -> Any:
    """Ask the application."""
    path, data = params.text("path"), params.hex_data("data", _MAX_QUERY_BYTES)
    height = params.integer("height") or 0
    if height < 0:
        raise internal_error("height must be non-negative")
    # A node that proves nothing is asked for proofs by those that would not believe it anyway.
    params.flag("prove")
    answer = chain.query(path, data, height)
    return {
        "response": {
            "code": answer.code,
            "log": answer.log,
            "info": "",
            "index": "0",
            "key": None,
            "value": base64_text(answer.value) if answer.value else None,
            "proofOps": None,
            "height": str(answer.height),
            "codespace": answer.codespace,
        }
    }


def genesis(chain: Chain, params: Params) -> Any:
    """What the chain began with."""
    del params
    document = {
        "genesis_time": time_text(chain.genesis_time_ns),
        "chain_id": chain.settings.chain_id,
        "initial_height": "1",
        "consensus_params": params_json(BLOCK_MAX_BYTES, BLOCK_MAX_GAS),
        "app_hash": "",
        "app_state": {},
    }
    return {"genesis": document}


def block(chain: Chain, params: Params) -> Any:
    """A block by its height."""
    return _whole_json(block_of(chain, params))


def block_by_hash(chain: Chain, params: Params) -> Any:
    """A block by its hash; null for one that is not known."""
    found = _by_hash(chain, params)
    return {"block_id": block_id_json(NO_BLOCK), "block": None} if found is None else _whole_json(found)


def header(chain: Chain, params: Params) -> Any:
    """A header by its height."""
    return {"header": header_json(block_of(chain, params).header)}


def header_by_hash(chain: Chain, params: Params) -> Any:
    """A header by its hash; null for one that is not known."""
    found = _by_hash(chain, params)
    return {"header": None if found is None else header_json(found.header)}


def block_results(chain: Chain, params: Params) -> Any:
    """What a block's transactions did."""
    return block_results_json(
        block_of(chain, params), params_json(BLOCK_MAX_BYTES, BLOCK_MAX_GAS), chain.settings.dialect
    )


def blockchain(chain: Chain, params: Params) -> Any:
    """Up to 20 headers of a range, the newest first."""
    latest = chain.view_height
    highest = min(params.integer("maxHeight") or latest, latest)
    lowest = max(params.integer("minHeight") or 1, chain.lowest_height, highest - _MAX_BLOCKCHAIN + 1)
    if lowest > highest:
        raise internal_error(f"min height {lowest} can't be greater than max height {highest}")
    found = (chain.block(height) for height in range(highest, lowest - 1, -1))
    metas = [_meta_json(one) for one in found if one is not None]
    return {"last_height": str(latest), "block_metas": metas}


def commit(chain: Chain, params: Params) -> Any:
    """A header and what makes it final. That of the newest block may still be another in the next one."""
    found = block_of(chain, params)
    signed = {"header": header_json(found.header), "commit": commit_json(found.commit)}
    return {"signed_header": signed, "canonical": found.height < chain.view_height}


def validators(chain: Chain, params: Params) -> Any:
    """The one validator."""
    found = block_of(chain, params)
    shown = page_of(params, 1)
    listed = [{**_validator_json(chain), "proposer_priority": "0"}]
    return {"block_height": str(found.height), "validators": listed, "count": str(len(shown)), "total": "1"}


def consensus_params(chain: Chain, params: Params) -> Any:
    """What bounds blocks."""
    found = block_of(chain, params)
    return {
        "block_height": str(found.height),
        "consensus_params": params_json(BLOCK_MAX_BYTES, BLOCK_MAX_GAS),
    }


def _by_hash(chain: Chain, params: Params) -> Block | None:
    wanted = params.data("hash", HASH_BYTES)
    height = chain.height_of(wanted)
    return None if height is None else chain.block(height)


def _whole_json(found: Block) -> Json:
    return {"block_id": block_id_json(found.block_id), "block": block_json(found)}


def _meta_json(found: Block) -> Json:
    return {
        "block_id": block_id_json(found.block_id),
        "block_size": str(found.size_bytes),
        "header": header_json(found.header),
        "num_txs": str(len(found.executed)),
    }


def _place_json(which: str, found: Block | None, chain: Chain) -> Json:
    if found is None:
        place: tuple[bytes, bytes, int, int] = b"", b"", 0, chain.genesis_time_ns
    else:
        place = found.block_id.hash, found.header.app_hash, found.height, found.header.time_ns
    block_hash, app_hash, height, time_ns = place
    return {
        f"{which}_block_hash": hex_text(block_hash),
        f"{which}_app_hash": hex_text(app_hash),
        f"{which}_block_height": str(height),
        f"{which}_block_time": time_text(time_ns),
    }


def _validator_json(chain: Chain) -> Json:
    return {
        "address": hex_text(chain.validator.address),
        "pub_key": {"type": "tendermint/PubKeyEd25519", "value": base64_text(chain.validator.public_key)},
        "voting_power": str(VOTING_POWER),
    }


CHAIN_METHODS: Final[Mapping[str, Method]] = {
    "abci_info": Method((), abci_info),
    "abci_query": Method(("path", "data", "height", "prove"), abci_query, is_of_state=True),
    "block": Method(("height",), block),
    "block_by_hash": Method(("hash",), block_by_hash),
    "block_results": Method(("height",), block_results),
    "blockchain": Method(("minHeight", "maxHeight"), blockchain),
    "commit": Method(("height",), commit),
    "consensus_params": Method(("height",), consensus_params),
    "genesis": Method((), genesis),
    "header": Method(("height",), header),
    "header_by_hash": Method(("hash",), header_by_hash),
    "health": Method((), health),
    "net_info": Method((), net_info),
    "status": Method((), status),
    "validators": Method(("height", "page", "per_page"), validators),
}
