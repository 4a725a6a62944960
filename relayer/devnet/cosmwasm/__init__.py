"""A CosmWasm chain of the devnet: contracts run by wasmtime, behind the RPC and WebSockets of a CometBFT node.

`python -m relayer.devnet.cosmwasm` runs one. It needs the extra `cosmwasm`. What it answers, and where it differs from
a chain with validators: docs/reference/devnet-cosmwasm.md. It is imported by the devnet and by tests only: relayers see
a chain through its RPC.
"""
