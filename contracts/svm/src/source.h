/* Requests from this chain: asking, paying, giving up, taking outcomes, calling back. */
#pragma once
#include "certificates.h"

enum {
  DEFAULT_EXECUTION_GAS = 500000,
  DEFAULT_CALLBACK_GAS = 300000,
  DEFAULT_RETURN_LIMIT = 1024,
  MAX_METADATA_LENGTH = 256,
  CLOCK_SKEW_SECONDS = 300,         /* how far two chains' clocks may stand apart when an expiry is said to be over */
  RECLAIM_SECONDS = 7 * 24 * 3600, /* how long money waits for who may have earned it */
};

#define CALLBACK_DISCRIMINATOR 0x4b8fa79f989bd8cdULL /* sha256("global:xvm_callback"), as Anchor's handlers expect it */

typedef struct {
  u8 mode;
  u8 own_account;
  u64 execution_gas_limit;
  u64 callback_gas_limit;
  u32 return_limit;
  u64 expiry;
  u8 ordered;
  const u8 *code_hash;
  u32 dispute_blocks;
  u64 deadline_slots;
  Bytes metadata;
} Options;

typedef struct {
  u64 salt;
  u64 max_fee;
  Bytes target;
  Bytes payload;
  Options options;
  u8 has_callback;
  const u8 *callback_program;
  Bytes callback_seed;
  u8 callback_bump;
} Asked;

/* What an earlier attempt had and a retry has not. */
typedef struct {
  u64 nonce;
  u64 expiry;
  const u8 *origin;
} Attempt;

static u64 read_asked(Reader *reader, Asked *asked) {
  asked->salt = read_u64(reader);
  asked->max_fee = read_u64(reader);
  asked->target = read_bytes(reader);
  asked->payload = read_bytes(reader);
  Options *options = &asked->options;
  options->mode = read_u8(reader);
  options->own_account = read_bool(reader);
  options->execution_gas_limit = read_u64(reader);
  options->callback_gas_limit = read_u64(reader);
  options->return_limit = read_u32(reader);
  options->expiry = read_u64(reader);
  options->ordered = read_bool(reader);
  options->code_hash = read_word(reader);
  options->dispute_blocks = read_u32(reader);
  options->deadline_slots = read_u64(reader);
  options->metadata = read_bytes(reader);
  asked->has_callback = read_bool(reader);
  if (asked->has_callback) {
    asked->callback_program = read_word(reader);
    asked->callback_seed = read_bytes(reader);
    asked->callback_bump = read_u8(reader);
  }
  return require_end(reader);
}

enum {
  REQUEST_SENDER = FIRST_OWN,
  REQUEST_OUTBOUND,
  REQUEST_SENDER_STATE,
  REQUEST_PENDING,
  REQUEST_ORDERED, /* the sender's last ordered request on the route; left out of what is not ordered */
  REQUEST_SYSTEM,
  REQUEST_COUNT,
  RETRY_EARLIER = REQUEST_COUNT,
  RETRY_COUNT,
};

/* Splits an ERC-7930 address: `head` is all up to the length of its account. Strict about lengths, as every parser of them is. */
static u64 split_address(Bytes address, u64 *head, u64 *account_length) {
  const u8 *at = address.data;
  REQUIRE(address.length >= 6 && at[0] == 0 && at[1] == 1, MALFORMED_ADDRESS);
  u64 reference = at[4];
  REQUIRE(address.length >= 6 + reference, MALFORMED_ADDRESS);
  *head = 5 + reference;
  *account_length = at[*head];
  REQUIRE(address.length == *head + 1 + *account_length, MALFORMED_ADDRESS);
  return 0;
}

/* Opens the route to a target, which must be one of its chain. */
static u64 open_outbound(const Gateway *gateway, const Account *account, Bytes target, Outbound **outbound) {
  u64 head = 0, length = 0;
  u8 chain[64], hash[32];
  TRY(split_address(target, &head, &length));
  /* SECURITY: or a long reference would run over what lies behind the chain */
  REQUIRE(head < sizeof chain, MALFORMED_ADDRESS);
  memcpy(chain, target.data, head);
  chain[head] = 0;
  keccak((Bytes){chain, head + 1}, hash);
  TRY(require_state(gateway, account, OUTBOUND_DISCRIMINATOR, sizeof(Outbound)));
  *outbound = (Outbound *)account->data;
  /* SECURITY: another chain's terms, or its gateway, would be this request's */
  Bytes seeds[3] = {TEXT(OUTBOUND_SEED), word_of(hash)};
  TRY(require_address(gateway, account, seeds, 2, &(*outbound)->bump));
  REQUIRE(length < 64 && ((*outbound)->terms.address_lengths >> length & 1), MALFORMED_ADDRESS);
  return 0;
}

