"""An emulation of the module by which a chain calls between its own VMs: the devnet has it where it is asked to.

What is real: the queue, its limits and states, the events, and calls of this chain's own contracts. What is played: the
EVM and the SVM, by answerers that whoever starts the chain may replace. The chain that this stands for is written down
in docs/reference/crossvm.md.
"""
