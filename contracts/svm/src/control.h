/* Who owns the gateway, whom it listens to, and its pauses. It moves no request and no fee. */
#pragma once
#include "borsh.h"
#include "hash.h"

static const u8 UPGRADEABLE_LOADER[32] = {
    0x02, 0xa8, 0xf6, 0x91, 0x4e, 0x88, 0xa1, 0xb0, 0xe2, 0x10, 0x15, 0x3e, 0xf7, 0x63, 0xae, 0x2b,
    0x00, 0xc2, 0xb9, 0x3d, 0x16, 0xc1, 0x24, 0xd2, 0xc0, 0x53, 0x7a, 0x10, 0x04, 0x80, 0x00, 0x00,
};

enum { PROGRAM_DATA_TAG = 3, PROGRAM_DATA_AUTHORITY = 12, PROGRAM_DATA_HEADER = 45 };

/* Whether the account holds the code of the upgradeable program. */
static int is_program_data(const Account *account, const u8 *program) {
  u8 address[32], bump;
  Bytes seeds[1] = {word_of(program)};
  return sol_try_find_program_address(seeds, 1, UPGRADEABLE_LOADER, address, &bump) == 0 && is_account(account, address) &&
         is_same(account->owner, UPGRADEABLE_LOADER) && account->data_length >= PROGRAM_DATA_HEADER &&
         *(u32 *)account->data == PROGRAM_DATA_TAG;
}

static void write_domain(const Gateway *gateway, Config *config) {
  u8 address[72], hash[32];
  Bytes self = put_account(config->genesis_hash, gateway->program, address);
  keccak(self, config->self_hash);
  hash_domain(config->self_hash, config->domain_separator);
  *(u32 *)(config->tags + 4) = *(u32 *)config->self_hash;
  address[37] = 0; /* the chain alone */
  keccak((Bytes){address, 38}, hash);
  *(u32 *)config->tags = *(u32 *)hash;
}

enum { INITIALIZE_PAYER, INITIALIZE_CONFIG, INITIALIZE_AUTHORITY, INITIALIZE_PROGRAM_DATA, INITIALIZE_SYSTEM, INITIALIZE_COUNT };

static u64 initialize(Gateway *gateway) {
  Account *accounts = gateway->accounts;
  Reader reader = reader_of(gateway->data);
  const u8 *genesis_hash = read_word(&reader), *guardian = read_word(&reader), *treasury = read_word(&reader);
  u64 max_pause_slots = read_u64(&reader);
  TRY(require_end(&reader));
  const Account *authority = &accounts[INITIALIZE_AUTHORITY], *code = &accounts[INITIALIZE_PROGRAM_DATA];
  /* SECURITY: or whoever comes first owns the gateway */
  REQUIRE(is_program_data(code, gateway->program), NOT_UPGRADE_AUTHORITY);
  REQUIRE(code->data[PROGRAM_DATA_AUTHORITY] == 1 && is_account(authority, code->data + PROGRAM_DATA_AUTHORITY + 1),
          NOT_UPGRADE_AUTHORITY);
  TRY(require_signer(authority));
  Creation made = {.payer = &accounts[INITIALIZE_PAYER], .account = &accounts[INITIALIZE_CONFIG]};
  made.seeds[0] = TEXT(CONFIG_SEED);
  made.seed_count = 1;
  made.length = sizeof(Config);
  made.discriminator = CONFIG_DISCRIMINATOR;
  TRY(create_state(gateway, &made));
  Config *config = (Config *)made.account->data;
  copy32(config->genesis_hash, genesis_hash);
  copy32(config->owner, authority->key);
  copy32(config->guardian, guardian);
  copy32(config->treasury, treasury);
  config->max_pause_slots = max_pause_slots;
  config->bump = made.bump;
  Bytes seeds[1] = {TEXT(EVENT_AUTHORITY_SEED)};
  u8 address[32];
  REQUIRE(sol_try_find_program_address(seeds, 1, gateway->program, address, &config->event_bump) == 0, WRONG_ADDRESS);
  write_domain(gateway, config);
  return 0;
}

static u64 require_owner(const Gateway *gateway, const Account *signer, const Account *account, Config **config) {
  TRY(require_config(gateway, account, config));
  TRY(require_signer(signer));
  /* SECURITY: whoever sets routes says which gateways are believed */
  REQUIRE(is_account(signer, (*config)->owner), NOT_OWNER);
  return 0;
}

