"""What a relayer remembers: the store and the signing guard, in memory and in a database."""
