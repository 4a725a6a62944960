"""A measured load on a devnet, from outside: what users would see, and what it cost.

Its job: ask at a rate, watch the chains, and count on them. It believes no relayer about what became of a request.
"""