static inline u64 or_default(u64 given, u64 most, u64 usual) { return given ? given : usual < most ? usual : most; }

/* Fills a request from what is asked and the route's bounds. */
static u64 plan(const Gateway *gateway, const Asked *asked, const Outbound *outbound, Request *request, u64 *deadline_slots) {
  const Terms *terms = &outbound->terms;
  const Options *options = &asked->options;
  u64 now = now_of(gateway);
  REQUIRE(terms->is_open, PAUSED);
  REQUIRE(options->mode == CALL || options->mode == QUERY, UNSUPPORTED_MODE);
  /* SECURITY: an option that this version does not keep must not be taken */
  REQUIRE(options->dispute_blocks == 0, DISPUTES_UNSUPPORTED);
  request->mode = options->mode;
  request->own_account = options->own_account;
  request->payload = asked->payload;
  request->payload_hash = 0;
  request->execution_gas_limit = or_default(options->execution_gas_limit, terms->max_execution_gas, DEFAULT_EXECUTION_GAS);
  request->callback_gas_limit = or_default(options->callback_gas_limit, terms->max_callback_gas, DEFAULT_CALLBACK_GAS);
  request->return_limit = (u32)or_default(options->return_limit, terms->max_return_bytes, DEFAULT_RETURN_LIMIT);
  request->code_hash = options->code_hash;
  request->dispute_blocks = 0;
  request->metadata = options->metadata;
  request->ordered_after = NOTHING;
  request->origin = NOTHING;
  REQUIRE(request->payload.length <= terms->max_payload_bytes && request->execution_gas_limit <= terms->max_execution_gas &&
              request->callback_gas_limit <= terms->max_callback_gas && request->return_limit <= terms->max_return_bytes &&
              request->metadata.length <= MAX_METADATA_LENGTH,
          OUT_OF_BOUNDS);
  if (options->mode == QUERY) {
    REQUIRE(terms->takes_queries && !options->own_account && !options->ordered && is_zero(options->code_hash), UNSUPPORTED_MODE);
    REQUIRE(options->expiry == 0, OUT_OF_BOUNDS);
    request->destination_gateway = NONE;
    request->expiry = 0;
  } else {
    REQUIRE(outbound->gateway_length != 0, UNSUPPORTED_MODE);
    request->destination_gateway = (Bytes){outbound->gateway, outbound->gateway_length};
    request->expiry = options->expiry ? options->expiry : now + terms->default_expiry_seconds;
    REQUIRE(request->expiry >= now + terms->min_expiry_seconds && request->expiry <= now + terms->max_expiry_seconds,
            OUT_OF_BOUNDS);
  }
  *deadline_slots = options->deadline_slots ? options->deadline_slots : terms->deadline_slots;
  REQUIRE(*deadline_slots >= terms->deadline_slots && *deadline_slots <= terms->max_deadline_slots, OUT_OF_BOUNDS);
  return 0;
}

static inline u64 price_of(u64 gas, u64 price) { return (gas * price + 999999) / 1000000; }

/* What the request costs, share by share. No product leaves 64 bits: `are_terms_valid` bounds every factor. */
static u64 quote(const Terms *terms, const Request *request, Pending *pending) {
  u64 gas = request->execution_gas_limit + terms->execution_overhead_gas + terms->execution_gas_per_byte * request->payload.length;
  pending->execution_lamports = price_of(gas, terms->execution_price);
  pending->delivery_lamports = terms->delivery_lamports;
  pending->callback_lamports = price_of(request->callback_gas_limit, terms->callback_price);
  pending->signers_lamports = terms->signers_lamports;
  pending->expire_bps = terms->expire_bps;
  return pending->execution_lamports + pending->delivery_lamports + pending->callback_lamports + pending->signers_lamports;
}

/* SECURITY: a callback goes to the program whose own address asked, or anybody could have another program called with answers
 * that it did not ask for. */
static u64 require_callback_sender(const Asked *asked, const Account *sender) {
  u8 address[32];
  Bytes seeds[3] = {TEXT(CLIENT_SEED), asked->callback_seed, {&asked->callback_bump, 1}};
  REQUIRE(asked->callback_seed.length <= 32, NOT_CALLBACK_SENDER);
  REQUIRE(sol_create_program_address(seeds, 3, asked->callback_program, address) == 0, NOT_CALLBACK_SENDER);
  REQUIRE(is_account(sender, address), NOT_CALLBACK_SENDER);
  return 0;
}

