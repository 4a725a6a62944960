"""A CosmWasm chain of the devnet: contracts run by wasmtime, behind the RPC and WebSockets of a CometBFT node.

`python -m relayer.devnet.cosmwasm` runs one. It needs the extra `cosmwasm`. What it answers, and where it differs from
a chain with validators: docs/reference/devnet-cosmwasm.md. It is imported by the devnet and by tests only: relayers see
a chain through its RPC.

The chain in one process, without a node, is a keeper that does as wasmd does:

    from relayer.devnet.cosmwasm.keeper import Keeper

    chain = Keeper("xvm-cosmwasm-1")                      # prefix="wasm", height=1; cache=Path keeps machine code
    chain.mint(owner, {"uxvm": 1_000_000})                # accounts are bech32 texts: chain.addresses.text(20 bytes)
    code_id = chain.store_code(owner, wasm)               # FailedError where a message that must succeed fails
    contract = chain.instantiate(owner, code_id, {}, admin="", funds={}, salt=None)   # a salt: by instantiate2
    result = chain.execute(owner, contract, {"go": {}}, funds={"uxvm": 5}, gas_limit=200_000)
    result.code, result.codespace, result.log             # 0, or the error's numbers and text
    result.events, result.gas_used                        # Event(type, attributes): as a chain has them
    result.data                                           # what the contract returned; result.responses: by message
    chain.query_smart(contract, {"config": {}})           # bytes; ChainError: .kind, str(); OutOfGas is one too
    chain.query_raw(contract, b"key"); chain.query_all(contract); chain.contract_info(contract); chain.code_info(1)
    chain.migrate(owner, contract, code_id, {}); chain.balance(owner, "uxvm"); chain.supply("uxvm")
    chain.advance(seconds=6, blocks=1)                    # or begin_block(height, time_ns); chain.block is the open one
    chain.query_smart(contract, {}, height=7)             # as it was at the end of block 7; KeyError: not kept

Each `execute` is a transaction of the block that is open, and queries without a height see it at once. A node gives
transactions of any messages to `deliver([Message, ...], gas_limit=, gas_used=, tx=)` and `simulate`, and does the
signatures, sequences and fees around them: `account`, `set_account`, `transfer`. `MessageResponse` has the type and the
bytes that a transaction's `data` is made of; a contract's reply gets the same, so a submessage's `data` is protocol
buffers: `MsgExecuteContractResponse{1: data}`, `MsgInstantiateContract2Response{1: address, 2: data}`.

A keeper is for one thread at a time. Calls take as long as contracts do, a few hundred microseconds for most: a node
that serves others meanwhile runs them in a thread, always the same one. While a contract computes, other threads go on.
"""
