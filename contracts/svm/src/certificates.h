/* Certificates, verified once: the root of a certified batch stays in an account while its epoch lasts. */
#pragma once
#include "epochs.h"

enum { CERTIFICATE_HEAD_LENGTH = 49, SIGNATURE_LENGTH = 64 };
enum { ROOT_KEPT_SECONDS = 600 }; /* that a root serves at least: ten times what a transaction under it can be on its way */
enum { CERTIFY_PAYER, CERTIFY_ROOT, CERTIFY_EPOCH, CERTIFY_SYSTEM, CERTIFY_COUNT };

/* Half of the curve's order, rounded down, big-endian. */
static const u8 HALF_ORDER[32] = {
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
};

static u64 require_root_account(const Gateway *gateway, const Account *account, Root **root) {
  TRY(require_state(gateway, account, ROOT_DISCRIMINATOR, sizeof(Root)));
  *root = (Root *)account->data;
  Bytes seeds[5] = {TEXT(ROOT_SEED), word_of((*root)->root), {(u8 *)&(*root)->epoch, 8}, {(u8 *)&(*root)->count, 4}};
  return require_address(gateway, account, seeds, 4, &(*root)->bump);
}

/* The batch is certified, and its epoch verifies still. */
static u64 require_certified(const Gateway *gateway, const Account *account, const Epoch *epoch, Root **root) {
  TRY(require_root_account(gateway, account, root));
  REQUIRE((*root)->epoch == epoch->epoch, UNKNOWN_EPOCH);
  /* SECURITY: a root without a quorum behind it is anybody's */
  REQUIRE((*root)->is_complete, BELOW_THRESHOLD);
  /* SECURITY: after this, stake may be gone and keys thrown away */
  REQUIRE(now_of(gateway) <= epoch->valid_until, EXPIRED_EPOCH);
  return 0;
}

/* Counts one signature: it must be that of signer `index`. */
static u64 count_signature(const u8 *digest, const u8 *signature, Epoch *epoch, Root *root, u64 index) {
  u8 rs[64], point[64], hash[32];
  copy32(rs, signature);
  copy32(rs + 32, signature + 32);
  u64 parity = rs[32] >> 7;
  rs[32] &= 0x7f;
  /* SECURITY: a high s is the twin that anyone can make of a signature */
  REQUIRE(!is_before(HALF_ORDER, rs + 32), HIGH_S);
  REQUIRE(sol_secp256k1_recover(digest, parity, rs, point) == 0, FORGED_SIGNATURE);
  keccak((Bytes){point, 64}, hash);
  REQUIRE(is_same_key(hash + 12, epoch->signers[index].key), FORGED_SIGNATURE);
  root->seen[index / 8] |= (u8)(1 << index % 8);
  /* the epoch's weights sum up to 64 bits at most, and none is counted twice */
  root->weight += epoch->signers[index].weight;
  return 0;
}

static u64 open_root(Gateway *gateway, const u8 *given_root, u32 count, u64 epoch, Root **root) {
  Account *account = &gateway->accounts[CERTIFY_ROOT];
  if (is_ours(gateway, account)) {
    TRY(require_writable(account));
    TRY(require_root_account(gateway, account, root));
    REQUIRE(is_same((*root)->root, given_root) && (*root)->count == count && (*root)->epoch == epoch, WRONG_ADDRESS);
    return 0;
  }
  Creation made = {.payer = &gateway->accounts[CERTIFY_PAYER], .account = account};
  made.seeds[0] = TEXT(ROOT_SEED);
  made.seeds[1] = word_of(given_root);
  made.seeds[2] = (Bytes){(u8 *)&epoch, 8};
  made.seeds[3] = (Bytes){(u8 *)&count, 4};
  made.seed_count = 4;
  made.length = sizeof(Root);
  made.discriminator = ROOT_DISCRIMINATOR;
  TRY(create_state(gateway, &made));
  *root = (Root *)account->data;
  copy32((*root)->root, given_root);
  copy32((*root)->payer, made.payer->key);
  (*root)->epoch = epoch;
  (*root)->count = count;
  (*root)->since = now_of(gateway);
  (*root)->bump = made.bump;
  return 0;
}