/* The sender's next nonce; its account is made at its first request. */
static u64 take_nonce(Gateway *gateway, const Config *config, u64 *nonce) {
  Account *account = &gateway->accounts[REQUEST_SENDER_STATE];
  const Account *sender = &gateway->accounts[REQUEST_SENDER];
  Sender *state;
  if (is_ours(gateway, account)) {
    TRY(require_writable(account));
    TRY(require_state(gateway, account, SENDER_DISCRIMINATOR, sizeof(Sender)));
    state = (Sender *)account->data;
    Bytes seeds[3] = {TEXT(SENDER_SEED), word_of(sender->key)};
    TRY(require_address(gateway, account, seeds, 2, &state->bump));
  } else {
    Creation made = {.payer = &gateway->accounts[PAYER], .account = account};
    made.seeds[0] = TEXT(SENDER_SEED);
    made.seeds[1] = word_of(sender->key);
    made.seed_count = 2;
    made.length = sizeof(Sender);
    made.discriminator = SENDER_DISCRIMINATOR;
    TRY(create_state(gateway, &made));
    state = (Sender *)account->data;
    copy32(state->sender, sender->key);
    state->bump = made.bump;
  }
  if (config->limit_slots != 0 && config->limit_requests != 0) {
    u64 window = gateway->clock.slot / config->limit_slots;
    if (window != state->window) {
      state->window = window;
      state->window_count = 0;
    }
    /* SECURITY: signers must look at all that is asked, or one sender could keep them from everybody else's */
    REQUIRE(state->window_count < config->limit_requests, SENDER_LIMIT);
    ++state->window_count;
  }
  *nonce = state->next_nonce;
  REQUIRE(*nonce + 1 != 0, NONCE_EXHAUSTED);
  state->next_nonce = *nonce + 1;
  return 0;
}

static void write_request(Writer *event, const Request *request) {
  write_bytes(event, request->source_gateway);
  write_bytes(event, request->sender);
  write_bytes(event, request->destination_gateway);
  write_bytes(event, request->target);
  write_u64(event, request->nonce);
  write_u8(event, request->mode);
  write_u8(event, request->own_account);
  write_bytes(event, request->payload);
  write_u64(event, request->execution_gas_limit);
  write_u64(event, request->callback_gas_limit);
  write_u32(event, request->return_limit);
  write_u64(event, request->expiry);
  write_word(event, request->ordered_after);
  write_word(event, request->origin);
  write_word(event, request->code_hash);
  write_u32(event, request->dispute_blocks);
  write_bytes(event, request->metadata);
}

/* keccak256(sourceGateway ‖ destinationGateway), or with the target's chain for a query. */
static void hash_route(const Request *request, u8 *hash) {
  u8 chain[64];
  u64 head = 0, length = 0;
  Bytes parts[2] = {request->source_gateway, request->destination_gateway};
  if (request->mode == QUERY) {
    split_address(request->target, &head, &length);
    memcpy(chain, request->target.data, head);
    chain[head] = 0;
    parts[1] = (Bytes){chain, head + 1};
  }
  sol_keccak256(parts, 2, hash);
}

static u64 make_pending(Gateway *gateway, const Asked *asked, const Request *request, const Pending *terms, u64 fee) {
  Account *accounts = gateway->accounts;
  Creation made = {.payer = &accounts[PAYER], .account = &accounts[REQUEST_PENDING]};
  made.seeds[0] = TEXT(PENDING_SEED);
  made.seeds[1] = word_of(accounts[REQUEST_SENDER].key);
  made.seeds[2] = (Bytes){(u8 *)&asked->salt, 8};
  made.seed_count = 3;
  made.length = sizeof(Pending);
  made.lamports = fee;
  made.discriminator = PENDING_DISCRIMINATOR;
  TRY(create_state(gateway, &made));
  Pending *pending = (Pending *)made.account->data;
  *pending = *terms;
  pending->discriminator = PENDING_DISCRIMINATOR;
  copy32(pending->sender, accounts[REQUEST_SENDER].key);
  copy32(pending->payer, accounts[PAYER].key);
  if (asked->has_callback) copy32(pending->callback_program, asked->callback_program);
  pending->salt = asked->salt;
  pending->expiry = request->expiry;
  pending->callback_gas_limit = request->callback_gas_limit;
  pending->mode = request->mode;
  pending->state = STATE_PENDING;
  pending->bump = made.bump;
  return 0;
}

static u64 require_pending(const Gateway *gateway, const Account *account, Pending **pending) {
  TRY(require_state(gateway, account, PENDING_DISCRIMINATOR, sizeof(Pending)));
  TRY(require_writable(account));
  *pending = (Pending *)account->data;
  Bytes seeds[4] = {TEXT(PENDING_SEED), word_of((*pending)->sender), {(u8 *)&(*pending)->salt, 8}};
  return require_address(gateway, account, seeds, 3, &(*pending)->bump);
}

