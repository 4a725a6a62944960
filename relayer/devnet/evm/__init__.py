"""EVM chains of the devnet: anvil processes, which speak a real chain's JSON-RPC."""
