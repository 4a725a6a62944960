"""An anvil chain as the bench uses it: asked by signed transactions, watched by its heads and logs."""
