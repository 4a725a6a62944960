"""What every program that talks with a Cosmos chain agrees on: the bytes of its messages and of its accounts.

Its job: protobuf and the messages in it, written and read alike by the relayer's client of such chains and by the chain
of the devnet. It knows no network, no chain and no contract, and must import nothing of either.
"""
