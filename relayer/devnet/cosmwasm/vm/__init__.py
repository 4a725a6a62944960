"""The virtual machine: wasmtime with CosmWasm's gatekeeper, gas and imports. It knows no chain."""