/* Opens what stands about the sender's last ordered request on a route, making it for the first. */
static u64 open_ordered(Gateway *gateway, const u8 *route, Ordered **ordered) {
  Account *account = &gateway->accounts[REQUEST_ORDERED];
  const Account *sender = &gateway->accounts[REQUEST_SENDER];
  if (is_ours(gateway, account)) {
    TRY(require_writable(account));
    TRY(require_state(gateway, account, ORDERED_DISCRIMINATOR, sizeof(Ordered)));
    *ordered = (Ordered *)account->data;
    Bytes seeds[4] = {TEXT(ORDERED_SEED), word_of(sender->key), word_of(route)};
    return require_address(gateway, account, seeds, 3, &(*ordered)->bump);
  }
  Creation made = {.payer = &gateway->accounts[PAYER], .account = account};
  made.seeds[0] = TEXT(ORDERED_SEED);
  made.seeds[1] = word_of(sender->key);
  made.seeds[2] = word_of(route);
  made.seed_count = 3;
  made.length = sizeof(Ordered);
  made.discriminator = ORDERED_DISCRIMINATOR;
  TRY(create_state(gateway, &made));
  *ordered = (Ordered *)account->data;
  (*ordered)->request_id[31] = 1; /* what the first ordered request runs after */
  (*ordered)->bump = made.bump;
  return 0;
}

/* Puts a request behind its sender's last ordered one on the route. */
static u64 put_in_order(const Asked *asked, const Ordered *last, Request *request, u8 *after) {
  copy32(after, last->request_id);
  request->ordered_after = after;
  if (request->expiry >= last->expiry) return 0;
  /* SECURITY: it must not expire first, or it could run although that one still might */
  REQUIRE(asked->options.expiry == 0, EXPIRY_BEFORE_PREDECESSOR);
  request->expiry = last->expiry;
  return 0;
}

/* Makes the request a retry of an earlier attempt, which is cancelled and the same but for nonce, expiry and origin. */
static u64 follow(const Gateway *gateway, const Attempt *attempt, Request *request, u8 *origin) {
  Pending *earlier;
  TRY(require_pending(gateway, &gateway->accounts[RETRY_EARLIER], &earlier));
  /* SECURITY: the attempts of a request are its requester's */
  REQUIRE(is_account(&gateway->accounts[REQUEST_SENDER], earlier->sender), NOT_REQUESTER);
  REQUIRE(earlier->state == STATE_CANCELLED, NOT_CANCELLED);
  Request former = *request;
  former.nonce = attempt->nonce;
  former.expiry = attempt->expiry;
  former.origin = attempt->origin;
  u8 id[32];
  hash_request(&former, id);
  /* SECURITY: another gateway knows nothing of the earlier attempt and would run the call a second time; nor is another call a retry */
  REQUIRE(request->mode == CALL && is_same(id, earlier->request_id), OTHER_REQUEST);
  copy32(origin, is_zero(attempt->origin) ? id : attempt->origin);
  request->origin = origin;
  return 0;
}

static u64 ask(Gateway *gateway, int is_retry) {
  Account *accounts = gateway->accounts;
  Config *config;
  TRY(require_config(gateway, &accounts[CONFIG], &config));
  TRY(require_open(gateway, config, REQUESTS));
  Asked asked = {0};
  Reader reader = reader_of(gateway->data);
  Attempt attempt = {0};
  if (is_retry) {
    attempt.nonce = read_u64(&reader);
    attempt.expiry = read_u64(&reader);
    attempt.origin = read_word(&reader);
  }
  TRY(read_asked(&reader, &asked));
  const Account *sender = &accounts[REQUEST_SENDER];
  /* SECURITY: a request is its sender's, and so is what comes of it */
  TRY(require_signer(sender));
  if (asked.has_callback) TRY(require_callback_sender(&asked, sender));
  Outbound *outbound;
  TRY(open_outbound(gateway, &accounts[REQUEST_OUTBOUND], asked.target, &outbound));
  Request request;
  Pending pending = {0};
  u64 deadline_slots = 0;
  TRY(plan(gateway, &asked, outbound, &request, &deadline_slots));
  u8 self[72], sender_address[72], route[32], other[32];
  request.source_gateway = put_account(config->genesis_hash, gateway->program, self);
  request.sender = put_account(config->genesis_hash, sender->key, sender_address);
  request.target = asked.target;
  hash_route(&request, route);
  Ordered *ordered = 0;
  if (asked.options.ordered) {
    REQUIRE(!is_retry, OTHER_REQUEST);
    TRY(open_ordered(gateway, route, &ordered));
    TRY(put_in_order(&asked, ordered, &request, other));
  }
  if (is_retry) TRY(follow(gateway, &attempt, &request, other));
  TRY(take_nonce(gateway, config, &request.nonce));
  u64 fee = quote(&outbound->terms, &request, &pending);
  REQUIRE(fee <= asked.max_fee, FEE_TOO_HIGH);
  hash_request(&request, pending.request_id);
  if (ordered) {
    copy32(ordered->request_id, pending.request_id);
    ordered->expiry = request.expiry;
  }
  u64 deadline = gateway->clock.slot + deadline_slots;
  pending.deadline_slot = deadline - callback_paused_slots(gateway, config);
  TRY(make_pending(gateway, &asked, &request, &pending, fee));
  Writer event = begin_event(gateway, 0xc2f7a02aed20c47eULL);
  write_word(&event, pending.request_id);
  write_word(&event, accounts[REQUEST_PENDING].key);
  write_word(&event, route);
  write_u64(&event, fee);
  write_u64(&event, deadline);
  write_request(&event, &request);
  return emit(gateway, config, &event);
}

