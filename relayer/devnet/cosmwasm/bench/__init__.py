"""A CosmWasm chain as the bench uses it: asked by accounts of its own, watched by its blocks."""