/* Data: root ‖ count (u16) ‖ certificate, to the end. A certificate may come in parts: whatever signers each part holds are added. */
static u64 verify_certificate(Gateway *gateway) {
  Reader reader = reader_of(gateway->data);
  const u8 *given_root = read_word(&reader);
  u32 count = read_u16(&reader);
  const u8 *head = read_fixed(&reader, CERTIFICATE_HEAD_LENGTH);
  REQUIRE(!reader.is_short, MALFORMED_CERTIFICATE);
  const u8 *bitmap = head + 17; /* 32 bytes, big-endian */
  u64 signatures = 0;
  for (u64 i = 0; i < 32; ++i) {
    for (u8 bits = bitmap[i]; bits; bits &= bits - 1) ++signatures;
  }
  REQUIRE(reader.left == SIGNATURE_LENGTH * signatures, MALFORMED_CERTIFICATE);
  REQUIRE(head[0] == SCHEME_ECDSA, WRONG_SCHEME);
  Epoch *epoch;
  TRY(require_epoch(gateway, &gateway->accounts[CERTIFY_EPOCH], &epoch));
  REQUIRE(*(u32 *)(head + 9) == *(u32 *)epoch->tags, OTHER_CHAIN);
  REQUIRE(*(u32 *)(head + 13) == *(u32 *)(epoch->tags + 4), OTHER_GATEWAY);
  /* SECURITY: a zero root or an empty batch is what uninitialised memory looks like */
  REQUIRE(!is_zero(given_root), ZERO_ROOT);
  REQUIRE(count != 0, EMPTY_BATCH);
  REQUIRE(count <= MAX_BATCH, BATCH_TOO_LONG);
  REQUIRE(__builtin_bswap64(*(u64 *)(head + 1)) == epoch->epoch, UNKNOWN_EPOCH);
  /* SECURITY: after this, stake may be gone and keys thrown away */
  REQUIRE(now_of(gateway) <= epoch->valid_until, EXPIRED_EPOCH);
  Root *root;
  TRY(open_root(gateway, given_root, count, epoch->epoch, &root));
  u8 digest[32];
  hash_batch(epoch->domain_separator, given_root, count, epoch->epoch, digest);
  for (u64 index = 0; index < 256; ++index) {
    if (!(bitmap[31 - index / 8] >> index % 8 & 1)) continue;
    /* SECURITY: a bit beyond the set would be compared with whatever lies there */
    REQUIRE(index < epoch->count, UNKNOWN_SIGNER);
    const u8 *signature = read_fixed(&reader, SIGNATURE_LENGTH);
    /* SECURITY: a signer that counts twice is a quorum of one. Passed over, or whoever brings one signature first stops the rest. */
    if (root->seen[index / 8] >> index % 8 & 1) continue;
    TRY(count_signature(digest, signature, epoch, root, index));
  }
  /* SECURITY: once; whoever brings signatures again would keep the payer from its rent */
  if (!root->is_complete && root->weight >= epoch->threshold) {
    root->is_complete = 1;
    root->since = now_of(gateway);
  }
  return 0;
}

enum { CLOSE_ROOT_PAYER, CLOSE_ROOT_ROOT, CLOSE_ROOT_EPOCH, CLOSE_ROOT_COUNT };

/* Rent goes back to who paid it: by its own wish a while after the root was made or completed, by anybody when the epoch is over.
 * So neither who never completes a root nor who adds to it can keep the rent of another. */
static u64 close_root(Gateway *gateway) {
  Account *accounts = gateway->accounts;
  Reader reader = reader_of(gateway->data);
  TRY(require_end(&reader));
  Root *root;
  Epoch *epoch;
  TRY(require_root_account(gateway, &accounts[CLOSE_ROOT_ROOT], &root));
  TRY(require_epoch(gateway, &accounts[CLOSE_ROOT_EPOCH], &epoch));
  REQUIRE(root->epoch == epoch->epoch, UNKNOWN_EPOCH);
  /* SECURITY: rent is not for who comes first */
  REQUIRE(is_account(&accounts[CLOSE_ROOT_PAYER], root->payer), WRONG_ADDRESS);
  u64 now = now_of(gateway);
  /* SECURITY: what others have sent under the root would fail, and cost them their fees */
  int is_due = accounts[CLOSE_ROOT_PAYER].is_signer && now >= root->since + ROOT_KEPT_SECONDS;
  REQUIRE(is_due || now > epoch->valid_until, ROOT_IN_USE);
  return close_state(&accounts[CLOSE_ROOT_ROOT], &accounts[CLOSE_ROOT_PAYER]);
}

/* A next set, certified by the present one as a batch of one. */
static u64 rotate(Gateway *gateway) {
  Account *accounts = gateway->accounts;
  Config *config;
  Epoch *former, *epoch;
  Root *root;
  TRY(require_config(gateway, &accounts[CONFIG], &config));
  TRY(require_writable(&accounts[CONFIG]));
  TRY(require_epoch(gateway, &accounts[EPOCH_FORMER], &former));
  TRY(require_writable(&accounts[EPOCH_FORMER]));
  /* SECURITY: an epoch in its grace has a successor; a second one would be a fork of the set */
  REQUIRE(former->epoch == config->epoch, NOT_CURRENT_EPOCH);
  TRY(require_certified(gateway, &accounts[EPOCH_ROOT], former, &root));
  TRY(make_epoch(gateway, config, &epoch));
  u8 leaf[32];
  hash_rotate(epoch->set_hash, epoch->epoch, leaf);
  /* SECURITY: only the set that was certified, and as a batch of its own */
  REQUIRE(root->count == 1 && is_same(root->root, leaf), NOT_IN_BATCH);
  u64 cut = now_of(gateway) + former->grace_seconds;
  /* SECURITY: who was rotated out for a leaked key must not verify for long */
  if (cut >= former->grace_seconds && cut < former->valid_until) former->valid_until = cut;
  return apply_epoch(gateway, config, epoch);
}
