/* Requests to this chain: each is consumed once, and a receipt tells what became of it. */
#pragma once
#include "source.h"

enum {
  EXECUTE_EPOCH = FIRST_OWN,
  EXECUTE_ROOT,
  EXECUTE_INBOUND,
  EXECUTE_SLOT,
  EXECUTE_ORIGIN_SLOT, /* of the first attempt; left out if there was none */
  EXECUTE_PREDECESSOR, /* the slot of what this one is ordered after; left out if nothing */
  EXECUTE_SYSTEM,
  EXPIRE_COUNT,
  EXECUTE_OWN = EXPIRE_COUNT, /* the sender's own account; left out if it does not call */
  EXECUTE_CODE,               /* the target's program data; left out without a code hash */
  EXECUTE_TARGET,
  EXECUTE_COUNT,
};

static const u8 FIRST_ORDERED[32] = {[31] = 1};

typedef struct {
  Request request;
  Bytes target_account; /* within the target's address */
  u8 target[72 + 256];
  u8 id[32];
} Certified;

/* Reads a request to here. SECURITY: its gateway and its target's chain are not read but are this gateway's and this chain's, so a
 * request to any other has another id, and is in no batch that counts. */
static void read_request(const Gateway *gateway, const Config *config, Reader *reader, int by_hash, Certified *certified, u8 *self) {
  Request *request = &certified->request;
  request->source_gateway = read_bytes(reader);
  request->sender = read_bytes(reader);
  request->destination_gateway = put_account(config->genesis_hash, gateway->program, self);
  Bytes account = read_bytes(reader);
  if (account.length > 255) {
    reader->is_short = 1;
    account.length = 0;
  }
  put_account_head(config->genesis_hash, certified->target);
  certified->target[37] = (u8)account.length;
  if (account.length) memcpy(certified->target + 38, account.data, account.length);
  certified->target_account = (Bytes){certified->target + 38, account.length};
  request->target = (Bytes){certified->target, 38 + account.length};
  request->nonce = read_u64(reader);
  request->mode = CALL;
  request->own_account = read_bool(reader);
  request->payload = NONE;
  request->payload_hash = 0;
  if (by_hash) request->payload_hash = read_word(reader);
  else request->payload = read_bytes(reader);
  request->execution_gas_limit = read_u64(reader);
  request->callback_gas_limit = read_u64(reader);
  request->return_limit = read_u32(reader);
  request->expiry = read_u64(reader);
  request->ordered_after = read_word(reader);
  request->origin = read_word(reader);
  request->code_hash = read_word(reader);
  request->dispute_blocks = read_u32(reader);
  request->metadata = read_bytes(reader);
}

/* The slot of a request, or null if it has none. SECURITY: at its one address, or an empty place elsewhere would be shown for it. */
static u64 find_slot(const Gateway *gateway, const Account *account, const u8 *id, Slot **slot) {
  Bytes seeds[3] = {TEXT(SLOT_SEED), word_of(id)};
  u8 bump;
  *slot = 0;
  if (!is_ours(gateway, account)) return require_canonical_address(gateway, account, seeds, 2, &bump);
  TRY(require_state(gateway, account, SLOT_DISCRIMINATOR, sizeof(Slot)));
  *slot = (Slot *)account->data;
  return require_address(gateway, account, seeds, 2, &(*slot)->bump);
}

static inline int is_consumed(const Slot *slot) { return slot && !is_zero(slot->word); }

/* SECURITY: whatever is consumed stays so: an account is made once, and a word written once, but for an attempt that only expired. */
static u64 write_slot(Gateway *gateway, Account *account, const u8 *slot_id, Slot *slot, u8 kind, const u8 *attempt) {
  if (!slot) {
    Creation made = {.payer = &gateway->accounts[PAYER], .account = account};
    made.seeds[0] = TEXT(SLOT_SEED);
    made.seeds[1] = word_of(slot_id);
    made.seed_count = 2;
    made.length = sizeof(Slot);
    made.discriminator = SLOT_DISCRIMINATOR;
    TRY(create_state(gateway, &made));
    slot = (Slot *)account->data;
    copy32(slot->request_id, slot_id);
    slot->bump = made.bump;
  }
  TRY(require_writable(account));
  if (attempt) {
    copy32(slot->word, attempt);
    slot->word[0] = kind;
  }
  return 0;
}