enum { ROUTE_OWNER, ROUTE_CONFIG, ROUTE_STATE, ROUTE_SYSTEM, ROUTE_COUNT };

/* Opens the account of a route, making it if it is not there. */
static u64 open_route(Gateway *gateway, const char *seed, Bytes address, u64 length, u64 discriminator) {
  Account *account = &gateway->accounts[ROUTE_STATE];
  u8 hash[32];
  keccak(address, hash);
  if (is_ours(gateway, account)) {
    TRY(require_writable(account));
    TRY(require_state(gateway, account, discriminator, length));
    u8 bump;
    Bytes seeds[2] = {{(const u8 *)seed, discriminator == OUTBOUND_DISCRIMINATOR ? 8 : 7}, word_of(hash)};
    return require_canonical_address(gateway, account, seeds, 2, &bump);
  }
  Creation made = {.payer = &gateway->accounts[ROUTE_OWNER], .account = account};
  made.seeds[0] = (Bytes){(const u8 *)seed, discriminator == OUTBOUND_DISCRIMINATOR ? 8 : 7};
  made.seeds[1] = word_of(hash);
  made.seed_count = 2;
  made.length = length;
  made.discriminator = discriminator;
  TRY(create_state(gateway, &made));
  copy32(account->data + 8, hash); /* both begin with it */
  if (discriminator == OUTBOUND_DISCRIMINATOR) ((Outbound *)account->data)->bump = made.bump;
  else ((Inbound *)account->data)->bump = made.bump;
  return 0;
}

/* Bounds within which no sum or product of a quote leaves 64 bits, and requests and answers fit a call's data. */
enum { MAX_GAS = 1 << 24, MAX_PAYLOAD_LENGTH = 8192, MAX_ANSWER_LENGTH = 8192, MIN_DEADLINE_SLOTS = 100, BPS = 10000 };
#define MAX_PRICE (1ULL << 38)
#define MAX_SHARE (1ULL << 56)

static int are_terms_valid(const Terms *terms) {
  return terms->max_execution_gas <= MAX_GAS && terms->max_callback_gas <= MAX_GAS && terms->execution_overhead_gas <= MAX_GAS &&
         terms->execution_gas_per_byte <= 1024 && terms->execution_price <= MAX_PRICE && terms->callback_price <= MAX_PRICE &&
         terms->delivery_lamports <= MAX_SHARE && terms->signers_lamports <= MAX_SHARE && terms->expire_bps <= BPS &&
         terms->max_payload_bytes <= MAX_PAYLOAD_LENGTH && terms->max_return_bytes <= MAX_ANSWER_LENGTH &&
         terms->min_expiry_seconds <= terms->default_expiry_seconds &&
         terms->default_expiry_seconds <= terms->max_expiry_seconds && terms->max_expiry_seconds <= (1ULL << 32) &&
         terms->deadline_slots >= MIN_DEADLINE_SLOTS && terms->deadline_slots <= terms->max_deadline_slots &&
         terms->max_deadline_slots <= (1ULL << 40) && terms->is_open <= 1 && terms->takes_queries <= 1;
}

static u64 set_outbound(Gateway *gateway) {
  Config *config;
  TRY(require_owner(gateway, &gateway->accounts[ROUTE_OWNER], &gateway->accounts[ROUTE_CONFIG], &config));
  Reader reader = reader_of(gateway->data);
  Bytes chain = read_bytes(&reader), destination = read_bytes(&reader);
  const u8 *given = read_fixed(&reader, sizeof(Terms));
  TRY(require_end(&reader));
  Terms terms;
  memcpy(&terms, given, sizeof terms);
  REQUIRE(destination.length <= MAX_GATEWAY_LENGTH && are_terms_valid(&terms), INVALID_TERMS);
  TRY(open_route(gateway, OUTBOUND_SEED, chain, sizeof(Outbound), OUTBOUND_DISCRIMINATOR));
  Outbound *outbound = (Outbound *)gateway->accounts[ROUTE_STATE].data;
  outbound->terms = terms;
  outbound->gateway_length = (u8)destination.length;
  memset(outbound->gateway, 0, MAX_GATEWAY_LENGTH);
  if (destination.length) memcpy(outbound->gateway, destination.data, destination.length);
  return 0;
}

