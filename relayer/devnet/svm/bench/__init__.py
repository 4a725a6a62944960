"""A Solana chain as the bench uses it: asked by transactions of its own, watched slot by slot."""