/* Whether this is what a slot word names: kind ‖ low 248 bits of the attempt's id. */
static int names_attempt(const Slot *slot, const u8 *id) {
  u8 word[32];
  copy32(word, id);
  word[0] = slot->word[0];
  return is_same(word, slot->word);
}

/* sha256 of a program's ELF: what its account holds behind the loader's header, without the zeros at the end. */
static u64 hash_code(const Account *target, const Account *code, u8 *hash) {
  const u8 *start = target->data, *end = target->data + target->data_length;
  if (is_same(target->owner, UPGRADEABLE_LOADER)) {
    /* SECURITY: other code would be looked at than is run */
    REQUIRE(is_program_data(code, target->key), WRONG_TARGET_ACCOUNTS);
    start = code->data + PROGRAM_DATA_HEADER;
    end = code->data + code->data_length;
  }
  while (end - start >= 8 && *(u64 *)(end - 8) == 0) end -= 8;
  while (end > start && end[-1] == 0) --end;
  Bytes elf = {start, (u64)(end - start)};
  sol_sha256(&elf, 1, hash);
  return 0;
}

typedef struct {
  u8 kind;
  u8 cut;
  Bytes return_data;
} Conclusion;

/* The call that a payload holds. */
typedef struct {
  u64 count;
  const u8 *declared; /* 34 bytes each: key, isSigner, isWritable */
  Bytes data;
} Payload;

enum { DECLARED_LENGTH = 34 };

static int is_payload(Bytes bytes, const u8 *own, Payload *payload) {
  Reader reader = reader_of(bytes);
  payload->count = read_u32(&reader);
  if (payload->count > MAX_ACCOUNTS || reader.left < DECLARED_LENGTH * payload->count) return 0;
  payload->declared = reader.at;
  for (u64 i = 0; i < payload->count; ++i) {
    const u8 *declared = read_fixed(&reader, DECLARED_LENGTH);
    if (declared[32] > 1 || declared[33] > 1) return 0;
    /* SECURITY: the sender's own account is all that may ever sign for it */
    if (declared[32] && !(own && is_same(declared, own))) return 0;
  }
  payload->data = read_bytes(&reader);
  return require_end(&reader) == 0;
}

/* Whether the target can be called at all; what cannot now and will not later is `UNREACHED`. */
static u64 reach_target(const Gateway *gateway, const Certified *certified, const u8 *own, Payload *payload, int *reachable) {
  const Account *target = &gateway->accounts[EXECUTE_TARGET];
  const Request *request = &certified->request;
  *reachable = 0;
  /* SECURITY: the gateway is nobody's target, or a request could forge an event */
  if (certified->target_account.length != 32 || is_same(certified->target_account.data, gateway->program)) return 0;
  /* SECURITY: an account that is no program would be shown for the target */
  REQUIRE(is_account(target, certified->target_account.data), WRONG_TARGET_ACCOUNTS);
  if (!target->is_executable || !is_payload(request->payload, own, payload)) return 0;
  if (!is_zero(request->code_hash)) {
    u8 hash[32];
    TRY(hash_code(target, &gateway->accounts[EXECUTE_CODE], hash));
    if (!is_same(hash, request->code_hash)) return 0;
  }
  *reachable = 1;
  return 0;
}

/* Lays out exactly the accounts that the sender declared. */
static u64 declare_accounts(Gateway *gateway, const Payload *payload, const u8 *own) {
  REQUIRE(gateway->account_count == EXECUTE_COUNT + payload->count, WRONG_TARGET_ACCOUNTS);
  u64 count = 0;
  TRY(pass_accounts(gateway, EXECUTE_COUNT, own, &count));
  for (u64 i = 0; i < count; ++i) {
    const u8 *declared = payload->declared + DECLARED_LENGTH * i;
    /* SECURITY: a submitter's choice of accounts is not the sender's */
    REQUIRE(is_same(gateway->metas[i].key, declared), WRONG_TARGET_ACCOUNTS);
    REQUIRE(!declared[33] || gateway->metas[i].is_writable, WRONG_TARGET_ACCOUNTS);
    gateway->metas[i].is_signer = declared[32];
    gateway->metas[i].is_writable = declared[33];
  }
  return 0;
}

