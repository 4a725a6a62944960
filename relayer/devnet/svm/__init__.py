"""A Solana chain of the devnet: LiteSVM behind the JSON-RPC and WebSocket surface that clients need.

`python -m relayer.devnet.svm` runs one. It needs the extra `svm`. What it answers, and where it differs from a
validator: docs/reference/devnet-solana.md. It is imported by the devnet and by tests only: relayers see a chain through
its RPC.
"""
