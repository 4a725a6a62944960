/* One call of the program: its accounts, its data, the heap it works on; and the checks that every instruction makes of accounts.
 *
 * It holds no rule of the protocol.
 */
#pragma once
#include "errors.h"
#include "layouts.h"
#include "runtime.h"

enum {
  MAX_ACCOUNTS = 64,         /* of one instruction; as many as a transaction may lock */
  MAX_EVENT_LENGTH = 10240, /* of a cross-program call's data */
  MAX_RETURN_LENGTH = 1024, /* of this chain's return data */
  MAX_GROWTH = 10240,       /* behind each account's data in the input */
};

/* An instruction's accounts begin with these wherever it has an event to tell. */
enum { PAYER = 0, CONFIG = 1, EVENT_AUTHORITY = 2, PROGRAM = 3, FIRST_OWN = 4 };

typedef struct {
  const u8 *program;
  Account *accounts;
  u64 account_count;
  Bytes data;
  Clock clock;
  u64 self_length;
  u8 self[72]; /* the gateway's ERC-7930 address, once the config is open */
  Account all[MAX_ACCOUNTS];
  Meta metas[MAX_ACCOUNTS];
  Account passed[MAX_ACCOUNTS];
  u8 event[MAX_EVENT_LENGTH];
  u8 returned[MAX_RETURN_LENGTH];
} Gateway;

/* The runtime gives each call a zeroed heap here; globals cannot be written. */
#define GATEWAY ((Gateway *)0x300000000ULL)

static const u8 SYSTEM_PROGRAM[32] = {0};

static u64 parse_input(u8 *input, Gateway *gateway) {
  u64 count = *(u64 *)input;
  u8 *at = input + 8;
  REQUIRE(count <= MAX_ACCOUNTS, TOO_MANY_ACCOUNTS);
  for (u64 i = 0; i < count; ++i) {
    Account *account = &gateway->all[i];
    if (at[0] != 0xff) {
      *account = gateway->all[at[0]];
      at += 8;
      continue;
    }
    account->is_signer = at[1];
    account->is_writable = at[2];
    account->is_executable = at[3];
    account->key = at + 8;
    account->owner = at + 40;
    account->lamports = (u64 *)(at + 72);
    account->data_length = *(u64 *)(at + 80);
    account->data = at + 88;
    at += 88 + account->data_length + MAX_GROWTH;
    at = (u8 *)(((u64)at + 7) & ~7ULL);
    account->rent_epoch = *(u64 *)at;
    at += 8;
  }
  gateway->accounts = gateway->all;
  gateway->account_count = count;
  gateway->data = (Bytes){at + 8, *(u64 *)at};
  gateway->program = at + 8 + gateway->data.length;
  return 0;
}

static inline int is_account(const Account *account, const u8 *key) { return is_same(account->key, key); }

/* An optional account that is left out is the gateway's program, as Anchor has it. */
static inline int is_given(const Gateway *gateway, const Account *account) { return !is_account(account, gateway->program); }

static inline int is_ours(const Gateway *gateway, const Account *account) { return is_same(account->owner, gateway->program); }

/* SECURITY: an account of ours that stands at two writable places would be changed as two. */
static u64 require_distinct(const Gateway *gateway, u64 fixed) {
  for (u64 i = 0; i < fixed; ++i) {
    const Account *account = &gateway->accounts[i];
    if (!account->is_writable || !is_ours(gateway, account)) continue;
    for (u64 j = 0; j < fixed; ++j) {
      REQUIRE(j == i || gateway->accounts[j].key != account->key, DUPLICATE_ACCOUNT);
    }
  }
  return 0;
}

static inline u64 require_signer(const Account *account) {
  REQUIRE(account->is_signer, MISSING_SIGNER);
  return 0;
}

static inline u64 require_writable(const Account *account) {
  REQUIRE(account->is_writable, NOT_WRITABLE);
  return 0;
}

static inline u64 require_payer(const Account *account) {
  TRY(require_signer(account));
  return require_writable(account);
}

/* SECURITY: whoever owns an account writes what it likes there, discriminator included. */
static u64 require_state(const Gateway *gateway, const Account *account, u64 discriminator, u64 length) {
  REQUIRE(is_ours(gateway, account), WRONG_OWNER);
  REQUIRE(account->data_length >= length && *(u64 *)account->data == discriminator, WRONG_DISCRIMINATOR);
  return 0;
}

/* The account stands where its seeds, and the bump that it was made with, put it. `seeds` has room for one more. */
static u64 require_address(const Gateway *gateway, const Account *account, Bytes *seeds, u64 count, const u8 *bump) {
  u8 address[32];
  seeds[count] = (Bytes){bump, 1};
  REQUIRE(sol_create_program_address(seeds, count + 1, gateway->program, address) == 0, WRONG_ADDRESS);
  REQUIRE(is_account(account, address), WRONG_ADDRESS);
  return 0;
}

/* The account stands at the one address that its seeds give. SECURITY: with another bump it would be another account for the same. */
static u64 require_canonical_address(const Gateway *gateway, const Account *account, const Bytes *seeds, u64 count, u8 *bump) {
  u8 address[32];
  REQUIRE(sol_try_find_program_address(seeds, count, gateway->program, address, bump) == 0, WRONG_ADDRESS);
  REQUIRE(is_account(account, address), WRONG_ADDRESS);
  return 0;
}

