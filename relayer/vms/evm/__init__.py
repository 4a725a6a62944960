"""EVM chains: their JSON-RPC, our contracts there, and the registration by which the relayer finds them."""
