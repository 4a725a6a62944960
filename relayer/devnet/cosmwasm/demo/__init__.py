"""What the demonstration shows between CosmWasm chains and others, and its hand on one of them."""