static u64 request(Gateway *gateway) { return ask(gateway, 0); }

static u64 retry(Gateway *gateway) { return ask(gateway, 1); }

/* amount · share / whole, rounded down; 0 of nothing. Shares lose low bits where the product would not fit. */
static u64 part_of(u64 amount, u64 share, u64 whole) {
  if (whole == 0) return 0;
  for (; whole >> 31; whole >>= 1) share >>= 1;
  return amount / whole * share + amount % whole * share / whole;
}

enum { FEE_PENDING = FIRST_OWN, FEE_SYSTEM, FEE_COUNT };

static u64 add_fee(Gateway *gateway) {
  Account *accounts = gateway->accounts;
  Config *config;
  Pending *pending;
  TRY(require_config(gateway, &accounts[CONFIG], &config));
  TRY(require_pending(gateway, &accounts[FEE_PENDING], &pending));
  Reader reader = reader_of(gateway->data);
  u64 amount = read_u64(&reader);
  TRY(require_end(&reader));
  TRY(require_payer(&accounts[PAYER]));
  REQUIRE(pending->state == STATE_PENDING, NOT_PENDING);
  REQUIRE(amount != 0 && amount <= MAX_SHARE, OUT_OF_BOUNDS);
  TRY(transfer(gateway, &accounts[PAYER], &accounts[FEE_PENDING], amount));
  u64 to_execution = part_of(amount, pending->execution_lamports, pending->execution_lamports + pending->callback_lamports);
  pending->execution_lamports += to_execution;
  pending->callback_lamports += amount - to_execution;
  Writer event = begin_event(gateway, 0x0bcc83f9f14904f5ULL);
  write_word(&event, pending->request_id);
  write_u64(&event, amount);
  write_u64(&event, pending->execution_lamports + pending->delivery_lamports + pending->callback_lamports + pending->signers_lamports);
  return emit(gateway, config, &event);
}

enum {
  DELIVER_EPOCH = FIRST_OWN,
  DELIVER_ROOT,
  DELIVER_PENDING,
  DELIVER_CREDIT, /* the payee's; left as the system's it is the treasury that is paid */
  DELIVER_COUNT,
};

INLINE Outcome read_outcome(Reader *reader) {
  Outcome outcome;
  outcome.request_id = read_word(reader);
  outcome.kind = read_u8(reader);
  outcome.cut = read_bool(reader);
  outcome.return_data_hash = read_word(reader);
  outcome.place.height = read_u64(reader);
  outcome.place.block_hash = read_word(reader);
  outcome.place.tx_index = read_u32(reader);
  outcome.place.log_index = read_u32(reader);
  outcome.payee = read_word(reader);
  outcome.round = read_u32(reader);
  return outcome;
}

/* A Merkle path: its siblings' count, then they. */
static u64 read_path(Reader *reader, Bytes *path) {
  u64 count = read_u32(reader);
  REQUIRE(count <= MAX_PATH, NOT_IN_BATCH);
  path->length = 32 * count;
  path->data = reader->at;
  /* SECURITY: what lies behind the data is no part of a path */
  REQUIRE(reader->left >= path->length, MALFORMED_INSTRUCTION);
  reader->at += path->length;
  reader->left -= path->length;
  return 0;
}

/* Pays a share to the payee's credit, or, where it keeps none here, to the treasury. */
static u64 credit_payee(Gateway *gateway, Config *config, Account *from, const u8 *payee, u64 lamports) {
  Account *account = &gateway->accounts[DELIVER_CREDIT];
  u8 bump;
  Bytes seeds[2] = {TEXT(CREDIT_SEED), word_of(payee)};
  /* SECURITY: whoever delivers would name itself */
  TRY(require_canonical_address(gateway, account, seeds, 2, &bump));
  if (is_ours(gateway, account)) {
    TRY(require_state(gateway, account, CREDIT_DISCRIMINATOR, sizeof(Credit)));
    return pay(from, account, lamports);
  }
  TRY(pay(from, &gateway->accounts[CONFIG], lamports));
  config->treasury_lamports += lamports;
  return 0;
}

