/* What the Solana runtime gives a program: types, system calls, the parsed input. It knows nothing of XVM.
 *
 * Source: the runtime's C interface (sol/types.h, sol/cpi.h): layouts are the runtime's. Loads and stores of eight bytes need
 * no alignment on this machine.
 */
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

/* A slice; the layout of a seed and of a part of a hash's input as well. */
typedef struct {
  const u8 *data;
  u64 length;
} Bytes;

typedef struct {
  const u8 *key;
  u64 *lamports;
  u64 data_length;
  u8 *data;
  u8 *owner;
  u64 rent_epoch;
  u8 is_signer;
  u8 is_writable;
  u8 is_executable;
} Account;

typedef struct {
  const u8 *key;
  u8 is_writable;
  u8 is_signer;
} Meta;

typedef struct {
  const u8 *program;
  const Meta *metas;
  u64 meta_count;
  const u8 *data;
  u64 data_length;
} Instruction;

typedef struct {
  const Bytes *seeds;
  u64 count;
} Signer;

typedef struct {
  u64 slot;
  i64 epoch_start;
  u64 epoch;
  u64 leader_schedule_epoch;
  i64 unix_timestamp;
} Clock;

typedef struct {
  u64 lamports_per_byte_year;
  u64 exemption_threshold; /* an IEEE double, by its bits */
  u8 burn_percent;
} Rent;

extern u64 sol_keccak256(const Bytes *parts, u64 count, u8 *hash);
extern u64 sol_sha256(const Bytes *parts, u64 count, u8 *hash);
extern u64 sol_secp256k1_recover(const u8 *digest, u64 parity, const u8 *signature, u8 *point);
extern u64 sol_invoke_signed_c(const Instruction *, const Account *, u64 account_count, const Signer *, u64 signer_count);
extern u64 sol_create_program_address(const Bytes *seeds, u64 count, const u8 *program, u8 *address);
extern u64 sol_try_find_program_address(const Bytes *seeds, u64 count, const u8 *program, u8 *address, u8 *bump);
extern u64 sol_get_clock_sysvar(Clock *);
extern u64 sol_get_rent_sysvar(Rent *);
extern u64 sol_get_return_data(u8 *data, u64 capacity, u8 *program);
extern u64 sol_memcpy_(void *to, const void *from, u64 length);
extern u64 sol_memset_(void *to, u8 value, u64 length);

#define REQUIRE(condition, error) \
  do { \
    if (!(condition)) return (error); \
  } while (0)
#define TRY(call) \
  do { \
    u64 failure_ = (call); \
    if (failure_) return failure_; \
  } while (0)
/* What returns more than two words must be inlined: this machine has two registers for it. */
#define INLINE static inline __attribute__((always_inline))
#define TEXT(literal) ((Bytes){(const u8 *)(literal), sizeof(literal) - 1})
#define NONE ((Bytes){0, 0})

/* The compiler's own calls, for copies and fills that it does not expand. */
void *memcpy(void *to, const void *from, u64 length) {
  sol_memcpy_(to, from, length);
  return to;
}

void *memset(void *to, int value, u64 length) {
  sol_memset_(to, (u8)value, length);
  return to;
}

static inline void copy32(void *to, const void *from) {
  u64 *out = to;
  const u64 *in = from;
  out[0] = in[0];
  out[1] = in[1];
  out[2] = in[2];
  out[3] = in[3];
}

static inline int is_same(const void *left, const void *right) {
  const u64 *a = left, *b = right;
  return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3];
}

static inline int is_zero(const void *word) {
  const u64 *w = word;
  return (w[0] | w[1] | w[2] | w[3]) == 0;
}

INLINE Bytes word_of(const void *word) { return (Bytes){word, 32}; }