static u64 set_inbound(Gateway *gateway) {
  Config *config;
  TRY(require_owner(gateway, &gateway->accounts[ROUTE_OWNER], &gateway->accounts[ROUTE_CONFIG], &config));
  Reader reader = reader_of(gateway->data);
  Bytes source = read_bytes(&reader);
  u8 is_open = read_bool(&reader);
  TRY(require_end(&reader));
  TRY(open_route(gateway, INBOUND_SEED, source, sizeof(Inbound), INBOUND_DISCRIMINATOR));
  ((Inbound *)gateway->accounts[ROUTE_STATE].data)->is_open = is_open;
  return 0;
}

enum { OFFICE_SIGNER, OFFICE_CONFIG, OFFICE_COUNT };

static u64 require_office(const Gateway *gateway, Config **config) {
  TRY(require_owner(gateway, &gateway->accounts[OFFICE_SIGNER], &gateway->accounts[OFFICE_CONFIG], config));
  return require_writable(&gateway->accounts[OFFICE_CONFIG]);
}

static u64 set_offices(Gateway *gateway) {
  Config *config;
  TRY(require_office(gateway, &config));
  Reader reader = reader_of(gateway->data);
  const u8 *guardian = read_word(&reader), *treasury = read_word(&reader);
  TRY(require_end(&reader));
  copy32(config->guardian, guardian);
  copy32(config->treasury, treasury);
  return 0;
}

static u64 set_sender_limit(Gateway *gateway) {
  Config *config;
  TRY(require_office(gateway, &config));
  Reader reader = reader_of(gateway->data);
  u32 slots = read_u32(&reader), requests = read_u32(&reader);
  TRY(require_end(&reader));
  config->limit_slots = slots;
  config->limit_requests = requests;
  return 0;
}

static u64 transfer_ownership(Gateway *gateway) {
  Config *config;
  TRY(require_office(gateway, &config));
  Reader reader = reader_of(gateway->data);
  const u8 *next = read_word(&reader);
  TRY(require_end(&reader));
  copy32(config->pending_owner, next);
  return 0;
}

static u64 accept_ownership(Gateway *gateway) {
  Config *config;
  const Account *signer = &gateway->accounts[OFFICE_SIGNER];
  TRY(require_config(gateway, &gateway->accounts[OFFICE_CONFIG], &config));
  TRY(require_writable(&gateway->accounts[OFFICE_CONFIG]));
  Reader reader = reader_of(gateway->data);
  TRY(require_end(&reader));
  TRY(require_signer(signer));
  /* SECURITY: a zero address is nobody's, and the system program's, which never signs */
  REQUIRE(is_account(signer, config->pending_owner), NOT_PENDING_OWNER);
  copy32(config->owner, signer->key);
  memset(config->pending_owner, 0, 32);
  return 0;
}

/* Sets a pause's end. What a running pause of callbacks had left is planned no more. */
static void set_pause(const Gateway *gateway, Config *config, u64 direction, u64 slots) {
  if (direction == CALLBACKS) config->callback_paused_slots = callback_paused_slots(gateway, config) + slots;
  config->paused_until[direction] = gateway->clock.slot + slots;
}

static u64 pause(Gateway *gateway) {
  Config *config;
  const Account *signer = &gateway->accounts[OFFICE_SIGNER];
  TRY(require_config(gateway, &gateway->accounts[OFFICE_CONFIG], &config));
  TRY(require_writable(&gateway->accounts[OFFICE_CONFIG]));
  TRY(require_signer(signer));
  Reader reader = reader_of(gateway->data);
  u8 direction = read_u8(&reader);
  u64 slots = read_u64(&reader);
  TRY(require_end(&reader));
  REQUIRE(direction < DIRECTION_COUNT, UNKNOWN_DIRECTION);
  REQUIRE(slots <= config->max_pause_slots, PAUSE_TOO_LONG);
  u64 slot = gateway->clock.slot;
  if (!is_account(signer, config->owner)) {
    REQUIRE(is_account(signer, config->guardian), NOT_GUARDIAN);
    /* SECURITY: a guardian that pauses without end has taken the gateway over */
    REQUIRE(slot >= config->guardian_from[direction], GUARDIAN_RESTS);
    config->guardian_from[direction] = slot + slots + config->max_pause_slots;
  }
  set_pause(gateway, config, direction, slots);
  return 0;
}

static u64 unpause(Gateway *gateway) {
  Config *config;
  TRY(require_office(gateway, &config));
  Reader reader = reader_of(gateway->data);
  u8 direction = read_u8(&reader);
  TRY(require_end(&reader));
  REQUIRE(direction < DIRECTION_COUNT, UNKNOWN_DIRECTION);
  set_pause(gateway, config, direction, 0);
  return 0;
}