/* Records a certified outcome and pays who earned it. The callback is another transaction, for there is no catch here. */
static u64 deliver(Gateway *gateway) {
  Account *accounts = gateway->accounts;
  Config *config;
  Epoch *epoch;
  Root *root;
  Pending *pending;
  Account *escrow = &accounts[DELIVER_PENDING];
  TRY(require_payer(&accounts[PAYER]));
  TRY(require_config(gateway, &accounts[CONFIG], &config));
  TRY(require_open(gateway, config, CALLBACKS));
  Reader reader = reader_of(gateway->data);
  Outcome outcome = read_outcome(&reader);
  Bytes path;
  TRY(read_path(&reader, &path));
  TRY(require_end(&reader));
  TRY(require_epoch(gateway, &accounts[DELIVER_EPOCH], &epoch));
  TRY(require_certified(gateway, &accounts[DELIVER_ROOT], epoch, &root));
  u8 leaf[32];
  hash_outcome(&outcome, leaf);
  /* SECURITY: only what a quorum has signed */
  REQUIRE(is_in_tree(leaf, path, root->root), NOT_IN_BATCH);
  REQUIRE(outcome.kind < KIND_COUNT, MALFORMED_INSTRUCTION);
  TRY(require_pending(gateway, escrow, &pending));
  /* SECURITY: the outcome is this request's and no other's */
  REQUIRE(is_same(pending->request_id, outcome.request_id), OTHER_REQUEST);
  u8 state = pending->state;
  /* SECURITY: once only */
  REQUIRE(state == STATE_PENDING || state == STATE_CANCELLED, NOT_PENDING);
  u64 execution = pending->execution_lamports;
  if (outcome.kind == EXPIRED || outcome.kind == DUPLICATE) {
    /* what is not kept stays in the account, and goes to its payer */
    execution = part_of(execution, pending->expire_bps, BPS);
  }
  TRY(credit_payee(gateway, config, escrow, outcome.payee, execution));
  TRY(pay(escrow, &accounts[DELIVER_EPOCH], pending->signers_lamports));
  epoch->signers_lamports += pending->signers_lamports;
  TRY(pay(escrow, &accounts[PAYER], pending->delivery_lamports));
  pending->execution_lamports = 0;
  pending->signers_lamports = 0;
  pending->delivery_lamports = 0;
  pending->kind = outcome.kind;
  pending->since = now_of(gateway);
  pending->state = state == STATE_PENDING ? STATE_DELIVERED : STATE_CONCLUDED;
  copy32(pending->return_data_hash, outcome.return_data_hash);
  Writer event = begin_event(gateway, 0x85bb9b79f1aad378ULL);
  write_word(&event, pending->request_id);
  write_u8(&event, outcome.kind);
  write_u8(&event, state == STATE_CANCELLED);
  write_word(&event, outcome.return_data_hash);
  write_word(&event, accounts[PAYER].key);
  return emit(gateway, config, &event);
}

enum {
  CALLBACK_PENDING = FIRST_OWN,
  CALLBACK_PAYER, /* who paid for the request: gets what is left */
  CALLBACK_AUTHORITY,
  CALLBACK_HANDLER,
  CALLBACK_COUNT,
};

/* Lays out the accounts of a call to somebody else, from `first` on. `own` alone may sign. */
static u64 pass_accounts(Gateway *gateway, u64 first, const u8 *own, u64 *count) {
  const Account *payer = &gateway->accounts[PAYER];
  for (u64 i = first; i < gateway->account_count; ++i) {
    const Account *account = &gateway->accounts[i];
    /* SECURITY: whoever is called must not get at who pays for it */
    REQUIRE(account->key != payer->key, PAYER_AMONG_ACCOUNTS);
    /* SECURITY: nor at anything of the gateway's */
    REQUIRE(!is_ours(gateway, account) && !is_account(account, gateway->program), WRONG_TARGET_ACCOUNTS);
    gateway->metas[*count] = (Meta){account->key, account->is_writable, own && is_account(account, own)};
    gateway->passed[*count] = *account;
    ++*count;
  }
  return 0;
}

/* Whether the asking program is told success. A duplicate's data is the slot word of what was consumed: kind ‖ id. */
static int is_success(u8 kind, Bytes return_data) {
  if (kind != DUPLICATE) return kind == EXECUTED;
  return return_data.length == 32 && return_data.data[0] == EXECUTED;
}

