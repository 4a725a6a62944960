"""Messages between the VMs of one chain: our requests as such a chain tells of them, and what such a chain says itself.

Pure. What is here is that chain's public interface, which is not ours to change; what it says of a request is a view on
it and decides nothing. A VM is named as its entry point in `xvm.vms` is.
"""
