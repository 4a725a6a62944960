"""Asking on CosmWasm chains: messages in JSON, checked against a contract's schema, and one node that is believed."""