static u64 call_handler(Gateway *gateway, const Pending *pending, Bytes return_data, int success) {
  Account *accounts = gateway->accounts;
  const Account *authority = &accounts[CALLBACK_AUTHORITY];
  u8 bump;
  Bytes seeds[3] = {TEXT(CALLBACK_SEED), word_of(pending->callback_program)};
  /* SECURITY: an authority that all handlers trust could be carried from one handler to another */
  TRY(require_canonical_address(gateway, authority, seeds, 2, &bump));
  seeds[2] = (Bytes){&bump, 1};
  Signer signer = {seeds, 3};
  gateway->metas[0] = (Meta){authority->key, 0, 1};
  gateway->passed[0] = *authority;
  u64 count = 1;
  TRY(pass_accounts(gateway, CALLBACK_COUNT, 0, &count));
  Writer data = {gateway->event, MAX_EVENT_LENGTH, 0};
  write_u64(&data, CALLBACK_DISCRIMINATOR);
  write_word(&data, pending->request_id);
  write_u8(&data, (u8)success);
  write_bytes(&data, return_data);
  REQUIRE(!data.is_full, EVENT_TOO_LONG);
  Instruction call = {pending->callback_program, gateway->metas, count, gateway->event, (u64)(data.at - gateway->event)};
  return sol_invoke_signed_c(&call, gateway->passed, count, &signer, 1);
}

/* Tells the asking program, and ends the request. If the handler fails nothing has happened: anybody may try again. */
static u64 callback(Gateway *gateway) {
  Account *accounts = gateway->accounts;
  Config *config;
  Pending *pending;
  TRY(require_payer(&accounts[PAYER]));
  TRY(require_config(gateway, &accounts[CONFIG], &config));
  TRY(require_open(gateway, config, CALLBACKS));
  TRY(require_pending(gateway, &accounts[CALLBACK_PENDING], &pending));
  Reader reader = reader_of(gateway->data);
  Bytes return_data = read_bytes(&reader);
  TRY(require_end(&reader));
  /* SECURITY: only what was certified is told, and only once */
  REQUIRE(pending->state == STATE_DELIVERED, NOT_DELIVERED);
  u8 hash[32];
  keccak(return_data, hash);
  /* SECURITY: only the certified outcome may be told */
  REQUIRE(is_same(hash, pending->return_data_hash), OTHER_OUTCOME);
  /* SECURITY: what is left is not for who comes first */
  REQUIRE(is_account(&accounts[CALLBACK_PAYER], pending->payer), WRONG_ADDRESS);
  int success = is_success(pending->kind, return_data);
  if (!is_zero(pending->callback_program)) TRY(call_handler(gateway, pending, return_data, success));
  Writer event = begin_event(gateway, 0x41549f686a02fbf8ULL);
  write_word(&event, pending->request_id);
  write_u8(&event, pending->kind);
  write_u8(&event, (u8)success);
  write_word(&event, pending->return_data_hash);
  write_word(&event, accounts[PAYER].key);
  TRY(emit(gateway, config, &event));
  TRY(pay(&accounts[CALLBACK_PENDING], &accounts[PAYER], pending->callback_lamports));
  return close_state(&accounts[CALLBACK_PENDING], &accounts[CALLBACK_PAYER]);
}

enum { CANCEL_PENDING = FIRST_OWN, CANCEL_PAYER, CANCEL_COUNT };

static u64 cancel(Gateway *gateway) {
  Account *accounts = gateway->accounts;
  Config *config;
  Pending *pending;
  TRY(require_config(gateway, &accounts[CONFIG], &config));
  TRY(require_pending(gateway, &accounts[CANCEL_PENDING], &pending));
  Reader reader = reader_of(gateway->data);
  TRY(require_end(&reader));
  TRY(require_signer(&accounts[PAYER]));
  /* SECURITY: a request belongs to who asked */
  REQUIRE(is_account(&accounts[PAYER], pending->sender), NOT_REQUESTER);
  REQUIRE(pending->state == STATE_PENDING, NOT_PENDING);
  /* SECURITY: a deliverer may count on its share until here */
  REQUIRE(gateway->clock.slot > pending->deadline_slot + callback_paused_slots(gateway, config), DEADLINE_NOT_OVER);
  /* SECURITY: or it could be cancelled while it may still be executed */
  REQUIRE(pending->mode == QUERY || now_of(gateway) > pending->expiry + CLOCK_SKEW_SECONDS, EXPIRY_NOT_OVER);
  /* SECURITY: what comes back is who paid's */
  REQUIRE(is_account(&accounts[CANCEL_PAYER], pending->payer), WRONG_ADDRESS);
  u64 back = pending->delivery_lamports + pending->callback_lamports;
  TRY(pay(&accounts[CANCEL_PENDING], &accounts[CANCEL_PAYER], back));
  pending->delivery_lamports = 0;
  pending->callback_lamports = 0;
  pending->state = STATE_CANCELLED;
  pending->since = now_of(gateway);
  Writer event = begin_event(gateway, 0xa5abf8bccdcfb1bcULL);
  write_word(&event, pending->request_id);
  write_u64(&event, back);
  return emit(gateway, config, &event);
}

