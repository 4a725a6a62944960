"""The adapter for CosmWasm chains: CometBFT's JSON-RPC, the SDK's protobuf messages, the gateway's JSON."""