/* Lamports below which an account of this length does not live on. */
static u64 rent_of(u64 length, u64 *lamports) {
  Rent rent;
  sol_get_rent_sysvar(&rent);
  u64 yearly = (128 + length) * rent.lamports_per_byte_year;
  /* there is no floating point here: the threshold has been 2 years since genesis, and is to become 1 with doubled lamports */
  if (rent.exemption_threshold == 0x4000000000000000ULL) *lamports = 2 * yearly;
  else if (rent.exemption_threshold == 0x3ff0000000000000ULL) *lamports = yearly;
  else return UNKNOWN_RENT;
  return 0;
}

static u64 call_system(Gateway *gateway, const Account *first, const Account *second, Bytes data, const Signer *signer) {
  Meta metas[2] = {{first->key, 1, first->is_signer || !second}, {second ? second->key : 0, 1, signer != 0}};
  u64 count = second ? 2 : 1;
  Account *passed = gateway->passed;
  passed[0] = *first;
  if (second) passed[1] = *second;
  Instruction call = {SYSTEM_PROGRAM, metas, count, data.data, data.length};
  return sol_invoke_signed_c(&call, passed, count, signer, signer ? 1 : 0);
}

static u64 transfer(Gateway *gateway, const Account *from, const Account *to, u64 lamports) {
  u8 data[12];
  *(u32 *)data = 2;
  *(u64 *)(data + 4) = lamports;
  return call_system(gateway, from, to, (Bytes){data, 12}, 0);
}

typedef struct {
  Account *payer;
  Account *account;
  Bytes seeds[5];
  u64 seed_count;
  u64 length;
  u64 lamports; /* besides the rent */
  u64 discriminator;
  u8 bump;
} Creation;

/* Makes an account of ours at its one address. What somebody sent there before counts towards its lamports and stops nothing. */
static u64 create_state(Gateway *gateway, Creation *made) {
  Account *account = made->account;
  TRY(require_payer(made->payer));
  TRY(require_writable(account));
  /* SECURITY: what stands must not be made anew */
  REQUIRE(is_same(account->owner, SYSTEM_PROGRAM) && account->data_length == 0, ALREADY_INITIALIZED);
  TRY(require_canonical_address(gateway, account, made->seeds, made->seed_count, &made->bump));
  made->seeds[made->seed_count] = (Bytes){&made->bump, 1};
  Signer signer = {made->seeds, made->seed_count + 1};
  u64 rent = 0;
  TRY(rent_of(made->length, &rent));
  u64 needed = rent + made->lamports;
  REQUIRE(needed >= rent, INSUFFICIENT_LAMPORTS);
  u8 data[52];
  if (*account->lamports == 0) {
    *(u32 *)data = 0;
    *(u64 *)(data + 4) = needed;
    *(u64 *)(data + 12) = made->length;
    copy32(data + 20, gateway->program);
    TRY(call_system(gateway, made->payer, account, (Bytes){data, 52}, &signer));
  } else {
    /* the fee is paid in full, whatever lay there */
    u64 missing = *account->lamports < rent ? rent - *account->lamports : 0;
    if (missing + made->lamports) TRY(transfer(gateway, made->payer, account, missing + made->lamports));
    *(u32 *)data = 8;
    *(u64 *)(data + 4) = made->length;
    TRY(call_system(gateway, account, 0, (Bytes){data, 12}, &signer));
    account->data_length = made->length; /* or the next call would be taken to shorten it */
    *(u32 *)data = 1;
    copy32(data + 4, gateway->program);
    TRY(call_system(gateway, account, 0, (Bytes){data, 36}, &signer));
  }
  account->data_length = made->length;
  *(u64 *)account->data = made->discriminator;
  return 0;
}

/* Lamports of an account of ours to anybody. SECURITY: refuses what its rent needs. */
static u64 pay(Account *from, Account *to, u64 lamports) {
  u64 rent = 0;
  TRY(require_writable(to));
  TRY(rent_of(from->data_length, &rent));
  REQUIRE(*from->lamports >= rent && *from->lamports - rent >= lamports, INSUFFICIENT_LAMPORTS);
  *from->lamports -= lamports;
  *to->lamports += lamports;
  return 0;
}

/* Ends an account of ours: all its lamports to `to`. SECURITY: empty and given back, or it could be revived as it was. */
static u64 close_state(Account *account, Account *to) {
  TRY(require_writable(account));
  TRY(require_writable(to));
  REQUIRE(account->key != to->key, DUPLICATE_ACCOUNT);
  *to->lamports += *account->lamports;
  *account->lamports = 0;
  memset(account->data, 0, account->data_length);
  *(u64 *)(account->data - 8) = 0;
  account->data_length = 0;
  memset(account->owner, 0, 32);
  return 0;
}

static u64 require_config(const Gateway *gateway, const Account *account, Config **config) {
  TRY(require_state(gateway, account, CONFIG_DISCRIMINATOR, sizeof(Config)));
  *config = (Config *)account->data;
  Bytes seeds[2] = {TEXT(CONFIG_SEED)};
  return require_address(gateway, account, seeds, 1, &(*config)->bump);
}

static inline u64 now_of(const Gateway *gateway) {
  i64 now = gateway->clock.unix_timestamp;
  return now < 0 ? 0 : (u64)now;
}

static u64 require_open(const Gateway *gateway, const Config *config, u64 direction) {
  REQUIRE(gateway->clock.slot >= config->paused_until[direction], PAUSED);
  return 0;
}

/* Slots that callbacks have been paused for until now. */
static u64 callback_paused_slots(const Gateway *gateway, const Config *config) {
  u64 until = config->paused_until[CALLBACKS], slot = gateway->clock.slot;
  return config->callback_paused_slots - (until > slot ? until - slot : 0);
}
