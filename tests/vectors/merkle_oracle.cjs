// Reads {lists: [[leaf, ...], ...]} from stdin; writes each list's root and all its paths by OpenZeppelin's library.
const { SimpleMerkleTree } = require("@openzeppelin/merkle-tree");

const { lists } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const trees = lists.map((leaves) => {
  const tree = SimpleMerkleTree.of(leaves, { sortLeaves: false });
  return { root: tree.root, paths: leaves.map((_, index) => tree.getProof(index)) };
});
process.stdout.write(JSON.stringify(trees));
