"""A whole network on one machine: chains, contracts, relayers as processes, and the demonstration over it.

It starts nodes and deploys contracts through the command line, as an operator would, and imports neither.
"""
