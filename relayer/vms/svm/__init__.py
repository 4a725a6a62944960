"""Solana chains: their JSON-RPC, our program there, and the registration by which the relayer finds them."""