/* Calls the target. If it fails, for want of compute units too, nothing has happened: there is no catch here, and the request ends
 * when it expires. */
static u64 call_target(Gateway *gateway, const Certified *certified, const Payload *payload, Signer *signer, Conclusion *conclusion) {
  Instruction call = {certified->target_account.data, gateway->metas, payload->count, payload->data.data, payload->data.length};
  TRY(sol_invoke_signed_c(&call, gateway->passed, payload->count, signer, signer ? 1 : 0));
  u8 program[32];
  u64 length = sol_get_return_data(gateway->returned, MAX_RETURN_LENGTH, program);
  /* what a program below the target returned is not the target's answer */
  if (length == 0 || !is_same(program, certified->target_account.data)) return 0;
  conclusion->cut = length > certified->request.return_limit;
  conclusion->return_data = (Bytes){gateway->returned, conclusion->cut ? certified->request.return_limit : length};
  return 0;
}

/* Runs a request whose turn it is, or finds that it cannot be run. */
static u64 run(Gateway *gateway, const Certified *certified, Account *slot_account, const u8 *slot_id, Slot *slot, Conclusion *conclusion) {
  const Request *request = &certified->request;
  u8 sender_hash[32], bump;
  Bytes seeds[3] = {TEXT(ACCOUNT_SEED), word_of(sender_hash)};
  Signer signer = {seeds, 3};
  const u8 *own = 0;
  if (request->own_account) {
    keccak(request->sender, sender_hash);
    TRY(require_canonical_address(gateway, &gateway->accounts[EXECUTE_OWN], seeds, 2, &bump));
    seeds[2] = (Bytes){&bump, 1};
    own = gateway->accounts[EXECUTE_OWN].key;
  }
  Payload payload;
  int reachable = 0;
  TRY(reach_target(gateway, certified, own, &payload, &reachable));
  conclusion->kind = reachable ? EXECUTED : UNREACHED;
  /* SECURITY: consumed before the call */
  TRY(write_slot(gateway, slot_account, slot_id, slot, conclusion->kind, certified->id));
  if (!reachable) return 0;
  TRY(declare_accounts(gateway, &payload, own));
  return call_target(gateway, certified, &payload, own ? &signer : 0, conclusion);
}

/* Whether what it is ordered after is over. */
static u64 require_predecessor(const Gateway *gateway, const Request *request) {
  const u8 *predecessor = request->ordered_after;
  if (is_zero(predecessor) || is_same(predecessor, FIRST_ORDERED)) return 0;
  Slot *slot;
  TRY(find_slot(gateway, &gateway->accounts[EXECUTE_PREDECESSOR], predecessor, &slot));
  REQUIRE(slot, PREDECESSOR_OPEN);
  return 0;
}

/* Consumes one certified request, in the protocol's order of questions. */
static u64 conclude(Gateway *gateway, const Certified *certified, int expiring, Conclusion *conclusion) {
  Account *accounts = gateway->accounts;
  const Request *request = &certified->request;
  Slot *slot, *origin = 0;
  int is_retry = !is_zero(request->origin);
  TRY(find_slot(gateway, &accounts[EXECUTE_SLOT], certified->id, &slot));
  if (is_retry) TRY(find_slot(gateway, &accounts[EXECUTE_ORIGIN_SLOT], request->origin, &origin));
  /* SECURITY: at most once, whichever attempt consumed it */
  REQUIRE(!is_consumed(slot), ALREADY_CONSUMED);
  REQUIRE(!is_consumed(origin) || !names_attempt(origin, certified->id), ALREADY_CONSUMED);
  conclusion->cut = 0;
  conclusion->return_data = NONE;
  if (now_of(gateway) > request->expiry) {
    conclusion->kind = EXPIRED;
    return write_slot(gateway, &accounts[EXECUTE_SLOT], certified->id, slot, EXPIRED, certified->id);
  }
  REQUIRE(!expiring, NOT_EXPIRED);
  if (is_consumed(origin) && origin->word[0] != EXPIRED) {
    conclusion->kind = DUPLICATE;
    conclusion->return_data = word_of(origin->word);
    return write_slot(gateway, &accounts[EXECUTE_SLOT], certified->id, slot, DUPLICATE, certified->id);
  }
  TRY(require_predecessor(gateway, request));
  if (is_retry) return run(gateway, certified, &accounts[EXECUTE_ORIGIN_SLOT], request->origin, origin, conclusion);
  return run(gateway, certified, &accounts[EXECUTE_SLOT], certified->id, slot, conclusion);
}

