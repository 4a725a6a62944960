"""A chain that calls between its own VMs, watched and fed from outside.

It is a Cosmos chain, read as one (`relayer.vms.cosmwasm`): M of its N endpoints must tell the same. What its module
tells of messages is that chain's own word: no gateway of ours is there, no request, no certificate, and nothing that is
learned here is ever signed. It is no VM of the relayer's and has no registration.
"""
