/* A target to call: counts, answers, fails and burns compute units on demand. It knows no gateway: remote callers are callers. */
#include "program.h"

enum { MAX_ANSWER_LENGTH = 1024 }; /* of this chain's return data */

#define COUNTER_DISCRIMINATOR 0x197cfdbcf504b0ffULL
#define COUNTER_SEED "counter"

#define INITIALIZE 0xed9b980d1f6dafafULL
#define INCREMENT 0x213bae680968120bULL
#define READ 0x2ab2e0b3ce9fb874ULL
#define ANSWER 0xf409de35202cd648ULL
#define FAIL 0xab7b2b7b333b9258ULL
#define BURN 0x5d2adb6b381d6e74ULL

/* Seeds: "counter". One a program. */
typedef struct {
  u64 discriminator;
  u64 count;
  u8 last_caller[32]; /* who signed for the last increment; zero: nobody in particular */
  u8 bump;
  u8 reserved[7];
} Counter;

extern u64 sol_set_return_data(const u8 *data, u64 length);

enum { INITIALIZE_PAYER, INITIALIZE_COUNTER, INITIALIZE_SYSTEM, INITIALIZE_COUNT };

static u64 initialize(Program *program, Reader *reader) {
  TRY(require_end(reader));
  Creation made = {.payer = &program->accounts[INITIALIZE_PAYER], .account = &program->accounts[INITIALIZE_COUNTER]};
  made.seeds[0] = TEXT(COUNTER_SEED);
  made.seed_count = 1;
  made.length = sizeof(Counter);
  made.discriminator = COUNTER_DISCRIMINATOR;
  TRY(create_state(program, &made));
  ((Counter *)made.account->data)->bump = made.bump;
  return 0;
}

static u64 require_counter(const Program *program, const Account *account, Counter **counter) {
  TRY(require_state(program, account, COUNTER_DISCRIMINATOR, sizeof(Counter)));
  *counter = (Counter *)account->data;
  Bytes seeds[2] = {TEXT(COUNTER_SEED)};
  return require_address(program, account, seeds, 1, &(*counter)->bump);
}

enum { INCREMENT_COUNTER, INCREMENT_CALLER, INCREMENT_COUNT };

/* Adds to the count and returns it. The caller may be left out, as the program; a request's sender signs as its own account. */
static u64 increment(Program *program, Reader *reader) {
  u64 amount = read_u64(reader);
  TRY(require_end(reader));
  Counter *counter;
  const Account *account = &program->accounts[INCREMENT_COUNTER], *caller = &program->accounts[INCREMENT_CALLER];
  TRY(require_writable(account));
  TRY(require_counter(program, account, &counter));
  REQUIRE(counter->count + amount >= amount, OVERFLOW);
  counter->count += amount;
  if (is_given(program, caller)) {
    /* SECURITY: whoever does not sign may be named by anybody */
    TRY(require_signer(caller));
    copy32(counter->last_caller, caller->key);
  } else {
    memset(counter->last_caller, 0, 32);
  }
  return sol_set_return_data((const u8 *)&counter->count, 8);
}

enum { READ_COUNTER, READ_COUNT };

/* Returns the count: what a `QUERY` of the program asks for. */
static u64 read(const Program *program, const Reader *reader) {
  TRY(require_end(reader));
  Counter *counter;
  TRY(require_counter(program, &program->accounts[READ_COUNTER], &counter));
  return sol_set_return_data((const u8 *)&counter->count, 8);
}

/* Returns so many bytes, each 0xab. */
static u64 answer(Program *program, Reader *reader) {
  u64 length = read_u32(reader);
  TRY(require_end(reader));
  REQUIRE(length <= MAX_ANSWER_LENGTH, OUT_OF_BOUNDS);
  memset(program->returned, 0xab, length);
  return sol_set_return_data(program->returned, length);
}

/* Fails with this error. The runtime says "custom zero" in a number of its own. */
static u64 fail(const Program *program, Reader *reader) {
  (void)program;
  u64 code = read_u32(reader);
  TRY(require_end(reader));
  return code ? code : 1ULL << 32;
}

/* Hashes so often, for some hundred compute units each time. Nobody is given units for 2^64-1. */
static u64 burn(Program *program, Reader *reader) {
  u64 rounds = read_u64(reader);
  TRY(require_end(reader));
  Bytes part = {program->returned, 32};
  for (u64 i = 0; i < rounds; ++i) sol_sha256(&part, 1, program->returned);
  return 0;
}

u64 entrypoint(u8 *input) {
  Program *program = GATEWAY;
  Reader reader;
  u64 discriminator;
  TRY(begin(input, program, &reader, &discriminator));
  switch (discriminator) {
    CASE(INITIALIZE, INITIALIZE_COUNT, initialize);
    CASE(INCREMENT, INCREMENT_COUNT, increment);
    CASE(READ, READ_COUNT, read);
    CASE(ANSWER, 0, answer);
    CASE(FAIL, 0, fail);
    CASE(BURN, 0, burn);
    default:
      return MALFORMED_INSTRUCTION;
  }
}
