"""What the demonstration shows between Solana chains and others, and its hand on one of them."""
