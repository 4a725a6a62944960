/* Who signs, epoch by epoch: the first set by the owner, each next one by the set before it. */
#pragma once
#include "control.h"

enum { SCHEME_ECDSA = 1, KEY_LENGTH = 20 };

typedef struct {
  u8 scheme;
  u64 threshold;
  u64 valid_until;
  u64 grace_seconds;
  u64 count;
} SetHead;

static inline int is_same_key(const u8 *a, const u8 *b) {
  return *(u64 *)a == *(u64 *)b && *(u64 *)(a + 8) == *(u64 *)(b + 8) && *(u32 *)(a + 16) == *(u32 *)(b + 16);
}

static inline int is_zero_key(const u8 *key) { return (*(u64 *)key | *(u64 *)(key + 8) | *(u32 *)(key + 16)) == 0; }

INLINE SetHead read_set_head(Reader *reader) {
  SetHead head;
  head.scheme = read_u8(reader);
  head.threshold = read_u64(reader);
  head.valid_until = read_u64(reader);
  head.grace_seconds = read_u64(reader);
  head.count = read_u32(reader);
  return head;
}

/* Reads the signers into the epoch's account and hashes them, keeping every rule of a set that is about one of them. */
static u64 read_signers(Reader *reader, Epoch *epoch, const SetHead *head, u8 (*hashes)[32]) {
  u8 words[4][32];
  keccak(TEXT("Signer(bytes key,uint64 weight,bytes32 operator)"), words[0]);
  for (u64 i = 0; i < head->count; ++i) {
    SignerRecord *signer = &epoch->signers[i];
    Bytes key = read_bytes(reader);
    signer->weight = read_u64(reader);
    copy32(signer->operator_id, read_word(reader));
    REQUIRE(!reader->is_short, MALFORMED_INSTRUCTION);
    REQUIRE(key.length == KEY_LENGTH, MALFORMED_KEY);
    memcpy(signer->key, key.data, KEY_LENGTH);
    /* SECURITY: no key has this address, and a faulty recovery might */
    REQUIRE(!is_zero_key(signer->key), ZERO_KEY);
    /* SECURITY: a key that stands twice would count twice */
    for (u64 j = 0; j < i; ++j) REQUIRE(!is_same_key(epoch->signers[j].key, signer->key), REPEATED_KEY);
    REQUIRE(signer->weight != 0, ZERO_WEIGHT);
    keccak(key, words[1]);
    put_number(words[2], signer->weight);
    copy32(words[3], signer->operator_id);
    keccak((Bytes){words[0], sizeof words}, hashes[i]);
  }
  return 0;
}

static u64 require_threshold(const Epoch *epoch, u64 threshold) {
  u64 total = 0;
  for (u64 i = 0; i < epoch->count; ++i) {
    u64 sum = total + epoch->signers[i].weight;
    REQUIRE(sum >= total, WEIGHT_TOO_HIGH);
    total = sum;
  }
  /* SECURITY: or two disjoint quorums could certify a contradiction */
  REQUIRE(threshold > total / 2, THRESHOLD_TOO_LOW);
  REQUIRE(threshold <= total, THRESHOLD_TOO_HIGH);
  for (u64 i = 0; i < epoch->count; ++i) {
    u64 weight = 0;
    for (u64 j = i; j < epoch->count; ++j) {
      if (is_same(epoch->signers[j].operator_id, epoch->signers[i].operator_id)) weight += epoch->signers[j].weight;
    }
    /* SECURITY: a quorum means several people */
    REQUIRE(weight < threshold, OPERATOR_TOO_HEAVY);
  }
  return 0;
}

enum {
  EPOCH_FORMER = FIRST_OWN, /* the newest epoch's account; left out before the first */
  EPOCH_NEXT,
  EPOCH_SYSTEM,
  INSTALL_COUNT,
  EPOCH_ROOT = INSTALL_COUNT, /* only of `rotate` */
  ROTATE_COUNT,
};

static u64 require_epoch(const Gateway *gateway, const Account *account, Epoch **epoch) {
  TRY(require_state(gateway, account, EPOCH_DISCRIMINATOR, sizeof(Epoch)));
  *epoch = (Epoch *)account->data;
  Bytes seeds[3] = {TEXT(EPOCH_SEED), {(u8 *)&(*epoch)->epoch, 8}};
  return require_address(gateway, account, seeds, 2, &(*epoch)->bump);
}

