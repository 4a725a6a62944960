/* What is hashed, as every chain of the protocol hashes it: EIP-712 structs, leaves, trees, digests. It reads no account.
 *
 * Source: EIP-712, ERC-7930, the protocol's reference. Golden vectors hold it to the other languages.
 */
#pragma once
#include "gateway.h"

static void keccak(Bytes bytes, void *hash) { sol_keccak256(&bytes, 1, hash); }

static void put_number(u8 *word, u64 number) {
  u64 *out = (u64 *)word;
  out[0] = 0;
  out[1] = 0;
  out[2] = 0;
  out[3] = __builtin_bswap64(number);
}

/* Fields as the protocol has them; numbers beyond 64 bits are 32 bytes, big-endian. */
typedef struct {
  Bytes source_gateway;
  Bytes sender;
  Bytes destination_gateway;
  Bytes target;
  u64 nonce;
  u8 mode;
  u8 own_account;
  Bytes payload;
  const u8 *payload_hash; /* instead of the payload, or null */
  u64 execution_gas_limit;
  u64 callback_gas_limit;
  u32 return_limit;
  u64 expiry;
  const u8 *ordered_after;
  const u8 *origin;
  const u8 *code_hash;
  u32 dispute_blocks;
  Bytes metadata;
} Request;

typedef struct {
  u64 height;
  const u8 *block_hash;
  u32 tx_index;
  u32 log_index;
} Place;

static void hash_request(const Request *request, u8 *id) {
  u8 words[18][32];
  keccak(
      TEXT("Request(bytes sourceGateway,bytes sender,bytes destinationGateway,bytes target,uint64 nonce,uint8 mode,"
           "bool ownAccount,bytes payload,uint64 executionGasLimit,uint64 callbackGasLimit,uint32 returnLimit,uint64 expiry,"
           "uint256 orderedAfter,uint256 origin,bytes32 codeHash,uint32 disputeBlocks,bytes metadata)"),
      words[0]);
  keccak(request->source_gateway, words[1]);
  keccak(request->sender, words[2]);
  keccak(request->destination_gateway, words[3]);
  keccak(request->target, words[4]);
  put_number(words[5], request->nonce);
  put_number(words[6], request->mode);
  put_number(words[7], request->own_account);
  if (request->payload_hash) copy32(words[8], request->payload_hash);
  else keccak(request->payload, words[8]);
  put_number(words[9], request->execution_gas_limit);
  put_number(words[10], request->callback_gas_limit);
  put_number(words[11], request->return_limit);
  put_number(words[12], request->expiry);
  copy32(words[13], request->ordered_after);
  copy32(words[14], request->origin);
  copy32(words[15], request->code_hash);
  put_number(words[16], request->dispute_blocks);
  keccak(request->metadata, words[17]);
  keccak((Bytes){words[0], sizeof words}, id);
}

static void put_place(u8 (*words)[32], const Place *place) {
  put_number(words[0], place->height);
  copy32(words[1], place->block_hash);
  put_number(words[2], place->tx_index);
  put_number(words[3], place->log_index);
}

/* A leaf is the hash of a statement's hash. */
static void hash_leaf(u8 (*words)[32], u64 count, u8 *leaf) {
  u8 statement[32];
  keccak((Bytes){words[0], 32 * count}, statement);
  keccak(word_of(statement), leaf);
}

static void hash_execute(const u8 *request_id, const Place *place, u8 *leaf) {
  u8 words[6][32];
  keccak(TEXT("Execute(uint256 requestId,uint64 height,bytes32 blockHash,uint32 txIndex,uint32 logIndex)"), words[0]);
  copy32(words[1], request_id);
  put_place(&words[2], place);
  hash_leaf(words, 6, leaf);
}

typedef struct {
  const u8 *request_id;
  u8 kind;
  u8 cut;
  const u8 *return_data_hash;
  Place place;
  const u8 *payee;
  u32 round;
} Outcome;

static void hash_outcome(const Outcome *outcome, u8 *leaf) {
  u8 words[11][32];
  keccak(
      TEXT("Outcome(uint256 requestId,uint8 kind,bool cut,bytes32 returnDataHash,uint64 height,bytes32 blockHash,uint32 txIndex,"
           "uint32 logIndex,bytes32 payee,uint32 round)"),
      words[0]);
  copy32(words[1], outcome->request_id);
  put_number(words[2], outcome->kind);
  put_number(words[3], outcome->cut);
  copy32(words[4], outcome->return_data_hash);
  put_place(&words[5], &outcome->place);
  copy32(words[9], outcome->payee);
  put_number(words[10], outcome->round);
  hash_leaf(words, 11, leaf);
}

static void hash_rotate(const u8 *set_hash, u64 new_epoch, u8 *leaf) {
  u8 words[3][32];
  keccak(TEXT("Rotate(bytes32 signerSetHash,uint64 newEpoch)"), words[0]);
  copy32(words[1], set_hash);
  put_number(words[2], new_epoch);
  hash_leaf(words, 3, leaf);
}

static void hash_domain(const u8 *salt, u8 *separator) {
  u8 words[4][32];
  keccak(TEXT("EIP712Domain(string name,string version,bytes32 salt)"), words[0]);
  keccak(TEXT("XVM"), words[1]);
  keccak(TEXT("1"), words[2]);
  copy32(words[3], salt);
  keccak((Bytes){words[0], sizeof words}, separator);
}

static void hash_batch(const u8 *separator, const u8 *root, u64 count, u64 epoch, u8 *digest) {
  u8 words[4][32], batch[32];
  keccak(TEXT("Batch(bytes32 root,uint32 count,uint64 epoch)"), words[0]);
  copy32(words[1], root);
  put_number(words[2], count);
  put_number(words[3], epoch);
  keccak((Bytes){words[0], sizeof words}, batch);
  Bytes parts[3] = {TEXT("\x19\x01"), word_of(separator), word_of(batch)};
  sol_keccak256(parts, 3, digest);
}

static int is_before(const u8 *left, const u8 *right) {
  const u64 *a = (const u64 *)left, *b = (const u64 *)right;
  for (u64 i = 0; i < 4; ++i) {
    u64 x = __builtin_bswap64(a[i]), y = __builtin_bswap64(b[i]);
    if (x != y) return x < y;
  }
  return 0;
}

/* Whether the path leads from the leaf to the root. A node is 64 bytes before it is hashed and a leaf 32: neither passes for the other. */
static int is_in_tree(const u8 *leaf, Bytes path, const u8 *root) {
  u8 node[32];
  copy32(node, leaf);
  for (u64 at = 0; at < path.length; at += 32) {
    const u8 *other = path.data + at;
    int is_first = is_before(node, other);
    Bytes parts[2] = {word_of(is_first ? node : other), word_of(is_first ? other : node)};
    sol_keccak256(parts, 2, node);
  }
  return is_same(node, root);
}

/* Writes the chain's ERC-7930 head up to and with the length of an address of 32 bytes. Returns its length, 38. */
static u64 put_account_head(const u8 *genesis_hash, u8 *out) {
  out[0] = 0;
  out[1] = 1;
  out[2] = 0;
  out[3] = 2;
  out[4] = 32;
  copy32(out + 5, genesis_hash);
  out[37] = 32;
  return 38;
}

/* The ERC-7930 address (70 bytes) of an account of this chain. */
static Bytes put_account(const u8 *genesis_hash, const u8 *key, u8 *out) {
  u64 head = put_account_head(genesis_hash, out);
  copy32(out + head, key);
  return (Bytes){out, head + 32};
}
