"""The demonstration: a handful of requests over a devnet, watched on the chains themselves.

Its job: ask, watch, compare with what was expected. It knows the devnet's description file and the contracts' ABIs,
like any outside program, and asks no relayer what became of anything.
"""
