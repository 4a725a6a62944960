"""What the demonstration shows between EVM chains, and its hand on one of them."""
