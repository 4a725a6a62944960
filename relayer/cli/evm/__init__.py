"""Asking on EVM chains: calls in Solidity's ABI, and web3.py as any outside program would use it."""
