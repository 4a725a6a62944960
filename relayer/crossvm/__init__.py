"""Our requests as a chain that carries several VMs tells of the calls between them: its states, messages and events.

Pure. What is here is that chain's public interface, which is not ours to change; what it says of a request is a view on
it and decides nothing. A VM is named as its entry point in `xvm.vms` is.
"""
