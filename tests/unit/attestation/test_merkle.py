import pytest

from attestation.errors import (
    EmptyBatch,
    LeafOutOfRange,
    MalformedLeaf,
    OversizeBatch,
    PathMismatch,
    PathTooLong,
)
from attestation.keccak import keccak256
from attestation.merkle import (
    MAXIMUM_BATCH_COUNT,
    MAXIMUM_PATH_LENGTH,
    merkle_path,
    merkle_paths,
    merkle_root,
    verify_path,
)
from tests.vectors.examples import example_leaves


def queue_root(leaves: list[bytes]) -> bytes:
    """The root by the queue that the contracts use."""
    queue = list(leaves)
    while len(queue) > 1:
        first, second = queue.pop(0), queue.pop(0)
        queue.append(keccak256(min(first, second) + max(first, second)))
    return queue[0]


@pytest.mark.parametrize("count", [*range(1, 34), 127, 128, 129, 255, 256])
def test_the_array_and_the_queue_agree(count: int) -> None:
    assert merkle_root(example_leaves(count)) == queue_root(example_leaves(count))


@pytest.mark.parametrize("count", [1, 2, 3, 6, 11, 256])
def test_every_leaf_has_a_path(count: int) -> None:
    leaves = example_leaves(count)
    root = merkle_root(leaves)
    for index, leaf in enumerate(leaves):
        path = merkle_path(leaves, index)
        assert len(path) <= MAXIMUM_PATH_LENGTH
        verify_path(root, leaf, path)


def test_several_paths_are_those_of_each_leaf() -> None:
    leaves = example_leaves(11)
    assert merkle_paths(leaves, [7, 0, 10]) == [merkle_path(leaves, index) for index in (7, 0, 10)]
    assert merkle_paths(leaves, []) == []


def test_one_leaf_is_its_own_root() -> None:
    (leaf,) = example_leaves(1)
    assert merkle_root([leaf]) == leaf
    assert merkle_path([leaf], 0) == ()
    verify_path(leaf, leaf, ())


def test_the_root_depends_on_the_order_of_leaves() -> None:
    first, second, third, fourth = example_leaves(4)
    assert merkle_root([first, second, third, fourth]) != merkle_root([first, third, second, fourth])


def test_batches_have_1_to_256_leaves() -> None:
    assert MAXIMUM_BATCH_COUNT == 256
    for function in (merkle_root, lambda leaves: merkle_path(leaves, 0)):
        with pytest.raises(EmptyBatch):
            function([])
        with pytest.raises(OversizeBatch) as caught:
            function(example_leaves(257))
        assert caught.value.count == 257


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_security_leaves_are_words(length: int) -> None:
    """SECURITY: an element of 64 bytes is an inner node's preimage, and two lists would share a root."""
    leaves = example_leaves(3)
    for place in range(3):
        with pytest.raises(MalformedLeaf):
            merkle_root([*leaves[:place], bytes(length), *leaves[place + 1 :]])


@pytest.mark.parametrize("index", [-1, 5, 256])
def test_a_leaf_that_is_not_there_has_no_path(index: int) -> None:
    with pytest.raises(LeafOutOfRange) as caught:
        merkle_path(example_leaves(5), index)
    assert caught.value.index == index


def test_a_path_holds_for_its_leaf_and_root_alone() -> None:
    leaves = example_leaves(5)
    root, path = merkle_root(leaves), merkle_path(leaves, 2)
    for wrong_root, leaf, wrong_path in (
        (root, leaves[1], path),
        (leaves[0], leaves[2], path),
        (root, leaves[2], path[:-1]),
        (root, leaves[2], (*path, leaves[0])),
        (root, leaves[2], path[::-1]),
        (root, leaves[2], ()),
    ):
        with pytest.raises(PathMismatch):
            verify_path(wrong_root, leaf, wrong_path)


def test_a_path_has_at_most_8_elements() -> None:
    leaf, *path = example_leaves(10)
    node = leaf
    for sibling in path:
        node = keccak256(min(node, sibling) + max(node, sibling))
    with pytest.raises(PathTooLong) as caught:
        verify_path(node, leaf, path)
    assert caught.value.length == 9


@pytest.mark.parametrize("length", [0, 31, 33])
def test_security_path_elements_are_words(length: int) -> None:
    """SECURITY: with other lengths the boundary between two nodes could be moved."""
    leaf, sibling = example_leaves(2)
    root = merkle_root([leaf, sibling])
    with pytest.raises(MalformedLeaf):
        verify_path(root, bytes(length), (sibling,))
    with pytest.raises(MalformedLeaf):
        verify_path(root, leaf, (bytes(length),))


def test_security_the_boundary_between_two_nodes_cannot_be_moved() -> None:
    """SECURITY: the same 64 bytes, cut elsewhere, hash to the same root."""
    low, high = sorted(example_leaves(2))
    joined = low + high
    with pytest.raises(MalformedLeaf):
        verify_path(keccak256(joined), joined[:31], (joined[31:],))
