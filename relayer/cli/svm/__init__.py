"""Asking on Solana: calls in Borsh by Anchor's IDLs, and the gateway program as any outside program would use it."""
