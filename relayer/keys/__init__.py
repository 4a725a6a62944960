"""This operator's keys: how they lie on disk, and the one signer that uses them."""