/* Makes the next epoch from the set in the instruction's data. Leaves the set's hash in the epoch's account. */
static u64 make_epoch(Gateway *gateway, Config *config, Epoch **made_epoch) {
  Account *account = &gateway->accounts[EPOCH_NEXT];
  Reader reader = reader_of(gateway->data);
  SetHead head = read_set_head(&reader);
  REQUIRE(!reader.is_short, MALFORMED_INSTRUCTION);
  REQUIRE(head.scheme == SCHEME_ECDSA, WRONG_SCHEME);
  REQUIRE(head.count != 0, EMPTY_SIGNER_SET);
  REQUIRE(head.count <= MAX_SIGNERS, TOO_MANY_SIGNERS);
  u64 number = config->epoch + 1;
  Creation made = {.payer = &gateway->accounts[PAYER], .account = account};
  made.seeds[0] = TEXT(EPOCH_SEED);
  made.seeds[1] = (Bytes){(u8 *)&number, 8};
  made.seed_count = 2;
  made.length = sizeof(Epoch) + head.count * sizeof(SignerRecord);
  made.discriminator = EPOCH_DISCRIMINATOR;
  TRY(create_state(gateway, &made));
  Epoch *epoch = (Epoch *)account->data;
  epoch->epoch = number;
  epoch->valid_until = head.valid_until;
  epoch->grace_seconds = head.grace_seconds;
  epoch->threshold = head.threshold;
  epoch->count = (u32)head.count;
  epoch->bump = made.bump;
  copy32(epoch->domain_separator, config->domain_separator);
  *(u64 *)epoch->tags = *(u64 *)config->tags;
  u8(*hashes)[32] = (u8(*)[32])gateway->event; /* free until the event is written */
  TRY(read_signers(&reader, epoch, &head, hashes));
  TRY(require_end(&reader));
  TRY(require_threshold(epoch, head.threshold));
  REQUIRE(head.grace_seconds != 0, ZERO_GRACE);
  REQUIRE(head.valid_until > now_of(gateway), EXPIRED_SIGNER_SET);
  u8 words[6][32];
  keccak(
      TEXT("SignerSet(uint8 scheme,uint64 threshold,uint64 validUntil,uint64 graceSeconds,Signer[] signers)"
           "Signer(bytes key,uint64 weight,bytes32 operator)"),
      words[0]);
  put_number(words[1], head.scheme);
  put_number(words[2], head.threshold);
  put_number(words[3], head.valid_until);
  put_number(words[4], head.grace_seconds);
  keccak((Bytes){hashes[0], 32 * head.count}, words[5]);
  keccak((Bytes){words[0], sizeof words}, epoch->set_hash);
  *made_epoch = epoch;
  return 0;
}

static u64 apply_epoch(Gateway *gateway, Config *config, const Epoch *epoch) {
  config->epoch = epoch->epoch;
  Writer event = begin_event(gateway, 0x14167f37571fdd6fULL);
  write_u64(&event, epoch->epoch);
  write_word(&event, epoch->set_hash);
  write_u64(&event, epoch->valid_until);
  write_fixed(&event, gateway->data.data, gateway->data.length); /* the whole set, as it was given */
  return emit(gateway, config, &event);
}

static u64 install(Gateway *gateway) {
  Config *config;
  Epoch *epoch;
  TRY(require_owner(gateway, &gateway->accounts[PAYER], &gateway->accounts[CONFIG], &config));
  TRY(require_writable(&gateway->accounts[CONFIG]));
  if (config->epoch != 0) {
    Epoch *former;
    TRY(require_epoch(gateway, &gateway->accounts[EPOCH_FORMER], &former));
    REQUIRE(former->epoch == config->epoch, NOT_CURRENT_EPOCH);
    /* SECURITY: while signers answer for the gateway, its owner does not */
    REQUIRE(now_of(gateway) > former->valid_until, EPOCH_STILL_VALID);
  }
  TRY(make_epoch(gateway, config, &epoch));
  return apply_epoch(gateway, config, epoch);
}
