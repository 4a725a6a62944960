//! Root of a batch: OpenZeppelin's merkle-tree layout over leaves in batch order. 2n − 1 nodes, leaf i at 2n − 2 − i, node k the hash
//! of its sorted children 2k + 1 and 2k + 2. One leaf is its own root.
//! Source: `makeMerkleTree` of OpenZeppelin's npm package merkle-tree.

use xvm_common::keccak::keccak256;
use xvm_common::word::{Word, ZERO};

/// Of at least one leaf.
pub fn root(leaves: &[Word]) -> Word {
    let count = leaves.len();
    let mut nodes = vec![ZERO; 2 * count - 1];
    for (place, leaf) in leaves.iter().enumerate() {
        nodes[2 * count - 2 - place] = *leaf;
    }
    for place in (0..count - 1).rev() {
        let (left, right) = (nodes[2 * place + 1], nodes[2 * place + 2]);
        let pair = if left < right { [left, right] } else { [right, left] };
        nodes[place] = keccak256(&pair.concat());
    }
    nodes[0]
}