/* Ends an account whose request is over, or whose outcome or callback has not come for 7 days; all that it holds to who paid. */
static u64 reclaim(Gateway *gateway) {
  Account *accounts = gateway->accounts;
  Config *config;
  Pending *pending;
  TRY(require_config(gateway, &accounts[CONFIG], &config));
  TRY(require_pending(gateway, &accounts[CANCEL_PENDING], &pending));
  Reader reader = reader_of(gateway->data);
  TRY(require_end(&reader));
  /* SECURITY: what is left is not for who comes first */
  REQUIRE(is_account(&accounts[CANCEL_PAYER], pending->payer), WRONG_ADDRESS);
  REQUIRE(pending->state != STATE_PENDING, NOT_PENDING);
  /* SECURITY: until then whoever executed may show the outcome and be paid, and a handler may be called */
  REQUIRE(pending->state == STATE_CONCLUDED || now_of(gateway) >= pending->since + RECLAIM_SECONDS, TOO_EARLY_TO_RECLAIM);
  Writer event = begin_event(gateway, 0xc8173ae57fce2ecaULL);
  write_word(&event, pending->request_id);
  write_u64(&event, *accounts[CANCEL_PENDING].lamports);
  TRY(emit(gateway, config, &event));
  return close_state(&accounts[CANCEL_PENDING], &accounts[CANCEL_PAYER]);
}

enum { CREDIT_PAYER, CREDIT_BENEFICIARY, CREDIT_STATE, CREDIT_SYSTEM, OPEN_CREDIT_COUNT };

static u64 open_credit(Gateway *gateway) {
  Account *accounts = gateway->accounts;
  Reader reader = reader_of(gateway->data);
  TRY(require_end(&reader));
  Creation made = {.payer = &accounts[CREDIT_PAYER], .account = &accounts[CREDIT_STATE]};
  made.seeds[0] = TEXT(CREDIT_SEED);
  made.seeds[1] = word_of(accounts[CREDIT_BENEFICIARY].key);
  made.seed_count = 2;
  made.length = sizeof(Credit);
  made.discriminator = CREDIT_DISCRIMINATOR;
  TRY(create_state(gateway, &made));
  Credit *credit = (Credit *)made.account->data;
  copy32(credit->beneficiary, accounts[CREDIT_BENEFICIARY].key);
  credit->bump = made.bump;
  return 0;
}

enum { WITHDRAW_BENEFICIARY, WITHDRAW_CREDIT, WITHDRAW_COUNT };

static u64 withdraw(Gateway *gateway) {
  Account *account = &gateway->accounts[WITHDRAW_CREDIT], *beneficiary = &gateway->accounts[WITHDRAW_BENEFICIARY];
  Reader reader = reader_of(gateway->data);
  TRY(require_end(&reader));
  TRY(require_state(gateway, account, CREDIT_DISCRIMINATOR, sizeof(Credit)));
  TRY(require_writable(account));
  Credit *credit = (Credit *)account->data;
  Bytes seeds[3] = {TEXT(CREDIT_SEED), word_of(credit->beneficiary)};
  TRY(require_address(gateway, account, seeds, 2, &credit->bump));
  TRY(require_signer(beneficiary));
  /* SECURITY: a credit is its beneficiary's */
  REQUIRE(is_account(beneficiary, credit->beneficiary), NOT_REQUESTER);
  u64 rent = 0;
  TRY(rent_of(account->data_length, &rent));
  return pay(account, beneficiary, *account->lamports - rent);
}

enum { COLLECT_CONFIG, COLLECT_EPOCH, COLLECT_TREASURY, COLLECT_COUNT };

/* What no payee could be paid, and what an epoch's signers have earned, to the treasury, whose owner parts it among operators. */
static u64 collect(Gateway *gateway) {
  Account *accounts = gateway->accounts;
  Config *config;
  Epoch *epoch;
  Reader reader = reader_of(gateway->data);
  TRY(require_end(&reader));
  TRY(require_config(gateway, &accounts[COLLECT_CONFIG], &config));
  TRY(require_epoch(gateway, &accounts[COLLECT_EPOCH], &epoch));
  TRY(require_writable(&accounts[COLLECT_CONFIG]));
  TRY(require_writable(&accounts[COLLECT_EPOCH]));
  /* SECURITY: anybody may call */
  REQUIRE(is_account(&accounts[COLLECT_TREASURY], config->treasury), WRONG_ADDRESS);
  TRY(pay(&accounts[COLLECT_CONFIG], &accounts[COLLECT_TREASURY], config->treasury_lamports));
  config->treasury_lamports = 0;
  TRY(pay(&accounts[COLLECT_EPOCH], &accounts[COLLECT_TREASURY], epoch->signers_lamports));
  epoch->signers_lamports = 0;
  return 0;
}