static u64 require_inbound(const Gateway *gateway, const Account *account, Bytes source, int expiring) {
  u8 hash[32];
  keccak(source, hash);
  TRY(require_state(gateway, account, INBOUND_DISCRIMINATOR, sizeof(Inbound)));
  Inbound *inbound = (Inbound *)account->data;
  Bytes seeds[3] = {TEXT(INBOUND_SEED), word_of(hash)};
  /* SECURITY: signers certify what a gateway told, the owner says which gateways count */
  TRY(require_address(gateway, account, seeds, 2, &inbound->bump));
  REQUIRE(inbound->is_open || expiring, UNREGISTERED_SOURCE_GATEWAY);
  return 0;
}

static u64 take_request(Gateway *gateway, int expiring) {
  Account *accounts = gateway->accounts;
  Config *config;
  Epoch *epoch;
  Root *root;
  Certified certified;
  Place place;
  Bytes path;
  u8 self[72], leaf[32];
  TRY(require_payer(&accounts[PAYER]));
  TRY(require_config(gateway, &accounts[CONFIG], &config));
  if (!expiring) TRY(require_open(gateway, config, EXECUTIONS));
  Reader reader = reader_of(gateway->data);
  read_request(gateway, config, &reader, expiring, &certified, self);
  place.height = read_u64(&reader);
  place.block_hash = read_word(&reader);
  place.tx_index = read_u32(&reader);
  place.log_index = read_u32(&reader);
  const u8 *payee = read_word(&reader);
  TRY(read_path(&reader, &path));
  TRY(require_end(&reader));
  TRY(require_epoch(gateway, &accounts[EXECUTE_EPOCH], &epoch));
  TRY(require_certified(gateway, &accounts[EXECUTE_ROOT], epoch, &root));
  hash_request(&certified.request, certified.id);
  hash_execute(certified.id, &place, leaf);
  /* SECURITY: only what a quorum has signed */
  REQUIRE(is_in_tree(leaf, path, root->root), NOT_IN_BATCH);
  TRY(require_inbound(gateway, &accounts[EXECUTE_INBOUND], certified.request.source_gateway, expiring));
  Conclusion conclusion;
  TRY(conclude(gateway, &certified, expiring, &conclusion));
  Writer event = begin_event(gateway, 0xe5233e7dd6846295ULL);
  write_word(&event, certified.id);
  write_bytes(&event, certified.request.source_gateway);
  write_u8(&event, conclusion.kind);
  write_u8(&event, conclusion.cut);
  write_bytes(&event, conclusion.return_data);
  write_word(&event, payee);
  return emit(gateway, config, &event);
}

static u64 execute(Gateway *gateway) { return take_request(gateway, 0); }

static u64 expire(Gateway *gateway) { return take_request(gateway, 1); }

enum { LAPSED_PAYER, LAPSED_CONFIG, LAPSED_SLOT, LAPSED_SYSTEM, LAPSED_COUNT };

/* Lets what is ordered after a request past its expiry run, without a certificate about that one. */
static u64 show_lapsed(Gateway *gateway) {
  Account *accounts = gateway->accounts;
  Config *config;
  Certified certified;
  u8 self[72];
  TRY(require_config(gateway, &accounts[LAPSED_CONFIG], &config));
  Reader reader = reader_of(gateway->data);
  read_request(gateway, config, &reader, 1, &certified, self);
  TRY(require_end(&reader));
  hash_request(&certified.request, certified.id);
  /* SECURITY: only what this gateway will never run again */
  REQUIRE(now_of(gateway) > certified.request.expiry, NOT_EXPIRED);
  Slot *slot;
  TRY(find_slot(gateway, &accounts[LAPSED_SLOT], certified.id, &slot));
  return write_slot(gateway, &accounts[LAPSED_SLOT], certified.id, slot, 0, 0);
}
