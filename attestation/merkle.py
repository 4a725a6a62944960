"""The tree of a batch: its root, and the path of one leaf for verifiers that cannot take the whole list.

The layout is that of OpenZeppelin's merkle-tree library without sorting the leaves: an array of 2n-1 nodes with leaf i
at 2n-2-i, node k the hash of its children 2k+1 and 2k+2, the lower one first. That is: queue the leaves in batch order,
take two, queue their hash, until one is left. The tree of one leaf is the leaf.

Source: @openzeppelin/merkle-tree, SimpleMerkleTree with `sortLeaves: false`; contracts verify paths with MerkleProof.
"""

from collections.abc import Sequence
from typing import Final

from attestation.errors import EmptyBatch, LeafOutOfRange, MalformedLeaf, OversizeBatch, PathMismatch, PathTooLong
from attestation.keccak import keccak256
from attestation.words import WORD_LENGTH

MAXIMUM_BATCH_COUNT: Final = 256
"""Leaves of a full batch: what one delivery can act on, and what a split halves in eight steps."""

MAXIMUM_PATH_LENGTH: Final = 8
"""Elements of the longest path: log2 of a full batch."""


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The 32-byte root of 1 to 256 leaves, in batch order.

    Raises `EmptyBatch`, `OversizeBatch`, `MalformedLeaf`.
    """
    return _build(leaves)[0]


def merkle_path(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The siblings from leaf `index` up to the root. Raises what `merkle_root` raises, and `LeafOutOfRange`."""
    return merkle_paths(leaves, [index])[0]


def merkle_paths(leaves: Sequence[bytes], indices: Sequence[int]) -> list[tuple[bytes, ...]]:
    """The paths of several leaves, from one tree. Raises as `merkle_path`."""
    tree = _build(leaves)
    for index in indices:
        if not 0 <= index < len(leaves):
            raise LeafOutOfRange(index)
    return [_path(tree, len(tree) - 1 - index) for index in indices]


def verify_path(root: bytes, leaf: bytes, path: Sequence[bytes]) -> None:
    """Return if `path` leads from `leaf` to `root`.

    The caller may assume that the leaf is in the batch, not where in it.

    Raises:
        PathTooLong: more than 8 elements.
        MalformedLeaf: the leaf or an element is not 32 bytes.
        PathMismatch: it leads elsewhere.
    """
    if len(path) > MAXIMUM_PATH_LENGTH:
        raise PathTooLong(len(path))
    _require_words((leaf, *path))
    node = leaf
    for sibling in path:
        node = keccak256(node + sibling if node < sibling else sibling + node)
    if node != root:
        raise PathMismatch


def _path(tree: Sequence[bytes], node: int) -> tuple[bytes, ...]:
    path: list[bytes] = []
    while node:
        path.append(tree[node + 1 if node & 1 else node - 1])
        node = (node - 1) >> 1
    return tuple(path)


def _build(leaves: Sequence[bytes]) -> list[bytes]:
    if not leaves:
        raise EmptyBatch
    if len(leaves) > MAXIMUM_BATCH_COUNT:
        raise OversizeBatch(len(leaves))
    # SECURITY: with elements of other lengths two different lists could share a root.
    _require_words(leaves)
    tree = [b""] * (len(leaves) - 1)
    tree.extend(reversed(leaves))
    for node in range(len(leaves) - 2, -1, -1):
        left, right = tree[2 * node + 1], tree[2 * node + 2]
        tree[node] = keccak256(left + right if left < right else right + left)
    return tree


def _require_words(values: Sequence[bytes]) -> None:
    for value in values:
        if len(value) != WORD_LENGTH:
            raise MalformedLeaf(f"an element of {len(value)} bytes is no hash")
