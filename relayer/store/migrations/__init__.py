"""The packaged revisions of the store's and the guard's schemas. `relayer.store.migrate` applies them."""
